"""minigrad.numpy.linalg: values, derivatives, lanes and graphs of every function; degenerate matrices; errors."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import minigrad.numpy as mnp
import minigrad.tracer as jax
from minigrad.errors import ArgumentError, LinAlgError, NotDifferentiableError, ShapeError
from minigrad.ops.kinds import Draw
from tests.numpy import functions
from tests.numpy.functions import Function, parameters

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


@pytest.mark.parametrize(("fn", "dtype"), parameters(FUNCTIONS))
def test_values(fn: Function, dtype: str) -> None:
    functions.values_are_the_reference(fn, dtype)


@pytest.mark.parametrize(("fn", "dtype"), parameters([f for f in FUNCTIONS if f.order], narrow=False))
def test_derivatives(fn: Function, dtype: str) -> None:
    functions.derivatives_are_differences(fn, dtype)


@pytest.mark.parametrize(("fn", "dtype"), parameters(FUNCTIONS, narrow=False))
def test_lanes(fn: Function, dtype: str) -> None:
    functions.vmap_is_the_loop(fn, dtype)


@pytest.mark.parametrize(("fn", "dtype"), parameters(FUNCTIONS, narrow=False))
def test_staged(fn: Function, dtype: str) -> None:
    functions.staged_is_eager(fn, dtype)


def test_every_function_has_a_line() -> None:
    names = " ".join(f.name for f in FUNCTIONS)
    assert [n for n in la.__all__ if inspect.isfunction(getattr(la, n)) and n not in names] == []
