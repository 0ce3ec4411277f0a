"""What the tests of the compiled backends share: programs, special values, and when two results are the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import backends
from minigrad.graph import Graph
from minigrad.interpreters.build import trace
from minigrad.ops.movement import Expand, Flip, Permute, Reshape
from minigrad.ops.pieces import Slice
from minigrad.ops.rows import Convert, Row
from minigrad.testing.inventory import dtypes, rows
from minigrad.types import TensorType, real_of
from tests.graph.programs import graph_of, op_graphs

OPS = dict(op_graphs())
# Each elementary function is within 4 ulp of the true value, and so is the reference's; sums may be taken in any order.
ULPS = 64


def same(y: np.ndarray, want: np.ndarray, ulps: float = ULPS) -> None:
    """Equal; floats within some ulps of the largest number that took part, nan with nan, inf with inf."""
    assert type(y) is np.ndarray and (y.shape, y.dtype) == (want.shape, want.dtype)
    if y.dtype.kind not in "fc":
        np.testing.assert_array_equal(y, want)
        return
    if y.dtype.kind == "c" and not np.isfinite(want).all():  # a part beside an infinite one is a number of its own
        ends = ~np.isfinite(want)
        same(y[ends].real, want[ends].real, ulps)
        same(y[ends].imag, want[ends].imag, ulps)
        y, want = np.where(ends, 0, y), np.where(ends, 0, want)
    with np.errstate(all="ignore"):
        near = np.abs(y - want) <= ulps * np.finfo(real_of(y.dtype)).eps * np.abs(want)
        fine = near | (y == want) | (np.isnan(y) & np.isnan(want))
    assert fine.all(), f"{y[~fine][:5]} instead of {want[~fine][:5]}"


def agrees(g: Graph, inputs: list[np.ndarray], backend: str, ulps: float = ULPS, optimize: bool = False) -> Any:
    """The backend and numpy give the same; inputs stay as they are, outputs are the caller's own. The executable."""
    kept = [a.copy() for a in inputs]
    wanted = backends.compile(g, "numpy", optimize=optimize)(inputs)
    exe = backends.compile(g, backend, optimize=optimize)
    outputs = exe(inputs)
    for y, want in zip(outputs, wanted, strict=True):
        same(y, want, ulps)
    for a, b in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(a, b)
    for i, y in enumerate(outputs):
        assert y.flags.writeable
        assert not any(np.shares_memory(y, other) for other in (*inputs, *outputs[:i]))
    return exe


# ── every row in every dtype, on special values ──────────────────────────────────────────────────
FLOATS = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1e-30, 1e30, -1e30, 3e38, 88.5, -88.5, -87.0, 0.5, -0.5]
FLOATS += [1.0, -1.0, 2.5, 3.5, -2.5, 100.0, 700.0, 1e-8, 1e5, 1e10, 17.0, -17.0]
# where the reference is off: scipy's expit underflows early and its erfc has 9 ulp; logaddexp cancels near 0; scipy's
# gammaln has thousands of ulp beside 1 and 2, and it and digamma cancel beside the zeros of negative numbers
LOOSE = {"logistic": 2.0**23, "erfc": 16, "logaddexp": 2.0**12, "lgamma": 2.0**14, "digamma": 2.0**14}


def special_values(dtype: np.dtype) -> np.ndarray:
    rng = np.random.default_rng(0)
    if dtype.kind == "b":
        return np.array([False, True, True])
    if dtype.kind == "f":
        with np.errstate(over="ignore", under="ignore"):
            wide = rng.normal(size=30) * 10.0 ** rng.uniform(-30, 30, 30)
            return np.concatenate([FLOATS, rng.uniform(-5, 5, 40), wide]).astype(dtype)
    limits = np.iinfo(dtype)
    around = [limits.min, limits.min + 1, limits.max, limits.max - 1, 0, 1, 2, 3, 5, 7, 31, 32, 63, 64, 100]
    return np.unique(np.array(around + [-1, -2, -7, -64] * (dtype.kind == "i"), dtype))


REAL = [(op, d) for op in rows() for d in dtypes(op) if d[0] != "c"]


def special_program(op: Row, dtype: str, largest: int | None) -> tuple[Graph, list[np.ndarray]]:
    """The op on all pairs (or triples) of special values, where extremes meet; of the first so many values."""
    x = special_values(np.dtype(dtype))[:largest]
    xs = [x.reshape([-1 if d == k else 1 for d in range(op.operands)]) for k in range(op.operands)]
    if op.name == "logistic":
        xs = [x[~(x < -80)] for x in xs]
    return trace(lambda *xs: [op(*xs)], [TensorType(x.shape, x.dtype) for x in xs])[0], xs


CONVERTED = ["bool", "int8", "int32", "int64", "uint8", "uint32", "uint64", "float32", "float64"]


def conversion(before: str, after: str) -> tuple[Graph, list[np.ndarray]]:
    """Also of floats that fit no integer, where NumPy takes what the processor gives."""
    x = special_values(np.dtype(before))
    if np.dtype(before).kind == "f" and after in ("int8", "uint8", "uint32", "uint64"):
        x = x[np.abs(x) < 2**31]  # beyond, NumPy's own loops differ with the length of the array
    return graph_of(lambda x: Convert(np.dtype(after))(x), str(TensorType(x.shape, x.dtype))), [x]


def moves(x: Any) -> Any:
    """A float32[4,6] moved in every way."""
    y = Permute((1, 0))(Slice((0, 1), (4, 5), (2, 1))(x))  # [4,2]
    return Expand((3, 4, 2))(y) + Flip((0,))(Reshape((4, 2))(Reshape((8,))(y * 2.0)))
