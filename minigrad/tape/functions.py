"""The functions of tensors, by PyTorch's names: tables onto the functions all front-ends share.

Floor 6. A row of the vocabulary (`exp`, `mul`, ...) is called directly; a shared function is *spelled*: `dim` is its
`axis`, `keepdim` its `keepdims`, and both spellings are taken. What PyTorch defines differently is written out, in
shapes.py and selection.py. methods.py makes methods of them all, and the in-place forms.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import minigrad.numpy as mnp
from minigrad.numpy.named import called
from minigrad.op import EVALUATE, interpreter, registry
from minigrad.ops import activations, composite
from minigrad.ops import elementwise as e
from minigrad.ops.einsum import einsum as ops_einsum
from minigrad.ops.rows import Row
from minigrad.tape.interpreter import TAPE, binary, tensor_of, unary
from minigrad.tape.tensor import Tensor

# PyTorch's names for rows that are called otherwise; all other rows keep their own
RENAMED: dict[str, Row] = {
    "absolute": e.abs_, "negative": e.neg, "sigmoid": e.logistic, "maximum": e.max_, "minimum": e.min_,
    "subtract": e.sub, "multiply": e.mul, "divide": e.div, "true_divide": e.div, "remainder": e.rem,
    "floor_divide": e.floor_div, "eq": e.equal, "ne": e.not_equal, "lt": e.less, "le": e.less_equal, "gt": e.greater,
    "ge": e.greater_equal, "bitwise_and": e.and_, "bitwise_or": e.or_, "bitwise_xor": e.xor, "bitwise_not": e.not_,
}  # fmt: skip
OWN_ROWS = {op.name: op for op in registry.values() if isinstance(op, Row) and op.operands < 3}
ROWS: dict[str, Row] = {name: op for name, op in OWN_ROWS.items() if name not in ("max", "min")} | RENAMED
# functions of the array namespace under the same name, and under another
SAME = [
    "all", "any", "argmax", "argmin", "argsort", "clip", "concat", "count_nonzero", "cumprod", "cumsum", "diag",
    "diagonal", "dot", "flip", "inner", "isclose", "isinf", "kron", "logical_and", "logical_not", "logical_or",
    "logical_xor", "matmul", "mean", "nan_to_num", "outer", "prod", "roll", "square", "stack", "sum", "tensordot",
    "tile", "trace", "tril", "triu", "where",
]  # fmt: skip
SHARED: dict[str, Callable[..., Any]] = {name: getattr(mnp, name) for name in SAME} | {
    "mm": mnp.matmul,
    "bmm": mnp.matmul,
    "cat": mnp.concat,
    "clamp": mnp.clip,
    "logsumexp": composite.logsumexp,
    "softmax": composite.softmax,
    "log_softmax": composite.log_softmax,
    "relu": activations.relu,
    "amax": mnp.max,
    "amin": mnp.min,
    "einsum": ops_einsum,
}
SPELLING = {"dim": "axis", "keepdim": "keepdims", "dims": "axis", "shifts": "shift"}


def on_tape(f: Callable[..., Any]) -> Callable[..., Any]:
    """f, with its ops going straight to the tape, and its results as Tensors."""

    @functools.wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        if interpreter.get() is not EVALUATE:
            return tensor_of(f(*args, **kwargs))
        token = interpreter.set(TAPE)
        try:
            y = f(*args, **kwargs)
        finally:
            interpreter.reset(token)
        return y if type(y) is Tensor else tensor_of(y)

    return function


def spelled(f: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A shared function that also takes `dim`, `keepdim`, and `keepdim` as a third positional argument."""
    run = on_tape(f)

    def function(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            if "input" in kwargs:
                args = (kwargs.pop("input"), *args)
            if "other" in kwargs:
                args = (*args, kwargs.pop("other"))
            kwargs = {SPELLING.get(k, k): v for k, v in kwargs.items()}
        if len(args) == 3 and name in REDUCTIONS:
            *args, kwargs["keepdims"] = args  # type: ignore[assignment]
        return run(*args, **kwargs)

    also = f"As `{f.__module__}.{f.__name__}`; axis is also called dim, keepdims keepdim."
    return called(function, name, f"{f.__doc__}\n    {also}")


REDUCTIONS = {"sum", "prod", "mean", "any", "all", "argmax", "argmin", "amax", "amin", "logsumexp"}


def _row_function(name: str, op: Row) -> Callable[..., Any]:
    function: Callable[..., Any] = unary(op) if op.operands == 1 else binary(op)
    return called(function, name, f"{name}, elementwise: the op `{op.name}`.")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _row_function(name, op) for name, op in ROWS.items()},
    **{name: spelled(f, name) for name, f in SHARED.items()},
}


def _scaled(name: str, op: Row, sign: str) -> Callable[..., Any]:
    def function(input: Any, other: Any, *, alpha: Any = 1) -> Any:
        return op(input, other if alpha == 1 else e.mul(other, alpha))

    return on_tape(called(function, name, f"input {sign} alpha · other."))


def _spread(name: str, f: Callable[..., Any], what: str) -> Callable[..., Any]:
    def function(
        input: Any, dim: Any = None, *, correction: float = 1.0, unbiased: bool | None = None, keepdim: bool = False
    ) -> Any:
        return f(input, dim, correction=correction if unbiased is None else float(unbiased), keepdims=keepdim)

    return on_tape(called(function, name, f"The {what} over dims, of a sample unless correction (or unbiased) is 0."))


add, sub = _scaled("add", e.add, "+"), _scaled("sub", e.sub, "-")
var, std = _spread("var", composite.var, "variance"), _spread("std", composite.std, "standard deviation")


@on_tape
def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Any:
    """The p-norm over dims: (Σ|x|ᵖ)^(1/p), "fro" meaning 2. Its gradient at 0 is 0."""
    return mnp.linalg.vector_norm(input, axis=dim, keepdims=keepdim, ord=2 if p in ("fro", None) else p)


@on_tape
def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta · input + alpha · mat1 @ mat2."""
    product = mnp.matmul(mat1, mat2)
    return (input if beta == 1 else input * beta) + (product if alpha == 1 else product * alpha)


@on_tape
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """value where the mask holds, input elsewhere."""
    return e.where(mask, value, input)


def allclose(input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Are all elements close? |a - b| ≤ atol + rtol · |b|."""
    return bool(mnp.all(mnp.isclose(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)))


def equal(input: Tensor, other: Tensor) -> bool:
    """Same shape, same elements?"""
    return input.shape == other.shape and bool((input._array == other._array).all())


FUNCTIONS.update({f.__name__: f for f in (add, sub, var, std, norm, addmm, masked_fill, allclose, equal)})
