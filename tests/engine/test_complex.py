"""Complex numbers in kernels: pairs of reals, fused as those are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends
from minigrad.ops import elementwise as e
from minigrad.ops.along import AddAlongAxis, TakeAlongAxis
from minigrad.ops.cumulative import CumSum
from minigrad.ops.dynamic import DynamicSlice, DynamicUpdateSlice
from minigrad.ops.gather import Gather, Scatter
from minigrad.ops.movement import Expand, Flip, Permute, Reshape, Sum
from minigrad.ops.pieces import Concatenate, Pad, Slice
from minigrad.ops.rows import Convert
from minigrad.passes.schedule import ForeignKernel
from minigrad.tracer import grad, jit, lax
from minigrad.types import BOOL, COMPLEX64, COMPLEX128, FLOAT32, INT64, TensorType
from tests.engine.agreement import same
from tests.engine.test_running import backend  # noqa: F401
from tests.graph.programs import graph_of


def numbers(*shape: int, dtype: Any = COMPLEX64, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)


def agrees(f: Callable[..., Any], xs: list[np.ndarray], backend: str, foreign: int = 0) -> None:  # noqa: F811
    g = graph_of(f, *(str(TensorType(x.shape, x.dtype)) for x in xs))
    exe = backends.compile(g, backend)
    assert sum(isinstance(k, ForeignKernel) for k in exe.schedule.every()) == foreign
    with np.errstate(all="ignore"):
        wanted = backends.compile(g, "numpy")(xs)
    for y, want in zip(exe(xs), wanted, strict=True):
        same(y, want)


def arithmetic(x: Any, y: Any) -> list[Any]:
    rows = [e.add, e.sub, e.mul, e.mul_no_nan, e.div, e.equal, e.not_equal]
    return [
        *(op(x, y) for op in rows),
        *(op(x) for op in (e.neg, e.conj, e.real, e.imag, e.reciprocal, e.exp, e.abs_)),
        *(Convert(d)(x) for d in (COMPLEX128, FLOAT32, INT64, BOOL)),
        e.where(e.less(e.real(x), e.imag(y)), x, y),
        e.complex_(e.real(x), e.imag(y)) * 2j,
    ]


@pytest.mark.parametrize("dtype", [COMPLEX64, COMPLEX128], ids=str)
def test_arithmetic(dtype: np.dtype, backend: str) -> None:  # noqa: F811
    agrees(arithmetic, [numbers(4, 3, dtype=dtype), numbers(4, 3, dtype=dtype, seed=1)], backend)


def test_special_values() -> None:
    """Infinities, NaN and zeros in either part; division by nothing."""
    parts = [0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 3e-3]
    x = np.empty((8, 8), COMPLEX64)
    x.real, x.imag = np.meshgrid(parts, parts)
    x = x.ravel()

    def f(x: Any, y: Any) -> list[Any]:
        rows = [e.add, e.sub, e.mul, e.mul_no_nan, e.equal, e.not_equal]
        return [*(op(x, y) for op in rows), *(op(x) for op in (e.neg, e.conj, e.isnan, e.isfinite, Convert(BOOL)))]

    agrees(f, [x[:, None], x[None, :]], "llvm")
    finite = np.where(np.isfinite(x) & (abs(x) < 10), x, 1)
    agrees(lambda x, y: [e.div(x, y), e.exp(x)], [finite[:, None], finite[None, :]], "llvm")
    agrees(lambda x: [e.div(x, 0)], [x], "llvm")
    flat = x[(x.imag == 0) | (x.real == -np.inf)]
    agrees(lambda x: [e.exp(x)], [flat], "llvm")


def roots_and_logarithms(x: Any) -> list[Any]:
    return [e.sqrt(x), e.rsqrt(x), e.log(x), e.log2(x), e.log10(x)]


@pytest.mark.parametrize("dtype", [COMPLEX64, COMPLEX128], ids=str)
def test_roots_and_logarithms(dtype: np.dtype, backend: str) -> None:  # noqa: F811
    """Also of numbers of every size and of those beside the circle with radius 1."""
    size = 10.0 ** np.linspace(-300, 300, 50) if dtype == COMPLEX128 else 10.0 ** np.linspace(-36, 36, 50)
    near = numbers(50, dtype=COMPLEX128, seed=2)
    near *= (1 + np.logspace(-16, -1, 50)) / abs(near)
    agrees(roots_and_logarithms, [np.concatenate([numbers(50) * size, near]).astype(dtype)], backend)


def circular(x: Any) -> list[Any]:
    return [op(x) for op in (e.sinh, e.cosh, e.tanh, e.sin, e.cos, e.tan)]


@pytest.mark.parametrize("dtype", [COMPLEX64, COMPLEX128], ids=str)
def test_circular(dtype: np.dtype, backend: str) -> None:  # noqa: F811
    near_a_pole = np.array([np.pi / 2, 1j * np.pi / 2, np.pi, 1e-9 + np.pi / 2 + 1e-9j, 20 + 1j, 23 - 2j, 1 + 30j])
    agrees(circular, [np.concatenate([numbers(50), numbers(50, seed=1) * 20, near_a_pole]).astype(dtype)], backend)


def test_circular_where_only_the_growth_overflows() -> None:
    x = np.array([711 + 1e-5j, -712 + 1e-6j, 709.5 + 1j, 710 + np.pi / 2 * 1j])
    (y,) = backends.compile(graph_of(lambda x: [e.sinh(x)], "c128[4]"), "llvm")([x])
    with np.errstate(all="ignore"):
        want = np.sinh(x)
    np.testing.assert_allclose(y.real, want.real, rtol=1e-15)
    np.testing.assert_allclose(y.imag, want.imag, rtol=1e-15)
    assert np.isfinite(want.imag).all()


@pytest.mark.parametrize(("dtype", "at"), [(COMPLEX64, 89.0), (COMPLEX128, 710.0)], ids=str)
def test_powers_of_e_where_only_the_growth_overflows(dtype: np.dtype, at: float, backend: str) -> None:  # noqa: F811
    x = np.array([at + 1j, at - 1.5j, at + 20 + 1e-10j, at - 1.5 + 1j, at + 90 + 1j, -at - 3 + 2j], dtype)
    agrees(lambda x: [e.exp(x)], [x], backend)


@pytest.mark.parametrize("name", ["sqrt", "log", "sinh", "cosh", "tanh", "sin", "cos", "tan"])
def test_special_values_of_functions(name: str) -> None:
    """Both parts, as C99, annex G, has them, with the signs of zeros and infinities."""
    parts = [0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 5e-324, 1.7e308, -1e-310]
    x = np.empty((10, 10), COMPLEX128)
    x.real, x.imag = np.meshgrid(parts, parts)
    with np.errstate(all="ignore"):
        want = getattr(np, name)(x)
    (y,) = backends.compile(graph_of(lambda x: [getattr(e, name)(x)], "c128[10, 10]"), "llvm")([x])
    for part in (np.real, np.imag):
        same_sign = (np.signbit(part(y)) == np.signbit(part(want))) | np.isnan(part(want))
        np.testing.assert_allclose(np.abs(part(y)), np.abs(part(want)), rtol=2e-15, atol=5e-324)
        assert same_sign.all()


def moves(x: Any, y: Any, at: Any) -> list[Any]:
    """Everything that is done to both parts alike."""
    z = x * y
    return [
        *(op(z) for op in (Permute((1, 0)), Reshape((12,)), Flip((0,)), Expand((2, 4, 3)))),
        Slice((1, 0), (4, 3), (2, 1))(z),
        *(Sum((0,))(z), Sum((0, 1))(z), CumSum(1, True)(x), Concatenate(0)(x, z)),
        Pad((1, 0), (0, 2), (0, 1))(z, e.complex_(1.0, 2.0)),
        Gather((0,))(x, at), Scatter((0,), "add")(x, y[:2], at), Scatter((0,))(x, y[:2], at),
        DynamicSlice((2, 3))(x, at[0, 0], 0), DynamicUpdateSlice()(x, y[:2], at[0, 0], 0),
        TakeAlongAxis(0)(z, Reshape((2, 1))(at) + np.zeros((2, 3), int)),
        AddAlongAxis(0, 4)(z[:2], Reshape((2, 1))(at) + np.zeros((2, 3), int)),
    ]  # fmt: skip


def test_movement(backend: str) -> None:  # noqa: F811
    agrees(moves, [numbers(4, 3), numbers(4, 3, seed=1), np.array([[1], [3]])], backend)


def test_beside_what_has_no_loops(backend: str) -> None:  # noqa: F811
    """Calls of the reference find complex numbers in memory, and leave them there."""
    agrees(lambda x, y: [e.asin(x * y) * 2j + x, e.asin(x)], [numbers(5), numbers(5, seed=1)], backend, foreign=2)
    agrees(lambda x: [e.asin(e.mul(x, x))], [numbers()], backend, foreign=1)
    agrees(lambda x: [x, e.conj(x), Reshape((3, 2))(x)], [numbers(2, 3)], backend)


def test_nothing() -> None:
    for shape in ((0,), (2, 0)):
        y = jit(lambda x: mnp.sum(x * 2j + mnp.conj(x)))(np.zeros(shape, COMPLEX64))
        assert y == 0 and y.dtype == COMPLEX64


def test_in_loops(backend: str) -> None:  # noqa: F811
    c = np.array([0.3 + 0.5j, -0.8 + 0.1j, 1 + 1j], COMPLEX64)

    def escape(c: Any) -> Any:
        return lax.fori_loop(0, 4, lambda i, z: z * z + c, c * 0)

    z = np.zeros_like(c)
    for _ in range(4):
        z = z * z + c
    np.testing.assert_allclose(jit(escape, backend=backend)(c), z, rtol=1e-5)


def test_gradients_of_an_oscillation() -> None:
    t = np.linspace(0, 1, 50, dtype="f4")

    def loss(w: Any) -> Any:
        wave = mnp.exp(1j * w * t) * (1 + 2j)
        return mnp.sum(mnp.abs(wave - 1) ** 2)

    w = np.float32(3.0)
    np.testing.assert_allclose(jit(grad(loss))(w), grad(loss)(w), rtol=1e-4)
    assert "0 calls of the reference" in jit(grad(loss)).explain(w).splitlines()[0]
