"""The everyday NumPy names: values, derivatives, lanes and graphs of every one of them; edges; errors."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
import minigrad.tracer as jax
from minigrad.errors import ArgumentError, ConcretizationError, DtypeError, MinigradError, ShapeError, ValueTypeError
from minigrad.op import Array
from minigrad.ops.kinds import Draw
from minigrad.testing import check_grads
from tests.numpy.functions import Function

HERE = ("arranging", "calculus", "everyday", "missing", "selecting", "statistics")


def same(name: str, *draws: Draw, kinds: str = "f", order: int = 2, call: Any = None, **more: Any) -> Function:
    """`name` with keyword arguments, or `call(xp, *operands)`, in both namespaces."""
    plain = lambda xp, *xs: getattr(xp, name.partition("-")[0])(*xs, **more)
    f = call or plain
    return Function(name, lambda *xs: f(mnp, *xs), lambda *xs: f(np, *xs), draws, kinds, order)


def holes(xp: Any, x: Any) -> Any:
    """x with nan where it is below -1, and a first row of nothing else."""
    return xp.where((xp.real(x) < -1) | (np.arange(x.shape[0])[:, None] == 0), np.nan, x)


M, V, LONG = Draw((3, 4), distinct=True), Draw((5,), distinct=True), Draw((2, 6, 2), distinct=True)
PLACES, SPOTS = np.array([0.1, 0.9, 0.5, 0.2, 0.0]), np.array([[0], [2], [1]])


def put(x: Any, y: Any) -> Any:
    x = x.copy()
    np.put_along_axis(x, SPOTS, y, axis=1)
    return x


def doubled(x: Any) -> Any:
    """Written in place."""
    x[0] = x[1] * 2
    x[x.real < -1] = 0
    return x


FUNCTIONS = [
    same("fliplr", M, kinds="fc"),
    same("flipud", V, kinds="fc"),
    *[same(f"rot90-{k}", LONG, k=k, axes=(2, 0)) for k in (-1, 0, 1, 2, 3)],
    *[
        same(f"rollaxis-{a}{s}", Draw((2, 3, 4)), call=lambda xp, x, a=a, s=s: xp.rollaxis(x, a, s))
        for a, s in ((2, 0), (0, 3), (1, -1))
    ],
    same("hsplit", LONG, call=lambda xp, x: xp.hsplit(x, 3)),
    same("hsplit-vector", V, call=lambda xp, x: xp.hsplit(x, [1, 3])),
    same("vsplit", LONG, call=lambda xp, x: xp.vsplit(x, 2)),
    same("dsplit", LONG, call=lambda xp, x: xp.dsplit(x, [1])),
    same("append", M, V, kinds="fc"),
    same("append-axis", M, M, axis=1),
    same("block", M, V, call=lambda xp, x, v: xp.block([[x, x], [v, x[0, :3]]])),
    same("block-flat", V, call=lambda xp, v: xp.block([v, v])),
    same("block-one", V, call=lambda xp, v: xp.block(v)),
    same("diagflat", Draw((2, 2)), call=lambda xp, x: xp.diagflat(x, -1)),
    same("vander", V, kinds="fc"),
    same("vander-up", V, N=3, increasing=True),
    same("vander-1", V, N=1, order=0),
    same("trapezoid", M, kinds="fc", dx=0.5),
    same("trapezoid-x", M, Draw((4,)), call=lambda xp, y, x: xp.trapezoid(y, x)),
    same("trapezoid-axis", M, M, call=lambda xp, y, x: xp.trapezoid(y, x, axis=0)),
    same("gradient", V, kinds="fc"),
    same("gradient-all", M),
    *[
        same(f"gradient-{k}", Draw((4, 5)), V, call=lambda xp, f, x, k=k: xp.gradient(f, x, axis=1, edge_order=k))
        for k in (1, 2)
    ],
    same("gradient-steps", Draw((4, 5)), V, call=lambda xp, f, x: xp.gradient(f, 0.5, x, edge_order=2)),
    same("gradient-2", Draw((2,))),
    same("unwrap", Draw((3, 6), domain=(-9.0, 9.0), distinct=True)),
    same("unwrap-more", Draw((6, 2), domain=(-9.0, 9.0), distinct=True), discont=4.0, axis=0, period=5.0),
    same("logspace", Draw(()), Draw(()), num=4),
    same("logspace-base", Draw(()), Draw(()), num=4, base=2.0, endpoint=False),
    same("geomspace", Draw((), domain=(1.0, 2.0)), Draw((), domain=(3.0, 9.0)), num=4),
    same("geomspace-down", Draw((), domain=(-9.0, -3.0)), Draw((), domain=(-2.0, -1.0)), num=3, endpoint=False),
    same("polyval", V, M, kinds="fc"),
    same("fabs", M),
    *[same(name, M, Draw((4,))) for name in ("fmax", "fmin", "logaddexp2")],
    same("float_power", Draw((3, 4), domain=(0.5, 2.0)), Draw((4,))),
    same("divmod", Draw((3,), domain=(2.2, 2.8)), Draw((3,), domain=(0.9, 1.1))),
    *[same(name, M) for name in ("degrees", "radians")],
    same("angle", M, kinds="c"),
    same("angle-deg", M, kinds="c", deg=True),
    # without nan, and with some
    *[
        same(f"{name}-{axis}", M, axis=axis)
        for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanmedian")
        for axis in (None, 0, 1)
    ],
    *[
        same(
            f"{name}-holes{axis}",
            M,
            order=0 if axis == 1 else 2,  # a row of nothing but nan has no derivative
            call=lambda xp, x, n=name, a=axis: getattr(xp, n)(holes(xp, x), axis=a),
        )
        for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanmedian")
        for axis in (None, 0, 1)
    ],
    same("nansum-keep", LONG, kinds="fc", axis=(0, 2), keepdims=True),
    same("nanmean-keep", LONG, kinds="fc", axis=(0, 2), keepdims=True),
    same("nancumsum", M, kinds="fc", call=lambda xp, x: xp.nancumsum(holes(xp, x), axis=1)),
    same("nancumprod", M, kinds="fc", call=lambda xp, x: xp.nancumprod(holes(xp, x), axis=0)),
    same("nanquantile", M, order=0, call=lambda xp, x: xp.nanquantile(holes(xp, x), [0.0, 0.3, 1.0], axis=1)),
    same("nanquantile-plain", M, call=lambda xp, x: xp.nanquantile(x, [[0.1, 0.3]], axis=1, keepdims=True)),
    same("nanpercentile", M, call=lambda xp, x: xp.nanpercentile(holes(xp, x), 40)),
    same("nanargmax", M, order=0, call=lambda xp, x: xp.nanargmax(holes(xp, x)[1:], axis=0)),
    same("nanargmin", M, order=0, call=lambda xp, x: xp.nanargmin(holes(xp, x), keepdims=True)),
    same("quantile", M, call=lambda xp, x: xp.quantile(x, [[0.1, 0.5], [0.9, 1.0]], axis=0)),
    same("percentile", M, call=lambda xp, x: xp.percentile(x, [10, 70], axis=1, keepdims=True)),
    # selecting
    same("select", M, kinds="fc", call=lambda xp, x: xp.select([x.real < -1, x.real < 1], [x * x, 3 * x], 0.5)),
    same(
        "piecewise",
        M,
        kinds="fc",
        call=lambda xp, x: xp.piecewise(x, [x.real < -1, x.real > 0.5], [lambda x: x * x, 2.0]),
    ),
    same("piecewise-else", M, call=lambda xp, x: xp.piecewise(x, [x < 0], [-1.0, lambda x, k: x * k], 3.0)),
    same("partition", M, call=lambda xp, x: xp.sort(xp.partition(x, 2, axis=0)[:3], axis=0)),
    same("argpartition", V, call=lambda xp, x: xp.argpartition(x, 0)[0], order=0),
    # statistics
    same("cov", M, kinds="fc"),
    same("cov-two", V, V),
    same("cov-one", V),
    same("cov-bias", M, M, bias=True, rowvar=False),
    same("cov-ddof", M, ddof=2),
    same("corrcoef", M),
    same("corrcoef-two", V, V),
    same("corrcoef-complex", M, kinds="c", call=lambda xp, x: xp.corrcoef(x)),
    *[
        same(
            f"correlate-{mode}{n}",
            Draw((n,)),
            Draw((7 - n,)),
            kinds="fc",
            call=lambda xp, a, v, m=mode: xp.correlate(a, v, m),
        )
        for mode in ("valid", "same", "full")
        for n in (2, 3, 4, 5)
    ],
    same("histogram", M, order=0, call=lambda xp, x: xp.histogram(x, bins=5)),
    same("histogram-edges", M, order=0, call=lambda xp, x: xp.histogram(x, bins=np.array([-1.0, 0.0, 0.5], x.dtype))),
    same("histogram-range", M, order=0, call=lambda xp, x: xp.histogram(x, 4, (-1.0, 1.0), density=True)),
    same("histogram-weights", V, call=lambda xp, w: xp.histogram(PLACES, 4, weights=w)[0]),
    same("histogram_bin_edges", M, call=lambda xp, x: xp.histogram_bin_edges(x, 3)),
    same("bincount", V, call=lambda xp, w: xp.bincount(np.array([0, 2, 1, 2, 0]), w)),
    # what NumPy makes only of arrays of its own
    same("full", Draw(()), kinds="fc", call=lambda xp, x: xp.full((2, 3), x)),
    same("full_like", Draw(()), kinds="fc", call=lambda xp, x: xp.full_like(np.ones(2, x.dtype), x)),
    same("asarray", V, kinds="fc", call=lambda xp, x: xp.asarray(x)),
    same("array", V, kinds="fc", call=lambda xp, x: xp.array(x, ndmin=2)),
    same("astype", V, kinds="fc", call=lambda xp, x: xp.astype(x, "complex128") if x.dtype == np.float64 else x),
    same("vectorize", V, kinds="fc", call=lambda xp, x: xp.vectorize(lambda a: a * a)(x)),
    Function("top_k", lambda x: mnp.top_k(x, 2)[0], lambda x: np.sort(x)[..., ::-1][..., :2], (M,), "f"),
    Function("put_along_axis", lambda x, y: mnp.put_along_axis(x, SPOTS, y, axis=1), put, (M, Draw((3, 1))), "fc"),
    Function("writable", lambda x: mnp.writable(doubled)(x), lambda x: doubled(x.copy()), (M,), "fc"),
]
COV_WEIGHTS = [(None, [0.5, 1.0, 2.0, 0.1]), ([1, 2, 0, 3], None), ([1, 2, 0, 3], [0.5, 1.0, 2.0, 0.1])]


def test_every_function_is_called_here() -> None:
    text = inspect.getsource(sys.modules[__name__])
    found = [n for n in mnp.__all__ if getattr(getattr(mnp, n), "__module__", "").rpartition(".")[2] in HERE]
    assert len(found) > 40 and [n for n in found if n not in text] == []


# ── edges ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("fweights", "aweights"), COV_WEIGHTS)
def test_cov_with_weights(fweights: Any, aweights: Any) -> None:
    x = np.random.default_rng(0).normal(size=(2, 4))
    given = {k: np.asarray(w) for k, w in (("fweights", fweights), ("aweights", aweights)) if w is not None}
    np.testing.assert_allclose(np.asarray(mnp.cov(x, **given)), np.cov(x, **given), rtol=1e-12)


def test_nan_has_no_gradient() -> None:
    x = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, np.nan]])
    for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanmedian"):
        slope = np.asarray(jax.grad(lambda x, name=name: getattr(mnp, name)(x, axis=1).sum())(x))
        assert np.isfinite(slope).all() and (slope[np.isnan(x)] == 0).all() and slope.any()


def test_nothing_but_nan() -> None:
    x = np.full(3, np.nan)
    assert (mnp.nansum(x).item(), mnp.nanprod(x).item(), mnp.nanargmax(x).item(), mnp.nanargmin(x).item()) == (
        0,
        1,
        -1,
        -1,
    )
    assert all(np.isnan(f(x).item()) for f in (mnp.nanmean, mnp.nanmax, mnp.nanmin, mnp.nanmedian, mnp.nanvar))
    assert (mnp.nanmax(np.array([2, 3])).item(), mnp.nanargmax(np.array([2, 3])).item()) == (3, 1)


def test_fmax_leaves_nan_out() -> None:
    a, b = np.array([np.nan, 1.0, np.nan]), np.array([2.0, np.nan, np.nan])
    np.testing.assert_array_equal(mnp.fmax(a, b), np.fmax(a, b))
    np.testing.assert_array_equal(mnp.fmin(a, b), np.fmin(a, b))
    assert jax.grad(lambda a: mnp.fmax(a, b)[:2].sum())(a).tolist() == [0, 1, 0]


def test_put_along_axis() -> None:
    x, at = np.arange(12.0).reshape(3, 4), np.array([[1, 0], [3, 2], [0, 1]])
    for values in (np.ones((3, 2)), np.array([7.0, 8.0]), 5.0):
        expected = x.copy()
        np.put_along_axis(expected, at, values, 1)
        np.testing.assert_array_equal(mnp.put_along_axis(x, at, values, 1), expected)
    assert mnp.put_along_axis(x, np.array([5]), -1.0, axis=None)[1, 1].item() == -1
    assert jax.grad(lambda x: mnp.put_along_axis(x, at, 0.0, 1).sum())(x).tolist() == [
        [0, 0, 1, 1],
        [1, 1, 0, 0],
        [0, 0, 1, 1],
    ]


def test_numpy_cannot_put_into_ours() -> None:
    with pytest.raises(ValueTypeError, match=r"put_along_axis writes into its first argument"):
        np.put_along_axis(np.ones(2), np.array([0]), mnp.ones(1), 0)


@pytest.mark.parametrize("backend", ["numpy", "llvm", "numba"])
def test_searches_of_every_length(backend: str) -> None:
    """NumPy's places: before or behind equals, nan last, for edges and queries of every dtype."""
    rng = np.random.default_rng(0)
    few = backend == "numba"  # takes long to compile
    for n in (0, 6) if few else (0, 1, 2, 3, 4, 7, 8, 9, 100):
        for dtype in ("float32",) if few else ("float32", "float64", "int64", "uint8", "bool"):
            odd = [np.nan, np.inf, -np.inf, 0.0, -0.0] if dtype[0] == "f" else [0, 1]
            x, q = (np.concatenate([rng.integers(0, n + 1, m), rng.choice(odd, m)])[::2].astype(dtype) for m in (n, 37))
            x = np.sort(x)
            for side in ("left", "right"):
                got = jax.jit(lambda x, q: mnp.searchsorted(x, q, side=side), backend=backend)(x, q)  # noqa: B023
                np.testing.assert_array_equal(np.asarray(got), np.searchsorted(x, q, side=side))


def test_histogram_of_little() -> None:
    for x in (np.zeros(3), np.zeros(0)):
        for ours, theirs in zip(mnp.histogram(x, 2), np.histogram(x, 2)):
            np.testing.assert_array_equal(ours, theirs)
    assert mnp.histogram(np.array([1.0, 2.0]), [0, 1, 2])[0].tolist() == [0, 2]
    assert jax.grad(lambda w: mnp.histogram(np.array([1.0, 2.0]), 2, weights=w)[0][0])(np.ones(2)).tolist() == [1, 0]


def test_vectorize() -> None:
    gap = mnp.vectorize(lambda a, b: (mnp.where(a > b, a - b, b - a), a))
    assert [y.tolist() for y in gap(np.arange(3), np.array([[1], [2]]))] == [[[1, 0, 1], [2, 1, 0]], [[0, 1, 2]] * 2]
    x, y = np.random.default_rng(1).normal(size=(2, 4, 3))
    dot = mnp.vectorize(mnp.dot, signature="(n),(n)->()")
    np.testing.assert_allclose(dot(x, y), (x * y).sum(1))
    assert dot(x[0], y[:2]).shape == (2,) and dot(x[0], y[0]).shape == ()
    power = mnp.vectorize(lambda x, n, scale=1.0: scale * x**n, excluded={1})
    assert power(np.arange(3.0), 2, scale=2.0).tolist() == [0, 2, 8]
    np.testing.assert_allclose(jax.grad(lambda x: dot(x, y).sum())(x), y)
    with pytest.raises(ArgumentError, match="vectorize: cannot read the signature"):
        mnp.vectorize(mnp.dot, signature="n,n->()")
    with pytest.raises(ArgumentError, match="vectorize: 1 arguments for the signature"):
        dot(x)
    with pytest.raises(ShapeError, match=r"vectorize: the signature asks for 1 axes, got f64\[\]"):
        dot(np.float64(1), y)


def test_kinds_of_numbers() -> None:
    assert mnp.iscomplexobj(np.ones(1, complex)) and not mnp.iscomplexobj(1.0) and mnp.isrealobj(2)
    assert mnp.select([np.array([True])], [np.ones(1, "float32")], 0).dtype == mnp.float32
    assert mnp.angle(np.array([-1.0])).item() == np.pi and mnp.fabs(np.array([-1])).dtype == mnp.float32
    assert mnp.vander(np.array([1, 2])).dtype == mnp.int64


def test_grids_end_where_they_should() -> None:
    assert mnp.geomspace(1.0, 1000.0, 4).tolist()[::3] == [1, 1000]
    np.testing.assert_allclose(mnp.logspace(0, 2, 3), [1, 10, 100])


ERRORS: list[tuple[Any, type[MinigradError], str]] = [
    (lambda: mnp.rot90(np.ones((2, 2)), axes=(0, -2)), ArgumentError, "rot90: axes (0, -2) of f64[2,2] are the same"),
    (lambda: mnp.rollaxis(np.ones(2), 0, 5), ArgumentError, "rollaxis: start 5 is out of range for f64[2] (rank 1)"),
    (lambda: mnp.vsplit(np.ones(2), 2), ShapeError, "vsplit: needs at least 2 axes, got f64[2]"),
    (lambda: mnp.block([[1.0], 2.0]), ShapeError, "block: lists of different depths among the blocks"),
    (lambda: mnp.block([]), ShapeError, "block: an empty list among the blocks"),
    (
        lambda: mnp.vander(np.ones((2, 2))),
        ShapeError,
        "vander: takes a vector and a number of columns, 0 or more, got f64[2,2] and 2",
    ),
    (lambda: mnp.gradient(np.ones(1)), ShapeError, "gradient: axis 0 of f64[1] needs at least 2 elements"),
    (lambda: mnp.gradient(np.ones(3), np.ones(2)), ShapeError, "gradient: coordinates f64[2] for axis 0 of f64[3]"),
    (lambda: mnp.gradient(np.ones(3), 1.0, 2.0), ArgumentError, "gradient: 2 distances for 1 axes of f64[3]"),
    (lambda: mnp.gradient(np.ones(3), edge_order=3), ArgumentError, "gradient: edge_order must be 1 or 2, got 3"),
    (lambda: mnp.polyval(np.ones((2, 2)), 1.0), ShapeError, "polyval: takes a vector of coefficients, got f64[2,2]"),
    (lambda: mnp.fabs(1j), DtypeError, "fabs does not take complex numbers: c64[]"),
    (lambda: mnp.select([], []), ArgumentError, "select: 0 conditions for 0 choices"),
    (lambda: mnp.piecewise(1.0, [True], []), ArgumentError, "piecewise: 0 functions for 1 conditions"),
    (
        lambda: mnp.put_along_axis(np.ones(2), np.ones(1), 0.0),
        DtypeError,
        "put_along_axis: positions must be integers, got f64[1]",
    ),
    (lambda: mnp.partition(np.ones(2), 2), ArgumentError, "partition: element 2 is out of range for 2 elements"),
    (lambda: mnp.cov(np.ones((2, 2, 2))), ShapeError, "cov: takes a vector or a matrix, got f64[2,2,2]"),
    (lambda: mnp.cov(np.ones((2, 2)), fweights=np.ones(3)), ShapeError, "cov: weights f64[3] for 2 samples"),
    (
        lambda: mnp.correlate(np.ones(0), np.ones(2)),
        ShapeError,
        "correlate: takes vectors that are not empty, got f64[0]",
    ),
    (lambda: mnp.histogram(np.ones(2), 0), ArgumentError, "histogram: needs at least one bin, got 0"),
    (lambda: mnp.histogram(np.ones(2), weights=np.ones(3)), ShapeError, "histogram: weights f64[3] for f64[2]"),
    (
        lambda: mnp.quantile(np.ones(2), 2),
        ArgumentError,
        "quantile: q must be a number in [0, 1], or an array of them, got 2",
    ),
    (lambda: mnp.nanmedian(np.ones(0)), ArgumentError, "nanmedian: f64[0] has no elements along axes (0,)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), ERRORS, ids=lambda x: x[:24] if isinstance(x, str) else "")
def test_errors(call: Any, kind: type[MinigradError], text: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert f"{caught.value}\n".startswith(text + "\n")
    assert isinstance(mnp.ones(1), Array)


def test_the_largest_of_nothing_is_the_initial_value() -> None:
    assert mnp.max(np.zeros((0, 2)), axis=0, initial=3).tolist() == [3, 3]
    with pytest.raises(ArgumentError, match="max: where= may leave nothing over, which has no max"):
        mnp.max(np.ones(2), where=np.array([True, False]))


def test_sinc_is_smooth_at_0() -> None:
    slope = jax.grad(mnp.sinc)
    x = np.array([0.0, 1e-9, 0.0318, 0.0319, 1e200])
    first = jax.vmap(slope)(x)
    np.testing.assert_allclose(first[:2], -(np.pi**2) * x[:2] / 3, rtol=1e-15)
    assert np.isfinite(first).all()
    np.testing.assert_allclose(jax.grad(slope)(np.float64(0)), -(np.pi**2) / 3, rtol=1e-15)
    check_grads(mnp.sinc, (np.array([0.0, 0.0318, 0.0319, -2.5]),), order=3)


def test_what_is_float64_stays_so_beside_float32() -> None:
    narrow, wide = np.float32(0.3), np.array([0.1, 1.0])
    np.testing.assert_allclose(mnp.logaddexp2(narrow, wide), np.logaddexp2(narrow, wide), rtol=1e-15)


def test_edges_keep_their_dtype() -> None:
    assert [t.dtype for t in mnp.histogram([1, 2, 1], bins=[0, 1, 2, 3])] == [mnp.int64, mnp.int64]


def test_quantiles_may_be_an_array() -> None:
    x = mnp.asarray([3.0, 1.0, 2.0])
    assert mnp.quantile(x, q=mnp.asarray([0.5, 1.0])).tolist() == [2, 3]
    with pytest.raises(ConcretizationError):
        jax.grad(lambda q: mnp.quantile(x, q))(0.5)


def test_nan_is_one_element_or_many() -> None:
    x = np.array([np.nan, 1.0, np.nan])
    assert len(mnp.unique(x)) == len(np.unique(x)) == 2
    assert len(mnp.unique(x, equal_nan=False)) == len(mnp.unique_values(x)) == 3
    np.testing.assert_array_equal(jax.jit(lambda x: mnp.unique(x, size=3))(x), [1, np.nan, np.nan])
    values, counts = mnp.unique(np.array([[1, 2], [1, 2], [0, 5]]), return_counts=True, axis=0)
    assert values.tolist() == [[0, 5], [1, 2]] and counts.tolist() == [1, 2]
