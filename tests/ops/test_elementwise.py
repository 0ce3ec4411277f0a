"""Every row of the table: values against NumPy and SciPy, types, kinks, derivatives to third order; and the errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.special

import minigrad
from minigrad.errors import ArgumentError, BroadcastError, DtypeError, NotDifferentiableError
from minigrad.graph import run
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.interpreters.forward import jvp
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array, NoGradient
from minigrad.ops import elementwise as e
from minigrad.ops.kinds import zeros
from minigrad.ops.rows import LinearRow, Row
from minigrad.ops.special import Polygamma
from minigrad.ops.table import KINKS, ROWS, Kink
from minigrad.types import TensorType

NUMPY_NAMES = {
    "sub": "subtract", "mul": "multiply", "mul_no_nan": "multiply", "div": "divide", "pow": "power", "neg": "negative",
    "rem": "remainder", "floor_div": "floor_divide", "max": "maximum", "min": "minimum", "not": "invert",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "shift_left": "left_shift",
    "shift_right": "right_shift", "atan2": "arctan2", "asin": "arcsin", "acos": "arccos", "atan": "arctan",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "round": "rint",
}  # fmt: skip
OTHERS: dict[str, Any] = {
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "erfinv": scipy.special.erfinv,
    "lgamma": scipy.special.gammaln,
    "digamma": scipy.special.digamma,
}
SPECIAL = np.array([0.0, -0.0, 0.5, 1.0, -1.0, 2.0, 3.5, -7.5, 1e30, -1e30, np.inf, -np.inf, np.nan])
DIFFERENTIABLE = sorted(n for n, op in ROWS.items() if not isinstance(op.partials, NoGradient))
VOCABULARY = """add sub mul div pow rem floor_div min max atan2 hypot copysign nextafter logaddexp equal not_equal less
less_equal greater greater_equal and or xor not shift_left shift_right neg abs sign exp exp2 expm1 log log2 log10 log1p
sqrt rsqrt cbrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc erfinv lgamma digamma logistic
floor ceil round trunc isfinite isnan real imag conj complex clip"""


def reference(name: str) -> Any:
    return OTHERS.get(name) or getattr(np, NUMPY_NAMES.get(name, name), None)


def one(y: Any) -> Any:
    return [y]


def draw(op: Row, rng: np.random.Generator, n: int, dtype: str) -> list[np.ndarray]:
    xs = [rng.uniform(*op.sample_domain(i), size=n) for i in range(op.operands)]
    if np.dtype(dtype).kind in "iu":
        return [np.trunc(x).astype(dtype) for x in xs]
    if dtype == "bool":
        return [x > 0 for x in xs]
    return [(x + 1j * rng.uniform(0.1, 0.5, n) if dtype.startswith("c") else x).astype(dtype) for x in xs]


def test_the_vocabulary_is_complete() -> None:
    assert set(VOCABULARY.split()) <= set(ROWS)
    assert all(name == op.name == str(op) == repr(op) for name, op in ROWS.items())


# ── values and types ─────────────────────────────────────────────────────────────────────────────
DTYPES = {"b": ["bool"], "i": ["int32", "int64"], "u": ["uint8"], "f": ["float32", "float64"], "c": ["complex64"]}


@pytest.mark.parametrize(("name", "dtype"), [(n, d) for n, op in ROWS.items() for k in op.takes for d in DTYPES[k]])
def test_the_type_is_that_of_the_value(name: str, dtype: str) -> None:
    op = ROWS[name]
    xs = [Array(x) for x in draw(op, np.random.default_rng(1), 4, dtype)]
    y = op(*xs)
    assert y.type == op.out_type(*[x.type for x in xs])
    graph, _ = trace(lambda *vs: [op(*vs)], [x.type for x in xs])
    np.testing.assert_array_equal(run(graph, xs)[0].array, y.array)
    assert op(*[Array(x.array[:0]) for x in xs]).shape == (0,) and op(*[Array(x.array[0]) for x in xs]).shape == ()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [n for n, op in ROWS.items() if "f" in op.takes and reference(n)])
def test_values_are_numpys(name: str, dtype: str) -> None:
    op, rng = ROWS[name], np.random.default_rng(0)
    columns = (
        np.meshgrid(*[SPECIAL] * op.operands) if op.operands < 3 else [SPECIAL, np.full(13, -1.0), np.full(13, 1.0)]
    )
    xs = [
        np.concatenate([a.ravel(), b]).astype(dtype) for a, b in zip(columns, draw(op, rng, 50, "float64"), strict=True)
    ]
    with np.errstate(all="ignore"):
        want = reference(name)(*xs)
    got = op(*[Array(x) for x in xs]).array
    if name == "mul_no_nan":
        want = np.where((xs[0] == 0) | (xs[1] == 0), 0, want)
    np.testing.assert_allclose(got, want, rtol=1e-6 if dtype == "float32" else 1e-13, atol=1e-300)


@pytest.mark.parametrize(
    "name", ["real", "imag", "conj", "exp", "log", "sqrt", "tanh", "asin", "acosh", "div", "pow", "abs", "sign"]
)
def test_complex_values_are_numpys(name: str) -> None:
    rng = np.random.default_rng(0)
    xs = [rng.normal(size=20) + 1j * rng.normal(size=20) for _ in range(ROWS[name].operands)]
    np.testing.assert_allclose(ROWS[name](*[Array(x) for x in xs]).array, reference(name)(*xs), rtol=1e-12)


def test_integers_behave_as_numpys() -> None:
    a, b = np.array([7, -7, 7, -7, 5, 0]), np.array([3, 3, -3, -3, 0, 0])
    np.testing.assert_array_equal(e.floor_div(a, b).array, [2, -3, -3, 2, 0, 0])
    np.testing.assert_array_equal(e.rem(a, b).array, [1, 2, -2, -1, 0, 0])
    np.testing.assert_array_equal(e.add(np.array([250], "uint8"), 10).array, np.array([4], "uint8"))
    np.testing.assert_array_equal(
        e.pow_(np.array([2, -1, -1, 1, 3, 0]), np.array([3, -1, -2, -5, -1, -1])).array, [8, -1, 1, 1, 0, 0]
    )
    np.testing.assert_array_equal(e.shift_right(np.array([-8, 8]), 70).array, [-1, 0])
    np.testing.assert_array_equal(e.not_(np.array([True, False])).array, [False, True])
    np.testing.assert_array_equal(e.floor(np.array([3, -3])).array, [3, -3])


def test_dtypes_of_results() -> None:
    ints, half = Array(np.arange(3)), Array(np.ones(3, np.float32))
    assert e.div(ints, 2).dtype == e.sin(ints).dtype == np.float32 and e.pow_(ints, 0.5).dtype == np.float32
    assert e.mul(half, 2).dtype == e.add(half, ints).dtype == np.float32
    assert e.mul(half, 1j).dtype == np.complex64 and e.abs_(e.mul(half, 1j)).dtype == np.float32
    assert e.mul(Array(np.ones(3)), 2.5).dtype == np.float64
    assert e.add(np.True_, 1).dtype == np.int64 and e.round_(ints).dtype == np.int64
    assert e.convert(Array(np.array([1 + 2j])), np.dtype("float32")).dtype == np.float32


@pytest.mark.parametrize("backend", ["numpy", "numba", "llvm"])
def test_bools_are_added_and_multiplied_as_numpys(backend: str) -> None:
    """Or and and, not numbers; a sum counts all the same, and beside an integer they are 0 and 1."""
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])

    def f(x: Any, y: Any) -> Any:
        return [x + y, x * y, x + True, True * y, x + 2, x * 2.0, 1 - x, (x + y).sum(), (x * x + y).any(), x | y + x]

    want = f(a, b)
    graph, _ = trace(f, [TensorType((4,), a.dtype)] * 2)
    for got, expected in zip(minigrad.backends.compile(graph, backend)([a, b]), want, strict=True):
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype or got.dtype == np.float32
    assert [y.dtype for y in f(Array(a), Array(b))] == [v.type.dtype for v in graph.outputs]


def test_integers_to_negative_powers_are_refused_where_they_are_written() -> None:
    x = Array(np.array([1, 2]))
    np.testing.assert_array_equal(x ** Array(np.array(-1)), [1, 0])  # a tensor of powers: rounded toward zero
    np.testing.assert_array_equal(x**-1.0, [1, 0.5])
    for p in (-1, np.int64(-1)):
        with pytest.raises(DtypeError, match="pow does not raise integers to the negative power -1") as error:
            x**p
    assert "write the power as a float, -1.0" in str(error.value)


def test_convert_and_bitcast() -> None:
    z = Array(np.array([1.5 - 2j, 0j]))
    np.testing.assert_array_equal(e.convert(z, np.dtype("int64")).array, [1, 0])
    np.testing.assert_array_equal(e.convert(z, np.dtype("bool")).array, [True, False])
    assert e.Bitcast(np.dtype("uint32"))(Array(np.float32(1.0))).array == 0x3F800000


def test_clip_and_where() -> None:
    np.testing.assert_array_equal(e.clip(np.array([-3.0, 0.5, 3.0]), -1, 1).array, [-1, 0.5, 1])
    np.testing.assert_array_equal(e.clip(np.array([0.0]), 1, -1).array, [-1])
    np.testing.assert_array_equal(e.where(np.array([2, 0]), 1.5, np.array([7, 8])).array, np.array([1.5, 8], "float32"))


# ── derivatives ──────────────────────────────────────────────────────────────────────────────────
def tangent(f: Any, dots: list[Any]) -> Any:
    """The directional derivative as a function of the point."""

    def along(*xs: Any) -> list[Any]:
        ys, y_dots = jvp(f, xs, [Array(d) for d in dots])
        return [zeros(y.type) if d is None else d for y, d in zip(ys, y_dots, strict=True)]

    return along


BOTH = [(n, d) for n in DIFFERENTIABLE for d in ("float64", "complex128") if np.dtype(d).kind in ROWS[n].takes]


@pytest.mark.parametrize(("name", "dtype"), BOTH)
def test_derivatives_to_third_order(name: str, dtype: str) -> None:
    op, rng = ROWS[name], np.random.default_rng(3)
    xs = draw(op, rng, 4, dtype)
    dots = [rng.normal(size=4).astype(dtype) for _ in xs]
    bar = rng.normal(size=4).astype(op.out_type(*[TensorType((4,), x.dtype) for x in xs]).dtype)
    f: Any = lambda *vs: [op(*vs)]
    for _ in range(3):
        df, eps = tangent(f, dots), 1e-6
        got = df(*map(Array, xs))[0].array
        ahead, behind = (f(*[Array(x + s * d) for x, d in zip(xs, dots, strict=True)])[0].array for s in (eps, -eps))
        np.testing.assert_allclose(got, (ahead - behind) / (2 * eps), rtol=1e-6, atol=1e-6)
        _, pull = vjp(f, list(map(Array, xs)))
        x_bars = [np.zeros(4) if b is None else b.array for b in pull([Array(bar)])]
        # transposed, not adjoined: Re(ȳ·ẏ) = Re(x̄·ẋ)
        left, right = np.sum(bar * got).real, sum(np.sum(b * d).real for b, d in zip(x_bars, dots, strict=True))
        np.testing.assert_allclose(right, left, rtol=1e-9, atol=1e-9)
        f = df


@pytest.mark.parametrize("kink", KINKS, ids=lambda k: f"{k.op}{k.at}")
def test_kinks(kink: Kink) -> None:
    op, xs = ROWS[kink.op], [Array(np.float64(a)) for a in kink.at]
    f = lambda *vs: [op(*vs)]
    _, pull = vjp(f, xs)
    reverse = [0.0 if b is None else float(b) for b in pull([Array(np.float64(1))])]
    np.testing.assert_array_equal(reverse, kink.partials)
    for i, want in enumerate(kink.partials):
        _, (dot,) = jvp(f, xs, [Array(np.float64(1)) if j == i else None for j in range(len(xs))])
        np.testing.assert_array_equal(0.0 if dot is None else float(dot), want)


@pytest.mark.parametrize(
    "name", ["sqrt", "rsqrt", "log", "log1p", "reciprocal", "pow", "asin", "acosh", "lgamma", "erfinv"]
)
def test_a_zero_cotangent_annihilates_an_infinite_partial(name: str) -> None:
    op = ROWS[name]
    edge = {"log1p": -1.0, "asin": 1.0, "acosh": 1.0, "erfinv": 1.0}.get(name, 0.0)
    rest = [Array(np.float64(0.5))] * (op.operands - 1)
    guarded = lambda x: [e.where(e.equal(x, edge), 1.0, op(x, *rest))]
    _, pull = vjp(guarded, [Array(np.float64(edge))])
    assert float(pull([Array(np.float64(1))])[0]) == 0
    _, (dot,) = jvp(guarded, [Array(np.float64(edge))], [Array(np.float64(1))])
    assert float(dot) == 0


def gradient(f: Any, *xs: float) -> list[float]:
    _, pull = vjp(lambda *vs: [f(*vs)], [Array(np.float64(x)) for x in xs])
    return [0.0 if b is None else float(b) for b in pull([Array(np.float64(1))])]


def test_derivatives_keep_their_digits() -> None:
    assert gradient(ROWS["expm1"], -30.0) == [pytest.approx(math.exp(-30), rel=1e-12)]
    assert gradient(ROWS["asin"], 1 - 1e-14) == [pytest.approx(1 / math.sqrt((1e-14) * (2 - 1e-14)), rel=1e-2)]
    assert gradient(ROWS["logaddexp"], -np.inf, 1.0) == [0.0, 1.0]
    assert gradient(ROWS["logaddexp"], 1e4, 0.0) == [1.0, 0.0]
    assert gradient(ROWS["atan2"], 1e200, 1e200) == [pytest.approx(0.5e-200), pytest.approx(-0.5e-200)]
    assert gradient(ROWS["hypot"], 3e200, 4e200) == [pytest.approx(0.6), pytest.approx(0.8)]
    assert gradient(ROWS["logistic"], -800.0) == [0.0]


def test_powers_at_the_hard_places() -> None:
    square = lambda x: e.pow_(x, 2)
    assert gradient(square, -3.0) == [-6.0] and gradient(square, 0.0) == [0.0]
    assert gradient(lambda x: e.pow_(x, 0), 0.0) == [0.0] and gradient(lambda x: e.pow_(x, 1), 0.0) == [1.0]
    second = lambda f: lambda x: jvp(lambda v: [f(v)], [x], [Array(np.float64(1))])[1][0]
    assert gradient(second(square), 0.0) == [2.0] and gradient(second(lambda x: e.pow_(x, 3)), -2.0) == [-12.0]
    # ∂²/∂x∂p of x^p at p = 0 is 1/x
    assert (
        gradient(lambda x, p: tangent(lambda a, b: [e.pow_(a, b)], [np.float64(1), np.float64(0)])(x, p)[0], 2.0, 0.0)[
            1
        ]
        == 0.5
    )


# With y = Re(f(z)·w), JAX 0.10 gives these gradients: holomorphic f, and the parts.
Z, W = np.array([0.3 + 0.7j, -1.2 + 0.4j]), np.array([1.3 - 0.2j, 0.5 + 2j])
JAX_GRADIENTS = {
    "abs": [0.512095088152918 - 1.1948885390234754j, -0.4743416490252569 - 0.15811388300841897j],
    "real": [1.3 + 0j, 0.5 + 0j],
    "imag": [-1.3j, -0.5j],
    "conj": [1.3 + 0.2j, 0.5 - 2j],
    "exp": [1.5160782356079683 + 0.9239980022659199j, -0.09587198132573604 + 0.6134817557814422j],
    "log": [0.4310344827586208 - 1.6724137931034484j, 0.12500000000000006 - 1.625j],
    "sqrt": [0.5587333171378271 - 0.5056850822779533j, 0.9132647489863567 - 0.07699027043148293j],
    "tan": [0.8631384490019022 + 0.1902877990895011j, 6.702732775795129 - 1.5129792463252967j],
    "asin": [1.0879075931375177 - 0.007529453775430909j, 1.9000000000000004 + 0.8000000000000003j],
    "acos": [-1.0879075931375177 + 0.007529453775430909j, -1.9000000000000004 - 0.8000000000000003j],
    "atan": [1.2975391498881432 - 1.2416107382550334j, -0.12745098039215688 + 0.823529411764706j],
    "atanh": [0.8912188728702491 + 0.12450851900393183j, 1.7799999999999996 - 1.0399999999999998j],
    "asinh": [1.378513230144494 - 0.6795733797610285j, 0.05990143410304005 + 1.3093404811328073j],
    "sinh": [1.0786101661110377 + 0.0951267677900927j, 2.009485985925477 + 3.0415424638715045j],
    "tanh": [1.5637509165259291 - 1.1494741432445141j, -0.2764988559049226 + 0.5985315155728075j],
    "log1p": [0.7110091743119266 - 0.536697247706422j, 3.5 - 2.9999999999999996j],
    "expm1": [1.5160782356079683 + 0.9239980022659199j, -0.0958719813257361 + 0.6134817557814422j],
}


@pytest.mark.parametrize("name", JAX_GRADIENTS)
def test_complex_gradients_are_jaxs(name: str) -> None:
    _, pull = vjp(lambda z: [e.real(e.mul(ROWS[name](z), Array(W)))], [Array(Z)])
    np.testing.assert_allclose(pull([Array(np.ones(2))])[0].array, JAX_GRADIENTS[name], rtol=1e-12)


@pytest.mark.parametrize("name", [n for n, d in BOTH if d == "complex128" and ROWS[n].operands == 1])
def test_complex_derivatives_in_every_quadrant(name: str) -> None:
    z = np.array([a + 1j * b for a in (-1.7, -0.4, 0.4, 1.7) for b in (-0.8, 0.8)])  # clear of all branch cuts
    op, eps = ROWS[name], 1e-6
    _, (dot,) = jvp(lambda v: [op(v)], [Array(z)], [Array(np.full(8, 1 + 0.5j))])
    difference = (op(Array(z + eps * (1 + 0.5j))).array - op(Array(z - eps * (1 + 0.5j))).array) / (2 * eps)
    np.testing.assert_allclose(dot.array, difference, rtol=1e-7, atol=1e-8)


def test_parts_of_complex_numbers() -> None:
    assert all(isinstance(ROWS[n], LinearRow) for n in ("real", "imag", "conj", "complex"))
    re, im = Array(np.array([1.0, np.inf])), Array(np.array([np.nan, 2.0]))
    z = e.complex_(re, im).array
    assert z[0].real == 1 and np.isnan(z[0].imag) and z[1] == complex(math.inf, 2)
    _, pull = vjp(lambda a: [e.imag(a), e.conj(a)], [Array(np.ones(2))])  # of real operands
    assert pull([Array(np.ones(2)), Array(np.full(2, 3.0))])[0].tolist() == [3.0, 3.0]


def test_polygamma() -> None:
    x = np.array([0.5, 2.5], np.float32)
    y = Polygamma(2)(Array(x))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.array, scipy.special.polygamma(2, x), rtol=1e-6)
    with pytest.raises(ArgumentError, match=r"^polygamma: the order must be at least 1, got 0\n"):
        Polygamma(0)


def test_broadcasting_and_lanes() -> None:
    a, b = Array(np.ones((2, 1, 3))), Array(np.ones((4, 1)))
    assert e.add(a, b).shape == (2, 4, 3)
    _, pull = vjp(lambda x, y: [e.mul(x, y)], [a, b])
    assert [g.shape for g in pull([Array(np.ones((2, 4, 3)))])] == [(2, 1, 3), (4, 1)]
    lanes = Array(np.arange(3.0))
    got = batched(lambda x, y: [e.add(x, y)], [lanes, Array(np.arange(2.0))], [True, False], 3)[0]
    np.testing.assert_array_equal(got.array, np.add.outer(np.arange(3.0), np.arange(2.0)))


# ── errors ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: e.add(np.ones(3), np.ones(2)),
            BroadcastError,
            "add: shapes (3,) and (2,) do not broadcast: axis -1 has sizes 3 and 2",
        ),
        (lambda: e.less(np.array([1j]), 0), DtypeError, "less does not take complex128"),
        (lambda: e.and_(np.ones(2), True), DtypeError, "and does not take float64"),
        (lambda: e.hypot(np.array([1j]), 1), DtypeError, "hypot does not take complex128"),
        (lambda: e.sub(np.array([True]), True), DtypeError, "sub does not take bool"),
        (lambda: -Array(np.array([True])), DtypeError, "neg does not take bool"),
        (lambda: e.add(np.ones(2)), ArgumentError, "add takes 2 operands, got 1"),
        (lambda: e.sin(1.0, 2.0), ArgumentError, "sin takes 1 operand, got 2"),
        (lambda: e.where(True, 1.0), ArgumentError, "where takes a condition and two operands, got 2 arguments"),
        (lambda: e.add(np.array([1], "uint8"), 300), DtypeError, "add: Python integer 300 out of bounds for uint8"),
        (
            lambda: e.Bitcast(np.dtype("int64"))(np.float32(1)),
            DtypeError,
            "bitcast: the bits of float32 cannot be read as int64",
        ),
        (
            lambda: e.Bitcast(np.dtype("bool"))(np.uint8(1)),
            DtypeError,
            "bitcast: the bits of uint8 cannot be read as bool",
        ),
    ],
)
def test_errors(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert caught.value.what == message
    assert caught.value.line.filename == __file__


def test_a_step_by_one_float_is_flat() -> None:
    assert gradient(lambda x: e.mul(x, e.nextafter(x, math.inf)), 2.0) == [2.0000000000000004]


def test_an_op_that_refuses() -> None:
    refusing = Row("refusing", np.sin, NoGradient("it says no", refuse=True))
    try:
        with pytest.raises(NotDifferentiableError, match=r"^refusing has no derivative: it says no\n"):
            gradient(refusing, 1.0)
    finally:
        minigrad.op.registry.pop("refusing")
