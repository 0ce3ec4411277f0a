"""Functions of elements: one line each, because they differ only in the op.

Floor 5. Operands broadcast and promote by the op's own rules; Python numbers are weak. `unary` and `binary` wrap
an op in a function with the Array API's signature, a docstring and an example.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.op import Op, Operand, interpreter, lift
from minigrad.ops import elementwise as e

_in_force = interpreter.get  # asking here instead of in op.__call__ saves a call


def unary(name: str, op: Op, doc: str, example: str = "") -> Callable[[Operand], Any]:
    """The public function `name(x)` of an op."""

    def function(x: Operand, /) -> Any:
        return _in_force().apply(op, (x,))

    return _named(function, name, doc, example)


def binary(name: str, op: Op, doc: str, example: str = "") -> Callable[[Operand, Operand], Any]:
    """The public function `name(x1, x2)` of an op."""

    def function(x1: Operand, x2: Operand, /) -> Any:
        return _in_force().apply(op, (x1, x2))

    return _named(function, name, doc, example)


def _named(function: Any, name: str, doc: str, example: str) -> Any:
    function.__name__ = function.__qualname__ = name
    call, _, result = example.partition(" -> ")
    shown = f"\n\n>>> import minigrad.numpy as mnp\n>>> mnp.{name}({call}).tolist()\n{result}\n" if example else ""
    function.__doc__ = doc + shown
    return function


# ── arithmetic ───────────────────────────────────────────────────────────────────────────────────
add = binary("add", e.add, "x1 + x2.", "1, 2 -> 3")
subtract = binary("subtract", e.sub, "x1 - x2.", "1, 2 -> -1")
multiply = binary("multiply", e.mul, "x1 · x2.", "2, 3 -> 6")
divide = true_divide = binary("divide", e.div, "x1 / x2; integers give float32.", "1, 2 -> 0.5")
pow = power = binary("pow", e.pow_, "x1 to the power x2.", "2, 3 -> 8")
maximum = binary("maximum", e.max_, "The larger of x1 and x2; at a tie each gets half the gradient.", "2, 3 -> 3")
minimum = binary("minimum", e.min_, "The smaller of x1 and x2; at a tie each gets half the gradient.", "2, 3 -> 2")
negative = unary("negative", e.neg, "-x.", "2 -> -2")
abs = absolute = unary("abs", e.abs_, "|x|; of a complex number its modulus. The derivative at 0 is 0.", "-2 -> 2")
sign = unary("sign", e.sign, "-1, 0 or 1; for complex x, x/|x|.", "-2.5 -> -1.0")
reciprocal = unary("reciprocal", e.reciprocal, "1 / x; integers give float32.", "2.0 -> 0.5")

# ── comparisons ──────────────────────────────────────────────────────────────────────────────────
equal = binary("equal", e.equal, "x1 == x2.", "1, 2 -> False")
not_equal = binary("not_equal", e.not_equal, "x1 != x2.", "1, 2 -> True")
less = binary("less", e.less, "x1 < x2.", "1, 2 -> True")
less_equal = binary("less_equal", e.less_equal, "x1 <= x2.", "1, 2 -> True")
greater = binary("greater", e.greater, "x1 > x2.", "1, 2 -> False")
greater_equal = binary("greater_equal", e.greater_equal, "x1 >= x2.", "1, 2 -> False")

# ── exponentials, logarithms, roots, circles ─────────────────────────────────────────────────────
exp = unary("exp", e.exp, "e to the power x.", "0 -> 1.0")
log = unary("log", e.log, "The natural logarithm; -inf at 0, nan below.", "1 -> 0.0")
sqrt = unary("sqrt", e.sqrt, "The square root; nan below 0.", "4 -> 2.0")
sin = unary("sin", e.sin, "The sine.", "0 -> 0.0")
cos = unary("cos", e.cos, "The cosine.", "0 -> 1.0")
tanh = unary("tanh", e.tanh, "The hyperbolic tangent.", "0 -> 0.0")

real = unary("real", e.real, "The real part.", "2 -> 2")


def positive(x: Operand, /) -> Any:
    """x itself.

    >>> import minigrad.numpy as mnp
    >>> mnp.positive(2).tolist()
    2
    """
    return lift(x, "positive")


def square(x: Operand, /) -> Any:
    """x · x.

    >>> import minigrad.numpy as mnp
    >>> mnp.square(3).tolist()
    9
    """
    x = lift(x, "square")
    return e.mul(x, x)


def where(condition: Operand, x1: Operand, x2: Operand, /) -> Any:
    """x1 where the condition holds, else x2. The untaken one adds nothing to the gradient, not even nan.

    >>> import minigrad.numpy as mnp
    >>> mnp.where(mnp.asarray([True, False]), 1, 2).tolist()
    [1, 2]
    """
    return e.where(condition, x1, x2)


def clip(x: Operand, /, min: Operand | None = None, max: Operand | None = None) -> Any:
    """x held between min and max (either may be None); its dtype is kept. On an edge the derivative is 1/2 (a tie).

    >>> import minigrad.numpy as mnp
    >>> mnp.clip(mnp.asarray([-1.0, 0.5, 3.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    x = lift(x, "clip")
    if min is not None:
        x = e.max_(x, min)
    return x if max is None else e.min_(x, max)
