"""The trail as a graph: what the tape recorded, in the form the other two front-ends build it.

Floor 6. The tape needs no graph to run or to walk backward; this is for reading, drawing and comparing. Ops
without a derivative leave no record, so a program that compares or sorts is shown whole only if it ran `watched`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minigrad.graph import Atom, Const, Graph, Node, Var
from minigrad.op import Op, ndarray
from minigrad.source import user_place
from minigrad.tape.interpreter import WATCH
from minigrad.tape.memory import tick
from minigrad.tape.record import Record, record_of
from minigrad.tape.tensor import Tensor


class Watched:
    """The ops that ran without leaving a record, by the arrays they made."""

    def __init__(self) -> None:
        self.made: dict[int, tuple[Record, Any]] = {}  # id of an array -> (its record, its key)

    def see(self, op: Op, keys: Sequence[Any], arrays: Sequence[Any], y: Any) -> None:
        r = Record(op, arrays, y, keys, tick(), user_place())
        # the record holds the arrays, so their ids stay theirs
        self.made.update((id(a), (r, key)) for a, key in zip(y if op.many else (y,), r.outs, strict=True))

    def maker(self, array: Any) -> tuple[Record, Any] | None:
        return self.made.get(id(array))


@contextmanager
def watched() -> Iterator[Watched]:
    """Inside the block ops without a derivative are remembered too, for `recorded_graph`."""
    seen = Watched()
    token = WATCH.set(seen.see)
    try:
        yield seen
    finally:
        WATCH.reset(token)


def recorded_graph(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], seen: Watched | None = None, name: str = "f"
) -> Graph:
    """The graph from `inputs` (leaves that require grad) to `outputs`, as recorded; all other tensors are constants.

    Raises BackwardError where a backward has already freed what was recorded.

    >>> import minigrad.tape as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> print(recorded_graph([x.sin() * x], [x]))  # doctest: +ELLIPSIS
    def f(x0: "f32[2]"):
        v0 = sin(x0)  # f32[2]...
        v1 = mul(v0, x0)  # f32[2]...
        return v1
    """
    seen = seen or Watched()
    var: dict[Any, Var] = {x: Var(x.type) for x in inputs}
    known = {id(x._array): x for x in inputs}
    nodes = []

    def atom(key: Any, array: ndarray | None, value: Any) -> Atom:
        """A result, an input, or a constant."""
        if key is None or key not in var:
            made = seen.maker(array)
            key = made[1] if made else known.get(id(array))
        return var[key] if key is not None and key in var else Const(value())

    for r in _records(outputs, seen):
        if r.xs is None:
            raise r.freed_error()
        ins = tuple([atom(k, x, lambda x=x, r=r: _number(r, x)) for k, x in zip(r.ins, r.xs, strict=True)])
        outs = tuple([Var(r.value(a).type, line=r.line) for a in (r.y if r.op.many else (r.y,))])
        var.update(zip(r.outs, outs, strict=True))
        nodes.append(Node(r.op, ins, outs, r.line))
    results = [atom(y._node or y, y._array, lambda y=y: y._array) for y in outputs]
    return Graph([var[x] for x in inputs], nodes, results, name)


def _number(r: Record, x: Any) -> ndarray:
    return r.value(x).concrete("recorded_graph()")


def _records(outputs: Sequence[Tensor], seen: Watched) -> list[Record]:
    """The records the outputs come from, oldest first. A loop: the length of a program is no limit."""
    todo: list[Any] = [y.grad_fn or _maker(seen, y._array) for y in outputs]
    found: set[Record] = set()
    while todo:
        r = todo.pop()
        if r is None or r in found:
            continue
        found.add(r)
        for key, x in zip(r.ins, r.xs or r.ins, strict=True):
            record = record_of(key)
            todo.append(record if isinstance(record, Record) else _maker(seen, x))
    return sorted(found, key=lambda r: r.seq)


def _maker(seen: Watched, array: Any) -> Record | None:
    made = seen.maker(array)
    return made[0] if made else None
