"""Scan: a loop of known length that carries values along, takes a slice of its inputs each step and stacks its outputs.

Floor 3. Its derivative is a scan forward that also stacks what each step saves, and a scan backward over that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.control.transform import (
    Holding,
    Mask,
    batch_graph,
    closed,
    differentiable,
    evaluate,
    jvp_graph,
    linearize,
    pick,
    place,
    reached_carries,
    spread,
)
from minigrad.errors import ShapeError
from minigrad.frozen import dataclass
from minigrad.graph import Graph, run
from minigrad.interpreters.build import trace
from minigrad.op import Value
from minigrad.ops.elementwise import add, mul, sin
from minigrad.ops.gather import moved
from minigrad.ops.kinds import Draw, Samples, zeros
from minigrad.ops.movement import every_lane
from minigrad.types import FLOAT64, INT64, TensorType


def stacked(n: int, t: TensorType) -> TensorType:
    return TensorType((n, *t.shape), t.dtype)


@dataclass(frozen=True)
class Scan(Holding):
    """(consts, carry, xs) -> (last carry, stacked ys); body: (consts, carry, a slice of xs) -> (carry, ys of a step).

    xs are sliced along axis 0, from the end if `reverse`; ys are stacked where their slice stood.
    """

    body: Graph
    length: int
    consts: int
    carry: int
    reverse: bool = False

    def split(self, xs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        a, b = self.consts, self.consts + self.carry
        return xs[:a], xs[a:b], xs[b:]

    def out_type(self, *types: TensorType) -> tuple[TensorType, ...]:
        consts, carry, xs = self.split(types)
        for t in xs:
            if t.ndim == 0 or t.shape[0] != self.length:
                raise ShapeError(f"scan: {t} cannot be sliced {self.length} times along its first axis")
        self.require(self.body, [*consts, *carry, *(t.with_shape(t.shape[1:]) for t in xs)], "the body")
        outs = self.body.out_types
        if tuple(carry) != outs[: self.carry]:
            before, after = (", ".join(map(str, ts)) for ts in (carry, outs[: self.carry]))
            raise ShapeError(f"scan: the body changes the type of the carry from ({before}) to ({after})")
        return (*outs[: self.carry], *(stacked(self.length, t) for t in outs[self.carry :]))

    def impl(self, *arrays: Any) -> list[Any]:
        consts, carry, xs = self.split(arrays)
        ys = [np.empty((self.length, *t.shape), t.dtype) for t in self.body.out_types[self.carry :]]
        for i in range(self.length - 1, -1, -1) if self.reverse else range(self.length):
            outs = evaluate(self.body, [*consts, *carry, *(x[i] for x in xs)])
            carry = outs[: self.carry]
            for y, step in zip(ys, outs[self.carry :], strict=True):
                y[i] = step
        return [*carry, *ys]

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        k, c, has, n = self.consts, self.carry, (False,) * len(y), len(self.body.inputs)
        dotted = tuple(d is not None for d in dots)
        while True:  # a tangent that reaches a carry reaches it in every later step
            grown = (*dotted[:k], *map(any, zip(dotted[k : k + c], has[:c], strict=True)), *dotted[k + c :])
            graph, has = jvp_graph(self.body, grown, (*grown[k : k + c], *(False,) * (len(y) - c)))
            if has[:c] == grown[k : k + c]:
                break
        in_consts, in_carry, in_xs = self.split(grown)
        moved = [zeros(x.type) if g and d is None else d for g, d, x in zip(grown, dots, xs, strict=True)]

        def parts(values: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:  # interleave by kind of operand
            ts = self.split(place(grown, tangents))
            vs = self.split(values)
            kinds = zip(vs, ts, (in_consts, in_carry, in_xs), strict=True)
            return [[*v, *pick(mask, t)] for v, t, mask in kinds]

        order = [i for part in parts(range(n), range(n, n + sum(grown))) for i in part]
        body = reorder(graph, order, _pair_outputs(c, len(y), has))
        scan_dot = Scan(body, self.length, k + sum(in_consts), c + sum(in_carry), self.reverse)(
            *[v for part in parts(xs, pick(grown, moved)) for v in part]
        )
        carries = sum(in_carry)
        y_dots = [*scan_dot[c : c + carries], *scan_dot[len(y) + carries :]]
        return place(has, y_dots)

    def pullback(self, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        return _pullback(self, xs, tuple(wanted))

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        k, c, n_out = self.consts, self.carry, len(self.body.outputs)
        grown = tuple(mapped)
        while True:
            body, has = batch_graph(self.body, grown, size, (*grown[k : k + c], *(True,) * (n_out - c)))
            if has[:c] == grown[k : k + c]:
                break
            grown = (*grown[:k], *has[:c], *grown[k + c :])
        lanes = spread(xs, mapped, grown, size)
        # [b, t, ...] -> [t, b, ...]: steps are sliced along axis 0
        ins = [moved(x, 0, 1) if i >= k + c and m else x for i, (x, m) in enumerate(zip(lanes, mapped, strict=True))]
        outs = Scan(body, self.length, k, c, self.reverse)(*ins)
        return (*every_lane(outs[:c], has[:c], size), *(moved(y, 0, 1) for y in outs[c:]))

    @classmethod
    def samples(cls) -> Samples:
        one, n = TensorType((2,), FLOAT64), TensorType((), INT64)

        def step(w: Value, c: Value, i: Value, x: Value) -> list[Any]:
            new = add(sin(mul(w, c)), x)
            return [new, add(i, 1), mul(new, x)]

        body = closed(step, [one, one, n, one], "body")
        for length, reverse in [(3, False), (4, True), (1, False), (0, False)]:
            yield cls(body, length, 1, 2, reverse), (Draw((2,)), Draw((2,)), Draw((), "int64"), Draw((length, 2)))
        total = closed(lambda c, x: [c + mul(x, x), c], [one, one], "total")
        yield cls(total, 3, 0, 1), (Draw((2,)), Draw((3, 2)))


def reorder(graph: Graph, inputs: Sequence[int], outputs: Sequence[int]) -> Graph:
    """The same graph with its inputs and outputs in another order."""
    ins, outs = [graph.inputs[i] for i in inputs], [graph.outputs[i] for i in outputs]
    return Graph(ins, graph.nodes, outs, graph.name)


def _pair_outputs(carry: int, n: int, has: Mask) -> list[int]:
    """(carry, ys, tangents of both) -> (carry, their tangents, ys, their tangents)."""
    first = sum(has[:carry])
    tangents = range(n, n + sum(has))
    return [*range(carry), *tangents[:first], *range(carry, n), *tangents[first:]]


def _pullback(op: Scan, xs: Sequence[Value], wanted: Mask) -> Any:
    """There: the scan, also stacking what each step saves and each carry the way back needs. Back: see `pull`."""
    k, c, n_in, n_out = op.consts, op.carry, len(op.body.inputs), len(op.body.outputs)
    reached = reached_carries(op.body, op.consts, op.carry, wanted)
    lin = linearize(op.body, reached)
    kept_carry = [i for i in lin.kept if k <= i < k + c]

    def there(*args: Value) -> list[Any]:
        results = run(lin.there, args)
        return [*results, *(args[i] for i in kept_carry)]

    body = closed(there, op.body.in_types, op.body.name + "_there")
    results = Scan(body, op.length, k, c, op.reverse)(*xs)
    ys, saved = results[:n_out], results[n_out:]
    split = len(saved) - len(kept_carry)
    saved, carries = saved[:split], dict(zip(kept_carry, saved[split:], strict=True))
    kept_consts = [i for i in lin.kept if i < k]
    kept_xs = [i for i in lin.kept if i >= k + c]
    float_ys = differentiable(op.body.out_types)
    want_const, want_carry, _ = op.split(reached)
    carry_types = pick(want_carry, op.body.in_types[k : k + c])
    const_types = pick(want_const, op.body.in_types[:k])
    n_carry, n_const = len(carry_types), len(const_types)

    def back(*args: Value) -> list[Any]:  # kept consts | carry bars, const bars | kept carries, kept xs, saved, ȳs
        a, b = len(kept_consts), len(kept_consts) + n_carry + n_const
        given, (bars, rest) = args[:a], (args[a:b], args[b:])
        world = dict(zip([*kept_consts, *kept_carry, *kept_xs], [*given, *rest], strict=False))
        step_saved = rest[len(kept_carry) + len(kept_xs) :]
        y_bars = place(want_carry, bars[:n_carry], [zeros(t) for t in op.body.out_types[:c]])
        y_bars = pick(float_ys, [*y_bars, *place(float_ys[c:], step_saved[len(saved) :])])
        x_bars = run(lin.back, [*(world[i] for i in lin.kept), *step_saved[: len(saved)], *y_bars])
        total = [p + q for p, q in zip(bars[n_carry:], x_bars[:n_const], strict=True)]
        return [*x_bars[n_const : n_const + n_carry], *total, *x_bars[n_const + n_carry :]]

    def pull(y_bars: Sequence[Any]) -> list[Any]:
        bars = [zeros(y.type) if b is None else b for b, y in zip(y_bars, ys, strict=True)]
        start = [*pick(want_carry, bars[:c]), *map(zeros, const_types)]
        slices = [*(carries[i] for i in kept_carry), *(xs[i] for i in kept_xs), *saved, *pick(float_ys[c:], bars[c:])]
        types = [v.type for v in [*(xs[i] for i in kept_consts), *start]]
        types += [v.type.with_shape(v.shape[1:]) for v in slices]
        body_back = closed(back, types, op.body.name + "_back")
        scan_back = Scan(body_back, op.length, len(kept_consts), len(start), not op.reverse)
        outs = scan_back(*(xs[i] for i in kept_consts), *start, *slices)
        carry_bars, const_bars, x_bars = outs[:n_carry], outs[n_carry : n_carry + n_const], outs[n_carry + n_const :]
        every = place(reached, [*const_bars, *carry_bars, *x_bars])
        return [b if w else None for b, w in zip(every, wanted, strict=True)]

    assert len(reached) == n_in
    return tuple(ys), pull


def scan(
    f: Callable[..., Sequence[Any]], init: Sequence[Value], xs: Sequence[Value], length: int, reverse: bool = False
) -> list[Any]:
    """(last carry, stacked ys) of a flat body f(*carry, *slices) -> (*carry, *ys)."""
    types = [*(v.type for v in init), *(x.type.with_shape(x.shape[1:]) for x in xs)]
    body, captured = trace(f, types, name="body")
    return list(Scan(body, length, len(captured), len(init), reverse)(*captured, *init, *xs))
