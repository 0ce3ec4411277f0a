"""While: a loop that ends when its condition says so.

Floor 3. Forward mode carries the tangents along. Reverse mode needs a record of every step: with concrete values the
loop is simply run step by step under Python (the record grows as it goes); where values are not known yet and a
`bound` is given it becomes a scan of masked steps; without a bound one op, `WhileBack`, runs there and back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
    reached_carries,
    spread,
    unify,
)
from minigrad.errors import ConcretizationError, ShapeError
from minigrad.frozen import dataclass
from minigrad.graph import Graph, Var, run
from minigrad.interpreters import reverse
from minigrad.interpreters.build import trace
from minigrad.op import EVALUATE, Array, Value, using
from minigrad.ops.elementwise import convert, greater, less, mul, sin, where
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.movement import Sum, every_lane, pad_rank
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
        loop, grown = _with_tangents(self, tuple(d is not None for d in dots))
        outs = loop(*_beside(self.consts, xs, _tangents(xs, dots, grown), grown))
        return place(grown[self.consts :], outs[len(y) :])

    def pullback(self, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        reached = reached_carries(self.body, self.consts, len(self.body.outputs), tuple(wanted))
        try:
            return _run_and_record(self, xs, tuple(wanted), reached)
        except ConcretizationError:  # no numbers yet: the record must be part of the graph
            if self.bound is not None:
                return _bounded(self, xs, tuple(wanted))
            return _there_and_back(self, xs, tuple(wanted))

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        loop, grown = _over_lanes(self, tuple(mapped), size)
        outs = loop(*spread(xs, mapped, grown, size))
        return tuple(every_lane(outs, grown[self.consts :], size))

    @classmethod
    def samples(cls) -> Samples:
        one, n = TensorType((2,), FLOAT64), TensorType((), INT64)
        cond = closed(lambda w, i, c: [less(i, 3)], [one, n, one], "cond")
        body = closed(lambda w, i, c: [i + 1, sin(mul(w, c))], [one, n, one], "body")
        for bound in (None, 5, 2):
            yield cls(cond, body, 1, bound), (Draw((2,)), Draw((), "int64", (-1, 3)), Draw((2,)))


def _with_tangents(op: While, dotted: Mask) -> tuple[While, Mask]:
    """The loop that carries tangents along, and of which operands: the dotted ones and the carries they reach.

    It takes (consts, their tangents, carry, its tangents), as `_beside` puts them.
    """
    k, n, grown = op.consts, len(op.body.inputs), dotted
    while True:
        graph, has = jvp_graph(op.body, grown, grown[k:])
        if has == grown[k:]:
            break
        grown = (*grown[:k], *has)
    order = _beside(k, range(n), range(n, n + sum(grown)), grown)
    body = reorder(graph, order, range(len(graph.outputs)))
    cond = _ignoring(op.cond, order, [v.type for v in body.inputs])
    return While(cond, body, k + sum(grown[:k]), op.bound), grown


def _beside(consts: int, values: Sequence[Any], tangents: Sequence[Any], grown: Mask) -> list[Any]:
    """(consts, their tangents, carry, its tangents)."""
    first = sum(grown[:consts])
    return [*values[:consts], *tangents[:first], *values[consts:], *tangents[first:]]


def _tangents(xs: Sequence[Value], dots: Sequence[Any], grown: Mask) -> list[Any]:
    return filled(pick(grown, dots), [x.type for x in pick(grown, xs)])


def _ignoring(cond: Graph, order: Sequence[int], types: Sequence[TensorType]) -> Graph:
    """The condition with further inputs that it does not look at (the tangents)."""
    n = len(cond.inputs)
    inputs = [cond.inputs[i] if i < n else Var(t) for i, t in zip(order, types, strict=True)]
    return Graph(inputs, cond.nodes, cond.outputs, cond.name)


def _over_lanes(op: While, mapped: Mask, size: int) -> tuple[While, Mask]:
    """The loop over lanes, and which operands have lanes in it: the mapped ones and the carries they reach."""
    k, grown = op.consts, mapped
    while True:
        cond, (lane_cond,) = batch_graph(op.cond, grown, size)
        force = (True,) * len(grown[k:]) if lane_cond else grown[k:]
        body, has = batch_graph(op.body, grown, size, force)
        if has == grown[k:]:
            break
        grown = (*grown[:k], *has)
    if lane_cond:
        cond, body = _per_lane(cond, body, k)
    return While(cond, body, k, op.bound), grown


def _per_lane(cond: Graph, body: Graph, consts: int) -> tuple[Graph, Graph]:
    """Go on while any lane goes on; a lane that is done keeps its carry."""

    def any_lane(*args: Value) -> list[Any]:
        return [greater(Sum((0,))(convert(run(cond, args)[0], INT64)), 0)]

    def step(*args: Value) -> list[Any]:
        (going,) = run(cond, args)
        news = run(body, args)
        return [where(pad_rank(going, v.ndim), v, old) for v, old in zip(news, args[consts:], strict=True)]

    return closed(any_lane, cond.in_types, cond.name), closed(step, body.in_types, body.name)


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

    (consts, carry, ȳs of the float carry) -> x̄s of the wanted operands: x̄ = J(x)ᵀ ȳ, where J is the loop's Jacobian.
    Its own derivatives are ways back through the loop that carries tangents along, F: (x, ẋ) -> (y, J(x) ẋ).
    """

    cond: Graph
    body: Graph
    consts: int
    wanted: Mask

    def out_type(self, *types: TensorType) -> tuple[TensorType, ...]:
        return tuple(pick(self.wanted, types[: len(self.wanted)]))

    def impl(self, *arrays: Any) -> list[Any]:
        n, types = len(self.body.inputs), self.body.out_types
        loop = While(self.cond, self.body, self.consts)
        values = [Array(a) for a in arrays]
        reached = reached_carries(self.body, self.consts, len(types), self.wanted)
        with using(EVALUATE):
            _, pull = _run_and_record(loop, values[:n], self.wanted, reached)
            bars = pull(place(differentiable(types), values[n:]))
        return [b.array for b in filled(pick(self.wanted, bars), pick(self.wanted, self.body.in_types))]

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        # d(Jᵀ ȳ) = Jᵀ dȳ + (∂ₓ J ẋ)ᵀ ȳ: the way back through F from (dȳ, ȳ)
        n = len(self.body.inputs)
        return self._through(xs, dots[:n], dots[n:], self.wanted)[1]()

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        # ⟨z, Jᵀ ȳ⟩ = ⟨J z, ȳ⟩: for ȳ the tangents of F along z, for x the way back through F from (0, ȳ)
        n, floats = len(self.body.inputs), differentiable(self.body.out_types)
        along, back = self._through(xs, place(self.wanted, y_bar), [None] * sum(floats), tuple(wanted[:n]))
        x_bars = place(wanted[:n], back()) if any(wanted[:n]) else [None] * n
        return [*x_bars, *(pick(floats, along()) if any(wanted[n:]) else [None] * sum(floats))]

    def _through(
        self, xs: Sequence[Value], dots: Sequence[Any], y_dots: Sequence[Any], wanted: Mask
    ) -> tuple[Callable[[], list[Any]], Callable[[], Any]]:
        """F at x and ẋ = dots: how to get its tangents, and the wanted x̄s from the cotangents (y_dots, ȳ)."""
        k, n, floats = self.consts, len(self.body.inputs), differentiable(self.body.out_types)
        xs, y_bars = xs[:n], xs[n:]
        loop, grown = _with_tangents(While(self.cond, self.body, k), tuple(d is not None for d in dots))
        args = _beside(k, xs, _tangents(xs, dots, grown), grown)
        mask = tuple(_beside(k, wanted, (False,) * sum(grown), grown))
        bars = [*filled(y_dots, [b.type for b in y_bars]), *pick(pick(floats, grown[k:]), y_bars)]
        back = WhileBack(loop.cond, loop.body, loop.consts, mask)
        return lambda: place(grown[k:], loop(*args)[n - k :]), lambda: back(*args, *bars)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        # every lane has x̄s of its own, so what they belong to has lanes too
        n, k = len(self.body.inputs), self.consts
        of_lanes = tuple(m or w or i >= k for i, (m, w) in enumerate(zip(mapped[:n], self.wanted, strict=True)))
        loop, grown = _over_lanes(While(self.cond, self.body, k), of_lanes, size)
        lanes = spread(xs, mapped, (*grown, *(True,) * (len(xs) - n)), size)
        return WhileBack(loop.cond, loop.body, k, self.wanted)(*lanes)

    @classmethod
    def samples(cls) -> Samples:
        for loop, draws in While.samples():
            assert isinstance(loop, While)
            if loop.bound is None:
                yield cls(loop.cond, loop.body, loop.consts, (True, False, True)), (*draws, Draw((2,)))


def _there_and_back(op: While, xs: Sequence[Value], wanted: Mask) -> Any:
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
