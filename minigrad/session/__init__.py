"""session: define, then run. The graph exists before anything is computed, as in TensorFlow 1.

Floor 6. Read `graph_scope` (how a program is built), then `plan` (what of it runs) and `session` (running it).

>>> import minigrad.session as tf
>>> with tf.Graph().as_default(), tf.Session() as sess:
...     x = tf.placeholder(tf.float32, [None], name="x")
...     y = x * 2.0
...     sess.run(y, {x: [1.0, 2.0]}).tolist()
[2.0, 4.0]

Where a TensorFlow 1 program may notice a difference:

- tensors of different dtypes are promoted instead of refused; int / int is float32, and so is a mean of integers;
- a feed that would lose something (1.5 for an int32) is refused, not truncated;
- unknown sizes that meet are taken to be equal: a size of 1 fed there is not broadcast, but refused;
- in one run, what reads and what writes a variable see is defined (Note [Order of state] in variables.py);
- Adam adds ε after the bias correction, as the paper does; random numbers come from another generator;
- gather clips positions; while_loop keeps shapes; py_func is told the shape of its result;
- a variable cannot be made or assigned inside the body of a cond or while_loop.
"""

# ruff: noqa: I001
# fmt: off
from typing import NoReturn

from minigrad.session import nn, train
from minigrad.session.array_functions import (
    broadcast_to, concat, expand_dims, eye, fill, gather, linspace, one_hot, ones, ones_like, pad, rank, reshape,
    reverse, shape, size, slice, split, squeeze, stack, tile, transpose, unstack, where, zeros, zeros_like,
)
from minigrad.session.array_functions import range_ as range
from minigrad.session.control import cond, control_dependencies, group, identity, no_op, while_loop
from minigrad.session.control import tuple_ as tuple
from minigrad.session.gradients import gradients
from minigrad.session.graph_scope import (
    Graph, GraphKeys, add_to_collection, get_collection, get_default_graph, name_scope, reset_default_graph,
)
from minigrad.session.inputs import constant, convert_to_tensor, placeholder, placeholder_with_default
from minigrad.session.math_functions import (
    abs, acos, add, add_n, argmax, argmin, asin, atan, atan2, cast, ceil, clip_by_global_norm, clip_by_value, cos,
    cosh, count_nonzero, cumsum, digamma, div_no_nan, divide, equal, erf, exp, expm1, floor, floordiv, floormod,
    greater, greater_equal, is_finite, is_inf, is_nan, less, less_equal, lgamma, log, log1p, logical_and,
    logical_not, logical_or, logical_xor, matmul, maximum, minimum, mod, multiply, negative, not_equal, pow,
    reciprocal, reduce_all, reduce_any, reduce_logsumexp, reduce_max, reduce_mean, reduce_min, reduce_prod,
    reduce_sum, round, rsqrt, sigmoid, sign, sin, sinh, sqrt, square, squared_difference, stop_gradient, subtract,
    tan, tanh, tensordot, truediv,
)
from minigrad.session.random_functions import (
    constant_initializer, glorot_normal_initializer, glorot_uniform_initializer, ones_initializer, random_normal,
    random_normal_initializer, random_uniform, random_uniform_initializer, set_random_seed, truncated_normal,
    truncated_normal_initializer, zeros_initializer,
)
from minigrad.session.scopes import AUTO_REUSE, VariableScope, get_variable, get_variable_scope, variable_scope
from minigrad.session.session import InteractiveSession, Session, get_default_session
from minigrad.session.shape import TensorShape
from minigrad.session.side_effects import Assert, Print, check_numerics, py_func
from minigrad.session.tensor import Operation, Tensor
from minigrad.session.variables import (
    Variable, assign, assign_add, assign_sub, global_variables, global_variables_initializer,
    is_variable_initialized, trainable_variables, variables_initializer,
)
from minigrad.types import BOOL as bool
from minigrad.types import COMPLEX64 as complex64
from minigrad.types import COMPLEX128 as complex128
from minigrad.types import FLOAT32 as float32
from minigrad.types import FLOAT64 as float64
from minigrad.types import INT32 as int32
from minigrad.types import INT64 as int64
from minigrad.types import UINT32 as uint32

__all__ = [
    "abs", "acos", "add", "add_n", "add_to_collection", "argmax", "argmin", "asin", "Assert", "assign",
    "assign_add", "assign_sub", "atan", "atan2", "AUTO_REUSE", "bool", "broadcast_to", "cast", "ceil",
    "check_numerics", "clip_by_global_norm", "clip_by_value", "complex128", "complex64", "concat", "cond",
    "constant", "constant_initializer", "control_dependencies", "convert_to_tensor", "cos", "cosh", "count_nonzero",
    "cumsum", "digamma", "div_no_nan", "divide", "equal", "erf", "exp", "expand_dims", "expm1", "eye", "fill",
    "float32", "float64", "floor", "floordiv", "floormod", "gather", "get_collection", "get_default_graph",
    "get_default_session", "get_variable", "get_variable_scope", "global_variables", "global_variables_initializer",
    "glorot_normal_initializer", "glorot_uniform_initializer", "gradients", "Graph", "GraphKeys", "greater",
    "greater_equal", "group", "identity", "int32", "int64", "InteractiveSession", "is_finite", "is_inf", "is_nan",
    "is_variable_initialized", "less", "less_equal", "lgamma", "linspace", "log", "log1p", "logical_and",
    "logical_not", "logical_or", "logical_xor", "matmul", "maximum", "minimum", "mod", "multiply", "name_scope",
    "negative", "nn", "no_op", "not_equal", "one_hot", "ones", "ones_initializer", "ones_like", "Operation", "pad",
    "placeholder", "placeholder_with_default", "pow", "Print", "py_func", "random_normal",
    "random_normal_initializer", "random_uniform", "random_uniform_initializer", "range", "rank", "reciprocal",
    "reduce_all", "reduce_any", "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod",
    "reduce_sum", "reset_default_graph", "reshape", "reverse", "round", "rsqrt", "Session", "set_random_seed",
    "shape", "sigmoid", "sign", "sin", "sinh", "size", "slice", "split", "sqrt", "square", "squared_difference",
    "squeeze", "stack", "stop_gradient", "subtract", "tan", "tanh", "Tensor", "tensordot", "TensorShape", "tile",
    "train", "trainable_variables", "transpose", "truediv", "truncated_normal", "truncated_normal_initializer",
    "tuple", "uint32", "unstack", "Variable", "variable_scope", "variables_initializer", "VariableScope", "where",
    "while_loop", "zeros", "zeros_initializer", "zeros_like",
]
# fmt: on


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"minigrad.session has no {name!r}; tf may, but it is not part of this front-end")
