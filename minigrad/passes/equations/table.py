"""The table of equations, and the words their rules are written in.

Floor 4. Matching is by op: a row is one object, ops with parameters go by class and its bases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from minigrad.frozen import dataclass
from minigrad.graph import Atom, Node
from minigrad.op import Op
from minigrad.ops.movement import Expand
from minigrad.passes.rewrite import Sweep
from minigrad.types import TensorType

Rule: TypeAlias = Callable[[Sweep, Node], "Atom | None"]
Safety: TypeAlias = Literal["exact", "zero sign", "ulp"]


@dataclass(frozen=True)
class Equation:
    """`rule(sweep, node)` gives what the node equals by this equation, or None if it does not fit."""

    name: str
    rule: Rule
    safety: Safety = "exact"


EQUATIONS: list[Equation] = []
_of_row: dict[int, list[Equation]] = {}  # by identity: rows are single objects
_of_class: dict[type, list[Equation]] = {}
_found: dict[Any, tuple[Equation, ...]] = {}  # by row or class, what `equations_of` answered


def equations_of(op: Op) -> tuple[Equation, ...]:
    """The equations that may fit a node of this op, in the order to try them."""
    key: Any = id(op) if id(op) in _of_row else type(op)
    found = _found.get(key)
    if found is None:
        of_class = [entry for cls in type(op).__mro__ for entry in _of_class.get(cls, ())]
        found = _found[key] = (*_of_row.get(id(op), ()), *of_class)
    return found


def equation(name: str, *starts: Any, safety: Safety = "exact") -> Callable[[Rule], Rule]:
    """Put a rule in the table, under the ops (rows, or classes) it starts from."""

    def add(rule: Rule) -> Rule:
        entry = Equation(name, rule, safety)
        EQUATIONS.append(entry)
        for start in starts:
            table: Any = _of_class if isinstance(start, type) else _of_row
            table.setdefault(start if isinstance(start, type) else id(start), []).append(entry)
        return rule

    return add


# ── words the rules are written in ───────────────────────────────────────────────────────────────
def shaped(s: Sweep, a: Atom, type: TensorType) -> Atom:
    """An operand that broadcasts to the result's shape, in that shape."""
    return a if a.type.shape == type.shape else s.emit(Expand(type.shape), a)


def kind(n: Node) -> str:
    return n.out.type.dtype.kind


def with_uniform(s: Sweep, n: Node) -> list[tuple[Atom, Any]]:
    """(x, c) for a commutative op, where every element of the other operand is the number c."""
    a, b = n.ins
    return [(x, c) for x, c in ((a, s.uniform(b)), (b, s.uniform(a))) if c is not None]
