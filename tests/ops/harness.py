"""The laws one op must keep, checked on one choice of operands. The structural ops' tests run all samples through here."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minigrad.graph import check, run
from minigrad.interpreters.batch import batched, loop_over_lanes
from minigrad.interpreters.build import trace
from minigrad.interpreters.forward import jvp
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array, Op
from minigrad.ops.kinds import Draw
from minigrad.types import TensorType, is_differentiable


def draw(d: Draw, rng: np.random.Generator, lanes: int | None = None) -> Any:
    shape = d.shape if lanes is None else (lanes, *d.shape)
    low, high = d.domain
    if d.dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if np.dtype(d.dtype).kind in "iu":
        return rng.integers(int(low), int(high) + 1, shape).astype(d.dtype)
    x = rng.uniform(low, high, shape)
    if d.distinct and x.size:  # a grid, shuffled: no two closer than a finite difference can tell
        n = max(int(np.prod(shape)), 1)
        x = (rng.permutation(n) / n * (high - low) + low + 0.01).reshape(shape)
    return x.astype(d.dtype)


def outputs(op: Op, *xs: Any) -> tuple[Any, ...]:
    ys = op(*xs)
    return ys if op.many else (ys,)


def check_laws(op: Op, draws: tuple[Draw, ...], rng: np.random.Generator, order: int = 2) -> None:
    """type = impl, forward = finite difference, reverse = transpose of forward, vmap = loop, graph = eager."""
    xs = [Array(draw(d, rng)) for d in draws]
    before = [x.array.copy() for x in xs]
    check_types(op, xs)
    check_batch(op, draws, rng)
    if op.no_gradient is None:
        active = [i for i, x in enumerate(xs) if is_differentiable(x.dtype)]
        check_derivatives(lambda *ys: outputs(op, *ys), xs, active, rng, order)
    for x, old in zip(xs, before, strict=True):
        np.testing.assert_array_equal(x.array, old, err_msg=f"{op} changed its operand")


def check_types(op: Op, xs: list[Array]) -> None:
    ys = outputs(op, *xs)
    types = op.out_type(*[x.type for x in xs])
    assert tuple(types if op.many else (types,)) == tuple(TensorType(y.shape, y.dtype) for y in ys), op
    graph, _ = trace(lambda *vs: outputs(op, *vs), [x.type for x in xs])
    for y, z in zip(ys, run(check(graph), xs), strict=True):
        np.testing.assert_array_equal(y.array, z.array)


def check_batch(op: Op, draws: tuple[Draw, ...], rng: np.random.Generator, lanes: int = 3) -> None:
    for mapped in itertools.product([False, True], repeat=len(draws)):
        if not any(mapped):
            continue
        xs = [Array(draw(d, rng, lanes if m else None)) for d, m in zip(draws, mapped, strict=True)]
        got = batched(lambda *ys: outputs(op, *ys), xs, mapped, lanes)
        want = loop_over_lanes(op, xs, mapped, lanes)
        for a, b in zip(got, want if op.many else [want], strict=True):
            np.testing.assert_allclose(a.array, b.array, rtol=1e-9, atol=1e-12, err_msg=f"{op} mapped {mapped}")
            assert a.dtype == b.dtype


def check_derivatives(f: Any, xs: list[Array], active: list[int], rng: np.random.Generator, order: int) -> None:
    def of(*moving: Any) -> Any:
        full = list(xs)
        for i, x in zip(active, moving, strict=True):
            full[i] = x
        return [y for y in f(*full) if is_differentiable(y.dtype)]

    moving = [xs[i] for i in active]
    if not moving or not of(*moving):
        return
    dots = [Array(rng.normal(size=x.shape)) for x in moving]
    ys, y_dots = jvp(of, moving, dots)
    y_dots = [np.zeros(y.shape) if d is None else d.array for y, d in zip(ys, y_dots, strict=True)]
    eps = 1e-6
    ahead, behind = (of(*[Array(x.array + s * d.array) for x, d in zip(moving, dots, strict=True)]) for s in (eps, -eps))
    for d, a, b in zip(y_dots, ahead, behind, strict=True):
        np.testing.assert_allclose(d, (a.array - b.array) / (2 * eps), rtol=1e-5, atol=1e-6)
    bars = [Array(rng.normal(size=y.shape)) for y in ys]
    _, pull = vjp(of, moving)
    x_bars = [Array(np.zeros(x.shape)) if b is None else b for x, b in zip(moving, pull(bars), strict=True)]
    left = sum(float((b.array * d).sum()) for b, d in zip(bars, y_dots, strict=True))
    right = sum(float((b.array * d.array).sum()) for b, d in zip(x_bars, dots, strict=True))
    np.testing.assert_allclose(right, left, rtol=1e-8, atol=1e-10)
    if order > 1:
        check_derivatives(lambda *ys: _gradient(of, ys, bars), moving, list(range(len(moving))), rng, order - 1)


def _gradient(f: Any, xs: Any, bars: list[Array]) -> list[Any]:
    _, pull = vjp(f, list(xs))
    return [Array(np.zeros(x.shape)) if b is None else b for x, b in zip(xs, pull(bars), strict=True)]
