"""Shapes, joining, indexing and filling under TensorFlow's names, over minigrad.numpy.

Floor 6. A shape argument may hold what `tf.shape(x)` gives: `tf.reshape(x, [tf.shape(x)[0], -1])` works, because the
graph remembers which size a scalar made by `tf.shape` stands for, and the symbol takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import minigrad.numpy as mnp
from minigrad.errors import ArgumentError, ShapeError
from minigrad.op import Value, lift
from minigrad.ops import composite, movement
from minigrad.ops.axes import SizeOf
from minigrad.ops.gather import taken
from minigrad.ops.pieces import Slice
from minigrad.session.building import as_array, build, building
from minigrad.session.inputs import constant, convert_to_tensor
from minigrad.session.open_rank import is_open
from minigrad.session.tensor import Constant, Tensor
from minigrad.types import FLOAT32, INT32, Dim, as_dtype


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────
def shape(input: Any, name: str | None = None, out_type: Any = INT32) -> Any:
    """The sizes of a tensor as an integer tensor [rank]; known ones are a constant."""
    x = convert_to_tensor(input)
    dtype = as_dtype(out_type)
    if not is_open(x) and not any(isinstance(n, Dim) for n in x.type.shape):
        sizes = constant(np.asarray(x.type.shape, dtype), name=name or "Shape")
    else:
        sizes = build(name, "Shape", lambda v: mnp.stack([SizeOf((a,), dtype)(v) for a in range(v.ndim)]), x)
    if isinstance(sizes, Tensor) and not is_open(x):
        sizes.graph.sizes_of[sizes.var] = np.array([*x.type.shape, None], object)[:-1]  # None: never a number array
    return sizes


def rank(input: Any, name: str | None = None) -> Any:
    """The number of axes, a constant."""
    return constant(convert_to_tensor(input).ndim, name=name or "Rank")


def size(input: Any, name: str | None = None, out_type: Any = INT32) -> Any:
    """The number of elements."""
    x = convert_to_tensor(input)
    found = build(name, "Size", lambda v: SizeOf(tuple(range(v.ndim)), as_dtype(out_type))(v), x)
    if isinstance(found, Tensor) and not is_open(x):
        found.graph.sizes_of[found.var] = np.asarray(x.type.size, object)
    return found


def sizes_from(who: str, shape: Any) -> tuple[Any, ...]:
    """A shape argument as sizes: numbers, symbols, -1, and tensors computed from what tf.shape gives."""
    if isinstance(shape, Tensor):
        return tuple(_known(who, shape).reshape(-1).tolist())
    if isinstance(shape, (int, np.integer, Dim)):
        return (shape,)
    return tuple([_size_from(who, n) for n in shape])


def _size_from(who: str, n: Any) -> Any:
    if isinstance(n, Tensor):
        return _known(who, n).item()
    if n is None or isinstance(n, (float, str)):
        raise ArgumentError(f"{who}: {n!r} is not a size", hint="-1 stands for the one size to be worked out")
    return n if isinstance(n, Dim) else int(n)


def _known(who: str, x: Tensor) -> Any:
    """What is known of an integer tensor while the graph is built."""
    role = x.op.role
    if isinstance(role, Constant):
        return role.array
    if x.var not in x.graph.sizes_of:
        raise ShapeError(
            f"{who}: a shape cannot depend on values, as {x.name} does",
            hint="sizes are numbers, or come from tf.shape(x)",
            lines=x.made(),
        )
    return x.graph.sizes_of[x.var]


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """The same elements, in the same order, under another shape; one size may be -1."""
    wanted = sizes_from("reshape", shape)
    return build(name, "Reshape", lambda x: mnp.reshape(x, wanted), tensor)


def expand_dims(input: Any, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Any:
    """A new axis of size 1."""
    place = dim if axis is None else axis
    return build(name, "ExpandDims", lambda x: mnp.expand_dims(x, axis=place), input)


def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Any:
    """Without its axes of size 1, all or the named ones."""
    axes = squeeze_dims if axis is None else axis
    return build(name, "Squeeze", lambda x: mnp.squeeze(x, axis=axes), input)


def transpose(a: Any, perm: Sequence[int] | None = None, name: str = "transpose") -> Any:
    """Axis k of the result is axis perm[k] of a; without perm the axes are reversed."""
    return build(name, "transpose", lambda x: mnp.transpose(x, None if perm is None else tuple(perm)), a)


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Any:
    """input repeated along axes of size 1 and along new leading axes."""
    wanted = sizes_from("broadcast_to", shape)
    return build(name, "BroadcastTo", lambda x: movement.Expand(wanted)(lift(x)), input)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Any:
    """Reversed along axes."""
    return build(name, "ReverseV2", lambda x: mnp.flip(x, axis=axis), tensor)


def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", name: str | None = None, constant_values: Any = 0) -> Any:
    """paddings[k] = [before, after] elements more along axis k."""
    widths = [(int(a), int(b)) for a, b in np.asarray(paddings)]
    if mode.upper() != "CONSTANT":
        return build(name, "MirrorPad", lambda x: mnp.pad(x, widths, mode=mode.lower()), tensor)
    return build(name, "Pad", lambda x: mnp.pad(x, widths, constant_values=constant_values), tensor)


# ── joining and parting ──────────────────────────────────────────────────────────────────────────
def concat(values: Sequence[Any], axis: int, name: str = "concat") -> Any:
    """Joined along an existing axis."""
    return build(name, "concat", lambda *xs: mnp.concat(xs, axis=axis), *values)


def stack(values: Sequence[Any], axis: int = 0, name: str = "stack") -> Any:
    """Joined along a new axis."""
    like = next((v for v in values if isinstance(v, Value)), None)
    alike = values if like is None else [v if isinstance(v, Value) else as_array(v, like.dtype) for v in values]
    return build(name, "stack", lambda *xs: mnp.stack(xs, axis=axis), *alike)


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Any]:
    """The slices along an axis, whose size must be known."""
    return list(build(name, "unstack", lambda x: mnp.unstack(x, axis=axis), value))


def split(value: Any, num_or_size_splits: Any, axis: int = 0, num: int | None = None, name: str = "split") -> list[Any]:
    """As many equal parts along an axis, or parts of the given sizes."""
    parts = num_or_size_splits
    parts = parts if isinstance(parts, int) else [int(n) for n in np.cumsum(np.asarray(parts))[:-1]]
    return list(build(name, "split", lambda x: mnp.split(x, parts, axis=axis), value))


def tile(input: Any, multiples: Any, name: str | None = None) -> Any:
    """Repeated multiples[k] times along axis k."""
    times = sizes_from("tile", multiples)
    return build(name, "Tile", lambda x: mnp.tile(x, times), input)


def slice(input_: Any, begin: Sequence[int], size: Sequence[int], name: str | None = None) -> Any:
    """size[k] elements from begin[k] along axis k; size -1: all that are left."""

    def cut(x: Any) -> Any:
        x = lift(x)
        stops = [n if m == -1 else b + m for n, b, m in zip(x.shape, begin, size, strict=True)]
        return Slice(tuple(begin), tuple(stops), (1,) * x.ndim)(x)

    return build(name, "Slice", cut, input_)


# ── positions that are data ──────────────────────────────────────────────────────────────────────
def gather(params: Any, indices: Any, axis: int = 0, name: str | None = None) -> Any:
    """Slices of params at integer positions along an axis: [.., n, ..] and [*b] give [.., *b, ..].

    A position beyond the axis is clipped to its nearest end.
    """

    def take(x: Any, where: Any) -> Any:
        x = lift(x)
        return taken(x, lift(where), axis % x.ndim)

    return build(name, "GatherV2", take, params, indices)


def one_hot(
    indices: Any,
    depth: int,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Any:
    """on_value (1) at each index, off_value (0) elsewhere, along a new axis of size depth (default: the last)."""
    wanted = FLOAT32 if dtype is None else as_dtype(dtype)

    def hot(labels: Any) -> Any:
        y = composite.one_hot(labels, depth, axis=-1 if axis is None else axis, dtype=wanted)
        if on_value is None and off_value is None:
            return y
        return mnp.where(
            mnp.not_equal(y, 0), 1 if on_value is None else on_value, 0 if off_value is None else off_value
        )

    return build(name, "one_hot", hot, indices)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """x where the condition holds, else y."""
    if x is None or y is None:
        raise ArgumentError(
            "where: both x and y are needed", hint="how many positions hold a condition is not known before the run"
        )
    return build(name, "Select", mnp.where, condition, x, y)


# ── filling ──────────────────────────────────────────────────────────────────────────────────────
def _filled(shape: Any, value: Any, dtype: Any, name: str | None, op_type: str) -> Any:
    wanted = sizes_from(op_type, shape)
    with building(shape):
        if any(isinstance(n, Dim) for n in wanted):
            return build(name, op_type, lambda v: movement.full(wanted, v.array, dtype), as_array(value, dtype))
        return constant(np.full(wanted, value, dtype), name=name or op_type)


def zeros(shape: Any, dtype: Any = FLOAT32, name: str | None = None) -> Any:
    """A tensor full of zeros."""
    return _filled(shape, 0, as_dtype(dtype), name, "zeros")


def ones(shape: Any, dtype: Any = FLOAT32, name: str | None = None) -> Any:
    """A tensor full of ones."""
    return _filled(shape, 1, as_dtype(dtype), name, "ones")


def fill(dims: Any, value: Any, name: str | None = None) -> Any:
    """A tensor full of one value."""
    if isinstance(value, Value):
        return broadcast_to(value, dims, name)
    return _filled(dims, value, as_array(value).dtype, name, "Fill")


def zeros_like(tensor: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Zeros of the tensor's shape."""
    return build(name, "zeros_like", lambda x: mnp.zeros_like(x, dtype), convert_to_tensor(tensor))


def ones_like(tensor: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones of the tensor's shape."""
    return build(name, "ones_like", lambda x: mnp.ones_like(x, dtype), convert_to_tensor(tensor))


def eye(num_rows: int, num_columns: int | None = None, dtype: Any = FLOAT32, name: str | None = None) -> Any:
    """Ones on the diagonal."""
    return constant(np.eye(num_rows, num_columns, dtype=as_dtype(dtype)), name=name or "eye")


def range_(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Any:
    """start, start + delta, ... below limit; range(n) begins at 0."""
    first, last = (0, start) if limit is None else (start, limit)
    numbers = np.arange(first, last, delta)
    array = as_array(numbers.tolist()).array if dtype is None else numbers.astype(as_dtype(dtype))
    return constant(array, name=name)


def linspace(start: float, stop: float, num: int, name: str = "linspace") -> Any:
    """num values from start to stop, both included."""
    return constant(np.linspace(start, stop, num, dtype=np.float32), name=name)
