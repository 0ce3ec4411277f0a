"""The array namespace the three front-ends share: the Python Array API 2024.12 first, then the everyday NumPy names.

Floor 5. Functions are short composites of ops; they take values of any front-end, NumPy arrays and Python numbers,
and go wherever the ops go: eager, traced, recorded, batched.

>>> import minigrad.numpy as mnp
>>> mnp.sum(mnp.sin(mnp.zeros(10))).tolist()
0.0
"""

# ruff: noqa: I001
# fmt: off
import sys

import minigrad.numpy.methods  # noqa: F401  (puts the methods on values)
from minigrad.numpy import fft, linalg, special
from minigrad.numpy.creation import (
    arange, empty, empty_like, eye, full, full_like, identity, linspace, meshgrid, ones, ones_like, tri,
    tril, triu, zeros, zeros_like,
)
from minigrad.numpy.cumulative import (
    cummax, cummin, cumprod, cumsum, cumulative_prod, cumulative_sum, diff,
)
from minigrad.numpy.dtypes import (
    __array_namespace_info__, astype, can_cast, e, finfo, iinfo, inf, isdtype, nan, newaxis, pi, result_type,
)
from minigrad.numpy.elementwise import (
    abs, absolute, acos, acosh, add, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, around,
    asin, asinh, atan, atan2, atanh, bitwise_and, bitwise_invert, bitwise_left_shift, bitwise_not,
    bitwise_or, bitwise_right_shift, bitwise_xor, cbrt, ceil, clip, conj, conjugate, copysign, cos, cosh,
    deg2rad, divide, equal, exp, exp2, expm1, floor, floor_divide, greater, greater_equal, heaviside, hypot,
    imag, invert, isclose, isfinite, isinf, isnan, left_shift, less, less_equal, log, log10, log1p, log2,
    logaddexp, logical_and, logical_not, logical_or, logical_xor, maximum, minimum, mod, multiply,
    nan_to_num, negative, nextafter, not_equal, positive, pow, power, rad2deg, real, reciprocal, remainder,
    right_shift, rint, round, rsqrt, sign, signbit, sin, sinc, sinh, sqrt, square, subtract, tan, tanh,
    true_divide, trunc,
)
from minigrad.numpy.from_data import array, asarray, from_dlpack
from minigrad.numpy.indexing import (
    argwhere, bincount, flatnonzero, nonzero, take, take_along_axis, where,
)
from minigrad.numpy.joining import (
    array_split, column_stack, concat, concatenate, dstack, hstack, pad, repeat, split, stack, tile,
    unstack, vstack,
)
from minigrad.numpy.linear_algebra import (
    convolve, cross, diag, diagonal, dot, einsum, inner, kron, matmul, outer, tensordot, trace, vdot, vecdot,
)
from minigrad.numpy.manipulation import (
    atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, broadcast_shapes, broadcast_to, expand_dims, flip,
    matrix_transpose, moveaxis, ndim, permute_dims, ravel, reshape, roll, shape, size, squeeze, swapaxes,
    transpose,
)
from minigrad.numpy.ordering import (
    UniqueAll, UniqueCounts, UniqueInverse, argsort, lexsort, median, percentile, quantile, sort, top_k,
    unique, unique_all, unique_counts, unique_inverse, unique_values,
)
from minigrad.numpy.reductions import (
    all, allclose, amax, amin, any, argmax, argmin, array_equal, average, count_nonzero, max, mean, min,
    prod, ptp, std, sum, var,
)
from minigrad.numpy.scalar_types import (
    bool, complex128, complex64, float32, float64, int16, int32, int64, int8, uint16, uint32, uint64, uint8,
)
from minigrad.numpy.searching import (
    digitize, interp, isin, searchsorted,
)
from minigrad.numpy.arranging import (
    append, block, diagflat, dsplit, fliplr, flipud, hsplit, rollaxis, rot90, vander, vsplit,
)
from minigrad.numpy.calculus import (
    geomspace, gradient, logspace, polyval, trapezoid, unwrap,
)
from minigrad.numpy.everyday import (
    angle, degrees, divmod, fabs, float_power, fmax, fmin, iscomplexobj, isrealobj, logaddexp2,
    radians,
)
from minigrad.numpy.missing import (
    nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmedian, nanmin, nanpercentile,
    nanprod, nanquantile, nanstd, nansum, nanvar,
)
from minigrad.numpy.selecting import (
    argpartition, partition, piecewise, put_along_axis, select, vectorize,
)
from minigrad.numpy.statistics import (
    corrcoef, correlate, cov, histogram, histogram_bin_edges,
)
from minigrad.numpy.writable import writable
from minigrad.numpy.families import tell
from minigrad.op import Array

__all__ = [
    "Array", "UniqueAll", "UniqueCounts", "UniqueInverse", "__array_namespace_info__", "abs",
    "absolute", "acos", "acosh", "add", "all", "allclose", "amax", "amin", "angle", "any", "append",
    "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax",
    "argmin", "argpartition", "argsort", "argwhere", "around", "array", "array_equal",
    "array_split", "asarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d",
    "atleast_2d", "atleast_3d", "average", "bincount", "bitwise_and", "bitwise_invert",
    "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "block", "bool", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "can_cast", "cbrt",
    "ceil", "clip", "column_stack", "complex128", "complex64", "concat", "concatenate", "conj",
    "conjugate", "convolve", "copysign", "corrcoef", "correlate", "cos", "cosh", "count_nonzero",
    "cov", "cross", "cummax", "cummin", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum",
    "deg2rad", "degrees", "diag", "diagflat", "diagonal", "diff", "digitize", "divide", "divmod",
    "dot", "dsplit", "dstack", "e", "einsum", "empty", "empty_like", "equal", "exp", "exp2",
    "expand_dims", "expm1", "eye", "fabs", "fft", "finfo", "flatnonzero", "flip", "fliplr",
    "flipud", "float32", "float64", "float_power", "floor", "floor_divide", "fmax", "fmin",
    "from_dlpack", "full", "full_like", "geomspace", "gradient", "greater", "greater_equal",
    "heaviside", "histogram", "histogram_bin_edges", "hsplit", "hstack", "hypot", "identity",
    "iinfo", "imag", "inf", "inner", "int16", "int32", "int64", "int8", "interp", "invert",
    "isclose", "iscomplexobj", "isdtype", "isfinite", "isin", "isinf", "isnan", "isrealobj", "kron",
    "left_shift", "less", "less_equal", "lexsort", "linalg", "linspace", "log", "log10", "log1p",
    "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logspace", "matmul", "matrix_transpose", "max", "maximum", "mean", "median", "meshgrid", "min",
    "minimum", "mod", "moveaxis", "multiply", "nan", "nan_to_num", "nanargmax", "nanargmin",
    "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile",
    "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "ndim", "negative", "newaxis",
    "nextafter", "nonzero", "not_equal", "ones", "ones_like", "outer", "pad", "partition",
    "percentile", "permute_dims", "pi", "piecewise", "polyval", "positive", "pow", "power", "prod",
    "ptp", "put_along_axis", "quantile", "rad2deg", "radians", "ravel", "real", "reciprocal",
    "remainder", "repeat", "reshape", "result_type", "right_shift", "rint", "roll", "rollaxis",
    "rot90", "round", "rsqrt", "searchsorted", "select", "shape", "sign", "signbit", "sin", "sinc",
    "sinh", "size", "sort", "special", "split", "sqrt", "square", "squeeze", "stack", "std",
    "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile",
    "top_k", "trace", "transpose", "trapezoid", "tri", "tril", "triu", "true_divide", "trunc",
    "uint16", "uint32", "uint64", "uint8", "unique", "unique_all", "unique_counts",
    "unique_inverse", "unique_values", "unstack", "unwrap", "vander", "var", "vdot", "vecdot",
    "vectorize", "vsplit", "vstack", "where", "writable", "zeros", "zeros_like",
]
# fmt: on

__array_api_version__ = "2024.12"
tell(sys.modules[__name__])
