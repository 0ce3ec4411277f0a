"""Ahead of time: a function traced for certain types, to look at or to compile, without a call.

Floor 6.
"""

from __future__ import annotations

from typing import Any

from minigrad import passes
from minigrad.errors import ArgumentError, DtypeError, ShapeError, TreeError
from minigrad.graph import Graph
from minigrad.op import Value
from minigrad.passes.inline import inline
from minigrad.passes.schedule import explain, schedule
from minigrad.text import to_text
from minigrad.tracer.arguments import argument_values
from minigrad.tracer.entry import Entry
from minigrad.tracer.staging import Staged
from minigrad.types import TensorType


def explained(graph: Graph) -> str:
    """The kernels a graph becomes."""
    return explain(schedule(inline(passes.run(graph)[0])))


class Lowered:
    """A function traced for certain types: `graph`, its text, and `compile()`."""

    def __init__(self, staged: Staged, backend: str) -> None:
        self.staged, self.backend = staged, backend

    @property
    def graph(self) -> Graph:
        return self.staged.graph

    def as_text(self) -> str:
        """The graph as runnable Python text."""
        return to_text(self.graph)

    def explain(self) -> str:
        """The kernels the graph becomes, whichever backend runs it, as text."""
        return explained(self.graph)

    def compile(self) -> Compiled:
        return Compiled(self.staged, Entry(self.staged, self.backend))


class Compiled:
    """A function compiled for certain types; calling it with others is an error instead of a new trace.

    It takes the arguments that are not static: the static ones are compiled in.
    """

    def __init__(self, staged: Staged, entry: Entry) -> None:
        self._inputs, self._entry, self._captured = staged.inputs, entry, staged.captured
        self._static_places = [place for place, *_ in staged.statics if isinstance(place, int)]
        self.executable = entry.executable

    @property
    def graph(self) -> Graph:
        """The graph after the passes."""
        return self.executable.graph  # type: ignore[no-any-return]

    def as_text(self) -> str:
        """The graph after the passes, as runnable Python text."""
        return to_text(self.graph)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        placed = list(args)
        for place in self._static_places:
            placed.insert(place, None)
        expected = self._entry.graph.inputs[len(self._captured) :]
        try:
            leaves = self._inputs.flatten_up_to((tuple(placed), kwargs))
        except TreeError:
            made = ", ".join([f"{v.label}: {v.type}" for v in expected])
            raise ArgumentError(
                f"compiled: called with other arguments than it was compiled for, which are {made}"
            ) from None
        values: list[Value] = argument_values("compiled", leaves, lambda: [v.label for v in expected])
        for x, v in zip(values, expected):
            _require_type(x, v.label, v.type)
        ys = self._entry.op(*self._captured, *values)
        return self._entry.outputs.unflatten(ys)


def _require_type(x: Value, name: str, t: TensorType) -> None:
    if x.type != t:
        kind = ShapeError if x.dtype == t.dtype else DtypeError
        hint = "convert it, or call what jit gives: that compiles for other types, too"
        raise kind(f"compiled: argument {name} is {x.type}, but the function was compiled for {t}", hint=hint)
