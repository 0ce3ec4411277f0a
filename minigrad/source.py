"""Which line of the *user's* code are we in?

Floor 0. Every graph node, every recorded step and every error carries a `Line`: the innermost frame on the
stack whose file is not part of minigrad itself. Finding it must cost well under a microsecond, because
tracing does it once per node; so a `Line` keeps file and number and reads the text only when it is printed.
"""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from types import CodeType
from typing import TypeAlias

import numpy

# NumPy calls back into us (np.mean of a list of tensors), and contextlib runs ours: no more the user's than we are.
_PASSED = (os.path.dirname(os.path.abspath(numpy.__file__)) + os.sep, os.path.abspath(contextlib.__file__))
_HOUSE = os.path.dirname(os.path.abspath(__file__)) + os.sep
# Models shipped with `minigrad compare` play the user's part, so their lines are worth showing.
_GUESTS = (os.path.join(_HOUSE, "compare", "models"),)
_ours: dict[str, bool] = {}  # by file name, whose hash Python keeps
Place: TypeAlias = "tuple[CodeType, int]"  # a line not read yet: a code object and the offset of an instruction in it


@dataclass(frozen=True, slots=True)
class Line:
    """A place in the user's program: file, 1-based line number, enclosing function."""

    filename: str
    lineno: int
    function: str = ""

    @property
    def text(self) -> str:
        """The source text of the line, stripped; empty when the file cannot be read."""
        return linecache.getline(self.filename, self.lineno).strip()

    def __str__(self) -> str:
        text = self.text
        place = f"{_short(self.filename)}:{self.lineno}"
        return f"{place}: {text}" if text else place

    def same_place(self, other: Line) -> bool:
        """The same line of text, whichever function of it is running."""
        return self.lineno == other.lineno and self.filename == other.filename

    @property
    def place(self) -> str:
        """`file:line` without the text."""
        return f"{_short(self.filename)}:{self.lineno}"


UNKNOWN = Line("<unknown>", 0)
_lines: dict[tuple[str, int, str], Line] = {}  # a loop makes many nodes at one line


def user_line() -> Line:
    """The innermost line of the user's code on the stack (`UNKNOWN` when everything is minigrad's own)."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        ours = _ours.get(code.co_filename)
        if ours is None:
            ours = _ours[code.co_filename] = _is_ours(code.co_filename)
        if not ours and (code.co_filename != "<string>" or code.co_name != "__init__"):  # Note [Generated]
            key = code.co_filename, frame.f_lineno, code.co_name
            line = _lines.get(key)
            if line is None:
                line = _lines[key] = Line(*key)
            return line
        frame = frame.f_back  # type: ignore[assignment]
    return UNKNOWN


def user_place() -> Place | None:
    """`user_line()` for whoever records much and seldom asks: a quarter of its price, read by `line_at`."""
    frame = sys._getframe(2)  # who asks is one of ours
    while frame is not None:
        code = frame.f_code
        ours = _ours.get(code.co_filename)
        if ours is None:
            ours = _ours[code.co_filename] = _is_ours(code.co_filename)
        if not ours and (code.co_filename != "<string>" or code.co_name != "__init__"):
            return code, frame.f_lasti
        frame = frame.f_back  # type: ignore[assignment]
    return None


def line_at(place: Place | None) -> Line:
    """The line of a place. Offsets beyond the table (a frame that never ran) give the function's first line."""
    if place is None:
        return UNKNOWN
    code, offset = place
    for start, stop, lineno in code.co_lines():
        if start <= offset < stop and lineno is not None:
            return Line(code.co_filename, lineno, code.co_name)
    return Line(code.co_filename, code.co_firstlineno, code.co_name)


# The walk backward makes nodes for the line whose op it is walking through, not for the line that said "gradient".
behalf: ContextVar[Line | None] = ContextVar("behalf", default=None)


def node_line() -> Line:
    """The line a new node belongs to."""
    return behalf.get() or user_line()


def function_line(f: object) -> Line:
    """Where a function was defined, for messages about the function itself."""
    code = getattr(getattr(f, "__wrapped__", f), "__code__", None)
    if code is None:
        return UNKNOWN
    return Line(code.co_filename, code.co_firstlineno, code.co_name)


# Note [Generated]
# The `__init__` that dataclasses write (our ops are dataclasses) says it comes from `<string>`; so does `python -c`.
def _is_ours(filename: str) -> bool:
    path = os.path.abspath(filename)
    if filename.startswith(("<frozen", "<minigrad")):
        return True
    return path.startswith((_HOUSE, *_PASSED)) and not path.startswith(_GUESTS)


def _short(filename: str) -> str:
    """A path as the user would type it: relative when that is shorter."""
    if filename.startswith("<"):
        return filename
    try:
        relative = os.path.relpath(filename)
    except ValueError:  # another drive
        return filename
    return relative if len(relative) < len(filename) else filename
