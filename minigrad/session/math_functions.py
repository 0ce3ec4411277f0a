"""Arithmetic, comparisons and reductions under TensorFlow's names, by tables over minigrad.numpy.

Floor 6. Where minigrad and TensorFlow differ, minigrad's way holds, since the ops are shared: tensors of different
dtypes promote instead of being refused, an integer divided by an integer is float32, the mean of integers is float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import minigrad.numpy as mnp
from minigrad.errors import ArgumentError
from minigrad.numpy.named import called
from minigrad.op import lift
from minigrad.ops import composite, special
from minigrad.ops.axes import axes_of, kept
from minigrad.ops.elementwise import convert, logistic
from minigrad.ops.movement import Sum
from minigrad.ops.stop import stop_gradient as stop
from minigrad.session.building import build
from minigrad.session.inputs import convert_to_tensor
from minigrad.types import INT64, as_dtype


def unary(op_type: str, f: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function of one tensor that names its result."""

    def function(x: Any, name: str | None = None) -> Any:
        return build(name, op_type, f, x)

    return _described(function, op_type, f)


def binary(op_type: str, f: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A function of two tensors that broadcast, which names its result."""

    def function(x: Any, y: Any, name: str | None = None) -> Any:
        return build(name, op_type, f, x, y)

    return _described(function, op_type, f)


def _described(function: Callable[..., Any], op_type: str, f: Any) -> Callable[..., Any]:
    first = (f.__doc__ or "").strip().partition("\n")[0]
    return called(function, op_type, f"{first or op_type}\n\nThe operation is called `name`, by default {op_type!r}.")


def _squared_difference(x: Any, y: Any) -> Any:
    """(x - y)²."""
    return mnp.square(mnp.subtract(x, y))


def _div_no_nan(x: Any, y: Any) -> Any:
    """x / y, and 0 where y is 0."""
    nothing = mnp.equal(y, 0)
    return mnp.where(nothing, 0.0, mnp.divide(x, mnp.where(nothing, 1.0, y)))


# ── elementwise ──────────────────────────────────────────────────────────────────────────────────
abs = unary("Abs", mnp.abs)
negative = unary("Neg", mnp.negative)
sign = unary("Sign", mnp.sign)
square = unary("Square", mnp.square)
sqrt = unary("Sqrt", mnp.sqrt)
rsqrt = unary("Rsqrt", mnp.rsqrt)
reciprocal = unary("Reciprocal", mnp.reciprocal)
exp = unary("Exp", mnp.exp)
expm1 = unary("Expm1", mnp.expm1)
log = unary("Log", mnp.log)
log1p = unary("Log1p", mnp.log1p)
sin = unary("Sin", mnp.sin)
cos = unary("Cos", mnp.cos)
tan = unary("Tan", mnp.tan)
asin = unary("Asin", mnp.asin)
acos = unary("Acos", mnp.acos)
atan = unary("Atan", mnp.atan)
sinh = unary("Sinh", mnp.sinh)
cosh = unary("Cosh", mnp.cosh)
tanh = unary("Tanh", mnp.tanh)
sigmoid = unary("Sigmoid", logistic)
erf = unary("Erf", special.erf)
lgamma = unary("Lgamma", special.lgamma)
digamma = unary("Digamma", special.digamma)
floor = unary("Floor", mnp.floor)
ceil = unary("Ceil", mnp.ceil)
round = unary("Round", mnp.round)
is_nan = unary("IsNan", mnp.isnan)
is_inf = unary("IsInf", mnp.isinf)
is_finite = unary("IsFinite", mnp.isfinite)
logical_not = unary("LogicalNot", mnp.logical_not)
stop_gradient = unary("StopGradient", stop)

add = binary("Add", mnp.add)
subtract = binary("Sub", mnp.subtract)
multiply = binary("Mul", mnp.multiply)
divide = truediv = binary("truediv", mnp.divide)
floordiv = binary("floordiv", mnp.floor_divide)
floormod = mod = binary("FloorMod", mnp.remainder)
div_no_nan = binary("DivNoNan", _div_no_nan)
pow = binary("Pow", mnp.pow)
maximum = binary("Maximum", mnp.maximum)
minimum = binary("Minimum", mnp.minimum)
squared_difference = binary("SquaredDifference", _squared_difference)
atan2 = binary("Atan2", mnp.atan2)
equal = binary("Equal", mnp.equal)
not_equal = binary("NotEqual", mnp.not_equal)
less = binary("Less", mnp.less)
less_equal = binary("LessEqual", mnp.less_equal)
greater = binary("Greater", mnp.greater)
greater_equal = binary("GreaterEqual", mnp.greater_equal)
logical_and = binary("LogicalAnd", mnp.logical_and)
logical_or = binary("LogicalOr", mnp.logical_or)
logical_xor = binary("LogicalXor", mnp.logical_xor)


def add_n(inputs: list[Any], name: str | None = None) -> Any:
    """The sum of tensors of one shape."""
    return build(name, "AddN", lambda *xs: reduce(mnp.add, xs), *inputs)


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """t, but not below the minimum nor above the maximum."""
    return build(name, "clip_by_value", lambda x, low, high: mnp.clip(x, low, high), t, clip_value_min, clip_value_max)


def clip_by_global_norm(t_list: list[Any], clip_norm: Any, name: str | None = None) -> tuple[list[Any], Any]:
    """The tensors scaled together so that their common norm is at most clip_norm, and that norm before; None stays."""
    present = [t for t in t_list if t is not None]
    norm = build(
        name, "global_norm", lambda *ts: mnp.sqrt(reduce(mnp.add, [mnp.sum(mnp.square(t)) for t in ts])), *present
    )
    scale = build(None, "clip_by_global_norm", lambda n, most: mnp.divide(most, mnp.maximum(n, most)), norm, clip_norm)
    return [None if t is None else multiply(t, scale) for t in t_list], norm


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """x in another dtype; floats are truncated to integers."""
    wanted = as_dtype(dtype)
    return build(name, "Cast", lambda v: convert(v, wanted), x)


def matmul(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, name: str | None = None) -> Any:
    """The matrix product over the last two axes: [.., n, k] and [.., k, m] give [.., n, m]."""

    def product(x: Any, y: Any) -> Any:
        x = mnp.matrix_transpose(x) if transpose_a else x
        return mnp.matmul(x, mnp.matrix_transpose(y) if transpose_b else y)

    return build(name, "MatMul", product, a, b)


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Any:
    """The product of a and b summed over the named axes of each."""
    return build(name, "Tensordot", lambda x, y: mnp.tensordot(x, y, axes), a, b)


# ── reductions ───────────────────────────────────────────────────────────────────────────────────
def reduction(op_type: str, f: Callable[..., Any], doc: str) -> Callable[..., Any]:
    """A reduction over axes, with the names its arguments have had in TensorFlow over time."""

    def function(
        input_tensor: Any,
        axis: Any = None,
        keepdims: bool | None = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Any:
        if (axis is not None and reduction_indices is not None) or (keepdims is not None and keep_dims is not None):
            raise ArgumentError(f"{op_type}: an argument is given under its old and its new name")
        over = reduction_indices if axis is None else axis
        return build(name, op_type, lambda x: f(x, axis=over, keepdims=bool(keepdims or keep_dims)), input_tensor)

    return called(function, op_type, doc)


def _sum(x: Any, axis: Any, keepdims: bool) -> Any:
    """TensorFlow's sum keeps the dtype, also of small integers."""
    x = lift(x, "reduce_sum")
    axes = axes_of("reduce_sum", axis, x)
    y = Sum(axes)(x)
    return kept(y, x.shape, axes) if keepdims else y


def _prod(x: Any, axis: Any, keepdims: bool) -> Any:
    x = lift(x, "reduce_prod")
    return mnp.prod(x, axis=axis, keepdims=keepdims, dtype=x.dtype)


reduce_sum = reduction("Sum", _sum, "The sum over axes (None: all), in the dtype of the input.")
reduce_prod = reduction("Prod", _prod, "The product over axes (None: all), in the dtype of the input.")
reduce_mean = reduction("Mean", mnp.mean, "The mean over axes (None: all); of integers it is float32.")
reduce_max = reduction("Max", mnp.max, "The largest element over axes (None: all); ties share the gradient.")
reduce_min = reduction("Min", mnp.min, "The smallest element over axes (None: all); ties share the gradient.")
reduce_any = reduction("Any", mnp.any, "Is any element over axes (None: all) true?")
reduce_all = reduction("All", mnp.all, "Are all elements over axes (None: all) true?")
reduce_logsumexp = reduction("LogSumExp", composite.logsumexp, "log of the sum of exp over axes, without overflow.")


def position(op_type: str, f: Callable[..., Any], which: str) -> Callable[..., Any]:
    """A reduction to a position."""

    def function(input: Any, axis: int | None = None, name: str | None = None, output_type: Any = INT64) -> Any:
        return build(name, op_type, lambda x: convert(f(x, axis=axis or 0), as_dtype(output_type)), input)

    doc = f"Where along an axis (default 0, as in TensorFlow) the first {which} element is."
    return called(function, op_type.lower(), doc)


argmax, argmin = position("ArgMax", mnp.argmax, "largest"), position("ArgMin", mnp.argmin, "smallest")


def cumsum(x: Any, axis: int = 0, name: str | None = None) -> Any:
    """Running totals along an axis."""
    return build(name, "Cumsum", lambda v: mnp.cumsum(v, axis=axis), x)


def count_nonzero(input_tensor: Any, axis: Any = None, name: str | None = None) -> Any:
    """How many elements over axes (None: all) are not 0."""
    return build(name, "count_nonzero", lambda x: mnp.count_nonzero(x, axis=axis), convert_to_tensor(input_tensor))
