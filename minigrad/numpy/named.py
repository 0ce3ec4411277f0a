"""Public functions that differ only in what they call: a row each, with its docstring and an example.

Floor 5. `unary` and `binary` wrap an op, or a function of values, in a function with the Array API's signature. Of a
row of the table of ops the docstring says what the table says: shapes, dtypes, refusals, the derivative at a kink.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from minigrad.op import Op, Operand, interpreter
from minigrad.ops.rows import KIND_NAMES, Row
from minigrad.ops.table import KINKS

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

    return named(of_op if _is_plain(f) else function, name, doc + facts(f), example, form)


def binary(
    name: str, f: Callable[[Operand, Operand], Any], doc: str, example: str = "", form: str = PLAIN
) -> Callable[[Operand, Operand], Any]:
    """The public function `name(x1, x2)`."""

    def of_op(x1: Operand, x2: Operand, /) -> Any:
        return _in_force().apply(f, (x1, x2))  # type: ignore[arg-type]

    def function(x1: Operand, x2: Operand, /) -> Any:
        return f(x1, x2)

    return named(of_op if _is_plain(f) else function, name, doc + facts(f), example, form)


def _is_plain(f: Callable[..., Any]) -> bool:
    """Is it an op that does no more when it is called than ask the interpreter?"""
    return isinstance(f, Op) and type(f).__call__ is Op.__call__


GIVES = {
    "same": "gives their dtype", "bool": "gives bool", "real": "gives real numbers", "complex": "gives complex numbers",
}  # fmt: skip


def facts(f: Any) -> str:
    """What the table of ops says of a row, as the end of a docstring."""
    if not isinstance(f, Row):
        return ""
    kinds = "".join(kind for kind in KIND_NAMES if kind in f.takes)
    shape = "Of any shape, element by element." if f.operands == 1 else "Shapes broadcast, or are a ShapeError."
    names = ", ".join(KIND_NAMES[kind] for kind in kinds)
    text = f"\n\n{shape} Takes {names} and {GIVES[f.gives]}"
    if "i" not in kinds:
        text += "; integers and bools become float32" if "f" in kinds else ""
    elif "b" not in kinds:
        text += "; bools become int64"
    text += "." if "c" in kinds or not _is_plain(f) else "; other dtypes are a DtypeError."
    if f.no_gradient is not None:
        return f"{text} No derivative: {f.no_gradient.reason}."
    for kink in (kink for kink in KINKS if kink.op == f.name):
        at, slopes = (", ".join(f"{v:g}" for v in numbers) for numbers in (kink.at, kink.partials))
        text += f"\nDerivative at ({at}): ({slopes}): {kink.why}."
    return text


def called(function: F, name: str, doc: str | None) -> F:
    """The function under a name, with its docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def named(function: F, name: str, doc: str, example: str, form: str = PLAIN) -> F:
    """The function under its public name. An example is "call -> result"; `form` is how the call is written out."""
    function.__module__ = sys._getframe(2).f_globals["__name__"]  # that calls `unary` and its like: pickle looks there
    call, _, result = example.partition(" -> ")
    shown = f">>> import minigrad.numpy as mnp\n>>> {form.format(name=name, call=call)}\n{result}\n"
    return called(function, name, f"{doc}\n\n{shown}" if example else doc)
