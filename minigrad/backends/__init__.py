"""Backends: from a graph to something that runs. One interface, `compile(graph, backend) -> Executable`.

Floor 4. `numpy` is the reference: each node one NumPy call. The others are held to its results.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection
from typing import Any, Protocol

from minigrad import config, passes
from minigrad.backends import cache, identity, kept, llvm, native, numba, numpy
from minigrad.errors import BackendError, SymbolicSizeError
from minigrad.graph import Graph
from minigrad.interpreters.build import collector_paused
from minigrad.op import ndarray
from minigrad.passes import PassRecord
from minigrad.recompiles import count
from minigrad.types import symbols_of


class Executable(Protocol):
    """A compiled graph: a list of ndarrays in, a list of fresh ndarrays out.

    Outputs never share memory with inputs, constants or each other: the caller may write into them.
    """

    graph: Graph  # what is run, after the passes
    history: list[PassRecord]  # what each pass did
    seconds: float  # how long compiling took, passes included

    @property
    def nodes(self) -> int: ...

    def __call__(self, arrays: list[ndarray]) -> list[ndarray]: ...


# Known by name; None: planned, not built yet.
_COMPILERS: dict[str, Callable[..., Any] | None] = {
    "numpy": numpy.NumpyExecutable,
    "numba": numba.NumbaExecutable,
    "llvm": llvm.Compiled,
}
_KEPT = frozenset({"llvm", "numba"})  # whose programs are kept on disk, if they are compiled at all
_REUSE = frozenset({"llvm"})  # whose outputs may take over the memory of donated inputs


def available() -> list[str]:
    """The names of the backends that can run graphs here.

    >>> "numpy" in available()
    True
    """
    return [name for name, compiler in _COMPILERS.items() if compiler is not None]


def compile(
    graph: Graph, backend: str | None = None, *, optimize: bool = True, donated: Collection[int] = ()
) -> Executable:
    """The graph made ready to run, on `backend` (default: the setting of that name), after the default passes.

    donated: numbers of inputs whose memory an output may take over, in calls that give them (`given=`): llvm's do so.

    Raises BackendError for a backend that is unknown or not built yet, and SymbolicSizeError for a graph with
    sizes still open (`graph.specialize` fixes them).
    """
    name = config.backend.get() if backend is None else backend
    compiler = _compiler(name)
    open_sizes = sorted(symbols_of((*graph.in_types, *graph.out_types)))
    if open_sizes:
        raise SymbolicSizeError(
            f"compile: the graph {graph.name} has sizes that are not known yet: {', '.join(open_sizes)}",
            hint="fix them first: specialize(graph, {name: size})",
        )
    start = time.perf_counter()
    keeps = name in _KEPT and cache.store() and (name != "numba" or numba.compiles())
    key = identity.key(graph, name, optimize, donated) if keeps else None
    executable: Any = kept.load(key, graph, optimize) if key else None
    if executable is None:
        with collector_paused():
            optimized, history = passes.run(graph) if optimize else (graph, [])
            executable = compiler(optimized, donated) if donated and name in _REUSE else compiler(optimized)
        executable.history = history
        if key:
            kept.save(key, graph, executable)
        count(compiles=1)
    else:
        count(disk_hits=1)
    executable.seconds = time.perf_counter() - start
    count(seconds=executable.seconds)
    return executable  # type: ignore[no-any-return]


@functools.cache
def prepare(backend: str | None = None) -> None:
    """What does not depend on the program is done as soon as it is known that there will be one.

    LLVM takes longer to load than a small program to compile. Where programs are kept it may not be needed at all, and
    loads when it is; then it is looked up what their keys have in common.
    """
    if (config.backend.get() if backend is None else backend) == "llvm":
        store = cache.store()
        if store is None or store.empty():
            native.prepare()
        else:
            identity.surroundings()


def require(name: str) -> None:
    """Raise a BackendError if there is no such backend, built or planned."""
    if name not in _COMPILERS:
        raise BackendError(f"unknown backend {name!r}", hint="known: " + ", ".join(_COMPILERS))


def _compiler(name: str) -> Callable[..., Any]:
    require(name)
    compiler = _COMPILERS[name]
    if compiler is None:
        raise BackendError(f"the backend {name!r} is not built yet", hint="available: " + ", ".join(available()))
    return compiler
