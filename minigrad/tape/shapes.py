"""The functions of tensors that move elements, with PyTorch's signatures. Most results are views.

Floor 6. `view`, `expand`, `transpose`, ... share memory with their operand (views.py keeps the histories together).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import minigrad.numpy as mnp
from minigrad.errors import ArgumentError
from minigrad.ops.elementwise import Convert
from minigrad.ops.movement import Expand, Permute
from minigrad.tape.functions import on_tape
from minigrad.tape.tensor import Tensor
from minigrad.types import DType, as_dtype, normal_axis, shape_text


def sizes(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """x.view(2, 3) or x.view((2, 3))."""
    first = given[0] if len(given) == 1 else given
    return tuple(first) if isinstance(first, (tuple, list)) else (first,)


@on_tape
def reshape(input: Any, *shape: Any) -> Any:
    """The same elements in row-major order in another shape; one size may be -1. A view where possible."""
    return mnp.reshape(input, sizes(shape))


@on_tape
def view(input: Any, *shape: Any) -> Any:
    """`reshape`, but only if the result can share the memory; or, given a dtype, the bits read as it."""
    y = mnp.reshape(input, sizes(shape))
    if not input.is_contiguous() and y._array.size and y._array.base is None:
        raise ArgumentError(
            f"view: {input.type} does not lie in memory so that shape {shape_text(y.shape)} could share it",
            hint="use reshape(), which copies when it must",
        )
    return y


@on_tape
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """dims start_dim..end_dim made one."""
    if input.ndim == 0:
        return mnp.reshape(input, (1,))
    a, b = (normal_axis("flatten", d, input.type) for d in (start_dim, end_dim))
    size = 1
    for n in input.shape[a : b + 1]:
        size *= n
    return mnp.reshape(input, (*input.shape[:a], size, *input.shape[b + 1 :]))


@on_tape
def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """One dim made several."""
    d = normal_axis("unflatten", dim, input.type)
    return mnp.reshape(input, (*input.shape[:d], *sizes, *input.shape[d + 1 :]))


@on_tape
def permute(input: Any, *dims: Any) -> Any:
    """Axis k of the result is axis dims[k] of the input."""
    return Permute(tuple(normal_axis("permute", d, input.type) for d in sizes(dims)))(input)


@on_tape
def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Two dims exchanged."""
    return mnp.swapaxes(input, dim0, dim1)


@on_tape
def t(input: Any) -> Any:
    """The transpose of a matrix; vectors and scalars stay."""
    return mnp.swapaxes(input, 0, 1) if input.ndim == 2 else input


@on_tape
def movedim(input: Any, source: Any, destination: Any) -> Any:
    """dims moved to other places."""
    return mnp.moveaxis(input, source, destination)


@on_tape
def squeeze(input: Any, dim: Any = None) -> Any:
    """Without its dims of size 1 (or without `dim`, if its size is 1)."""
    if dim is None:
        return mnp.squeeze(input)
    dims = [normal_axis("squeeze", d, input.type) for d in ((dim,) if isinstance(dim, int) else dim)]
    return mnp.squeeze(input, tuple(d for d in dims if input.shape[d] == 1))


@on_tape
def unsqueeze(input: Any, dim: int) -> Any:
    """A dim of size 1 put in."""
    return mnp.expand_dims(input, dim)


@on_tape
def expand(input: Any, *shape: Any) -> Any:
    """dims of size 1 repeated, without copying; -1 keeps a size."""
    wanted = sizes(shape)
    lead = len(wanted) - input.ndim
    full = tuple(input.shape[d - lead] if n == -1 else n for d, n in enumerate(wanted))
    return Expand(full)(input)


def expand_as(input: Any, other: Any) -> Any:
    """Expanded to the shape of another."""
    return expand(input, other.shape)


@on_tape
def broadcast_to(input: Any, shape: Any) -> Any:
    """Expanded to a shape."""
    return mnp.broadcast_to(input, shape)


@on_tape
def repeat(input: Any, *counts: Any) -> Any:
    """Copies laid side by side, counts[d] along dim d."""
    return mnp.tile(input, sizes(counts))


@on_tape
def split(input: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of consecutive pieces: of one size (the last may be smaller), or of these sizes."""
    n = input.shape[normal_axis("split", dim, input.type)]
    given = split_size_or_sections
    pieces = [min(given, n - k) for k in range(0, n, given)] if isinstance(given, int) else list(given)
    if sum(pieces) != n:
        raise ArgumentError(f"split: sizes {pieces} do not add up to {n}, the size of dim {dim} of {input.type}")
    ends = [sum(pieces[: k + 1]) for k in range(len(pieces))]
    return tuple([narrow(input, dim, end - size, size) for end, size in zip(ends, pieces, strict=True)])


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most `chunks` views of consecutive pieces of one size."""
    n = input.shape[normal_axis("chunk", dim, input.type)]
    return split(input, max(1, -(-n // chunks)), dim)  # type: ignore[no-any-return]


@on_tape
def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """x[.., start : start + length, ..]."""
    d = normal_axis("narrow", dim, input.type)
    return input[(*(slice(None),) * d, slice(start, start + length))]


@on_tape
def select(input: Any, dim: int, index: int) -> Any:
    """x[.., index, ..]."""
    return input[(*(slice(None),) * normal_axis("select", dim, input.type), index)]


def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """The slices along a dim."""
    n = input.shape[normal_axis("unbind", dim, input.type)]
    return tuple([select(input, dim, k) for k in range(n)])


def clone(input: Tensor) -> Any:
    """A copy in memory of its own, with history."""
    return on_tape(Convert(input.dtype))(input)


def contiguous(input: Tensor) -> Any:
    """Itself if its elements lie in row-major order, else a copy that does."""
    dense = input if input.is_contiguous() else clone(input)  # a copy lies in the order of what is copied
    return dense if dense.is_contiguous() else reshape(flatten(dense), input.shape)


def to(input: Any, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False) -> Any:
    """In another dtype; "cpu" is the only device. Itself if nothing changes."""
    for a in args:
        if isinstance(a, Tensor):
            dtype = a.dtype
        elif a != "cpu":
            dtype = a
    if device not in (None, "cpu"):
        raise ArgumentError(f"to: unknown device {device!r}", hint="there is 'cpu'")
    wanted: DType = input.dtype if dtype is None else as_dtype(dtype)
    return on_tape(Convert(wanted))(input) if copy or wanted != input.dtype else input


SHAPES = {
    f.__name__: f
    for f in (
        reshape, view, flatten, unflatten, permute, transpose, t, movedim, squeeze, unsqueeze, expand, expand_as,
        broadcast_to, repeat, split, chunk, narrow, select, unbind, clone, contiguous, to,
    )
}  # fmt: skip
