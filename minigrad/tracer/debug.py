"""Looking in from inside a traced function: print and callback, which run when the program runs, in its order.

Floor 6.
"""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter
from typing import Any

from minigrad import tree
from minigrad.errors import ArgumentError
from minigrad.ops.effects import Callback, Print
from minigrad.tracer.arguments import argument_values

__all__ = ["callback", "print"]


def print(fmt: str, *args: Any, ordered: bool = True, **kwargs: Any) -> None:
    """Write `fmt`, its fields filled with the arguments, whenever the program gets here (always in order).

    >>> print("x = {}, y = {y}", 1.0, y=2.0)
    x = 1.0, y = 2.0
    """
    values = argument_values("debug.print", [*args, *kwargs.values()], lambda: [*map(str, range(len(args))), *kwargs])
    Print(_numbered(fmt, len(args), list(kwargs)))(*values)


def _numbered(fmt: str, count: int, names: list[str]) -> str:
    """The format with every field numbered: named ones come after the positional."""
    parts, following = [], 0
    for literal, field, style, conversion in Formatter().parse(fmt):
        parts.append(literal.replace("{", "{{").replace("}", "}}"))
        if field is None:
            continue
        if field == "":
            index, following = following, following + 1
        elif field.isdigit():
            index = int(field)
        elif field in names:
            index = count + names.index(field)
        else:
            raise ArgumentError(f"debug.print: {fmt!r} has a field {field!r}, but there is no such argument")
        end = (f"!{conversion}" if conversion else "") + (f":{style}" if style else "")
        parts.append(f"{{{index}{end}}}")
    return "".join(parts)


def callback(f: Callable[..., Any], *args: Any, ordered: bool = True, **kwargs: Any) -> None:
    """Call `f(*args, **kwargs)` with NumPy arrays in place of values whenever the program gets here."""
    leaves, structure = tree.flatten((args, kwargs))

    def called(*arrays: Any) -> None:
        given, named = structure.unflatten(arrays)
        f(*given, **named)

    values = argument_values("debug.callback", leaves, lambda: [tree.path_text("args", p) for p in structure.paths()])
    Callback(called, ())(*values)
