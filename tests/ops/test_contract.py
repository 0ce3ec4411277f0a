"""Products against NumPy's: matmul, tensordot, einsum, convolution, pooling; messages for operands that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad import errors
from minigrad.graph import run, specialize
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.ops.contract import DotGeneral, dot, inner, matmul, outer, tensordot, vdot
from minigrad.ops.convolve import Conv, conv
from minigrad.ops.einsum import einsum
from minigrad.ops.pool import avg_pool, max_pool, sum_pool
from minigrad.testing import check_grads
from minigrad.testing.laws import LAWS
from minigrad.types import FLOAT32, Dim, TensorType

RNG = np.random.default_rng


def same(got: Any, want: Any) -> None:
    assert got.shape == np.shape(want)
    np.testing.assert_allclose(got.array, want, rtol=1e-12, atol=1e-12)


MATMULS = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((1, 5, 2, 3), (6, 1, 3, 4)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 2)),
]


@pytest.mark.parametrize("shapes", MATMULS, ids=str)
def test_matmul(shapes: Any) -> None:
    a, b = (RNG(i).normal(size=s) for i, s in enumerate(shapes))
    same(matmul(a, b), a @ b)
    same(Array(a) @ b, a @ b)
    check_grads(matmul, (a, b))


@pytest.mark.parametrize("dtypes", [("int64", "int64"), ("bool", "bool"), ("int32", "float32"), ("float32", "float64")])
def test_matmul_dtypes(dtypes: tuple[str, str]) -> None:
    a, b = (RNG(i).integers(0, 2, (2, 2)).astype(d) for i, d in enumerate(dtypes))
    got = matmul(a, b)
    np.testing.assert_array_equal(got.array, a @ b)
    assert got.dtype == (np.float32 if dtypes == ("int32", "float32") else (a @ b).dtype)


def test_strided_operands_are_read_as_they_lie() -> None:
    a, b = RNG(0).normal(size=(2, 6, 8)), RNG(1).normal(size=(8, 12))
    views = [
        (a[:, ::2], b[:, ::3]),
        (a.swapaxes(1, 2), b.T[:6, :4]),
        (a[..., ::-1], b[::-1]),
        (np.broadcast_to(a[:1], (3, 6, 8)), b),
    ]
    for x, w in views:
        same(matmul(x, w), x @ w)
        same(einsum("bij,jk->kbi", x, w), np.einsum("bij,jk->kbi", x, w))


def test_the_small_products() -> None:
    a, b, v = RNG(0).normal(size=(2, 3)), RNG(1).normal(size=(3, 2)), RNG(2).normal(size=3)
    same(dot(a, b), a.dot(b))
    same(dot(a, 2.0), a * 2)
    same(dot(v, v), v @ v)
    same(dot(a, np.ones((2, 3, 2))), a.dot(np.ones((2, 3, 2))))
    same(inner(a, v), np.inner(a, v))
    same(outer(a, v), np.outer(a, v))
    same(vdot(a, a), np.vdot(a, a))
    z = a + 1j * a
    np.testing.assert_allclose(vdot(z, 2 * z).array, np.vdot(z, 2 * z))
    for axes in (0, 1, ((1,), (0,)), ((0, 1), (1, 0)), (-1, 0)):
        same(tensordot(a, b, axes), np.tensordot(a, b, axes))


SIZES = dict(zip("ijklmab", (2, 3, 4, 5, 2, 3, 2), strict=True))
SPECS = [
    "ij,jk->ik",
    "ij,jk",
    "ij->ji",
    "ij->",
    "ij->j",
    "ii->i",
    "ii->",
    "ii",
    "iij->j",
    "iji->ij",
    "ij,ij->ij",
    "ij,ij->",
    "i,j->ij",
    "i,i",
    "ij,jk,kl->il",
    "ij,jk,kl,lm->im",
    "bij,bjk->bik",
    "bij,jk->bik",
    "ij,kj,lj->ikl",
    "i,j,k->kji",
    "ij,i->",
    "ijk,kji->",
    "ij,ji->i",
    ",->",
    ",i->i",
    "ijk->kji",
    "iij,jk->ki",
    "bkij,bkjl->bikl",
    "ij , jk -> ik",
    "iii->i",
]
SHAPED = [
    ("...ij,...jk->...ik", [(5, 2, 3), (5, 3, 4)]),
    ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]),
    ("...ij,...jk->...ik", [(1, 5, 2, 3), (6, 1, 3, 4)]),
    ("i...,i...", [(2, 3), (2, 3)]),
    ("...i->i...", [(2, 3, 4)]),
    ("...i->...", [(2, 3, 4)]),
    ("...,...", [(2, 3), (3,)]),
    ("ij,...->ij...", [(2, 3), (4,)]),
    ("ij,ij->ij", [(1, 3), (2, 3)]),
    ("ij,jk->ik", [(2, 1), (3, 2)]),
    ("ij,jk->ik", [(0, 3), (3, 2)]),
]


@pytest.mark.parametrize(("spec", "shapes"), [*((s, None) for s in SPECS), *SHAPED])
def test_einsum(spec: str, shapes: Any) -> None:
    operands = spec.replace(" ", "").split("->")[0].split(",")
    shapes = shapes or [tuple(SIZES[c] for c in part) for part in operands]
    xs = [RNG(i).normal(size=s) for i, s in enumerate(shapes)]
    same(einsum(spec, *xs), np.einsum(spec, *xs))
    if len(xs) < 4:
        check_grads(lambda *vs: einsum(spec, *vs), tuple(xs), order=1)


def test_a_chain_is_contracted_in_the_cheap_order() -> None:
    graph, _ = trace(
        lambda a, b, v: [einsum("ij,jk,k->i", a, b, v)],
        [TensorType((50, 50), FLOAT32)] * 2 + [TensorType((50,), FLOAT32)],
    )
    assert [n.outs[0].type.shape for n in graph.nodes] == [(50,), (50,)]  # matrix by vector, twice


def test_unknown_sizes() -> None:
    n = Dim.symbol("n")
    x, w = TensorType((n, 3), FLOAT32), TensorType((3, 2), FLOAT32)
    graph, _ = trace(lambda a, b: [matmul(a, b), einsum("ni,ij->jn", a, b), einsum("ni,ni->", a, a)], [x, w])
    a, b = (RNG(i).normal(size=s).astype("float32") for i, s in enumerate([(5, 3), (3, 2)]))
    ys = run(specialize(graph, {"n": 5}), [Array(a), Array(b)])
    for got, want in zip(ys, [a @ b, (a @ b).T, (a * a).sum()], strict=True):
        np.testing.assert_allclose(got.array, want, rtol=1e-5)


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (
            lambda: matmul(np.ones((2, 3)), np.ones((4, 5))),
            "matmul: shapes (2, 3) and (4, 5) do not fit: axis -1 of the first has size 3, "
            "axis -2 of the second has size 4",
        ),
        (
            lambda: matmul(np.ones(3), np.ones(4)),
            "matmul: shapes (3,) and (4,) do not fit: axis -1 of the first has size 3, "
            "axis -1 of the second has size 4",
        ),
        (lambda: matmul(2.0, np.ones(3)), "matmul: a scalar has no axis to sum over: f32[] @ f64[3]"),
        (
            lambda: matmul(np.ones((2, 2, 3)), np.ones((4, 3, 2))),
            "matmul: shapes (2,) and (4,) do not broadcast: axis -1 has sizes 2 and 4",
        ),
        (lambda: tensordot(np.ones(3), np.ones(3), 2), "tensordot: cannot sum over 2 axes of f64[3] and f64[3]"),
        (
            lambda: tensordot(np.ones(3), np.ones(3), ((0, 0), (0,))),
            "tensordot: axes (0, 0) name an axis of f64[3] twice",
        ),
        (
            lambda: einsum("ij,jk->ik", np.ones((2, 3)), np.ones((4, 5))),
            "einsum: index 'j' of 'ij,jk->ik' has sizes 3 and 4 (operands f64[2,3], f64[4,5])",
        ),
        (lambda: einsum("ij->ik", np.ones((2, 3))), "einsum: the output of 'ij->ik' names 'k', which no operand has"),
        (lambda: einsum("ij->ii", np.ones((2, 3))), "einsum: the output of 'ij->ii' names 'i' twice"),
        (lambda: einsum("ij,j", np.ones((2, 3))), "einsum: 'ij,j' names 2 operands, got 1"),
        (lambda: einsum("ijk", np.ones((2, 3))), "einsum: 'ijk' in 'ijk' names 3 axes, but the operand is f64[2,3]"),
        (lambda: einsum("i%", np.ones((2, 3))), "einsum: '%' in 'i%' is not a letter"),
        (
            lambda: DotGeneral(((1,), (0,)))(np.ones((2, 3)), np.ones((4, 5))),
            "dot_general: axis 1 of f64[2,3] and axis 0 of f64[4,5] meet (contract), but have sizes 3 and 4",
        ),
        (
            lambda: conv(np.ones((1, 3, 8)), np.ones((2, 2, 3))),
            "conv: the input f64[1,3,8] has 3 channels, the kernel f64[2,2,3] takes 2 in each of 1 groups",
        ),
        (
            lambda: conv(np.ones((1, 2, 2)), np.ones((2, 2, 5))),
            "conv: the kernel f64[2,2,5] spans 5 along spatial axis 0, more than the 2 of the padded input f64[1,2,2]",
        ),
        (
            lambda: conv(np.ones((1, 2, 4)), np.ones((2, 2, 3)), 0),
            "conv: stride must be a positive integer, or 1 of them, got 0",
        ),
        (lambda: max_pool(np.ones(3), (2, 2)), "max_pool: a window of shape (2, 2) needs 2 axes, got f64[3]"),
    ],
)
def test_messages(f: Any, message: str) -> None:
    with pytest.raises(errors.MinigradError) as caught:
        f()
    assert caught.value.what == message


# ── convolution and pooling ──────────────────────────────────────────────────────────────────────
def convolved(x: Any, w: Any, op: Conv) -> Any:
    """The definition in one dimension."""
    (n, c, size), (o, cg, k) = x.shape, w.shape
    (lo, hi), ld, rd, s = op.padding[0], op.lhs_dilation[0], op.rhs_dilation[0], op.stride[0]
    spread = np.zeros((n, c, (size - 1) * ld + 1))
    spread[..., ::ld] = x
    whole = np.zeros((n, c, max(lo, 0) + spread.shape[-1] + max(hi, 0)))
    whole[..., max(lo, 0) : max(lo, 0) + spread.shape[-1]] = spread
    whole = whole[..., max(-lo, 0) : whole.shape[-1] - max(-hi, 0)]
    m = (whole.shape[-1] - (k - 1) * rd - 1) // s + 1
    y = np.zeros((n, o, m))
    for i in range(n):
        for j in range(o):
            group = j // (o // op.groups)
            for p in range(m):
                seen = whole[i, group * cg : (group + 1) * cg, p * s : p * s + (k - 1) * rd + 1 : rd]
                y[i, j, p] = (seen * w[j]).sum()
    return y


def random_conv(rng: np.random.Generator) -> tuple[Conv, tuple[int, ...], tuple[int, ...]]:
    g, cg, og, k = (int(v) for v in rng.integers(1, 4, 4))
    ld, rd, s = (int(v) for v in rng.integers(1, 4, 3))
    lo, hi = (int(v) for v in rng.integers(-1, 4, 2))
    size = (k - 1) * rd + 3 + int(rng.integers(0, 4))
    return Conv((s,), ((lo, hi),), (ld,), (rd,), g), (2, g * cg, size), (g * og, cg, k)


def test_conv_is_its_definition() -> None:
    rng = RNG(4)
    for _ in range(60):
        op, x_shape, w_shape = random_conv(rng)
        x, w = rng.normal(size=x_shape), rng.normal(size=w_shape)
        same(op(Array(x), Array(w)), convolved(x, w, op))
        for law in ("adjoint", "batch"):
            LAWS[law](op, lambda r, a=x_shape, b=w_shape: [r.normal(size=a), r.normal(size=b)], rng)


def test_conv_in_more_dimensions_and_its_padding() -> None:
    x, w = RNG(0).normal(size=(1, 2, 5, 6)), RNG(1).normal(size=(3, 2, 3, 2))
    want = sum(
        np.einsum("ncij,oc->noij", x[:, :, i : i + 3, j : j + 5], w[:, :, i, j]) for i in range(3) for j in range(2)
    )
    same(conv(x, w), want)
    same(conv(x, w, padding="valid"), want)
    assert conv(x, w, 2, "same").shape == (1, 3, 3, 3)
    assert conv(x, w, padding=(1, (0, 2))).shape == (1, 3, 5, 7)
    check_grads(lambda a, b: conv(a, b, (2, 1), 1, rhs_dilation=(1, 2)), (x, w))


def test_pooling() -> None:
    x = RNG(3).permutation(48).reshape(1, 2, 4, 6) + 0.0
    blocks = x.reshape(1, 2, 2, 2, 3, 2)
    same(max_pool(x, (2, 2)), blocks.max((3, 5)))
    same(avg_pool(x, (2, 2)), blocks.mean((3, 5)))
    same(sum_pool(x, 2, 1), x[..., 1:] + x[..., :-1])
    same(max_pool(-x - 1, 3, 3, 1), -min_windows(x + 1))
    same(avg_pool(np.ones(3), 2, 1, 1), [0.5, 1, 1, 0.5])
    same(avg_pool(np.ones(3), 2, 1, 1, count_padding=False), np.ones(4))
    assert max_pool(np.arange(6), 2, 2).dtype == np.int64
    for pool in (max_pool, avg_pool, sum_pool):
        check_grads(lambda v, pool=pool: pool(v, (2, 3), (1, 2), 1), (x,))
    check_grads(lambda v: max_pool(v, 2, 1, dilation=2), (x[0, 0],))


def min_windows(x: Any) -> Any:
    padded = np.pad(x, [(0, 0)] * 3 + [(1, 1)], constant_values=np.inf)
    return np.stack([padded[..., i : i + 3].min(-1) for i in range(0, padded.shape[-1] - 2, 3)], -1)


def test_the_first_of_a_tie_gets_the_derivative() -> None:
    op, x = max_pool, Array(np.array([1.0, 2.0, 2.0, 0.0]))
    graph, _ = trace(lambda v: [op(v, 3, 1)], [x.type])
    assert [n.op.label for n in graph.nodes if n.op.label.startswith("window")] == ["windowargmax"]
    assert graph.nodes[0].op.impl(x.array).tolist() == [1, 1]
