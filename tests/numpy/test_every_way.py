"""Every function of the namespace, every way there is to call it: the same numbers, the same derivatives.

Eager is the reference (and is itself held against NumPy by test_namespace.py). The ways: compiled, mapped, mapped and
compiled, on tape Tensors, in a session with its sizes known and unknown; for derivatives `grad`, `jvp`, both
compiled, mapped, `backward()` and `gradients`. A way that cannot be gone is refused by an error of ours.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad import tree
from minigrad.errors import (
    ArgumentError,
    ConcretizationError,
    DtypeError,
    FeedError,
    NotDifferentiableError,
    ShapeError,
    SymbolicSizeError,
)
from minigrad.op import Array
from tests.borders import borders  # noqa: F401
from tests.numpy import cases, test_fft, test_linalg, test_names, test_special
from tests.numpy.cases import DTYPES
from tests.numpy.functions import Function

pytestmark = [pytest.mark.filterwarnings("ignore::RuntimeWarning"), pytest.mark.usefixtures("borders")]

WIDE = {"f": "float64", "c": "complex128"}
LANES = 2
Flat = Callable[..., list[Any]]


@dataclass(frozen=True)
class Program:
    """A function of the namespace, called one way."""

    name: str
    flat: Flat  # arrays to a list of arrays
    operands: Callable[[str], list[Any]]  # of a dtype
    kinds: str
    grad: bool
    graph: bool  # does its shape hang on no number?
    by: tuple[int, ...] | None = None  # the operands it is differentiated by


def rng_of(name: str, dtype: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{name} {dtype} ways".encode()))


def from_case(case: cases.Case) -> Program:
    def operands(dtype: str) -> list[Any]:
        if dtype != "complex128":
            return cases.draw(case, dtype, rng_of(case.name, dtype))
        xs = cases.draw(case, "float64", rng_of(case.name, dtype))
        return [x + 1j * x[..., ::-1].copy() / 3 if x.ndim else x + 0.5j for x in xs]

    def flat(*xs: Any) -> list[Any]:
        return [mnp.asarray(y) for y in tree.leaves(case.f(mnp, *xs))]

    kinds = case.kinds + "c" * ("f" in case.kinds and "c" not in case.kinds and case.name not in REAL_ONLY)
    return Program(case.name, flat, operands, kinds, case.grad, case.graph)


def from_function(fn: Function) -> Program:
    return Program(fn.name, fn.flat, fn.operands, fn.kinds, fn.order > 0, True, fn.by)


# of complex numbers they say that they do not take them
REAL_ONLY = {
    "cbrt", "floor", "ceil", "trunc", "signbit", "maximum", "minimum", "hypot", "arctan2", "atan2", "logaddexp",
    "copysign", "floor_divide", "remainder", "mod", "less", "less_equal", "greater", "greater_equal", "nextafter",
    "heaviside", "ptp", "cummax", "cummin", "amax", "amin", "clip", "clip-low", "clip-names", "max-where", "min-where",
    "max-initial", "all-where", "interp-ends", "searchsorted", "searchsorted-r", "digitize",
    "interp-number", "interp-point", "digitize-down", "digitize-down-right",
    "interp", *[f"{name}-{axis}" for name in ("max", "min") for axis in (None, 1, -1, (0, 2))],
    *[f"{name}-{axis}" for name in ("argmax", "argmin") for axis in (None, 0, -1)],
}  # fmt: skip
TABLES = (test_names, test_linalg, test_fft, test_special)
PROGRAMS = [*map(from_case, cases.CASES), *(from_function(fn) for table in TABLES for fn in table.FUNCTIONS)]


def stacked(xs: Sequence[Any]) -> list[Any]:
    """Each operand for each lane."""
    return [np.stack([x] + [x * 0.9 if x.dtype.kind in "fc" else x] * (LANES - 1)) for x in xs]


# ── values ───────────────────────────────────────────────────────────────────────────────────────
def by_tape(f: Flat, xs: Sequence[Any]) -> list[Any]:
    return f(*[torch.tensor(x) for x in xs])


def by_session(f: Flat, xs: Sequence[Any], known: bool = True) -> list[Any]:
    with tf.Graph().as_default(), tf.Session() as sess:
        ps = [tf.placeholder(x.dtype, x.shape if known else [None] * x.ndim) for x in xs]
        ys = f(*ps)  # some hang on the shape alone, and are arrays already
        found = iter(sess.run([y for y in ys if not isinstance(y, Array)], dict(zip(ps, xs, strict=True))))
        return [y if isinstance(y, Array) else next(found) for y in ys]


def lane(f: Flat, i: int) -> Flat:
    """f mapped over stacked operands; what it gives for lane i."""
    return lambda *xs: [y[i] for y in jax.vmap(f)(*stacked(xs))]


VALUES: dict[str, Callable[[Flat, Sequence[Any]], list[Any]]] = {
    "jit": lambda f, xs: jax.jit(f)(*xs),
    "vmap": lambda f, xs: lane(f, 0)(*xs),
    "jit of vmap": lambda f, xs: [y[0] for y in jax.jit(jax.vmap(f))(*stacked(xs))],
    "tape": by_tape,
    "session": by_session,
    "session, sizes unknown": lambda f, xs: by_session(f, xs, known=False),
}
# the shape of the result hangs on numbers, so only eager values can give it; or on sizes that must be known
NEED_NUMBERS = {"jit", "vmap", "jit of vmap", "session", "session, sizes unknown"}
# which size is not known yet, or that two were taken to be equal
REFUSALS, UNKNOWN = (SymbolicSizeError, FeedError, ShapeError, ArgumentError), r"\bn\d+\b"
TOLERANCE = {"float32": 3e-5, "complex64": 3e-5}


def same(ys: Sequence[Any], wanted: Sequence[Any], dtype: str) -> None:
    assert len(ys) == len(wanted)
    for y, w in zip(ys, wanted, strict=True):
        y, w = np.asarray(y), np.asarray(w)
        assert (y.shape, y.dtype) == (w.shape, w.dtype)
        if w.dtype.kind in "biu":
            np.testing.assert_array_equal(y, w)
        else:
            rtol = max(TOLERANCE.get(d, 1e-11) for d in (dtype, w.dtype.name))  # functions of integers are float32
            np.testing.assert_allclose(y, w, rtol=rtol, atol=rtol * max(1.0, np.max(np.abs(w), initial=0.0)))


def value_checks(case: Program, dtype: str, way: str) -> None:
    f, xs = case.flat, case.operands(dtype)
    if not case.graph and way in NEED_NUMBERS:
        with pytest.raises(ConcretizationError):
            VALUES[way](f, xs)
        return
    try:
        ys = VALUES[way](f, xs)
    except REFUSALS as error:
        assert way == "session, sizes unknown" and re.search(UNKNOWN, str(error)), error
        return
    same(ys, f(*map(Array, xs)), dtype)


ONE_DTYPE = [
    (case, {**WIDE, "b": "bool", "i": "int32", "u": "uint8"}[case.kinds[-1]]) for case in PROGRAMS if case.kinds
]
ALL_DTYPES = [
    (case, dtype)
    for case in PROGRAMS
    for kind in case.kinds
    for dtype in ({"c": ["complex128"]}.get(kind) or DTYPES[kind])
]


def ids(pairs: Sequence[tuple[Program, str]]) -> list[str]:
    return [f"{case.name}-{dtype}" for case, dtype in pairs]


@pytest.mark.parametrize(("case", "dtype"), ONE_DTYPE, ids=ids(ONE_DTYPE))
def test_values(case: Program, dtype: str) -> None:
    for way in VALUES:
        value_checks(case, dtype, way)


OTHER_DTYPES = [pair for pair in ALL_DTYPES if pair not in ONE_DTYPE]


@pytest.mark.slow
@pytest.mark.parametrize(("case", "dtype"), OTHER_DTYPES, ids=ids(OTHER_DTYPES))
def test_values_in_every_dtype(case: Program, dtype: str) -> None:
    for way in VALUES:
        if way != "jit of vmap":  # as jit of anything: once per function is enough
            value_checks(case, dtype, way)


# ── derivatives ──────────────────────────────────────────────────────────────────────────────────
def loss_of(f: Flat) -> Callable[..., Any]:
    """A real number that depends on every float of every result, on each in its own way."""

    def loss(*xs: Any) -> Any:
        total = 0.0
        for k, y in enumerate(f(*xs)):
            if y.dtype.kind in "fc":
                total = total + mnp.sum(mnp.cos(mnp.real(y) * (1 + k)) + mnp.sin(mnp.imag(y) * (2 + k)))
        return total

    return loss


def moving(case: Program, dtype: str) -> tuple[Flat, list[Any]]:
    """The function of the operands it is differentiated by, and these."""
    xs = case.operands(dtype)
    by = [k for k, x in enumerate(xs) if x.dtype.kind in "fc" and (case.by is None or k in case.by)]

    def f(*given: Any) -> list[Any]:
        full = list(xs)
        for k, x in zip(by, given, strict=True):
            full[k] = x
        return case.flat(*full)

    return f, [xs[k] for k in by]


def all_of(xs: Sequence[Any]) -> tuple[int, ...]:
    return tuple(range(len(xs)))


def tape_gradient(loss: Callable[..., Any], xs: Sequence[Any]) -> list[Any]:
    ts = [torch.tensor(x, requires_grad=True) for x in xs]
    y = loss(*ts)
    if y.requires_grad:  # else nothing that has a derivative was done with them
        y.backward()
    return [np.zeros(x.shape, x.dtype) if t.grad is None else t.grad.numpy() for t, x in zip(ts, xs, strict=True)]


def session_gradient(loss: Callable[..., Any], xs: Sequence[Any], known: bool) -> list[Any]:
    with tf.Graph().as_default(), tf.Session() as sess:
        ps = [tf.placeholder(x.dtype, x.shape if known else [None] * x.ndim) for x in xs]
        slopes = tf.gradients(loss(*ps), ps)
        found = sess.run([s for s in slopes if s is not None], dict(zip(ps, xs, strict=True)))
    given = iter(found)
    return [np.zeros(x.shape, x.dtype) if s is None else next(given) for s, x in zip(slopes, xs, strict=True)]


def forward_gradient(loss: Callable[..., Any], xs: Sequence[Any], compiled: bool) -> list[Any]:
    """⟨gradient, ẋ⟩ for one direction, put back as the gradient's component along it."""
    rng = np.random.default_rng(7)
    dots = [np.asarray(rng.normal(size=x.shape), x.dtype) for x in xs]
    push = lambda *given: jax.jvp(loss, given[: len(xs)], given[len(xs) :])[1]
    return [(jax.jit(push) if compiled else push)(*xs, *dots)]


GRADIENTS: dict[str, Callable[[Callable[..., Any], Sequence[Any]], list[Any]]] = {
    "jit of grad": lambda loss, xs: jax.jit(jax.grad(loss, argnums=all_of(xs)))(*xs),
    "grad of jit": lambda loss, xs: jax.grad(jax.jit(loss), argnums=all_of(xs))(*xs),
    "vmap of grad": lambda loss, xs: [g[0] for g in jax.vmap(jax.grad(loss, argnums=all_of(xs)))(*stacked(xs))],
    "tape": tape_gradient,
    "session": lambda loss, xs: session_gradient(loss, xs, known=True),
    "session, sizes unknown": lambda loss, xs: session_gradient(loss, xs, known=False),
    "jvp": lambda loss, xs: forward_gradient(loss, xs, compiled=False),
    "jit of jvp": lambda loss, xs: forward_gradient(loss, xs, compiled=True),
}


def gradient_checks(case: Program, dtype: str, way: str) -> None:
    f, xs = moving(case, dtype)
    loss = loss_of(f)
    if not case.graph and way not in ("tape", "jvp"):
        with pytest.raises(ConcretizationError):
            GRADIENTS[way](loss, xs)
        return
    wanted = jax.grad(loss, argnums=all_of(xs))(*xs)
    if "jvp" in way:
        rng = np.random.default_rng(7)
        dots = [np.asarray(rng.normal(size=x.shape), x.dtype) for x in xs]
        # complex: the derivative along ẋ is Re Σ ∂·ẋ, the gradient being the conjugate of the steepest direction
        wanted = [np.asarray(sum(np.real(np.sum(np.asarray(g) * d)) for g, d in zip(wanted, dots, strict=True)))]
    try:
        found = GRADIENTS[way](loss, xs)
    except REFUSALS as error:
        assert way == "session, sizes unknown" and re.search(UNKNOWN, str(error)), error
        return
    same(found, wanted, dtype)


WITH_GRADIENT = [(c, WIDE[kind]) for c in PROGRAMS if c.grad for kind in c.kinds if kind in WIDE]


# by default one dtype of what the namespace itself holds; linalg, fft and special, and the other dtype, are slow
QUICK = {c.name: (c, dtype) for c, dtype in WITH_GRADIENT if c in PROGRAMS[: len(cases.CASES)]}


def named(pairs: Sequence[tuple[Program, str]]) -> list[Any]:
    """For pytest: those not among the quick ones are slow."""
    quick = {(c.name, dtype) for c, dtype in QUICK.values()}
    return [
        pytest.param(c, dtype, id=f"{c.name}-{dtype}", marks=() if (c.name, dtype) in quick else pytest.mark.slow)
        for c, dtype in pairs
    ]


@pytest.mark.parametrize(("case", "dtype"), named(WITH_GRADIENT))
def test_gradients(case: Program, dtype: str) -> None:
    for way in GRADIENTS:
        gradient_checks(case, dtype, way)


NO_GRADIENT = [c for c in PROGRAMS if not c.grad and "f" in c.kinds]


@pytest.mark.parametrize("case", NO_GRADIENT, ids=lambda c: c.name)
def test_without_a_gradient(case: Program) -> None:
    """Steps and questions have the gradient 0, or say that they have none."""
    loss, xs = loss_of(case.flat), case.operands("float64")
    try:
        gradient = jax.grad(lambda *v: loss(*v) + 0.0 * sum(mnp.sum(x) for x in v))(*xs)
    except NotDifferentiableError as error:
        assert "no derivative" in str(error)
    else:
        assert gradient.shape == xs[0].shape


@pytest.mark.parametrize("case", [c for c in PROGRAMS[: len(cases.CASES)] if c.name in REAL_ONLY], ids=lambda c: c.name)
def test_real_functions_refuse_complex_numbers(case: Program) -> None:
    with pytest.raises(DtypeError, match=r"complex128|complex64|c128|order"):
        case.flat(*map(Array, case.operands("complex128")))


ANALYTIC = """
exp exp2 expm1 log log1p log2 log10 sqrt square reciprocal negative sin cos tan sinh cosh tanh asin acos atan asinh
acosh atanh
"""


@pytest.mark.parametrize("name", ANALYTIC.split())
def test_holomorphic_derivatives(name: str) -> None:
    """f'(z) is one complex number: along either part of z, and by either mode."""
    f, z, step = getattr(mnp, name), np.array([0.3 + 0.4j, -0.5 + 0.2j, 1.5 - 0.7j]), 1e-6
    slope = np.asarray(jax.vmap(jax.grad(f, holomorphic=True))(z))
    for direction in (1, 1j):
        difference = (np.asarray(f(z + step * direction)) - np.asarray(f(z - step * direction))) / (
            2 * step * direction
        )
        np.testing.assert_allclose(slope, difference, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(
            jax.jvp(f, (z,), (np.full(3, direction, complex),))[1], slope * direction, rtol=1e-12
        )


def test_the_gradient_of_a_real_loss_is_the_conjugate_of_the_steepest_direction() -> None:
    """JAX's convention, in all three front-ends: L(z) = |z|² has the gradient 2·conj(z) = ∂L/∂x − i·∂L/∂y."""
    z = np.array([1 + 2j, -0.5 + 1j])
    loss = lambda z: mnp.sum(mnp.real(z * mnp.conj(z)))
    for found in ([jax.grad(loss)(z)], tape_gradient(loss, [z]), session_gradient(loss, [z], known=True)):
        np.testing.assert_allclose(found[0], 2 * np.conj(z))
