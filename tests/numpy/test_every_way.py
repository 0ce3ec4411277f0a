"""Every function of the namespace, every way there is to call it: the same numbers, the same derivatives.

Eager is the reference (and is itself held against NumPy by test_namespace.py). The ways: compiled, mapped, mapped and
compiled, on tape Tensors, in a session with its sizes known and unknown; for derivatives `grad`, `jvp`, both
compiled, mapped, `backward()` and `gradients`. A way that cannot be gone is refused by an error of ours.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad import tree
from minigrad.errors import ConcretizationError, NotDifferentiableError, SymbolicSizeError
from minigrad.op import Array
from minigrad.testing import check_grads
from tests.numpy.cases import CASES, DTYPES, Case, draw

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

WIDE = {"f": "float64", "c": "complex128"}
LANES = 2
Flat = Callable[..., list[Any]]


def flat_of(case: Case) -> Flat:
    return lambda *xs: [mnp.asarray(y) for y in tree.leaves(case.f(mnp, *xs))]


def operands(case: Case, dtype: str) -> list[Any]:
    rng = np.random.default_rng(zlib.crc32(f"{case.name} {dtype} ways".encode()))
    if dtype == "complex128":
        return [x + 1j * x[..., ::-1].copy() / 3 if x.ndim else x + 0.5j for x in draw(case, "float64", rng)]
    return draw(case, dtype, rng)


def stacked(xs: Sequence[Any]) -> list[Any]:
    """Each operand for each lane."""
    return [np.stack([x] + [x[::-1] if x.ndim else x] * (LANES - 1)) for x in xs]


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
TOLERANCE = {"float32": 3e-5, "complex64": 3e-5}


def same(ys: Sequence[Any], wanted: Sequence[Any], dtype: str) -> None:
    assert len(ys) == len(wanted)
    for y, w in zip(ys, wanted, strict=True):
        y, w = np.asarray(y), np.asarray(w)
        assert (y.shape, y.dtype) == (w.shape, w.dtype)
        if w.dtype.kind in "biu":
            np.testing.assert_array_equal(y, w)
        else:
            rtol = TOLERANCE.get(dtype, 1e-11)
            np.testing.assert_allclose(y, w, rtol=rtol, atol=rtol * max(1.0, np.max(np.abs(w), initial=0.0)))


def value_checks(case: Case, dtype: str, way: str) -> None:
    f, xs = flat_of(case), operands(case, dtype)
    if not case.graph and way in NEED_NUMBERS:
        with pytest.raises(ConcretizationError):
            VALUES[way](f, xs)
        return
    try:
        ys = VALUES[way](f, xs)
    except SymbolicSizeError as error:
        assert way == "session, sizes unknown", error
        return
    same(ys, f(*map(Array, xs)), dtype)


ONE_DTYPE = [(case, DTYPES[case.kinds[-1]][-1]) for case in CASES if case.kinds]
ALL_DTYPES = [
    (case, dtype)
    for case in CASES
    for kind in case.kinds
    for dtype in [*DTYPES[kind], *({"c": ["complex128"]}.get(kind, []))]
]


def ids(pairs: Sequence[tuple[Case, str]]) -> list[str]:
    return [f"{case.name}-{dtype}" for case, dtype in pairs]


@pytest.mark.parametrize(("case", "dtype"), ONE_DTYPE, ids=ids(ONE_DTYPE))
def test_values(case: Case, dtype: str) -> None:
    for way in VALUES:
        value_checks(case, dtype, way)


@pytest.mark.slow
@pytest.mark.parametrize("way", VALUES)
@pytest.mark.parametrize(("case", "dtype"), ALL_DTYPES, ids=ids(ALL_DTYPES))
def test_values_in_every_dtype(case: Case, dtype: str, way: str) -> None:
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


def all_of(xs: Sequence[Any]) -> tuple[int, ...]:
    return tuple(range(len(xs)))


def tape_gradient(loss: Callable[..., Any], xs: Sequence[Any]) -> list[Any]:
    ts = [torch.tensor(x, requires_grad=True) for x in xs]
    loss(*ts).backward()
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


def gradient_checks(case: Case, dtype: str, way: str) -> None:
    loss, xs = loss_of(flat_of(case)), operands(case, dtype)
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
    except SymbolicSizeError as error:
        assert way == "session, sizes unknown", error
        return
    same(found, wanted, dtype)


def with_gradient() -> Iterator[tuple[Case, str]]:
    for case in CASES:
        for kind in case.kinds:
            if case.grad and kind in WIDE:
                yield case, WIDE[kind]


WITH_GRADIENT = list(with_gradient())


@pytest.mark.parametrize(("case", "dtype"), WITH_GRADIENT, ids=ids(WITH_GRADIENT))
def test_gradients(case: Case, dtype: str) -> None:
    for way in GRADIENTS:
        gradient_checks(case, dtype, way)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "dtype"), WITH_GRADIENT, ids=ids(WITH_GRADIENT))
def test_second_order(case: Case, dtype: str) -> None:
    """Against differences in both parts of complex numbers, forward and reverse; compiled and mapped too."""
    f, xs = flat_of(case), operands(case, dtype)
    check_grads(f, tuple(map(Array, xs)), order=2, seed=0)
    if case.graph:
        check_grads(jax.jit(f), tuple(map(Array, xs)), order=1, seed=0)
        check_grads(jax.vmap(f), tuple(map(Array, stacked(xs))), order=1, seed=0)


NO_GRADIENT = [c for c in CASES if not c.grad and "f" in c.kinds]


@pytest.mark.parametrize("case", NO_GRADIENT, ids=lambda c: c.name)
def test_without_a_gradient(case: Case) -> None:
    """Steps and questions have the gradient 0, or say that they have none."""
    loss, xs = loss_of(flat_of(case)), operands(case, "float64")
    try:
        gradient = jax.grad(lambda *v: loss(*v) + 0.0 * sum(mnp.sum(x) for x in v))(*xs)
    except NotDifferentiableError as error:
        assert "no derivative" in str(error)
    else:
        assert gradient.shape == xs[0].shape
