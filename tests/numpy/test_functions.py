"""Every line of the four tables: the values are those of NumPy or SciPy, vmap is the loop, staged and compiled the same
numbers come out. (Derivatives: test_gradients.py.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from minigrad import backends, tree
from minigrad.graph import check, run
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.types import TensorType
from tests.numpy import test_fft, test_linalg, test_names, test_special
from tests.numpy.functions import Function

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

TABLES = {"linalg": test_linalg, "fft": test_fft, "special": test_special, "names": test_names}
WIDE = {"f": "float64", "c": "complex128"}
NARROW = {"f": "float32", "c": "complex64"}
LANES = 3


def parameters(*widths: dict[str, str]) -> list[Any]:
    """(function, dtype) for pytest."""
    return [
        pytest.param(f, width[kind], id=f"{name}.{f.name}-{width[kind]}")
        for name, table in TABLES.items()
        for f in table.FUNCTIONS
        for kind in f.kinds
        for width in widths
    ]


def close(ys: Sequence[Any], expected: Sequence[Any], rtol: float) -> None:
    assert len(ys) == len(expected)
    for y, w in zip(ys, expected):
        y, w = np.asarray(y), np.asarray(w)
        assert y.shape == w.shape and y.dtype.kind == w.dtype.kind
        np.testing.assert_allclose(y, w, rtol=rtol, atol=rtol * max(1.0, np.max(np.abs(w), initial=0.0)))


@pytest.mark.parametrize(("fn", "dtype"), parameters(NARROW, WIDE))
def test_values(fn: Function, dtype: str) -> None:
    xs = fn.operands(dtype)
    ys = fn.flat(*map(Array, xs))
    narrow = dtype in NARROW.values()
    assert all(y.dtype.itemsize <= (8 if y.dtype.kind != "f" else 4) for y in ys) or not narrow
    close(ys, tree.leaves(fn.reference(*xs)), 5e-5 if narrow else 1e-10)


@pytest.mark.parametrize(("fn", "dtype"), parameters(WIDE))
def test_lanes(fn: Function, dtype: str) -> None:
    """vmap over the first operand, the others shared; and over all of them."""
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


@pytest.mark.parametrize(("fn", "dtype"), parameters(WIDE))
def test_staged(fn: Function, dtype: str) -> None:
    xs = fn.operands(dtype)
    graph, captured = trace(lambda *vs: fn.flat(*vs), [TensorType(x.shape, x.dtype) for x in xs])
    assert not captured
    eager = fn.flat(*map(Array, xs))
    assert [y.type for y in eager] == list(check(graph).out_types)
    close(run(graph, [Array(x) for x in xs]), eager, 1e-12)
    for name in backends.available():
        close(backends.compile(graph, name)([x.copy() for x in xs]), eager, 1e-10)
