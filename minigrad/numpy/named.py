"""Public functions that differ only in what they call: a row each, with its docstring and an example.

Floor 5. `unary` and `binary` wrap an op, or a function of values, in a function with the Array API's signature.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from minigrad.op import Op, Operand, interpreter

F = TypeVar("F", bound=Callable[..., Any])
_in_force = interpreter.get  # asking here instead of in op.__call__ saves a call
PLAIN = "mnp.{name}({call}).tolist()"  # how the examples in docstrings call the function
OF_ARRAY = PLAIN.replace("{call}", "mnp.asarray({call})")


def unary(
    name: str, f: Callable[[Operand], Any], doc: str, example: str = "", form: str = PLAIN
) -> Callable[[Operand], Any]:
    """The public function `name(x)`."""

    def of_op(x: Operand, /) -> Any:
        return _in_force().apply(f, (x,))  # type: ignore[arg-type]

    def function(x: Operand, /) -> Any:
        return f(x)

    return named(of_op if _is_plain(f) else function, name, doc, example, form)


def binary(
    name: str, f: Callable[[Operand, Operand], Any], doc: str, example: str = "", form: str = PLAIN
) -> Callable[[Operand, Operand], Any]:
    """The public function `name(x1, x2)`."""

    def of_op(x1: Operand, x2: Operand, /) -> Any:
        return _in_force().apply(f, (x1, x2))  # type: ignore[arg-type]

    def function(x1: Operand, x2: Operand, /) -> Any:
        return f(x1, x2)

    return named(of_op if _is_plain(f) else function, name, doc, example, form)


def _is_plain(f: Callable[..., Any]) -> bool:
    """Is it an op that does no more when it is called than ask the interpreter?"""
    return isinstance(f, Op) and type(f).__call__ is Op.__call__


def named(function: F, name: str, doc: str, example: str, form: str = PLAIN) -> F:
    """The function under its public name. An example is "call -> result"; `form` is how the call is written out."""
    function.__name__ = function.__qualname__ = name
    function.__module__ = sys._getframe(2).f_globals["__name__"]  # that calls `unary` and its like: pickle looks there
    call, _, result = example.partition(" -> ")
    shown = f">>> import minigrad.numpy as mnp\n>>> {form.format(name=name, call=call)}\n{result}\n"
    function.__doc__ = f"{doc}\n\n{shown}" if example else doc
    return function
