"""Heavy modules that load on first use, so that `import minigrad` stays quick.

Floor 0. `special = lazy_module("scipy.special")` stands at the top of a file like any import; scipy is loaded
when the first attribute is asked for. It keeps imports out of functions, where the import law forbids them.

Why not `importlib.util.LazyLoader`: finding the spec of a submodule imports its parents (all of `scipy` for
`scipy.special`), and the unloaded stub stands in `sys.modules`, where it makes every later import lazy too.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


def lazy_module(name: str) -> ModuleType:
    """The module called `name`: itself if it is loaded already, else a stand-in that loads it when used.

    A missing module raises its ordinary ModuleNotFoundError, at the first use. The interpreter's own import
    locks make simultaneous first uses from several threads safe.
    """
    return sys.modules.get(name) or _LazyModule(name)


class _LazyModule(ModuleType):
    """A module that is not there yet. Attributes it has already handed out are found without detour."""

    def __getattr__(self, name: str) -> Any:
        """Load the module and remember this attribute. Called only for names not remembered yet."""
        if name in _PROBED_BY_TOOLS:
            raise AttributeError(f"lazy module {self.__name__!r} has no attribute {name!r}")
        value = getattr(_imported(self.__name__), name)
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        return dir(import_module(self.__name__))

    def __repr__(self) -> str:
        state = "loaded" if self.__name__ in sys.modules else "not loaded yet"
        return f"<lazy module {self.__name__!r} ({state})>"


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C waits until the block has ended: of what an import leaves half-done some cannot be done again."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():  # it is not heard here
        yield
        return
    heard: list[Any] = []
    signal.signal(signal.SIGINT, lambda *about: heard.append(about))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if heard:
            handler(*heard[0])


def _imported(name: str) -> ModuleType:
    """The module. If its import ends half-way, all of its package that came in is forgotten: Python forgets only the
    modules it was in the middle of, and the next import would meet the others as strangers."""
    before = set(sys.modules)
    with _undisturbed():
        try:
            return import_module(name)
        except BaseException:
            package = name.partition(".")[0]
            if package not in before:
                for found in [m for m in sys.modules if m.partition(".")[0] == package]:
                    sys.modules.pop(found, None)
            raise


# inspect, doctest and warnings look these up on every module they pass; a glance should load nothing.
_PROBED_BY_TOOLS = frozenset({"__wrapped__", "__path__", "__file__", "__warningregistry__", "__test__"})
