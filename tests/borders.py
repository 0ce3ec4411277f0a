"""Memory for outputs and intermediates between bytes that nobody may write: a fixture, and whether any was written.

Native code that writes past an array goes unnoticed for as long as nothing lies there, then breaks something else.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from minigrad.backends import llvm
from minigrad.backends.outputs import Outputs

_BORDER, _MARK = 512, 0xA5
_made: list[np.ndarray] = []


def _bordered(size: int) -> np.ndarray:
    whole = np.full(size + 2 * _BORDER + 64, _MARK, np.uint8)
    start = _BORDER + -(whole.ctypes.data + _BORDER) % 64
    _made.extend((whole[:start], whole[start + size :]))
    return whole[start : start + size]


def _arrays(self: Outputs) -> list[np.ndarray]:
    return [np.ndarray(shape, dtype, _bordered(size)) for shape, dtype, size in self._wanted]


@pytest.fixture
def borders(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the llvm backend writes to lies between borders, which are looked at when the test ends."""
    _made.clear()
    monkeypatch.setattr(llvm, "arena", _bordered)
    monkeypatch.setattr(Outputs, "arrays", _arrays)
    yield
    assert untouched()


def untouched() -> bool:
    """Has nothing been written beside the arrays made since this was last asked? They are forgotten then."""
    made = [*_made]
    _made.clear()
    return all((part == _MARK).all() for part in made)
