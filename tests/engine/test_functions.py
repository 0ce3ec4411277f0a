"""The elementary functions are within 4 ulp of the true value over the whole range, its ends right."""

from itertools import product

import numpy as np
import pytest

from minigrad import backends, config
from minigrad.interpreters.build import trace
from minigrad.ops.table import ROWS
from minigrad.testing.accuracy import (
    CHUNK,
    OF_TWO,
    POSITIVE,
    Worst,
    compiled,
    every_float32,
    measure,
    points,
    some_pairs,
    truths,
)
from minigrad.testing.digits import by_digits
from minigrad.types import FLOAT32, FLOAT64, DType, TensorType

BOUND = 4.0
OF_ONE = sorted(set(truths()) - set(OF_TWO))
RUNS = {"llvm": ("llvm", True), "numba": ("numba", True), "python": ("numba", False)}  # backend, is the JIT on?
wider = pytest.mark.skipif(np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps, reason="no wider floats here")
# the float64 that lies nearest to a multiple of π/2, 2^−61 away (Muller 2016); others lie as near as their last bit
NEAREST = np.ldexp(6381956970095103.0, 797)
HARD = [NEAREST, NEAREST / 2, 1e22, *(np.arange(1, 500) * np.pi / 2), *np.ldexp(1.0, range(-1074, 1024)),
        *np.ldexp(2 - 2.0**-52, range(-1022, 1024))]  # fmt: skip
ENDS = [np.inf, -np.inf, np.nan, 0, -0.0, 5e-324, -5e-324, -1, 709.78, 710, -745.13, -746, 1e308, -1e308]
SPECIAL = [0.0, -0.0, 1, -1, 2, -2, 3, -3, 0.5, -0.5, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 5e-324, 1e38, -1e38,
           1e308, 2.0**53, 2.0**53 + 2, 1 - 2.0**-53, 2.0**62, -1074, -1075, 1024]  # fmt: skip
ODD = ("expm1", "log1p", "tanh", "sin", "tan", "asin", "atan", "sinh", "asinh", "atanh", "cbrt", "erf", "erfinv")


def filled(numbers: list[float]) -> np.ndarray:
    x = np.ones(CHUNK)
    x[: len(numbers)] = numbers
    return x


@pytest.mark.parametrize("name", OF_ONE)
def test_float32(name: str) -> None:
    """Over all bit patterns, in strides: every sign, exponent, infinity and nan is among them."""
    assert measure(name, FLOAT32, every_float32(9973)).ulp <= BOUND


@wider
@pytest.mark.parametrize("name", OF_ONE)
def test_float64(name: str) -> None:
    assert measure(name, FLOAT64, points(name, 1)).ulp <= BOUND


@wider
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
@pytest.mark.parametrize("name", OF_TWO)
def test_two_operands(name: str, dtype: DType) -> None:
    assert measure(name, dtype, some_pairs(name, dtype, 1)).ulp <= BOUND


@wider
@pytest.mark.parametrize("name", ["asin", "asinh", "atan", "cbrt", "erfc", "erfinv", "log10", "ndtri", "pow"])
def test_numba(name: str) -> None:
    """Where a compiler fuses products with sums as it likes, pairs of numbers still hold what they should."""
    with config.jit.using(True):
        assert measure(name, FLOAT64, points(name, 1), "numba").ulp <= BOUND


@wider
@pytest.mark.parametrize("run", ["llvm", "numba"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_any_angle(name: str, run: str) -> None:
    backend, jit = RUNS[run]
    with config.jit.using(jit):
        assert measure(name, FLOAT64, [filled(HARD), filled([-x for x in HARD])], backend).ulp <= BOUND


def test_the_nearest_to_a_pole() -> None:
    """To 20 digits the cosine is −4.6871659242546276111e-19 (Muller 2016)."""
    x = np.full(CHUNK, NEAREST)
    assert compiled("cos", FLOAT64)(x)[0] == pytest.approx(-4.6871659242546276111e-19, rel=4e-16, abs=0)
    assert compiled("sin", FLOAT64)(x)[0] == 1.0


@pytest.mark.parametrize("name", OF_ONE)
def test_ends(name: str) -> None:
    ends = filled(ENDS)
    assert measure(name, FLOAT64, [np.abs(ends) if name in POSITIVE else ends]).ulp <= BOUND


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
@pytest.mark.parametrize("name", ODD)
def test_odd_functions_keep_the_sign_of_zero(name: str, dtype: DType) -> None:
    x = np.array([0.0, -0.0], dtype)
    y = compiled(name, dtype, x.size)(x)
    assert (np.signbit(y) == [False, True]).all()
    assert (y == 0).all()


@pytest.mark.parametrize("name", ["sin", "tan", "asin", "atan", "sinh", "expm1"])
def test_the_least_numbers_are_their_own_sines(name: str) -> None:
    x = np.ldexp([1.0, -1.5, 1.75, -1.0], [-1074, -1060, -1022, -500])
    assert (compiled(name, FLOAT64, x.size)(x) == x).all()


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
@pytest.mark.parametrize("name", [*OF_TWO, "nextafter"])
def test_special_pairs(name: str, dtype: DType, run: str) -> None:
    """As C99, annex F, has them: every pair of special operands, and the signs of zeros."""
    backend, jit = RUNS[run]
    with np.errstate(all="ignore"), config.jit.using(jit):
        x, y = np.array(list(product(SPECIAL, SPECIAL))).astype(dtype).T.copy()
        right = ROWS[name].impl(x, y)
        found = compiled(name, dtype, x.size, backend)(x, y)
        near = np.abs(found - right) <= (0 if name == "nextafter" else BOUND) * np.spacing(np.abs(right))
    assert (near | (found == right) | (np.isnan(found) & np.isnan(right))).all()
    assert (np.signbit(found) == np.signbit(right))[~np.isnan(right)].all()


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
@pytest.mark.parametrize("name", ["rem", "floor_div"])
def test_division_is_exact(name: str, dtype: DType, run: str) -> None:
    """Small quotients are divided in vectors, great ones (seldom in one vector) by C's library."""
    backend, jit = RUNS[run]
    rng = np.random.default_rng(0)
    pairs = np.array(list(product(SPECIAL, SPECIAL))).T
    near = rng.normal(size=2000) * 10.0 ** rng.integers(-3, 4, 2000), rng.normal(size=2000)
    far = rng.normal(size=50) * 1e30, rng.normal(size=50) * 10.0 ** rng.integers(-20, 20, 50)
    with np.errstate(all="ignore"), config.jit.using(jit):
        x, y = (np.concatenate([*parts, parts[1] * 3]).astype(dtype) for parts in zip(pairs, near, far))
        x[60:2000:97] *= dtype.type(1e20)
        found, right = compiled(name, dtype, x.size, backend)(x, y), ROWS[name].impl(x, y)
    assert ((found == right) | (np.isnan(found) & np.isnan(right))).all()
    assert (np.signbit(found) == np.signbit(right))[~np.isnan(right)].all()


@pytest.mark.parametrize("run", RUNS)
def test_powers_of_integers_are_exact(run: str) -> None:
    x, p = np.array([(b, k) for b in range(2, 30) for k in range(11)], np.float64).T.copy()
    tens, whole = np.array([float(10**k) for k in range(23)]), np.arange(1, 1000.0)
    backend, jit = RUNS[run]
    with config.jit.using(jit):
        y = compiled("pow", FLOAT64, x.size, backend)(x, p)
        assert (y == [float(int(b) ** int(k)) for b, k in zip(x, p)]).all()
        assert (compiled("log10", FLOAT64, tens.size, backend)(tens) == np.arange(23)).all()
        assert (compiled("cbrt", FLOAT64, whole.size, backend)(whole**3) == whole).all()


@pytest.mark.parametrize("name", sorted(truths()))
def test_as_python(name: str) -> None:
    """The formulas mean the same where the kernels are run as the Python they are."""
    xs = [np.array([0.3, -0.7, 1.5, 1e300, NEAREST, 1e-310, -0.0, np.inf])] * (2 if name in OF_TWO else 1)
    with config.jit.using(False):
        interpreted = compiled(name, FLOAT64, 8, "numba")(*xs)
    native = compiled(name, FLOAT64, 8)(*xs)
    np.testing.assert_allclose(interpreted, native, rtol=1e-15, atol=0)
    assert (np.signbit(interpreted) == np.signbit(native))[~np.isnan(native)].all()


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("power", [-2, -1.5, -1, -0.5, 1.5, 2, 2.5, 3, 3.5, 4])
def test_powers_known_beforehand(power: float, run: str) -> None:
    """Such powers are products and roots; special operands and zeros give what C99 says of pow."""
    graph, _ = trace(lambda x: [ROWS["pow"](x, np.float32(power))], [TensorType((CHUNK,), FLOAT32)])
    backend, jit = RUNS[run]
    special = np.resize([x for x in SPECIAL if abs(x) < 1e39 or not np.isfinite(x)], CHUNK).astype(np.float32)
    every = [special] if run == "python" else [special, *every_float32(9973)]
    with np.errstate(all="ignore"), config.jit.using(jit):
        compiled, worst = backends.compile(graph, backend), Worst()
        for x in every:
            (y,) = compiled([x])
            right = x.astype(np.float64) ** power
            worst.look([x], y, right)
            assert (np.signbit(y) == np.signbit(right))[~np.isnan(right)].all()
    assert worst.ulp <= BOUND


@wider
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_gamma_of_negative_numbers(name: str, dtype: DType, run: str) -> None:
    """Near poles and between them, where there are zeros: within 4 ulp of the greatest of the terms that cancel."""
    near = [-n + s * 2.0**-k for n in (1, 2, 7, 40) for k in (3, 9, 17) for s in (1, -1)]
    x = np.array([-0.5, -1.5, -2.4570247382208006, -0.504083008264455, -1e-5, -170.25, -1e5 - 0.3, *near]).astype(dtype)
    size = -x.astype(np.float64)
    positive, wide = by_digits(name, truths()[name], size), size.astype(np.longdouble)
    angle = np.longdouble("3.14159265358979323846264") * (wide - np.rint(wide))
    if name == "lgamma":
        terms = [np.log(np.arccos(np.longdouble(-1)) / (wide * np.abs(np.sin(angle)))), -positive]
    else:
        terms = [positive, 1 / wide, np.arccos(np.longdouble(-1)) / np.tan(angle)]
    backend, jit = RUNS[run]
    with config.jit.using(jit):
        y = compiled(name, dtype, x.size, backend)(x)
    assert (np.abs(y - sum(terms)) <= 4 * np.finfo(dtype).eps * np.max(np.abs(terms), 0)).all()


@pytest.mark.parametrize("run", RUNS)
def test_ends_of_gamma(run: str) -> None:
    backend, jit = RUNS[run]
    x = np.array([0.0, -0.0, -1, -2, -(2.0**60), np.inf, np.nan, 1e308, 2.6e305, -5e-324, -1e-310])
    with config.jit.using(jit), np.errstate(all="ignore"):
        for name in ("lgamma", "digamma"):
            found = compiled(name, FLOAT64, x.size, backend)(x)
            np.testing.assert_allclose(found[:9], ROWS[name].impl(x[:9]), rtol=1e-15)
            assert found[9] == (np.inf if name == "digamma" else 1074 * np.log(2))
