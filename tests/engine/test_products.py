"""Operands of products: which BLAS reads where they lie, parts of others included, and that the products are right."""

import re
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends
from minigrad.backends.llvm import Compiled
from minigrad.interpreters.build import trace
from minigrad.ops.convolve import conv
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
# And the loops that are no tails: copies, products with vectors, the tanh between one of small matrices and the next.
PROGRAMS = {attention: 2, rows_and_columns: 1, one_lane: 1, every_other: 2}


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


FAR = 2**31 + 8
FAR_APART: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...]]] = {
    "rows": (lambda a, b: (a[:, :64] @ b,), (640, FAR), (64, 64)),
    "rows, with a tail": (lambda a, b: (mnp.tanh(a[:, :64] @ b),), (640, FAR), (64, 64)),
    "lanes": (lambda a, b: (a[:, :, :64] @ b,), (8, 64, FAR), (8, 64, 64)),
    "outputs of a convolution": (lambda a, b: (conv(a, b, 2, 1),), (2, 16, 2**17, 2**16), (32, 16, 3, 3)),
}


@pytest.mark.parametrize("what", FAR_APART)
def test_blas_is_not_given_what_it_cannot_count(what: str) -> None:
    """Its integers may have 32 bits. (Such memory is not needed to compile.)"""
    f, *shapes = FAR_APART[what]
    graph, _ = trace(f, [TensorType(s, np.dtype("float32")) for s in shapes])
    assert all(int(n) < 2**31 for n in re.findall(r"@int\.(\d+)", Compiled(graph).text))


IN_LOOPS = [  # whatever the order of an operand's axes
    ("bi,bi->b", 200, 7), ("i,i->", 300), ("ijk,ijk->kj", 9, 5, 8), ("i,j->ij", 30, 40), ("bi,bj->bij", 5, 9, 7),
    ("bij,bj->bi", 9, 8, 8), ("bij,bi->jb", 9, 8, 5), ("ij,j->i", 70, 9), ("abcd,cd->ba", 3, 4, 2, 5),
    ("bij,bjk->bik", 6, 3, 3, 3), ("bij,bjk->bik", 6, 2, 5, 8), ("bij,bkj->ibk", 6, 5, 7, 4), ("ij,jk->ik", 4, 4, 4),
    ("ki,kj->ij", 4, 30, 20), ("bij,jb->ib", 1, 8, 3), ("bcij,bcj->bci", 1, 3, 4, 5), ("i,ji->j", 9, 70),
]  # fmt: skip


@pytest.mark.parametrize("backend", [b for b in backends.available() if b != "numpy"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("equation", IN_LOOPS, ids=str)
def test_thin_and_small_products_are_loops(equation: Any, turned: bool, backend: str) -> None:
    (text, *sizes), random = equation, np.random.default_rng(0)
    names, out = text.split("->")
    size = dict(zip(dict.fromkeys(names.replace(",", "")), sizes, strict=True))
    operands = [name[::-1] if turned else name for name in names.split(",")]
    given = [random.standard_normal([size[k] for k in name]) for name in operands]
    graph = trace(
        lambda *xs: [mnp.einsum(f"{','.join(operands)}->{out}", *xs)], [TensorType(x.shape, x.dtype) for x in given]
    )[0]
    near(graph, given, backend)
    if not turned:
        assert not any(isinstance(k, LibraryKernel) for k in schedule(backends.compile(graph, "llvm").graph).kernels)


@pytest.mark.parametrize(
    ("left", "right"),
    [((100, 64), (64,)), ((6, 6, 6), (6, 6, 6)), ((9, 9), (9, 9)), ((40, 5), (5, 40)), ((3, 65, 64), (3, 64, 1))],
)
def test_others_are_not(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    graph = trace(lambda a, b: [a @ b], [TensorType(s, np.dtype("float32")) for s in (left, right)])[0]
    assert [type(k) for k in schedule(backends.compile(graph, "llvm").graph).kernels] == [LibraryKernel]


def test_what_follows_a_product_with_a_vector_is_done_in_vectors() -> None:
    """In one loop with the sum of each row it would be done row by row: 256 sums of 16 and their logistic loss."""
    graph = trace(lambda x, w: [mnp.exp(x @ w)], [TensorType(s, np.dtype("float32")) for s in ((256, 16), (16,))])[0]
    exe = backends.compile(graph, "llvm")
    assert len(schedule(exe.graph).kernels) == 2


def test_nothing_is_computed_whole_for_a_part_of_it() -> None:
    """What is turned and then reshaped does not lie in memory: only the part of it that is wanted is put there."""

    def f(x: Any, w: Any) -> list[Any]:
        return [mnp.reshape(mnp.matrix_transpose(w), (72, 4, 6))[:5, 1] @ w[:6]]

    (kernel,) = loops(f)
    assert [r.out.type.size for r in kernel.stored] == [5 * 6]
