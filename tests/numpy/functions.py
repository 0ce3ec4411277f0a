"""A function, its reference and how to draw its operands; and the four things that are asked of each.

Values are those of NumPy or SciPy, in every dtype; derivatives of first and second order, forward and reverse, are
differences; vmap is the loop; staged and compiled, the same numbers come out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from minigrad import backends, tree
from minigrad.graph import check, run
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.ops.kinds import Draw
from minigrad.testing import check_grads
from minigrad.testing.inventory import draw
from minigrad.types import TensorType

WIDE = {"f": "float64", "c": "complex128"}
NARROW = {"f": "float32", "c": "complex64"}
LANES = 3


@dataclass(frozen=True)
class Function:
    name: str
    f: Callable[..., Any]
    reference: Callable[..., Any]
    draws: tuple[Draw, ...]
    kinds: str = "fc"  # f float32 and float64, c complex64 and complex128
    order: int = 2  # of the derivatives that are checked; 0: it has none
    by: tuple[int, ...] | None = None  # the operands it is differentiated by (None: all)

    def operands(self, dtype: str) -> list[Any]:
        rng = np.random.default_rng(zlib.crc32(f"{self.name} {dtype}".encode()))
        return [draw(d if d.dtype == "int64" else replace(d, dtype=dtype), rng) for d in self.draws]

    def flat(self, *xs: Any) -> list[Any]:
        return list(tree.leaves(self.f(*xs)))


def parameters(functions: Sequence[Function], narrow: bool = True) -> list[Any]:
    """(function, dtype) for pytest."""
    return [
        pytest.param(f, dtype, id=f"{f.name}-{dtype}")
        for f in functions
        for kind in f.kinds
        for dtype in ([NARROW[kind]] if narrow else []) + [WIDE[kind]]
    ]


def derivative_parameters(functions: Sequence[Function]) -> list[Any]:
    """(function, dtype) for those with derivatives; complex ones take four times as long."""
    return [
        pytest.param(f, WIDE[kind], id=f"{f.name}-{WIDE[kind]}", marks=[pytest.mark.slow] if kind == "c" else [])
        for f in functions
        for kind in f.kinds
        if f.order
    ]


def close(ys: Sequence[Any], expected: Sequence[Any], rtol: float) -> None:
    assert len(ys) == len(expected)
    for y, w in zip(ys, expected):
        y, w = np.asarray(y), np.asarray(w)
        assert y.shape == w.shape and y.dtype.kind == w.dtype.kind
        np.testing.assert_allclose(y, w, rtol=rtol, atol=rtol * max(1.0, np.max(np.abs(w), initial=0.0)))


def values_are_the_reference(fn: Function, dtype: str) -> None:
    xs = fn.operands(dtype)
    ys = fn.flat(*map(Array, xs))
    narrow = dtype in NARROW.values()
    assert all(y.dtype.itemsize <= (8 if y.dtype.kind != "f" else 4) for y in ys) or not narrow
    close(ys, tree.leaves(fn.reference(*xs)), 5e-5 if narrow else 1e-10)


def derivatives_are_differences(fn: Function, dtype: str) -> None:
    xs = fn.operands(dtype)
    by = range(len(xs)) if fn.by is None else fn.by

    def moving(*given: Any) -> list[Any]:
        full: list[Any] = [Array(x) for x in xs]
        for i, x in zip(by, given):
            full[i] = x
        return fn.flat(*full)

    check_grads(moving, tuple(xs[i] for i in by), order=fn.order, seed=zlib.crc32(fn.name.encode()))


def vmap_is_the_loop(fn: Function, dtype: str) -> None:
    """Over the first operand, the others shared; and over all of them."""
    xs = fn.operands(dtype)
    stacks = [np.stack([x * (1 if x.dtype.kind == "i" else 1 + k / 16) for k in range(LANES)]) for x in xs]
    for mapped in ([True] + [False] * (len(xs) - 1), [True] * len(xs)):
        given = [Array(s if m else x) for s, x, m in zip(stacks, xs, mapped)]
        found = batched(lambda *vs: fn.flat(*vs), given, mapped, LANES)
        lanes = [
            fn.flat(*[Array(s[k].astype(x.dtype) if m else x) for s, x, m in zip(stacks, xs, mapped)])
            for k in range(LANES)
        ]
        close(found, [np.stack([np.asarray(y) for y in column]) for column in zip(*lanes)], 1e-10)


def staged_is_eager(fn: Function, dtype: str) -> None:
    xs = fn.operands(dtype)
    graph, captured = trace(lambda *vs: fn.flat(*vs), [TensorType(x.shape, x.dtype) for x in xs])
    assert not captured
    eager = fn.flat(*map(Array, xs))
    assert [y.type for y in eager] == list(check(graph).out_types)
    close(run(graph, [Array(x) for x in xs]), eager, 1e-12)
    for name in backends.available():
        close(backends.compile(graph, name)([x.copy() for x in xs]), eager, 1e-10)
