"""Memory for large outputs is used again when nobody can see it any more, and never before."""

from typing import Any

import numpy as np

from minigrad.backends.outputs import LIMIT, Blocks
from tests.threads import at_once

F64 = np.dtype("float64")
SHAPE = (512, 512)  # 2 MiB


def where(x: Any) -> int:
    return int(x.ctypes.data)


def test_memory_of_a_dropped_array_is_used_again() -> None:
    blocks = Blocks()
    x = blocks.array(SHAPE, F64)
    place = where(x)
    assert where(blocks.array(SHAPE, F64)) != place, "x is still there"
    del x
    assert place in {where(blocks.array(SHAPE, F64)) for _ in range(2)}


def test_a_view_keeps_the_memory() -> None:
    blocks = Blocks()
    x = blocks.array(SHAPE, F64)
    x[...] = 7.0
    corner, raw = x[:2, :2].T, memoryview(x)
    del x
    for _ in range(4):
        blocks.array(SHAPE, F64)[...] = 0.0
    assert (corner == 7.0).all()
    del corner
    blocks.array(SHAPE, F64)[...] = 0.0
    assert raw[3, 3] == 7.0


def test_no_more_than_the_limit_is_kept() -> None:
    blocks = Blocks()
    size = LIMIT // (3 * 8)
    held = [blocks.array((size + k,), F64) for k in range(4)]  # pages that nobody touches take no memory
    assert blocks.kept() <= LIMIT
    assert len({where(x) for x in held}) == 4


def test_threads_never_share() -> None:
    blocks = Blocks()
    wrong: list[int] = []

    def work(mark: int) -> None:
        for _ in range(200):
            x = blocks.array((64, 64), F64)
            x[...] = mark
            if not (x == mark).all():
                wrong.append(mark)

    at_once(work, range(8))
    assert not wrong
