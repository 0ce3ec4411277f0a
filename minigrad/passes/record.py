"""What a pass did, in a form that prints: every pass signs its output.

Floor 4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from minigrad.frozen import dataclass
from minigrad.graph import Graph

# A pass: the graph, and a counter in which it notes each equation it used. Pure: it returns a new graph.
Pass: TypeAlias = Callable[[Graph, "Counter[str]"], Graph]


@dataclass(frozen=True)
class PassRecord:
    """One pass over one graph: name, nodes before and after, equations used with their counts, seconds taken."""

    name: str
    before: int
    after: int
    equations: tuple[tuple[str, int], ...]
    seconds: float

    def __str__(self) -> str:
        used = ", ".join(f"{equation} ({n})" for equation, n in self.equations)
        signed = f"# {self.name}: {self.before} -> {self.after} nodes, {self.seconds * 1e3:.1f} ms"
        return f"{signed}: {used}" if used else signed
