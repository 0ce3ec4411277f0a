"""Graphs as text, and back. The text *is* Python: run in `namespace()`, it defines the function the graph says.

Floor 1. `parse(to_text(g)) == g`, and equal graphs have equal normalised texts.

    def f(x: "f32[4,3]", w: "f32[3]"):
        v0 = mul(x, w)  # f32[4,3]  train.py:12
        v1 = Sum(axes=(1,))(v0)  # f32[4]  train.py:12
        return v1

Single ops of the table stand by name, ops with parameters by class and parameters; constants are exact. The graphs
an op holds are nested functions, marked `@graph`, before the line that uses them.
"""

from minigrad.graph import Graph
from minigrad.text.parser import parse
from minigrad.text.printer import rows, to_text
from minigrad.text.words import namespace

__all__ = ["namespace", "parse", "rows", "to_text"]

Graph.__str__ = to_text  # type: ignore[assignment]
