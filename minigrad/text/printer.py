"""From a graph to its text.

Floor 1.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from minigrad.frozen import dataclass
from minigrad.graph import Atom, Graph, LazyGraph, Node, Var
from minigrad.op import Op, registry
from minigrad.source import UNKNOWN, function_line
from minigrad.text.words import RESERVED, Spell, op_name, spell_const, spell_element, spell_operands
from minigrad.types import SHORT, Dim, TensorType


def to_text(
    graph: Graph,
    *,
    lines: bool = True,
    names: bool = True,
    rules: bool = True,
    signed: Iterable[Any] = (),
    spell: Spell | None = None,
) -> str:
    """The graph as Python text.

    `lines` adds the user's line to each node's comment. `names` keeps the inputs' own names where they can be names
    in Python; without it (and without lines) equal graphs have equal texts. `rules`: derivative rules that wait to be
    traced are, and are part of the text. `signed`: the records of the passes the graph has been through, one comment
    line each at the top. `spell` gives the text of each constant; without it that is the shortest which reads back.
    """
    rows = [str(record) for record in signed]
    name = graph.name if names and graph.name.isidentifier() and not keyword.iskeyword(graph.name) else "f"
    rows += _Printer(graph, Style(lines, names, rules, spell)).rows(name)
    return "\n".join(rows) + "\n"


def rows(graph: Graph) -> tuple[dict[Var, str], dict[int, str]]:
    """What the text calls each value, and the row of each node (by its identity), without the user's line."""
    printer = _Printer(graph, Style(lines=False, names=True, rules=False, spell=None))
    return printer.name, {id(n): printer.node(n) for n in graph.nodes}


@dataclass(frozen=True)
class Style:
    """What `to_text` has been asked for."""

    lines: bool
    names: bool
    rules: bool
    spell: Spell | None


RULE = "rule()"  # in place of a rule that is not written


@cache
def _given(cls: type) -> tuple[str, ...]:
    """The parameters that an op of this class is made from."""
    return tuple([f.name for f in fields(cls) if f.init]) if is_dataclass(cls) else ()


class _Printer:
    """One function of the text."""

    def __init__(self, graph: Graph, style: Style) -> None:
        self.graph, self.style = graph, style
        self.name: dict[Var, str] = {}
        self.taken: set[str] = set()
        for i, v in enumerate(graph.inputs):
            self.name[v] = self.input_name(v, i)
            self.taken.add(self.name[v])
        for i, v in enumerate(v for n in graph.nodes for v in n.outs):
            self.name[v] = f"v{i}"
        self.before: list[str] = []  # the nested functions of the node being printed

    def input_name(self, v: Var, i: int) -> str:
        """Its label as a name, if that is nobody else's; else x0, x1, ..."""
        name = re.sub(r"\W+", "_", v.label).strip("_") if self.style.names and v.label.isascii() else ""
        ours = name in RESERVED or name in registry or name in self.taken or re.fullmatch(r"[vx]\d+", name)
        return name if name.isidentifier() and not keyword.iskeyword(name) and not ours else f"x{i}"

    def rows(self, name: str) -> Iterator[str]:
        inputs = ", ".join(f'{self.name[v]}: "{v.type}"' for v in self.graph.inputs)
        yield f"def {name}({inputs}):"
        for n in self.graph.nodes:
            row = self.node(n)
            yield from (f"    {r}" for r in self.before)
            yield f"    {row}"
            self.before = []
        outputs = ", ".join(map(self.atom, self.graph.outputs))
        yield f"    return {outputs}" if outputs else "    return ()"

    def node(self, n: Node) -> str:
        operands = spell_operands(n.op, n.ins, self.name) if self.style.spell is None else map(self.atom, n.ins)
        call = f"{self.op(n.op)}({', '.join(operands)})"
        if n.op.many:
            outs = ", ".join(self.name[v] for v in n.outs) + ("," if len(n.outs) == 1 else "")
        else:
            outs = self.name[n.out]
        types = ", ".join(str(v.type) for v in n.outs)
        place = f"  {n.line.place}" if self.style.lines and n.line is not UNKNOWN else ""
        row = f"{outs} = {call}" if outs else call
        return f"{row}  # {types}{place}".rstrip(" #")

    def atom(self, a: Atom) -> str:
        return self.name[a] if isinstance(a, Var) else (self.style.spell or spell_const)(a.array)

    def op(self, op: Op) -> str:
        """A row by its name; another op by its class and parameters."""
        if registry.get(op.label) is op:
            return op_name(op.label)
        given = _given(type(op))  # type: ignore[arg-type]
        parameters = [f"{k}={self.parameter(v, k)}" for k, v in op.parameters().items() if k in given]
        return f"{type(op).__name__}({', '.join(parameters)})"

    def parameter(self, x: Any, field: str) -> str:
        """A parameter's value as Python."""
        if x is None or isinstance(x, (int, str)):
            return repr(x)
        if isinstance(x, Graph):
            return self.nested(x, field, self.style)
        if isinstance(x, LazyGraph):
            return self.rule(x, field)
        if isinstance(x, tuple):
            parts = [repr(y) if type(y) is int else self.parameter(y, f"{field}_{i}") for i, y in enumerate(x)]
            return f"({', '.join(parts)}{',' if len(x) == 1 else ''})"
        if isinstance(x, Dim):
            return f'dim("{x}")'
        if isinstance(x, TensorType):
            return f'tensor("{x}")'
        if isinstance(x, np.dtype):
            return SHORT[x]
        if isinstance(x, Op):
            return self.op(x)
        if isinstance(x, (np.generic, float, complex)):
            return spell_element(np.asarray(x)[()])
        line = function_line(x)
        where = "" if line is UNKNOWN else f" at {line.place}"
        return f"host({getattr(x, '__name__', type(x).__name__) + where!r})"

    def rule(self, held: LazyGraph, field: str) -> str:
        """The name of a rule. Rules within rules are left out: a rule may call its own function, without end."""
        if not self.style.rules:
            return RULE
        try:
            graph = held.graph
        except Exception:  # in a rule of the user, who hears of it when the rule is needed
            return RULE
        return self.nested(graph, field, replace(self.style, rules=False))

    def nested(self, held: Graph, field: str, style: Style) -> str:
        """The name of a held graph, whose text goes before the node's."""
        name, k = field, 1
        while name in self.taken or name in RESERVED or name in registry:
            name, k = f"{field}_{k}", k + 1
        self.taken.add(name)
        self.before += ["@graph", *_Printer(held, style).rows(name)]
        return name
