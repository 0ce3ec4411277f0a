"""lax: the strict functions under the array namespace, by JAX's names and argument orders.

Floor 6. Thin names over ops and `loops`; operands of `lax` functions are not broadcast across ranks by JAX, here they
are, as everywhere in minigrad.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad import tree
from minigrad.errors import ArgumentError
from minigrad.op import Operand, lift
from minigrad.ops.contract import DotGeneral
from minigrad.ops.convolve import conv as _conv
from minigrad.ops.cumulative import CumLogSumExp, CumProd, CumSum
from minigrad.ops.dynamic import DynamicSlice, DynamicUpdateSlice
from minigrad.ops.elementwise import convert, div, max_, min_
from minigrad.ops.elementwise import where as _where
from minigrad.ops.gather import iota as _iota
from minigrad.ops.movement import Expand, Flip, Permute, Reshape, without
from minigrad.ops.pieces import Concatenate, Pad, Slice
from minigrad.ops.reduce import ArgMax, ArgMin
from minigrad.ops.running import cummax, cummin
from minigrad.ops.sort import sort as _sort
from minigrad.ops.sort import top_k
from minigrad.ops.stop import stop_gradient as _stop
from minigrad.ops.table import ROWS
from minigrad.tracer.loops import cond, fori_loop, map, scan, switch, while_loop
from minigrad.types import as_dtype, normal_axis

__all__ = [
    "cond", "fori_loop", "map", "scan", "switch", "while_loop",
    "stop_gradient", "select", "clamp", "convert_element_type", "iota", "broadcasted_iota", "full", "full_like",
    "reshape", "transpose", "squeeze", "expand_dims", "rev", "pad", "concatenate", "broadcast", "broadcast_in_dim",
    "slice", "slice_in_dim", "dynamic_slice", "dynamic_slice_in_dim", "dynamic_index_in_dim",
    "dynamic_update_slice", "dynamic_update_slice_in_dim", "dynamic_update_index_in_dim",
    "sort", "sort_key_val", "top_k", "argmax", "argmin",
    "dot", "dot_general", "batch_matmul", "conv", "conv_general_dilated",
    "cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp",
]  # fmt: skip

# ── elementwise: JAX's name, and the row's where it differs ──────────────────────────────────────
_ELEMENTWISE = {
    "add": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow", "max": "max", "min": "min", "neg": "neg",
    "abs": "abs", "sign": "sign", "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log1p": "log1p",
    "sqrt": "sqrt", "rsqrt": "rsqrt", "cbrt": "cbrt", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin",
    "acos": "acos", "atan": "atan", "atan2": "atan2", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "erf": "erf", "erfc": "erfc", "erf_inv": "erfinv",
    "lgamma": "lgamma", "digamma": "digamma", "logistic": "logistic", "floor": "floor", "ceil": "ceil",
    "round": "round", "is_finite": "isfinite", "real": "real", "imag": "imag", "conj": "conj", "rem": "rem",
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
    "nextafter": "nextafter", "square": "square",
}  # fmt: skip
globals().update({name: ROWS[row] for name, row in _ELEMENTWISE.items() if row in ROWS})
__all__ += [name for name, row in _ELEMENTWISE.items() if row in ROWS]


def stop_gradient(x: Any) -> Any:
    """x as a constant to every derivative; takes trees."""
    return tree.map(_stop, x)


def select(pred: Operand, on_true: Operand, on_false: Operand) -> Any:
    """Elements of on_true where pred holds, else of on_false."""
    return _where(pred, on_true, on_false)


def clamp(low: Operand, x: Operand, high: Operand) -> Any:
    """x held between low and high."""
    return min_(max_(x, low), high)


def convert_element_type(x: Operand, new_dtype: Any) -> Any:
    """x in another dtype."""
    return convert(x, as_dtype(new_dtype))


def integer_pow(x: Operand, y: int) -> Any:
    """x to a whole power."""
    return ROWS["pow"](x, y)


def reciprocal(x: Operand) -> Any:
    """1 / x."""
    return div(1.0, x)


# ── making and arranging ─────────────────────────────────────────────────────────────────────────
def iota(dtype: Any, size: int) -> Any:
    """0, 1, ..., size − 1."""
    return convert(_iota((size,), 0), as_dtype(dtype))


def broadcasted_iota(dtype: Any, shape: Sequence[int], dimension: int) -> Any:
    """Each element's position along one axis."""
    return convert(_iota(tuple(shape), dimension), as_dtype(dtype))


def full(shape: Sequence[int], fill_value: Operand, dtype: Any = None) -> Any:
    """A tensor of one value."""
    value = lift(fill_value, "full")
    return Expand(tuple(shape))(value if dtype is None else convert(value, as_dtype(dtype)))


def full_like(x: Operand, fill_value: Operand, dtype: Any = None) -> Any:
    """A tensor of one value, typed as x."""
    value = lift(x, "full_like")
    return full(value.shape, fill_value, value.dtype if dtype is None else dtype)


def reshape(x: Operand, new_sizes: Sequence[int]) -> Any:
    """The same elements in another shape."""
    return Reshape(tuple(new_sizes))(x)


def transpose(x: Operand, permutation: Sequence[int]) -> Any:
    """The axes in another order."""
    return Permute(tuple(permutation))(x)


def squeeze(x: Operand, dimensions: Sequence[int]) -> Any:
    """x without the axes named, which must have size 1."""
    value = lift(x, "squeeze")
    gone = {normal_axis("squeeze", d, value.type) for d in dimensions}
    if any(value.shape[d] != 1 for d in gone):
        raise ArgumentError(f"squeeze: axes {tuple(dimensions)} of {value.type} are not all of size 1")
    return Reshape(without(value.shape, gone))(value)


def expand_dims(x: Operand, dimensions: Sequence[int]) -> Any:
    """x with axes of size 1 at these positions of the result."""
    value = lift(x, "expand_dims")
    rank = value.ndim + len(dimensions)
    new, sizes = {d % rank for d in dimensions}, iter(value.shape)
    return Reshape(tuple(1 if d in new else next(sizes) for d in range(rank)))(value)


def rev(x: Operand, dimensions: Sequence[int]) -> Any:
    """x backwards along these axes."""
    return Flip(tuple(dimensions))(x)


def pad(x: Operand, padding_value: Operand, padding_config: Sequence[tuple[int, int, int]]) -> Any:
    """x with (low, high, interior) padding per axis: before, after (negative: cut off) and between its elements."""
    low, high, interior = (tuple(column) for column in zip(*padding_config))
    value = lift(x, "pad")
    return Pad(low, high, interior)(value, convert(padding_value, value.dtype))


def concatenate(operands: Sequence[Operand], dimension: int) -> Any:
    """Tensors one after the other along an axis."""
    return Concatenate(dimension)(*operands)


def broadcast(x: Operand, sizes: Sequence[int]) -> Any:
    """x repeated along new leading axes."""
    value = lift(x, "broadcast")
    return Expand((*sizes, *value.shape))(value)


def broadcast_in_dim(x: Operand, shape: Sequence[int], broadcast_dimensions: Sequence[int]) -> Any:
    """x expanded to `shape`, its axes becoming the axes named."""
    value = lift(x, "broadcast_in_dim")
    own = dict(zip(broadcast_dimensions, value.shape))
    return Expand(tuple(shape))(Reshape(tuple(own.get(d, 1) for d in range(len(shape))))(value))


# ── slices ───────────────────────────────────────────────────────────────────────────────────────
def slice(
    x: Operand, start_indices: Sequence[int], limit_indices: Sequence[int], strides: Sequence[int] | None = None
) -> Any:
    """x[start:limit:stride, ...] for fixed limits."""
    steps = tuple(strides) if strides is not None else (1,) * len(start_indices)
    return Slice(tuple(start_indices), tuple(limit_indices), steps)(x)


def slice_in_dim(x: Operand, start_index: int, limit_index: int, stride: int = 1, axis: int = 0) -> Any:
    """x[start:limit:stride] along one axis."""
    value = lift(x, "slice_in_dim")
    axis = normal_axis("slice_in_dim", axis, value.type)
    bounds = [(0, n, 1) for n in value.shape]
    bounds[axis] = (start_index, limit_index, stride)
    return slice(value, *zip(*bounds))


def dynamic_slice(x: Operand, start_indices: Any, slice_sizes: Sequence[int]) -> Any:
    """A window of fixed sizes at starts that may be traced; a window that would stick out is moved inside."""
    return DynamicSlice(tuple(slice_sizes))(x, *_starts(start_indices))


def dynamic_update_slice(x: Operand, update: Operand, start_indices: Any) -> Any:
    """x with `update` written over the window at these starts."""
    return DynamicUpdateSlice()(x, update, *_starts(start_indices))


def dynamic_slice_in_dim(x: Operand, start_index: Operand, slice_size: int, axis: int = 0) -> Any:
    """A window of fixed size along one axis."""
    value = lift(x, "dynamic_slice_in_dim")
    axis = normal_axis("dynamic_slice_in_dim", axis, value.type)
    sizes = [slice_size if d == axis else n for d, n in enumerate(value.shape)]
    return DynamicSlice(tuple(sizes))(value, *_start_at(start_index, axis, value.ndim))


def dynamic_index_in_dim(x: Operand, index: Operand, axis: int = 0, keepdims: bool = True) -> Any:
    """One position along an axis."""
    y = dynamic_slice_in_dim(x, index, 1, axis)
    return y if keepdims else squeeze(y, (axis,))


def dynamic_update_slice_in_dim(x: Operand, update: Operand, start_index: Operand, axis: int) -> Any:
    """x with `update` written over a window along one axis."""
    value = lift(x, "dynamic_update_slice_in_dim")
    axis = normal_axis("dynamic_update_slice_in_dim", axis, value.type)
    return DynamicUpdateSlice()(value, update, *_start_at(start_index, axis, value.ndim))


def dynamic_update_index_in_dim(x: Operand, update: Operand, index: Operand, axis: int) -> Any:
    """x with `update` written at one position along an axis."""
    value, new = lift(x, "dynamic_update_index_in_dim"), lift(update, "dynamic_update_index_in_dim")
    return dynamic_update_slice_in_dim(value, new if new.ndim == value.ndim else expand_dims(new, (axis,)), index, axis)


def _starts(start_indices: Any) -> list[Any]:
    """One scalar per axis, from a sequence of them or a vector."""
    if isinstance(start_indices, (list, tuple)):
        return list(start_indices)
    vector = lift(start_indices, "dynamic_slice")
    return [Reshape(())(slice_in_dim(vector, i, i + 1)) for i in range(vector.shape[0])]


def _start_at(start: Operand, axis: int, rank: int) -> list[Any]:
    return [start if d == axis else 0 for d in range(rank)]


# ── order ────────────────────────────────────────────────────────────────────────────────────────
def sort(operand: Any, dimension: int = -1, num_keys: int = 1) -> Any:
    """Sorted along an axis; several operands together, by the first num_keys."""
    operands = operand if isinstance(operand, (list, tuple)) else (operand,)
    return _sort(*operands, axis=dimension, keys=num_keys)


def sort_key_val(keys: Operand, values: Operand, dimension: int = -1) -> Any:
    """(sorted keys, the values in that order)."""
    return _sort(keys, values, axis=dimension)


def argmax(x: Operand, axis: int, index_dtype: Any) -> Any:
    """The position of the first largest element along an axis."""
    return convert(ArgMax(axis)(x), as_dtype(index_dtype))


def argmin(x: Operand, axis: int, index_dtype: Any) -> Any:
    """The position of the first smallest element along an axis."""
    return convert(ArgMin(axis)(x), as_dtype(index_dtype))


# ── contraction and running totals ───────────────────────────────────────────────────────────────
def dot_general(lhs: Operand, rhs: Operand, dimension_numbers: Any) -> Any:
    """Σ lhs·rhs; dimension_numbers is ((contracting lhs, rhs), (batch lhs, rhs))."""
    contract, batch = (tuple(tuple(side) for side in pair) for pair in dimension_numbers)
    return DotGeneral(contract, batch)(lhs, rhs)  # type: ignore[arg-type]


def dot(lhs: Operand, rhs: Operand) -> Any:
    """The last axis of lhs with the first of rhs, for vectors and matrices."""
    return DotGeneral(((lift(lhs, "dot").ndim - 1,), (0,)))(lhs, rhs)


def batch_matmul(lhs: Operand, rhs: Operand) -> Any:
    """Matrix products over common leading axes."""
    rank = lift(lhs, "batch_matmul").ndim
    lanes = tuple(range(rank - 2))
    return DotGeneral(((rank - 1,), (rank - 2,)), (lanes, lanes))(lhs, rhs)


def conv(lhs: Operand, rhs: Operand, window_strides: Sequence[int], padding: Any) -> Any:
    """The convolution of lhs [N, C, *spatial] with rhs [O, C, *window]."""
    return conv_general_dilated(lhs, rhs, window_strides, padding)


def conv_general_dilated(
    lhs: Operand,
    rhs: Operand,
    window_strides: Sequence[int],
    padding: Any,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: tuple[str, str, str] | None = None,
    feature_group_count: int = 1,
) -> Any:
    """Convolution with strides, padding ("SAME", "VALID" or pairs), dilation and groups.

    dimension_numbers gives the layouts as letters, `("NHWC", "HWIO", "NHWC")`; the default is N C spatial, O I spatial.
    """
    x, w = lift(lhs, "conv"), lift(rhs, "conv")
    rank = x.ndim - 2
    spatial = "HWD"[:rank]
    lhs_layout, rhs_layout, out_layout = dimension_numbers or ("NC" + spatial, "OI" + spatial, "NC" + spatial)
    for layout, letters in ((lhs_layout, "NC"), (rhs_layout, "OI"), (out_layout, "NC")):
        if sorted(layout) != sorted(letters + "".join(c for c in lhs_layout if c not in "NC")):
            raise ArgumentError(
                f"conv: the layout {layout!r} must name {letters} and the spatial axes of {lhs_layout!r}"
            )
    places = "".join(c for c in lhs_layout if c not in "NC")
    x = Permute(tuple(lhs_layout.index(c) for c in "NC" + places))(x)
    w = Permute(tuple(rhs_layout.index(c) for c in "OI" + places))(w)
    y = _conv(
        x, w, tuple(window_strides), padding, lhs_dilation=lhs_dilation or 1, rhs_dilation=rhs_dilation or 1,
        groups=feature_group_count,
    )  # fmt: skip
    return Permute(tuple(("NC" + places).index(c) for c in out_layout))(y)


def cumsum(x: Operand, axis: int = 0, reverse: bool = False) -> Any:
    """Running sums along an axis."""
    return _running(CumSum, x, axis, reverse)


def cumprod(x: Operand, axis: int = 0, reverse: bool = False) -> Any:
    """Running products along an axis."""
    return _running(CumProd, x, axis, reverse)


def cumlogsumexp(x: Operand, axis: int = 0, reverse: bool = False) -> Any:
    """Running log Σ exp along an axis."""
    return _running(CumLogSumExp, x, axis, reverse)


def _running(op: Callable[..., Any], x: Operand, axis: int, reverse: bool) -> Any:
    value = lift(x, "cumulative")
    return op(normal_axis("cumulative", axis, value.type), reverse)(value)
