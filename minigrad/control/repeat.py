"""While: a loop that ends when its condition says so.

Floor 3. Forward mode carries the tangents along. Reverse mode needs a record of every step: with concrete values the
loop is simply run step by step under Python (the record grows as it goes); where values are not known yet and a
`bound` is given it becomes a scan of masked steps; without a bound one op runs there and back (first order only).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad.control.branch import column
from minigrad.control.call import call
from minigrad.control.loop import Scan, reorder
from minigrad.control.transform import (
    Holding,
    Mask,
    batch_graph,
    closed,
    differentiable,
    evaluate,
    filled,
    jvp_graph,
    linearize,
    pick,
    place,
    reaches,
    unify,
)
from minigrad.errors import ConcretizationError, ShapeError
from minigrad.graph import Graph, Var, run
from minigrad.interpreters import reverse
from minigrad.interpreters.build import trace
from minigrad.op import EVALUATE, Array, NoGradient, Value, using
from minigrad.ops.elementwise import convert, greater, less, mul, sin, where
from minigrad.ops.kinds import Draw, Samples, zeros
from minigrad.ops.movement import Expand, Sum
from minigrad.types import BOOL, FLOAT64, INT64, TensorType


@dataclass(frozen=True)
class While(Holding):
    """(consts, carry) -> carry: while cond(consts, carry): carry = body(consts, carry).

    `bound`: at most that many steps are taken.
    """

    cond: Graph
    body: Graph
    consts: int
    bound: int | None = None

    def out_type(self, *types: TensorType) -> tuple[TensorType, ...]:
        self.require(self.body, types, "the body")
        self.require(self.cond, types, "the condition")
        if [(t.shape, t.dtype) for t in self.cond.out_types] != [((), BOOL)]:
            shown = ", ".join(map(str, self.cond.out_types))
            raise ShapeError(f"while: the condition must give one bool[], it gives {shown}")
        before = types[self.consts :]
        if self.body.out_types != tuple(before):
            was, now = (", ".join(map(str, ts)) for ts in (before, self.body.out_types))
            raise ShapeError(f"while: the body changes the type of the carry from ({was}) to ({now})")
        return self.body.out_types

    def impl(self, *arrays: Any) -> list[Any]:
        consts, carry, steps = arrays[: self.consts], list(arrays[self.consts :]), 0
        while (self.bound is None or steps < self.bound) and evaluate(self.cond, [*consts, *carry])[0]:
            carry = evaluate(self.body, [*consts, *carry])
            steps += 1
        return carry

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        k, n = self.consts, len(self.body.inputs)
        grown = tuple(d is not None for d in dots)
        while True:
            graph, has = jvp_graph(self.body, grown, grown[k:])
            if has == grown[k:]:
                break
            grown = (*grown[:k], *has)
        moved = [zeros(x.type) if g and d is None else d for g, d, x in zip(grown, dots, xs, strict=True)]
        in_consts, in_carry = sum(grown[:k]), sum(grown[k:])
        tangents = range(n, n + in_consts + in_carry)
        order = [*range(k), *tangents[:in_consts], *range(k, n), *tangents[in_consts:]]
        body = reorder(graph, order, range(len(graph.outputs)))
        cond = _ignoring(self.cond, order, [v.type for v in body.inputs])
        given = pick(grown, moved)
        outs = While(cond, body, k + in_consts, self.bound)(*xs[:k], *given[:in_consts], *xs[k:], *given[in_consts:])
        return place(has, outs[len(y) :])

    def pullback(self, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        reached = _reached(self, tuple(wanted))
        try:
            return _run_and_record(self, xs, tuple(wanted), reached)
        except ConcretizationError:
            pass  # no numbers yet: the record must be part of the graph
        if self.bound is not None:
            return _bounded(self, xs, tuple(wanted))
        return _there_and_back(self, xs, tuple(wanted), reached)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        k, grown = self.consts, tuple(mapped)
        while True:
            cond, (lane_cond,) = batch_graph(self.cond, grown, size)
            force = (True,) * len(grown[k:]) if lane_cond else grown[k:]
            body, has = batch_graph(self.body, grown, size, force)
            if has == grown[k:]:
                break
            grown = (*grown[:k], *has)
        lanes = [x if m or not g else Expand((size, *x.shape))(x) for x, m, g in zip(xs, mapped, grown, strict=True)]
        if lane_cond:
            cond, body = _per_lane(cond, body, k)
        outs = While(cond, body, k, self.bound)(*lanes)
        return tuple(y if m else Expand((size, *y.shape))(y) for y, m in zip(outs, has, strict=True))

    @classmethod
    def samples(cls) -> Samples:
        one, n = TensorType((2,), FLOAT64), TensorType((), INT64)
        cond = closed(lambda w, i, c: [less(i, 3)], [one, n, one], "cond")
        body = closed(lambda w, i, c: [i + 1, sin(mul(w, c))], [one, n, one], "body")
        for bound in (None, 5, 2):
            yield cls(cond, body, 1, bound), (Draw((2,)), Draw((), "int64", (-1, 3)), Draw((2,)))


def _ignoring(cond: Graph, order: Sequence[int], types: Sequence[TensorType]) -> Graph:
    """The condition with further inputs that it does not look at (the tangents)."""
    n = len(cond.inputs)
    inputs = [cond.inputs[i] if i < n else Var(t) for i, t in zip(order, types, strict=True)]
    return Graph(inputs, cond.nodes, cond.outputs, cond.name)


def _per_lane(cond: Graph, body: Graph, consts: int) -> tuple[Graph, Graph]:
    """Go on while any lane goes on; a lane that is done keeps its carry."""

    def any_lane(*args: Value) -> list[Any]:
        return [greater(Sum((0,))(convert(run(cond, args)[0], INT64)), 0)]

    def step(*args: Value) -> list[Any]:
        (going,) = run(cond, args)
        return [where(column(going, new), new, old) for new, old in zip(run(body, args), args[consts:], strict=True)]

    return closed(any_lane, cond.in_types, cond.name), closed(step, body.in_types, body.name)


def _reached(op: While, wanted: Mask) -> Mask:
    """Operands that need a cotangent: those asked for, and the float carries they reach."""
    k = op.consts
    grown = tuple(w and f for w, f in zip(wanted, differentiable(op.body.in_types), strict=True))
    while True:
        has = reaches(op.body, grown)
        more = (*grown[:k], *(g or h for g, h in zip(grown[k:], has, strict=True)))
        if more == grown:
            return grown
        grown = more


def _run_and_record(op: While, xs: Sequence[Value], wanted: Mask, reached: Mask) -> Any:
    """Step by step under Python, keeping what each step saves: the record grows with the loop."""
    k, m = op.consts, len(op.body.outputs)
    lin = linearize(op.body, reached)
    there, cond = call(lin.there), call(op.cond)
    consts, carry = list(xs[:k]), list(xs[k:])
    steps: list[tuple[list[Any], Sequence[Any]]] = []
    while (op.bound is None or len(steps) < op.bound) and cond(*consts, *carry)[0].concrete("bool()"):
        results = there(*consts, *carry)
        args = [*consts, *carry]
        steps.append(([args[i] for i in lin.kept], results[m:]))
        carry = list(results[:m])
    types = op.body.out_types

    def pull(y_bars: Sequence[Any]) -> list[Any]:
        bars = [b if r else None for b, r in zip(y_bars, reached[k:], strict=True)]
        totals: list[Any] = [None] * sum(reached[:k])
        for kept, saved in reversed(steps):
            given = pick(differentiable(types), filled(bars, types))
            x_bars = call(lin.back)(*kept, *saved, *given)
            n = len(totals)
            totals = [b if t is None else t + b for t, b in zip(totals, x_bars[:n], strict=True)]
            bars = place(reached[k:], x_bars[n:])
        every = [*place(reached[:k], totals), *bars]
        return [b if w else None for b, w in zip(every, wanted, strict=True)]

    return tuple(carry), pull


def _bounded(op: While, xs: Sequence[Value], wanted: Mask) -> Any:
    """The loop as a scan of `bound` steps, those after its end keeping the carry."""
    k = op.consts

    def step(*args: Value) -> list[Any]:
        (going,) = run(op.cond, args)
        return [where(going, new, old) for new, old in zip(run(op.body, args), args[k:], strict=True)]

    assert op.bound is not None
    masked = Scan(closed(step, op.body.in_types, op.body.name), op.bound, k, len(op.body.outputs))
    ys, pull = reverse.vjp(lambda *some: masked(*place(wanted, some, xs)), pick(wanted, xs))
    return tuple(ys), lambda y_bars: place(wanted, pull(y_bars))


@dataclass(frozen=True)
class WhileBack(Holding):
    """The way back through an unbounded While: runs it again, keeping the record, and walks it backward.

    (consts, carry, ȳs of the float carry) -> x̄s of the wanted operands.
    """

    cond: Graph
    body: Graph
    consts: int
    wanted: Mask
    no_gradient = NoGradient(
        "a while loop without a bound has only first derivatives where its values are not known: give it max_steps",
        refuse=True,
    )

    def out_type(self, *types: TensorType) -> tuple[TensorType, ...]:
        return tuple(pick(self.wanted, types[: len(self.wanted)]))

    def impl(self, *arrays: Any) -> list[Any]:
        n, types = len(self.body.inputs), self.body.out_types
        loop = While(self.cond, self.body, self.consts)
        values = [Array(a) for a in arrays]
        with using(EVALUATE):
            _, pull = _run_and_record(loop, values[:n], self.wanted, _reached(loop, self.wanted))
            bars = pull(place(differentiable(types), values[n:]))
        return [b.array for b in filled(pick(self.wanted, bars), pick(self.wanted, self.body.in_types))]

    @classmethod
    def samples(cls) -> Samples:
        for loop, draws in While.samples():
            assert isinstance(loop, While)
            if loop.bound is None:
                yield cls(loop.cond, loop.body, loop.consts, (True, False, True)), (*draws, Draw((2,)))


def _there_and_back(op: While, xs: Sequence[Value], wanted: Mask, reached: Mask) -> Any:
    ys, types = op(*xs), op.body.out_types

    def pull(y_bars: Sequence[Any]) -> list[Any]:
        given = pick(differentiable(types), filled(y_bars, types))
        return place(wanted, WhileBack(op.cond, op.body, op.consts, wanted)(*xs, *given))

    return ys, pull


def repeat(
    cond: Callable[..., Any], body: Callable[..., Sequence[Any]], init: Sequence[Value], bound: int | None = None
) -> list[Any]:
    """The carry after: while cond(*carry): carry = body(*carry), for flat functions."""
    types = [v.type for v in init]
    (test, step), captured = unify(
        [trace(lambda *xs: [cond(*xs)], types, name="cond"), trace(body, types, name="body")]
    )
    return list(While(test, step, len(captured), bound)(*captured, *init))
