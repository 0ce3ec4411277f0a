"""Operands of products: which BLAS reads where they lie, parts of others included, and that the products are right."""

from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends
from minigrad.interpreters.build import trace
from minigrad.passes.schedule import LibraryKernel, LoopKernel, schedule
from minigrad.tracer import value_and_grad
from minigrad.types import TensorType


def attention(x: Any, w: Any) -> list[Any]:
    """Queries, keys and values are parts of one product."""
    every = mnp.reshape(x @ w, (2, 5, 3, 4, 6))
    q, k, v = (mnp.permute_dims(every[:, :, i], (0, 2, 1, 3)) for i in range(3))
    return [mnp.tanh(q @ mnp.matrix_transpose(k)) @ v]


def rows_and_columns(x: Any, w: Any) -> list[Any]:
    return [x[2:5, 1:] @ w[1:, 30:50], x[1::2] @ w[:, :7], mnp.matrix_transpose(x)[3:, :4] @ x[:4, 5:], x[4] @ w[:, 3]]


def one_lane(x: Any, w: Any) -> list[Any]:
    lanes = mnp.reshape(w, (24, 4, 18))
    return [mnp.matrix_transpose(lanes[:, 2]) @ mnp.matrix_transpose(x[None, 3:4])[0], lanes[5] @ lanes[6, 0]]


def every_other(x: Any, w: Any) -> list[Any]:
    """BLAS cannot read every other column; of what is computed only the part is stored."""
    return [x[:, ::2] @ w[:12], mnp.exp(x)[:, 3:20] @ w[3:20]]


OPERANDS = [(10, 24), (24, 72)]
PROGRAMS = {attention: 0, rows_and_columns: 0, one_lane: 0, every_other: 2}  # and the loops that are no tails


def traced(f: Any, dtype: str = "float32") -> Any:
    return trace(f, [TensorType(s, np.dtype(dtype)) for s in OPERANDS])[0]


def near(graph: Any, given: list[np.ndarray], backend: str) -> None:
    """What the reference gives, but for roundings of terms that may cancel."""
    found, wanted = (backends.compile(graph, name)([x.copy() for x in given]) for name in (backend, "numpy"))
    for y, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(y, want, rtol=0, atol=2**10 * np.finfo(want.dtype).eps * np.abs(want).max())


@pytest.mark.parametrize("backend", [b for b in backends.available() if b != "numpy"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("f", PROGRAMS)
def test_products_of_parts(f: Any, dtype: str, backend: str) -> None:
    random = np.random.default_rng(0)
    given = [random.integers(-3, 4, s).astype(dtype) / 8 for s in OPERANDS]
    near(traced(f, dtype), given, backend)


@pytest.mark.parametrize("backend", [b for b in backends.available() if b != "numpy"])
def test_gradients_of_parts_are_put_side_by_side(backend: str) -> None:
    def f(x: Any, w: Any) -> list[Any]:
        value, slopes = value_and_grad(lambda x, w: mnp.sum(attention(x, w)[0]), argnums=(0, 1))(x, w)
        return [value, *slopes]

    random = np.random.default_rng(0)
    near(traced(f, "float64"), [random.standard_normal(s) for s in OPERANDS], backend)
    pieces = [r for k in loops(f) for r in k.roots if r.kind == "join"]
    assert [len(r.parts) for r in pieces] == [3]


def loops(f: Any) -> list[LoopKernel]:
    kernels = schedule(backends.compile(traced(f), "llvm").graph).kernels
    assert all(isinstance(k, LoopKernel | LibraryKernel) for k in kernels)
    return [k for k in kernels if isinstance(k, LoopKernel)]


@pytest.mark.parametrize("f", PROGRAMS)
def test_nothing_is_copied_that_blas_can_read(f: Any) -> None:
    assert len(loops(f)) == PROGRAMS[f]


def test_nothing_is_computed_whole_for_a_part_of_it() -> None:
    """What is turned and then reshaped does not lie in memory: only the part of it that is wanted is put there."""

    def f(x: Any, w: Any) -> list[Any]:
        return [mnp.reshape(mnp.matrix_transpose(w), (72, 4, 6))[:5, 1] @ w[:6]]

    (kernel,) = loops(f)
    assert [r.out.type.size for r in kernel.stored] == [5 * 6]
