"""What a picture of a graph shows: boxes for inputs, nodes, bigger constants and outputs, and the edges between them.

Floor 1. Scalar constants stand inside the label of the op that reads them: most ops then are one box, not three.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any

from minigrad.graph import Atom, Const, Graph, Node, Var, subgraphs
from minigrad.op import registry
from minigrad.source import UNKNOWN
from minigrad.text.words import spell_element

_PARAMETERS_SHOWN = 34  # characters of an op's parameters in its label; the tooltip has them all


@dataclass
class Box:
    """One box. `reads` are the numbers of the boxes it takes values from, in operand order."""

    kind: str  # "input", "constant", "op", "holding" (an op that holds graphs), "effect", "output"
    title: str
    detail: str
    tooltip: str = ""
    reads: list[int] = field(default_factory=list)


@dataclass
class Picture:
    """A graph's boxes, and below it the pictures of the graphs its ops hold, each with its caption."""

    boxes: list[Box]
    held: list[tuple[str, Picture]]


def picture(graph: Graph) -> Picture:
    """The boxes of a graph, in an order in which every box comes after those it reads."""
    boxes: list[Box] = []
    made_by: dict[Atom, int] = {}
    held: list[tuple[str, Picture]] = []

    def add(box: Box) -> int:
        boxes.append(box)
        return len(boxes) - 1

    def reads(ins: tuple[Atom, ...]) -> list[int]:
        """The boxes of operands; an array constant gets its box here."""
        for a in ins:
            if isinstance(a, Const) and a.type.shape != () and a not in made_by:
                made_by[a] = add(Box("constant", "constant", str(a.type)))
        return [made_by[a] for a in ins if a in made_by]

    for i, v in enumerate(graph.inputs):
        made_by[v] = add(Box("input", v.label or f"x{i}", str(v.type), _place(v)))
    for n in graph.nodes:
        ins = reads(n.ins)
        number = add(Box(_kind(n), _title(n), "  ".join(str(v.type) for v in n.outs), f"{n.op}\n{_place(n)}", ins))
        made_by.update(dict.fromkeys(n.outs, number))
        held += [(f"{n.op.label}: {g.name}", picture(g)) for g in subgraphs(n.op)]
    for i, a in enumerate(graph.outputs):
        title = f"output {i}" if len(graph.outputs) > 1 else "output"
        if isinstance(a, Const) and a.type.shape == ():
            title += f" = {spell_element(a.array[()])}"
        add(Box("output", title, str(a.type), "", reads((a,))))
    return Picture(boxes, held)


def _kind(n: Node) -> str:
    if any(True for _ in subgraphs(n.op)):
        return "holding"
    return "effect" if n.op.effect else "op"


def _place(x: Node | Var) -> str:
    return "" if x.line is UNKNOWN else str(x.line)


def _title(n: Node) -> str:
    """The op with its scalar constants and unusual parameters: `mul(·, 2.0)`, `Sum (0,)`."""
    is_row = registry.get(n.op.label) is n.op
    title = n.op.label if is_row else type(n.op).__name__
    if any(isinstance(a, Const) and a.type.shape == () for a in n.ins):
        title += f"({', '.join(_operand(a) for a in n.ins)})"
    if not is_row and not any(True for _ in subgraphs(n.op)):
        usual: dict[str, Any] = {f.name: f.default for f in fields(n.op)} if is_dataclass(n.op) else {}
        shown = " ".join(str(v) for k, v in n.op.parameters().items() if v != usual.get(k, MISSING))
        title += f" {shown}" if len(shown) <= _PARAMETERS_SHOWN else f" {shown[: _PARAMETERS_SHOWN - 1]}…"
    return title.rstrip()


def _operand(a: Atom) -> str:
    return spell_element(a.array[()]) if isinstance(a, Const) and a.type.shape == () else "·"
