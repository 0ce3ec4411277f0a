"""What a row of the comparison measured, as data: the table, the JSON and the page all read this.

Floor 7. Times in seconds, memory in bytes.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

EAGER = "–"  # the backend of a row that compiles nothing
FIRST_STEPS = 3  # shown one by one in the timeline, and left out of the steady time


@dataclass
class Event:
    """A stretch of a row's first moments: `kind` is build, trace, compile or run."""

    kind: str
    name: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass
class Result:
    """One execution model on one backend. What was not reached (interrupted, not built) stays None."""

    name: str
    front_end: str
    backend: str
    when: str  # when the graph exists
    status: str = "ok"  # or why the row has no numbers
    events: list[Event] = field(default_factory=list)
    nodes: int | None = None  # the compiler saw
    kernels: int | None = None  # after its passes
    step_seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    peak_memory: int | None = None
    gradient_error: float | None = None  # largest difference from the reference row, relative to its largest entry
    difference_error: float | None = None  # of the directional derivative, from finite differences in float64

    @property
    def full_name(self) -> str:
        """With the backend, where there is one to choose."""
        return self.name if self.backend == EAGER else f"{self.name} on {self.backend}"

    def spent(self, kind: str) -> float:
        return sum(e.seconds for e in self.events if e.kind == kind)

    @property
    def first_step(self) -> float | None:
        """From having data to having taken a step: building, tracing and compiling included."""
        ends = [e.end for e in self.events if e.name == "step 1"]
        return ends[0] - self.events[0].start if ends else None

    @property
    def steady(self) -> float | None:
        """Median seconds of a step, the first few left out."""
        settled = self.settled
        return statistics.median(settled) if settled else None

    @property
    def spread(self) -> float | None:
        """Half the distance between the quartiles."""
        settled = self.settled
        if len(settled) < 4:
            return None
        low, _, high = statistics.quantiles(settled, n=4)
        return (high - low) / 2

    @property
    def settled(self) -> list[float]:
        return self.step_seconds[FIRST_STEPS:]

    @property
    def final_loss(self) -> float | None:
        return self.losses[-1] if self.losses else None

    def as_json(self) -> dict[str, Any]:
        summary = {
            "first_step_seconds": self.first_step,
            "steady_seconds": self.steady,
            "spread_seconds": self.spread,
            "final_loss": self.final_loss,
        }
        return {**asdict(self), **summary}


@dataclass
class Comparison:
    """All rows of one run, and what they were asked to do."""

    model: str
    dtype: str
    steps: int
    seed: int
    parameters: int
    machine: str
    results: list[Result] = field(default_factory=list)
    interrupted: bool = False
    drawings: dict[str, str] = field(default_factory=dict)  # title -> SVG

    @property
    def tolerance(self) -> float:
        """How far apart losses may be, relatively: rounding in a different order, over 200 steps of training."""
        return 1e-9 if self.dtype == "float64" else 1e-4

    @property
    def trained(self) -> list[Result]:
        return [r for r in self.results if r.status == "ok" and len(r.losses) == self.steps]

    def deviation(self, r: Result) -> float:
        """The largest relative distance of a row's losses from the first trained row's, over all steps."""
        pairs = zip(r.losses, self.trained[0].losses, strict=True)
        return max((_relative(a, b) for a, b in pairs), default=0.0)

    @property
    def disagreeing(self) -> list[Result]:
        """Rows whose losses are not the first row's."""
        return [r for r in self.trained if not self.deviation(r) <= self.tolerance]

    @property
    def failed(self) -> list[Result]:
        return [r for r in self.results if r.status.startswith("failed")]


def _relative(a: float, b: float) -> float:
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(b), 1e-12)
