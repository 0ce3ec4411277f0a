"""What several threads do at the same time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any


def at_once(work: Callable[[Any], Any], arguments: Iterable[Any]) -> None:
    """A call for each argument, each in its own thread, begun together. What one of them raises is raised here."""
    given = list(arguments)
    everyone = Barrier(len(given))

    def begin(argument: Any) -> None:
        everyone.wait()
        work(argument)

    with ThreadPoolExecutor(len(given)) as pool:
        list(pool.map(begin, given))
