"""What `jit` keeps of a function for one combination of types, structure and static values.

Floor 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from minigrad import backends, tree
from minigrad.control import Call, call
from minigrad.graph import Graph
from minigrad.op import Array, ndarray
from minigrad.tracer.donation import donate, is_alone
from minigrad.tracer.staging import Staged

_LEAF = tree.structure(0)


@cache
def compiler(backend: str) -> Callable[[Graph], Any]:
    """The compiler of a backend: the same object each time, so that calls of equal graphs share what it made."""
    return partial(backends.compile, backend=backend)


class Entry:
    """What the cache keeps for one key: the graph, its output structure, and the executable once it has been needed."""

    __slots__ = ("_executable", "_op", "backend", "donated", "graph", "outputs", "single")

    def __init__(self, staged: Staged, backend: str, donated: frozenset[int] = frozenset()) -> None:
        self.graph, self.outputs, self.backend, self.donated = staged.graph, staged.outputs, backend, donated
        self.single = staged.outputs == _LEAF
        self._executable: Any = None
        self._op: Call | None = None

    @property
    def executable(self) -> Any:
        if self._executable is None:
            donated = {"donated": self.donated} if self.donated else {}
            self._executable = compiler(self.backend)(self.graph, **donated)
        return self._executable

    @property
    def op(self) -> Call:
        if self._op is None:
            self._op = call(self.graph, compiler(self.backend))
        return self._op

    def run(self, arrays: list[ndarray]) -> Any:
        ys = (self._executable or self.executable)(arrays)
        return Array(ys[0]) if self.single else self.results(ys)

    def run_donating(self, values: list[Array], passed: list[Any], what: str) -> Any:
        """The same, with those of the values that are donated; of them only Arrays that were passed can be."""
        mine = [k for k in self.donated if passed[k] is values[k]]
        uses = Counter(map(id, values))
        given = [k for k in mine if uses[id(values[k])] == 1 and is_alone(values[k])]
        takes_over = hasattr(self.executable, "program")
        arrays = [x.array for x in values]
        try:
            ys = self.executable(arrays, given) if takes_over else self.executable(arrays)
        except BaseException:  # also Ctrl-C: an output may be there already
            for k in self.executable.program.reused.values() if takes_over else ():
                if k in given:
                    donate(values[k], what)
            raise
        for k in mine:
            if type(values[k]) is Array:  # not given twice
                donate(values[k], what)
        return self.results(ys)

    def results(self, ys: list[ndarray]) -> Any:
        if self.single:
            return Array(ys[0])
        return self.outputs.unflatten([Array(y) for y in ys])
