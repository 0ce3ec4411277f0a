"""What several threads do at the same time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from threading import Barrier
from typing import Any


def at_once(work: Callable[[Any], Any], arguments: Iterable[Any]) -> None:
    """A call for each argument, each in its own thread, begun together, under the settings that hold here.

    What one of them raises is raised here.
    """
    given = [(copy_context(), argument) for argument in arguments]
    everyone = Barrier(len(given))

    def begin(one: tuple[Context, Any]) -> None:
        context, argument = one
        everyone.wait()
        context.run(work, argument)

    with ThreadPoolExecutor(len(given)) as pool:
        list(pool.map(begin, given))
