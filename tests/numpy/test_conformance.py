"""The Array API standard beyond names: dtypes of results, scalars, special values, indexing; eager and compiled."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
import minigrad.tracer as jax
from minigrad.errors import ArgumentError, DtypeError
from minigrad.op import Array

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

BOOL, SIGNED, UNSIGNED = ["bool"], ["int8", "int16", "int32", "int64"], ["uint8", "uint16", "uint32", "uint64"]
FLOATS, COMPLEX = ["float32", "float64"], ["complex64", "complex128"]
INTS = SIGNED + UNSIGNED
NUMERIC = INTS + FLOATS + COMPLEX
ALL = BOOL + NUMERIC

UNARY = {
    "abs negative positive round square conj real imag sign": NUMERIC,  # conj, real, imag: 2024.12 takes complex
    "ceil floor trunc": INTS + FLOATS,
    "acos acosh asin asinh atan atanh cos cosh exp expm1 log log1p log2 log10 reciprocal sin sinh sqrt tan tanh": (
        FLOATS + COMPLEX
    ),
    "bitwise_invert": BOOL + INTS,
    "logical_not": BOOL,
    "isfinite isinf isnan": INTS + FLOATS + COMPLEX,
    "signbit": FLOATS,
}
BINARY = {
    "add subtract multiply": NUMERIC,
    "divide": FLOATS + COMPLEX,
    "pow": NUMERIC,
    "floor_divide remainder maximum minimum": INTS + FLOATS,
    "atan2 copysign hypot logaddexp nextafter": FLOATS,
    "bitwise_and bitwise_or bitwise_xor": BOOL + INTS,
    "bitwise_left_shift bitwise_right_shift": INTS,
    "equal not_equal": ALL,
    "less less_equal greater greater_equal": INTS + FLOATS,
    "logical_and logical_or logical_xor": BOOL,
}
TO_BOOL = {"isfinite", "isinf", "isnan", "signbit", "equal", "not_equal", "less", "less_equal", "greater"} | {
    "greater_equal"
}
TO_REAL = {"abs", "real", "imag"}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, dtype) for names, dtypes in table.items() for name in names.split() for dtype in dtypes]


def some(dtype: str, shape: tuple[int, ...] = (2, 3)) -> Array:
    n = int(np.prod(shape))
    return Array(
        (np.arange(n) % 3 / 4 + 0.25 if np.dtype(dtype).kind in "fc" else np.arange(n) % 3).reshape(shape).astype(dtype)
    )


def result(name: str, dtype: str) -> np.dtype[Any]:
    if name in TO_BOOL:
        return np.dtype(bool)
    return np.empty(0, dtype).real.dtype if name in TO_REAL else np.dtype(dtype)


# ── dtypes of results ────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("name", "dtype"), pairs(UNARY))
def test_functions_of_one_array(name: str, dtype: str) -> None:
    f = getattr(mnp, name)
    for shape in ((), (0, 3), (2, 3)):
        x = some(dtype, shape)
        y = f(x)
        assert (y.dtype, y.shape) == (result(name, dtype), shape)
    same_bits(jax.jit(f)(x), y)


def common(a: str, b: str) -> str:
    """The standard's tables: within a kind the wider; signed with unsigned the signed type that holds both."""
    return str(np.promote_types(a, b))


def promotable(a: str, b: str) -> bool:
    """Does the standard say what these give? Kinds mix only as signed and unsigned integers, floats and complex."""
    kinds = {np.dtype(a).kind, np.dtype(b).kind}
    return "uint64" not in (a, b) if kinds == {"i", "u"} else len(kinds) == 1 or kinds == {"f", "c"}


@pytest.mark.parametrize(("name", "dtype"), pairs(BINARY))
def test_functions_of_two_arrays(name: str, dtype: str) -> None:
    """With every dtype the standard lets it meet, in both orders, broadcast; and with Python scalars of its kind."""
    f = getattr(mnp, name)
    allowed = next(dtypes for names, dtypes in BINARY.items() if name in names.split())
    for other in allowed:
        if promotable(dtype, other):
            for x, y in ((some(dtype), some(other, (3,))), (some(other, (2, 1)), some(dtype, (3,)))):
                z = f(x, y)
                assert (z.dtype, z.shape) == (result(name, common(dtype, other)), (2, 3))
                assert mnp.result_type(x, y) == common(dtype, other)
    kind = np.dtype(dtype).kind
    scalars = {"b": [True], "i": [1], "u": [1], "f": [1, 0.5], "c": [1, 0.5, 0.5j]}[kind]
    for scalar in scalars:
        x = some(dtype)
        for y in (f(x, scalar), f(scalar, x), jax.eval_shape(lambda v, s=scalar: f(v, s), x)):
            assert (y.dtype, y.shape) == (result(name, dtype), (2, 3))


OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift", "matmul": "matmul", "eq": "equal",
    "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_the_functions(name: str) -> None:
    f = getattr(mnp, OPERATORS[name])
    dtypes = NUMERIC if name == "matmul" else next(d for names, d in BINARY.items() if OPERATORS[name] in names.split())
    for dtype in dtypes:
        x, y = some(dtype, (2, 2)), some(dtype, (2, 2)).T
        np.testing.assert_array_equal(getattr(x, f"__{name}__")(y), f(x, y))
        if name not in ("eq", "ne", "lt", "le", "gt", "ge"):
            np.testing.assert_array_equal(getattr(x, f"__r{name}__")(y), f(y, x))
    assert some("int32").__add__("text") is NotImplemented


@pytest.mark.parametrize(("a", "b"), [*itertools.product(ALL, ALL)])
def test_promotion(a: str, b: str) -> None:
    x, y = some(a, (2,)), some(b, (2,))
    if promotable(a, b):
        joined = [mnp.concat([x, y]), mnp.stack([x, y]), mnp.where(mnp.asarray([True, False]), x, y)]
        assert {str(z.dtype) for z in joined} == {common(a, b)}
        assert mnp.result_type(getattr(mnp, a), getattr(mnp, b)) == common(a, b)
        assert mnp.can_cast(getattr(mnp, a), getattr(mnp, b)) == (common(a, b) == b)
        if a != "bool" and b != "bool":
            for f in (mnp.matmul, mnp.vecdot, lambda p, q: mnp.tensordot(p, q, axes=1)):
                assert f(x, y).dtype == common(a, b)
    assert mnp.astype(x, getattr(mnp, b)).dtype == b


@pytest.mark.parametrize("dtype", ALL)
def test_reductions(dtype: str) -> None:
    """Sums of integers do not overflow: at least the default integer; everything else keeps its dtype."""
    x, kind = some(dtype, (2, 3, 2)), np.dtype(dtype).kind
    wide = {"b": "int64", "i": "int64", "u": "uint64"}.get(kind, dtype)
    same = {"sum": wide, "prod": wide, "cumulative_sum": wide, "cumulative_prod": wide} if kind != "b" else {}
    if kind in "iuf":
        same |= {"max": dtype, "min": dtype}
    if kind in "fc":
        same |= {"mean": dtype}
    if kind == "f":
        same |= {"var": dtype, "std": dtype}
    for name, wanted in same.items():
        for axis in (0, -1):
            assert getattr(mnp, name)(x, axis=axis).dtype == wanted
        if not name.startswith("cumulative"):
            for axis, shape in ((None, (1, 1, 1)), ((0, 2), (1, 3, 1)), ((), (2, 3, 2))):
                y = getattr(mnp, name)(x, axis=axis, keepdims=True)
                assert (y.dtype, y.shape) == (wanted, shape)
    for name in ("any", "all"):
        assert getattr(mnp, name)(x, axis=(0, 1)).dtype == bool
    assert mnp.count_nonzero(x, axis=1).dtype == "int64"
    if kind in "iuf":
        assert mnp.argmax(x, axis=1, keepdims=True).shape == (2, 1, 2) and mnp.argmin(x).dtype == "int64"
        assert mnp.argsort(x).dtype == "int64" and mnp.sort(x, descending=True).dtype == dtype
        assert mnp.searchsorted(mnp.sort(x[0, 0]), x).dtype == "int64"
    for asked in (INTS + FLOATS) if kind in "biuf" else COMPLEX:
        assert all(getattr(mnp, f)(x, axis=0, dtype=getattr(mnp, asked)).dtype == asked for f in ("sum", "prod"))


def test_reductions_of_nothing() -> None:
    empty = mnp.zeros((0, 2))
    assert mnp.sum(empty, axis=0).tolist() == [0, 0] and mnp.prod(empty).item() == 1
    assert mnp.all(empty).item() is True and mnp.any(empty).item() is False
    assert mnp.cumulative_sum(empty, axis=0, include_initial=True).tolist() == [[0, 0]]
    assert mnp.cumulative_prod(mnp.ones(2), include_initial=True).tolist() == [1, 1, 1]
    with pytest.raises(ArgumentError):
        mnp.max(empty, axis=0)


# ── special values ───────────────────────────────────────────────────────────────────────────────
REALS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, np.inf, -np.inf, np.nan, 1e300, 5e-324, np.pi, -np.pi]
PARTS = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan]
ONE_REAL = [name for name, dtype in pairs(UNARY) if dtype == "float64"]
TWO_REAL = [name for name, dtype in pairs(BINARY) if dtype == "float64"]
# x/|x| at infinity is nothing the standard defines
ONE_COMPLEX = [name for name, dtype in pairs(UNARY) if dtype == "complex128" and name not in ("sign", "round")]


def same_bits(y: Any, w: Any, signs: bool = True) -> None:
    """Equal to the last places, and every zero of the same sign."""
    y, w = np.asarray(y), np.asarray(w)
    assert y.dtype == w.dtype
    if w.dtype.kind == "c":
        same_bits(y.real.copy(), w.real.copy())
        same_bits(y.imag.copy(), w.imag.copy())
        return
    if w.dtype.kind != "f":
        np.testing.assert_array_equal(y, w)
        return
    info = np.finfo(w.dtype)
    np.testing.assert_allclose(y, w, rtol=8 * info.eps, atol=info.smallest_subnormal)
    if signs:
        known = ~np.isnan(w)
        np.testing.assert_array_equal(np.signbit(y[known]), np.signbit(w[known]))


@pytest.mark.parametrize("name", ONE_REAL)
@pytest.mark.parametrize("dtype", FLOATS)
def test_special_values_of_one_real(name: str, dtype: str) -> None:
    """NumPy follows the standard (C99's annex F) here, and is the reference for the value, nan and the sign of 0."""
    x, f = np.array(REALS, dtype), getattr(mnp, name)
    for y in (f(Array(x)), jax.jit(f)(x)):
        same_bits(y, getattr(np, name)(x))


@pytest.mark.parametrize("name", TWO_REAL)
@pytest.mark.parametrize("dtype", FLOATS)
def test_special_values_of_two_reals(name: str, dtype: str) -> None:
    a, b = (m.ravel() for m in np.meshgrid(*[np.array(REALS, dtype)] * 2))
    f = getattr(mnp, name)
    for y in (f(Array(a), Array(b)), jax.jit(f)(a, b)):
        # the larger and the smaller of 0 and -0 is either, says the standard
        same_bits(y, getattr(np, name)(a, b), signs=name not in ("maximum", "minimum"))


@pytest.mark.parametrize("name", ONE_COMPLEX)
def test_special_values_of_one_complex(name: str) -> None:
    z, f = np.array([complex(a, b) for a in PARTS for b in PARTS]), getattr(mnp, name)
    for y in (f(Array(z)), jax.jit(f)(z)):
        same_bits(y, getattr(np, name)(z))


def test_special_values_elsewhere() -> None:
    nan, inf = mnp.nan, mnp.inf
    x = mnp.asarray([1.0, nan, 3.0])
    assert all(np.isnan(f(x).item()) for f in (mnp.max, mnp.min, mnp.sum, mnp.prod, mnp.mean, mnp.std, mnp.var))
    assert mnp.argmax(x).item() == 1 and mnp.any(x).item() and mnp.all(x).item()
    assert mnp.round(mnp.asarray([0.5, 1.5, -0.5, 2.5, inf])).tolist() == [0, 2, 0, 2, inf]
    assert mnp.round(mnp.asarray([1.5 + 2.5j, -0.4j])).tolist() == [2 + 2j, 0]
    assert mnp.unique_values(mnp.asarray([nan, 1.0, nan])).shape == (3,)  # nan differs from nan
    assert mnp.unique_counts(mnp.asarray([0.0, -0.0])).counts.tolist() == [2]
    assert mnp.clip(mnp.asarray([-inf, nan, inf]), -1, 1).tolist()[::2] == [-1, 1]
    assert mnp.sign(mnp.asarray([0j, 3 + 4j])).tolist() == pytest.approx([0, 0.6 + 0.8j])
    assert mnp.remainder(mnp.asarray([-7, 7]), mnp.asarray([2, -2])).tolist() == [1, -1]
    assert mnp.isfinite(mnp.asarray([1, 2])).tolist() == [True, True] and mnp.trunc(mnp.int8(3)).dtype == mnp.int8


# ── arguments ────────────────────────────────────────────────────────────────────────────────────
def test_clip_keeps_the_dtype_of_x() -> None:
    assert mnp.clip(mnp.int8([1, 5]), mnp.int16(2), mnp.int64(3)).dtype == mnp.int8
    assert mnp.clip(mnp.float32([1, 5]), mnp.float64(2), 3.0).dtype == mnp.float32
    assert mnp.clip(mnp.uint8([1, 200]), -5, 1000).tolist() == [1, 200]


def test_a_single_bool_indexes() -> None:
    """A mask without axes: all of x along a new axis, or nothing."""
    for x in (mnp.asarray(3.0), mnp.asarray([1.0, 2.0])):
        for mask in (True, np.bool_(True), mnp.asarray(True), x[..., None].sum() == x[..., None].sum()):
            assert x[mask].tolist() == [x.tolist()]
        assert x[False].shape == x[mnp.asarray(False)].shape == (0, *x.shape)
    assert jax.grad(lambda x: (x[x > 0] ** 2).sum())(mnp.float32(3)).item() == 6


def test_indexing_as_the_standard_has_it() -> None:
    x = mnp.reshape(mnp.arange(24), (2, 3, 4))
    n = np.arange(24).reshape(2, 3, 4)
    keys: list[Any] = [
        (), ..., None, 0, -1, (1, 2, 3), (0, ...), (..., 0), (0, ..., 1), (None, ..., None), slice(None, None, -1),
        (slice(1, None), slice(None, 0, -1), slice(-3, None, 2)), (slice(5, 9),), (0, None, slice(1)), (..., None, 2),
    ]  # fmt: skip
    for key in keys:
        np.testing.assert_array_equal(x[key], n[key])
        np.testing.assert_array_equal(jax.jit(lambda x, key=key: x[key])(x), n[key])
    np.testing.assert_array_equal(x[x % 2 == 0], n[n % 2 == 0])
    rows, columns = mnp.asarray([1, 0, -1]), mnp.asarray([0, 2, 1])  # integer arrays: new in 2024.12
    np.testing.assert_array_equal(x[rows, columns], n[[1, 0, -1], [0, 2, 1]])
    np.testing.assert_array_equal(x[0, rows, columns], n[0, [1, 0, -1], [0, 2, 1]])


POSITIONAL_ONLY = [name for name, _ in pairs(UNARY)] + [name for name, _ in pairs(BINARY)]


@pytest.mark.parametrize("name", sorted({*POSITIONAL_ONLY, "matmul", "sum", "where", "sort", "take", "astype"}))
def test_arrays_are_positional_only(name: str) -> None:
    """Their names differ between libraries, so the standard gives them none."""
    first = next(iter(inspect.signature(getattr(mnp, name)).parameters.values()))
    assert first.kind is first.POSITIONAL_ONLY


@pytest.mark.parametrize("dtype", ALL)
def test_creation(dtype: str) -> None:
    t, x = getattr(mnp, dtype), some(dtype)
    made = [mnp.zeros((2, 3), dtype=t), mnp.ones([2, 3], dtype=t), mnp.empty((2, 3), dtype=t), mnp.empty_like(x)]
    made += [
        mnp.full((2, 3), 1, dtype=t),
        mnp.zeros_like(x),
        mnp.ones_like(x),
        mnp.full_like(x, 1),
        mnp.eye(2, 3, dtype=t),
    ]
    made += [mnp.tril(x), mnp.triu(x, k=1), mnp.asarray([[1, 0, 1]] * 2, dtype=t), mnp.from_dlpack(x)]
    assert {(y.dtype.name, y.shape) for y in made} == {(dtype, (2, 3))}
    assert all(y.dtype == dtype for y in mnp.meshgrid(x[0], x[1], indexing="ij"))
    assert all(mnp.ones_like(x, dtype=getattr(mnp, other)).dtype == other for other in ALL)
    if dtype != "bool":
        assert mnp.linspace(0, 4, 5, dtype=t).tolist() == mnp.arange(5, dtype=t).tolist() == [0, 1, 2, 3, 4]


def test_default_dtypes() -> None:
    info = mnp.__array_namespace_info__()
    assert (
        mnp.zeros(2).dtype == mnp.asarray(1.5).dtype == mnp.arange(1.0).dtype == info.default_dtypes()["real floating"]
    )
    assert mnp.asarray(1).dtype == mnp.arange(3).dtype == info.default_dtypes()["integral"]
    assert mnp.asarray(1j).dtype == info.default_dtypes()["complex floating"]
    assert mnp.nonzero(mnp.ones(2))[0].dtype == info.default_dtypes()["indexing"]
    assert (
        mnp.full(2, True).dtype == bool and mnp.full(2, 1).dtype == mnp.int64 and mnp.full(2, 1j).dtype == mnp.complex64
    )


def test_what_the_standard_leaves_undefined_is_refused() -> None:
    calls = [
        lambda: mnp.less(mnp.asarray(1j), 0), lambda: mnp.floor(mnp.asarray(1j)),
        lambda: mnp.bitwise_and(mnp.ones(1), 1),
        lambda: mnp.maximum(mnp.asarray(1j), 0), lambda: mnp.atan2(mnp.asarray(1j), 1.0),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(DtypeError):
            call()
