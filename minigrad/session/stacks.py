"""What is the default here: the stacks of graphs and of sessions that `with` blocks push on.

Floor 6. A context variable each, so that threads and tasks do not see each other's `with` blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")


class Stack(Generic[T]):
    """Innermost last."""

    def __init__(self, name: str) -> None:
        self._items: ContextVar[tuple[T, ...]] = ContextVar(name, default=())

    def top(self) -> T | None:
        items = self._items.get()
        return items[-1] if items else None

    def push(self, item: T) -> None:
        self._items.set((*self._items.get(), item))

    def remove(self, item: T) -> None:
        """Take out the innermost occurrence: an interactive session may be closed before a later one."""
        items = self._items.get()
        for i in reversed(range(len(items))):
            if items[i] is item:
                self._items.set((*items[:i], *items[i + 1 :]))
                return

    @contextmanager
    def holding(self, item: T) -> Iterator[T]:
        token = self._items.set((*self._items.get(), item))
        try:
            yield item
        finally:
            self._items.reset(token)
