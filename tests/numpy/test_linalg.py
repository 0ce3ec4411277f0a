"""minigrad.numpy.linalg: values, derivatives, lanes and graphs of every function; degenerate matrices; errors."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import minigrad.numpy as mnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad.errors import ArgumentError, LinAlgError, NotDifferentiableError, ShapeError
from minigrad.ops.kinds import Draw
from tests.numpy.functions import Function

la = mnp.linalg

SQUARE = (Draw((3, 3)),)
REGULAR = (Draw((3, 3), diagonal=3.0),)
STACK = (Draw((2, 2, 2), diagonal=3.0),)
DEFINITE = (Draw((3, 3), diagonal=7.0),)
HIGH, WIDE = (Draw((4, 2), diagonal=2.0),), (Draw((2, 3), diagonal=2.0),)


def sym(x: Any) -> Any:
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2


def spanned(parts: Any) -> tuple[Any, Any, Any]:
    """What of an SVD does not depend on the phases of its vectors."""
    u, s, vh = parts
    k = s.shape[-1]
    return abs(u[..., :k]), s, (u[..., :k] * s[..., None, :]) @ vh[..., :k, :]


NORMS = ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]
FUNCTIONS = [
    Function("solve", la.solve, np.linalg.solve, (*REGULAR, Draw((3, 2)))),
    Function("solve-vector", la.solve, np.linalg.solve, (*REGULAR, Draw((3,)))),
    Function("solve-stack", la.solve, np.linalg.solve, (*STACK, Draw((2, 1)))),
    Function(
        "solve_triangular",
        lambda a, b: la.solve_triangular(a, b, lower=True),
        lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True),
        (*REGULAR, Draw((3, 2))),
    ),
    Function("solve_triangular-u", la.solve_triangular, scipy.linalg.solve_triangular, (*REGULAR, Draw((3,)))),
    Function("inv", la.inv, np.linalg.inv, REGULAR),
    Function("inv-stack", la.inv, np.linalg.inv, STACK),
    Function("det", la.det, np.linalg.det, REGULAR),
    Function("det-stack", la.det, np.linalg.det, STACK),
    Function("slogdet", la.slogdet, lambda x: tuple(np.linalg.slogdet(x)), REGULAR),
    Function("slogdet-stack", la.slogdet, lambda x: tuple(np.linalg.slogdet(x)), STACK),
    Function("pinv-high", la.pinv, np.linalg.pinv, HIGH),
    Function("pinv-wide", la.pinv, np.linalg.pinv, WIDE),
    Function("lstsq", lambda a, b: la.lstsq(a, b)[0], lambda a, b: np.linalg.lstsq(a, b)[0], (*HIGH, Draw((4, 2)))),
    Function(
        "lstsq-more",
        lambda a, b: la.lstsq(a, b)[1:],
        lambda a, b: tuple(np.asarray(p) for p in np.linalg.lstsq(a, b)[1:]),
        (*HIGH, Draw((4, 2))),
        order=0,
    ),
    *[
        Function(
            f"matrix_power{n}",
            lambda x, n=n: la.matrix_power(x, n),
            lambda x, n=n: np.linalg.matrix_power(x, n),
            REGULAR,
        )
        for n in (-2, 1, 2, 5)
    ],
    Function("expm", la.expm, scipy.linalg.expm, (Draw((2, 2)),)),
    Function("expm-stack", la.expm, scipy.linalg.expm, (Draw((2, 2, 2)),)),
    Function("cholesky", la.cholesky, lambda x: np.linalg.cholesky(sym(x)), DEFINITE),
    Function("cholesky-u", lambda x: la.cholesky(x, upper=True), lambda x: scipy.linalg.cholesky(sym(x)), DEFINITE),
    Function("qr-square", lambda x: la.qr(x), lambda x: tuple(np.linalg.qr(x)), REGULAR),
    Function("qr-high", lambda x: la.qr(x), lambda x: tuple(np.linalg.qr(x)), HIGH),
    Function("qr-wide", lambda x: la.qr(x), lambda x: tuple(np.linalg.qr(x)), WIDE),
    Function(
        "qr-complete",
        lambda x: la.qr(x, mode="complete"),
        lambda x: tuple(np.linalg.qr(x, "complete")),
        HIGH,
        order=0,
    ),
    Function("eigh", la.eigh, lambda x: eigh_by_hand(x), SQUARE),
    Function("eigvalsh", la.eigvalsh, lambda x: np.linalg.eigvalsh(sym(x)), SQUARE),
    Function("eigvalsh-stack", la.eigvalsh, lambda x: np.linalg.eigvalsh(sym(x)), (Draw((2, 3, 3)),)),
    Function("svdvals", la.svdvals, np.linalg.svdvals, SQUARE),
    Function("svdvals-high", la.svdvals, np.linalg.svdvals, HIGH),
    *[
        Function(
            f"svd-{name}",
            lambda x: spanned(la.svd(x, full_matrices=False)),
            lambda x: spanned(np.linalg.svd(x, full_matrices=False)),
            draws,
        )
        for name, draws in (("square", SQUARE), ("high", HIGH), ("wide", WIDE), ("stack", (Draw((2, 2, 2)),)))
    ],
    Function("svd-full", lambda x: spanned(la.svd(x)), lambda x: spanned(np.linalg.svd(x)), HIGH, order=0),
    Function("matrix_rank", la.matrix_rank, np.linalg.matrix_rank, HIGH, order=0),
    *[
        Function(
            f"matrix_norm-{o}",
            lambda x, o=o: la.matrix_norm(x, ord=o, keepdims=True),
            lambda x, o=o: np.linalg.norm(x, o, axis=(-2, -1), keepdims=True),
            (Draw((2, 3, 2), distinct=True),),
        )
        for o in NORMS
    ],
    *[
        Function(
            f"vector_norm{o}",
            lambda x, o=o: la.vector_norm(x, axis=1, ord=o),
            lambda x, o=o: np.linalg.norm(x, o, axis=1),
            (Draw((2, 3), distinct=True),),
        )
        for o in (0, 1, 2, 3, 2.5, -1, np.inf, -np.inf)
    ],
    Function("vector_norm-all", la.vector_norm, lambda x: np.linalg.norm(x.ravel()), (Draw((2, 3)),)),
    *[
        Function(f"cond-{p}", lambda x, p=p: la.cond(x, p), lambda x, p=p: np.linalg.cond(x, p), REGULAR)
        for p in (None, -2, 1, "fro")
    ],
    Function(
        "multi_dot",
        lambda *xs: la.multi_dot(xs),
        lambda *xs: np.linalg.multi_dot(xs),
        (Draw((2,)), Draw((2, 3)), Draw((3, 2)), Draw((2, 2))),
    ),
    Function("norm", la.norm, np.linalg.norm, (Draw((2, 3)),)),
    Function("norm-nuc", lambda x: la.norm(x, "nuc", (2, 0)), lambda x: np.linalg.norm(x, "nuc", (2, 0)), STACK),
    Function("norm-1", lambda x: la.norm(x, 1, (1, 0), True), lambda x: np.linalg.norm(x, 1, (1, 0), True), STACK),
    Function("norm-vector", lambda x: la.norm(x, 3), lambda x: np.linalg.norm(x, 3), (Draw((3,)),)),
    Function("diagonal", lambda x: la.diagonal(x, offset=1), lambda x: np.linalg.diagonal(x, offset=1), STACK),
    Function("trace", la.trace, np.linalg.trace, STACK),
    Function("cross", la.cross, np.linalg.cross, (Draw((2, 3)), Draw((2, 3)))),
    Function("vecdot", la.vecdot, np.linalg.vecdot, (Draw((2, 3)), Draw((3,)))),
    Function("outer", la.outer, np.linalg.outer, (Draw((2,)), Draw((3,)))),
    Function("matmul", la.matmul, np.linalg.matmul, (Draw((2, 3)), Draw((3, 2)))),
    Function("tensordot", la.tensordot, np.linalg.tensordot, (Draw((2, 2, 2)), Draw((2, 2)))),
    Function("matrix_transpose", la.matrix_transpose, np.linalg.matrix_transpose, STACK),
]


def eigh_by_hand(x: Any) -> Any:
    """NumPy's, with the phase that minigrad promises; for reals, the sign is LAPACK's."""
    w, v = np.linalg.eigh(sym(x))
    if x.dtype.kind == "c":
        pivot = np.take_along_axis(v, np.argmax(abs(v), axis=0)[None], axis=0)
        v = v * np.conj(pivot) / abs(pivot)
    return w, v


def test_every_function_has_a_line() -> None:
    names = " ".join(f.name for f in FUNCTIONS)
    assert [n for n in la.__all__ if inspect.isfunction(getattr(la, n)) and n not in names] == []


# ── degenerate matrices ──────────────────────────────────────────────────────────────────────────
EYE = np.eye(3)


def near(y: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(y), expected, rtol=1e-12, atol=1e-12)


def test_equal_eigenvalues() -> None:
    """Symmetric functions of equal values have their gradient; the vectors have none, and say so."""
    near(jax.grad(lambda x: (la.eigvalsh(x) ** 2).sum())(2 * EYE), 4 * EYE)
    near(jax.grad(lambda x: (la.eigh(x)[0] ** 2).sum())(2 * EYE), 4 * EYE)
    near(jax.grad(lambda x: la.matrix_norm(x, ord="nuc"))(2 * EYE), EYE)
    near(jax.grad(lambda x: la.svd(x)[1].sum())(2 * EYE), EYE)
    assert not np.isfinite(np.asarray(jax.grad(lambda x: la.eigh(x)[1].sum())(2 * EYE))).any()
    assert not np.isfinite(np.asarray(jax.grad(lambda x: la.svd(x)[0].sum())(2 * EYE))).any()


def test_singular_matrices() -> None:
    near(jax.grad(la.det)(np.array([[1.0, 2.0], [2.0, 4.0]])), [[4, -2], [-2, 1]])
    near(jax.grad(la.det)(np.diag([2.0, 3.0, 0.0])), np.diag([0.0, 0.0, 6.0]))
    near(jax.grad(la.det)(np.zeros((3, 3))), np.zeros((3, 3)))
    near(jax.grad(la.det)(np.zeros((1, 1))), [[1]])
    assert [part.item() for part in la.slogdet(np.zeros((2, 2)))] == [0, -np.inf]
    assert la.matrix_rank(np.ones((3, 2))).item() == 1
    small = np.diag([1.0, 1e-3])
    assert la.matrix_rank(small, rtol=0.1).item() == la.matrix_rank(small, tol=0.1).item() == 1
    assert la.lstsq(small, np.ones(2), rcond=0.1).rank.item() == 1
    assert la.lstsq(small, np.ones(2), None).solution.shape == (2,)
    near(la.pinv(small, rcond=0.1), np.diag([1.0, 0.0]))


def test_pinv_of_one_rank() -> None:
    """Along matrices of rank 1, and where singular values are equal."""
    u, v, du, dv = np.random.default_rng(0).normal(size=(4, 3))
    x, x_dot = np.outer(u, v), np.outer(du, v) + np.outer(u, dv)
    y_dot = jax.jvp(la.pinv, (x,), (x_dot,))[1]
    difference = (np.linalg.pinv(np.outer(u + 1e-6 * du, v + 1e-6 * dv)) - np.linalg.pinv(x)) / 1e-6
    np.testing.assert_allclose(y_dot, difference, rtol=1e-4, atol=1e-5)
    near(jax.jacfwd(la.pinv)(EYE).reshape(9, 9), -np.eye(9))


def test_norms_at_zero() -> None:
    for norm in (la.vector_norm, la.norm, lambda x: la.vector_norm(x, ord=3), lambda x: la.matrix_norm(x[None])):
        near(jax.grad(norm)(np.zeros(2)), [0, 0])


@pytest.mark.parametrize(
    "name", ["inv", "det", "slogdet", "pinv", "cholesky", "qr", "eigh", "eigvalsh", "svd", "svdvals", "expm"]
)
def test_nan_stays_in_its_lane(name: str) -> None:
    f = getattr(la, name)
    x = np.stack([4 * EYE, np.where(EYE, np.nan, 1.0), 4 * EYE, np.where(EYE, np.inf, 1.0)])
    for y, alone in zip(jax.tree_util.tree_leaves(f(x)), jax.tree_util.tree_leaves(f(4 * EYE))):
        near(y[0], alone), near(y[2], alone)
        assert mnp.isnan(y[1]).all() and mnp.isnan(y[3]).all()
    assert jax.tree_util.tree_leaves(f(np.zeros((2, 0, 0))))[0].shape[0] == 2


# ── dtypes, shapes, errors ───────────────────────────────────────────────────────────────────────
def test_integers_become_float32_and_shapes_broadcast() -> None:
    assert la.inv(np.array([[2, 0], [0, 4]])).dtype == mnp.float32
    assert la.solve(np.eye(2, dtype="float32"), np.ones(2)).dtype == mnp.float64
    assert la.solve(np.stack([np.eye(2)] * 3), np.ones((4, 1, 2, 5))).shape == (4, 3, 2, 5)
    assert la.solve(np.stack([np.eye(2)] * 3), np.ones(2)).shape == (3, 2)
    assert la.matrix_power(np.array([[1, 1], [0, 1]]), 3).dtype == mnp.int64
    assert la.multi_dot([np.ones((9, 1)), np.ones((1, 9)), np.ones(9)]).tolist() == [9] * 9
    near(la.svd(np.ones((2, 3)), compute_uv=False), la.svdvals(np.ones((2, 3))))
    near(la.matrix_power(np.ones((2, 2, 2)), 0), np.broadcast_to(np.eye(2), (2, 2, 2)))


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_many_small_triangular_systems_are_solved_as_few_are(dtype: str, lower: bool) -> None:
    random = np.random.default_rng(0)
    a = random.standard_normal((5, 4, 6, 6)).astype(dtype) + 5 * np.eye(6, dtype=dtype)
    b = random.standard_normal((5, 4, 6, 3)).astype(dtype)
    b[1, 2, 3, 0] = np.inf
    many = np.asarray(la.solve_triangular(a, b, lower=lower))
    few = [np.asarray(la.solve_triangular(a[k], b[k], lower=lower)) for k in range(5)]
    assert many.dtype == b.dtype
    finite = np.isfinite(few)
    np.testing.assert_array_equal(np.isfinite(many), finite)
    np.testing.assert_allclose(many[finite], np.stack(few)[finite], rtol=1e-5, atol=1e-6)


ERRORS = [
    (lambda: la.inv(np.ones((2, 2))), LinAlgError, "linalg: f64[2,2] is singular"),
    (lambda: la.solve(np.ones((3, 2, 2)), np.ones(2)), LinAlgError, "linalg: f64[3,2,2] holds a singular matrix"),
    (lambda: la.solve_triangular(np.zeros((2, 2)), np.ones(2)), LinAlgError, "linalg: f64[2,2] is singular"),
    (
        lambda: la.solve_triangular(np.zeros((99, 2, 2)), np.ones((99, 2, 1))),
        LinAlgError,
        "linalg: f64[99,2,2] holds a singular matrix",
    ),
    (lambda: jax.grad(lambda x: la.slogdet(x)[1])(np.ones((2, 2))), LinAlgError, "linalg: f64[2,2] is singular"),
    (lambda: jax.jit(la.inv)(np.ones((2, 2))), LinAlgError, "linalg: f64[2,2] is singular"),
    (lambda: la.cholesky(-EYE), LinAlgError, "cholesky: f64[3,3] is not positive definite"),
    (lambda: la.inv(np.ones((2, 3))), ShapeError, "inv: needs a square matrix, got f64[2,3]"),
    (lambda: la.det(np.ones((2, 3))), ShapeError, "det: needs a square matrix, got f64[2,3]"),
    (lambda: la.eigh(np.ones((1, 3))), ShapeError, "eigh: needs a square matrix, got f64[1,3]"),
    (lambda: la.cholesky(np.ones(3)), ShapeError, "cholesky: needs a matrix [.., m, n], got f64[3]"),
    (lambda: la.qr(np.ones(3)), ShapeError, "qr: needs a matrix [.., m, n], got f64[3]"),
    (lambda: la.svd(1.0), ShapeError, "svd: needs a matrix [.., m, n], got f32[]"),
    (lambda: la.matrix_norm(np.ones(3)), ShapeError, "matrix_norm: needs a matrix [.., m, n], got f64[3]"),
    (
        lambda: la.solve(EYE, np.ones(2)),
        ShapeError,
        "solve: a matrix f64[3,3] and a right-hand side f64[2] do not fit",
    ),
    (lambda: la.qr(EYE, mode="r"), ArgumentError, "qr: unknown mode 'r'"),
    (lambda: la.matrix_power(EYE, 0.5), ArgumentError, "matrix_power: the power must be an integer, got 0.5"),
    (lambda: la.matrix_norm(EYE, ord=7), ArgumentError, "matrix_norm: unknown ord 7"),
    (lambda: la.vector_norm(EYE, ord="fro"), ArgumentError, "vector_norm: ord must be a number, got 'fro'"),
    (lambda: la.norm(np.ones((2, 2, 2)), 1), ArgumentError, "norm: ord 1 over 3 axes of f64[2,2,2]"),
    (
        lambda: la.multi_dot([EYE, np.ones(3), EYE]),
        ShapeError,
        "multi_dot: takes two matrices or more, vectors only at the ends, got f64[3,3], f64[3], f64[3,3]",
    ),
    (lambda: la.pinv(EYE, rtol=-1), ArgumentError, "pinv: a tolerance must be a number, 0 or more, got -1"),
    (
        lambda: jax.grad(lambda x: la.svd(x)[1].sum())(np.ones((3, 2))),
        NotDifferentiableError,
        "svd has no derivative: the vectors that fill up the full matrices are arbitrary; "
        "use full_matrices=False, or svdvals",
    ),
    (
        lambda: jax.grad(lambda x: la.qr(x, mode="complete")[1].sum())(np.ones((3, 2))),
        NotDifferentiableError,
        "qr has no derivative: the columns that fill up a complete Q are arbitrary; use mode='reduced'",
    ),
]


@pytest.mark.parametrize(("call", "kind", "text"), ERRORS, ids=lambda x: x[:30] if isinstance(x, str) else "")
def test_errors(call: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).startswith(text + "\n")


def test_numpy_users_catch_it_too() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        la.inv(np.zeros((2, 2)))


# ── the three front-ends ─────────────────────────────────────────────────────────────────────────
MODELS = {
    "solve": lambda x: la.solve(x, x[..., :1]),
    "inv": la.inv,
    "power": lambda x: la.matrix_power(x, 0) + la.matrix_power(x, -1),
    "cholesky": lambda x: la.cholesky(x @ x.mT + np.eye(3, dtype="float32")),
    "qr": lambda x: la.qr(x).R,
    "svd": lambda x: la.svd(x).U * la.svdvals(x)[..., None],
    "eigh": lambda x: la.eigh(x).eigenvalues,
    "determinants": lambda x: la.det(x) + la.slogdet(x).logabsdet,
    "pinv": lambda x: la.pinv(x) + la.expm(x / 8),
    "fft": lambda x: mnp.abs(mnp.fft.fftn(x, axes=(1, 2))) + mnp.fft.irfft(mnp.fft.rfft(x), n=3),
    "special": lambda x: mnp.special.logsumexp(x, axis=-1) + mnp.special.gammainc(2.0, abs(x[..., 0])),
}


@pytest.mark.parametrize("name", MODELS)
def test_three_front_ends(name: str) -> None:
    """Values and gradients agree, compiled too, and with a stack of unknown size in the session."""
    f = MODELS[name]
    loss = lambda x: mnp.sum(mnp.cos(f(x)))
    given = (np.random.default_rng(5).normal(size=(4, 3, 3)) + 4 * np.eye(3)).astype("float32")
    value, gradient = jax.value_and_grad(loss)(given)
    found = [jax.jit(jax.value_and_grad(loss))(given)]
    x = torch.tensor(given, requires_grad=True)
    y = loss(x)
    y.backward()
    found.append((y.item(), x.grad.numpy()))
    with tf.Graph().as_default(), tf.Session() as sess:
        p = tf.placeholder(tf.float32, [None, 3, 3])
        z = loss(p)
        found.append(sess.run([z, tf.gradients(z, p)[0]], {p: given}))
    for one, slope in found:
        np.testing.assert_allclose(one, value, rtol=1e-4)
        np.testing.assert_allclose(slope, gradient, rtol=1e-3, atol=1e-5)
