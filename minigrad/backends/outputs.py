"""Memory for what a call returns, and for its arena. Large outputs lie where one before, now dropped, has lain.

Floor 4. Fresh pages cost more than most kernels: the system clears each one when it is first touched (layer norm,
4096×1024 forward and backward: 2.4 of 6.0 ms). A block is free when nobody but this module refers to it: every view
of an array, NumPy's or another library's, keeps its block alive.
"""

from __future__ import annotations

import math
import sys
from collections import deque

import numpy as np

from minigrad.graph import Graph
from minigrad.op import aligned, ndarray
from minigrad.passes.plan import ALIGNMENT

LARGE = 1 << 20  # bytes from which a block is kept
LIMIT = 1 << 29  # bytes of all kept blocks, in use or not
_HUGE = 1 << 21  # bytes of a large page on x86 and on ARM, which NumPy asks Linux for
_counted = getattr(sys, "_is_gil_enabled", lambda: True)()  # without the lock, counts of references may lag


def arena(size: int) -> ndarray:
    """New memory for temporaries, in bytes. A large one begins with a large page and ends with one: what hangs over
    would be cleared in pages of 4 KB, up to a thousand of them (2 µs each, half a large page's price)."""
    if size >= 2 * _HUGE:
        size = -(-size // _HUGE) * _HUGE
        return aligned((size,), np.dtype(np.uint8), np.empty(size + _HUGE, np.uint8), _HUGE)
    return aligned((size,), np.dtype(np.uint8), np.empty(size + ALIGNMENT, np.uint8), ALIGNMENT)


def _references() -> int:
    block = np.empty(0, np.uint8)
    return sys.getrefcount(block)


_FREE = _references()  # of a block that nobody else knows: by the variable and the call, as this Python counts them


class Blocks:
    """Blocks of memory by size."""

    def __init__(self) -> None:
        self.by_size: dict[int, deque[ndarray]] = {}

    def array(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> ndarray:
        """A new array, its elements anything."""
        return aligned(shape, dtype, self._free(math.prod(shape) * dtype.itemsize + ALIGNMENT), ALIGNMENT)

    def kept(self) -> int:
        """Bytes."""
        return sum(size * len(blocks) for size, blocks in list(self.by_size.items()))

    def _free(self, size: int) -> ndarray:
        blocks = self.by_size.setdefault(size, deque())
        for _ in range(len(blocks)):
            try:
                block = blocks.popleft()  # no other thread has it now, and when it is back they see that we do
            except IndexError:
                break
            free = sys.getrefcount(block) == _FREE
            blocks.append(block)
            if free:
                return block
        block = np.empty(size, np.uint8)
        if self.kept() + size > LIMIT:
            self.clear()
        if self.kept() + size <= LIMIT:
            blocks.append(block)
        return block

    def clear(self) -> None:
        """Forget all blocks: those in use live on with their arrays."""
        for size in list(self.by_size):
            self.by_size.pop(size, None)


_blocks = Blocks()


def is_kept(block: ndarray) -> bool:
    """Is it one of the blocks that large outputs lie in?"""
    return _counted and any(b is block for b in _blocks.by_size.get(block.nbytes, ()))


class Outputs:
    """Makes arrays for the outputs of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._wanted = [(t.shape, t.dtype, t.size * t.dtype.itemsize) for t in graph.out_types]

    def arrays(self) -> list[ndarray]:
        return [np.empty(shape, dtype) if n < LARGE else _large(shape, dtype, n) for shape, dtype, n in self._wanted]


def _large(shape: tuple[int, ...], dtype: np.dtype[np.generic], size: int) -> ndarray:
    if _counted and size <= LIMIT:
        return _blocks.array(shape, dtype)
    return aligned(shape, dtype, np.empty(size + ALIGNMENT, np.uint8), ALIGNMENT)
