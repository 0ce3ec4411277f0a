"""When was this memory last written? The version counters of in-place ops, kept where the memory is.

Floor 6. A saved value is good for the way back if nobody wrote to its memory since it was saved. NumPy knows which
arrays share memory (`array.base`), so one log per *owner* of memory serves a tensor, its views, its detached twins
and the arrays it shares with NumPy alike; and because records carry a sequence number from the same clock, saving
costs nothing: a value saved at time t was overwritten if its memory's last write is later than t.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any

import numpy as np

from minigrad.op import ndarray
from minigrad.source import Place, user_place

tick = itertools.count(1).__next__  # one clock for records and writes


class Write:
    """The writes to one memory: how many, and when and where the last one was."""

    __slots__ = ("count", "owner", "place", "time")

    def __init__(self, owner: Any) -> None:
        self.owner = owner  # a weak reference, whose end forgets this log
        self.count, self.time = 0, 0
        self.place: Place | None = None


class Memory:
    """The log of writes: by id of the array that owns the memory."""

    __slots__ = ("last", "writes")

    def __init__(self) -> None:
        self.last = 0  # time of the latest write to any memory: most walks backward need ask no further
        self.writes: dict[int, Write] = {}

    def touch(self, array: ndarray) -> None:
        """Say that array's memory was just written."""
        owned = owner(array)
        write = self.writes.get(id(owned))
        if write is None:
            key = id(owned)
            write = self.writes[key] = Write(weakref.ref(owned, lambda _: self.writes.pop(key, None)))
        write.count += 1
        write.time = self.last = tick()
        write.place = user_place()

    def write_since(self, array: Any, time: int) -> Write | None:
        """The last write to array's memory, if it is later than time."""
        if self.last <= time or type(array) is not np.ndarray:
            return None
        write = self.writes.get(id(owner(array)))
        return write if write is not None and write.time > time else None

    def version(self, array: ndarray) -> int:
        """How often array's memory was written in place."""
        write = self.writes.get(id(owner(array)))
        return 0 if write is None else write.count


def owner(array: ndarray) -> ndarray:
    """The array whose memory this is."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


MEMORY = Memory()
