"""Between the compiling backends and the cache: a compiled program as an entry, and back.

Floor 4. An entry of llvm's holds object code and constants. The nodes of foreign kernels are not in it: they are taken
from the graph that is being compiled, which has equal ones. So a program comes back without a pass being run, unless a
pass has made such a node (by simplifying a graph it holds); otherwise the graph after the passes is made again only
when somebody asks for it.

An entry of numba's holds the object code of the kernels. The Python around them is not in it: it is written again from
the graph, passes and all, and of each kernel it must say what was compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from minigrad import passes
from minigrad.backends import cache, native
from minigrad.backends.cache import Entry
from minigrad.backends.llvm import CALLBACK, Compiled, LlvmExecutable, Program
from minigrad.backends.numba import NumbaExecutable
from minigrad.graph import Const, Graph, Node, subgraphs
from minigrad.interpreters.build import collector_paused
from minigrad.op import ndarray
from minigrad.passes.inline import inline
from minigrad.passes.schedule import Schedule, schedule
from minigrad.types import SHORT, TensorType, as_dtype

_CARRIED = 4096  # bytes of a constant that are kept with the program; of larger ones only which it was, if it was given
_LARGEST = 64 * cache.MEBIBYTE  # more takes longer to write and read than to compile


class Restored(LlvmExecutable):
    """An executable from the cache."""

    def __init__(self, graph: Graph, optimize: bool, program: Program, code: native.Native) -> None:
        super().__init__(graph, program, code)
        self._given, self._optimize = graph, optimize

    @cached_property
    def _passed(self) -> tuple[Graph, list[passes.PassRecord]]:
        return passes.run(self._given) if self._optimize else (self._given, [])

    @property
    def graph(self) -> Graph:
        return self._passed[0]

    @property
    def history(self) -> list[passes.PassRecord]:
        return self._passed[1]

    @cached_property
    def schedule(self) -> Schedule:
        return schedule(inline(self.graph))


def load(key: str, graph: Graph, optimize: bool) -> Restored | NumbaExecutable | None:
    """The executable for a graph, if the cache has it."""
    store = cache.store()
    entry = store.load(key) if store else None
    if entry is None:
        return None
    restore = _numba if "images" in entry.description else _llvm
    return restore(entry.description, entry.payload, graph, optimize)


def _numba(about: dict[str, Any], payload: bytes, graph: Graph, optimize: bool) -> NumbaExecutable | None:
    images, start = {}, 0
    for name, size in about["images"].items():
        images[name] = payload[start : start + size]
        start += size
    with collector_paused():
        optimized, history = passes.run(graph) if optimize else (graph, [])
        try:
            executable = NumbaExecutable(optimized, images)
        except (KeyError, RuntimeError):  # a pass that gives other graphs at times; a function that numba has to load
            return None
    executable.history = history
    return executable


def _llvm(about: dict[str, Any], payload: bytes, graph: Graph, optimize: bool) -> Restored | None:
    given = _constants(graph) if any("given" in c for c in about["constants"]) else []
    constants = []
    start = about["code"]
    for c in about["constants"]:
        t = _type(c["type"])
        if "given" in c:
            constants.append(np.ascontiguousarray(given[c["given"]]))
        else:
            stop = start + t.size * t.dtype.itemsize
            constants.append(np.frombuffer(payload[start:stop], t.dtype).reshape(t.shape).copy())  # aligned
            start = stop
    nodes: list[Node] = []
    if about["foreign"]:
        nodes = list(_nodes(passes.run(graph)[0] if about["passed"] else graph))
        labels = dict(enumerate(n.op.label for n in nodes))
        if any(labels.get(f["node"]) != f["op"] for f in about["foreign"]):  # a pass that gives other graphs at times
            return None
    foreign = [nodes[f["node"]] for f in about["foreign"]]
    reused = dict(about["reused"])
    code = native.Native(payload[: about["code"]], tuple(about["symbols"]), CALLBACK)
    return Restored(graph, optimize, Program(constants, about["arena"], foreign, about["kernels"], reused), code)


def save(key: str, graph: Graph, executable: Compiled | NumbaExecutable) -> None:
    """Keep an executable that was compiled for a graph."""
    store = cache.store()
    if store is None:
        return
    if isinstance(executable, NumbaExecutable):
        sizes = {name: len(image) for name, image in executable.images.items()}
        store.save(key, Entry({"images": sizes}, b"".join(executable.images.values())))
        return
    program, code = executable.program, executable.native
    numbers, passed = _numbers(program, graph), False
    if numbers is None:
        numbers, passed = _numbers(program, executable.graph), True
    constants, carried = _described(program, graph)
    if numbers is None or sum(map(len, carried)) > _LARGEST:
        return
    foreign = [{"node": k, "op": n.op.label} for k, n in zip(numbers, program.foreign, strict=True)]
    description = {
        "code": len(code.image),
        "symbols": code.symbols,
        "constants": constants,
        "arena": program.arena,
        "kernels": program.kernels,
        "reused": list(program.reused.items()),
        "foreign": foreign,
        "passed": passed,
    }
    store.save(key, Entry(description, b"".join([code.image, *carried])))


def _described(program: Program, graph: Graph) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The constants: what is said of each, and the bytes of those that are not large constants of the graph."""
    known = {id(a): k for k, a in enumerate(_constants(graph)) if a.nbytes > _CARRIED}
    described: list[dict[str, Any]] = []
    carried = []
    for a in program.constants:
        about: dict[str, Any] = {"type": _spelled(TensorType(a.shape, a.dtype))}
        if id(a) in known:
            about["given"] = known[id(a)]
        else:
            carried.append(a.tobytes())
        described.append(about)
    return described, carried


def _numbers(program: Program, graph: Graph) -> list[int] | None:
    """For each foreign kernel the number of a node that computes the same in the graph; None if there is none."""
    if not program.foreign:
        return []
    found: dict[Any, int] = {}
    for k, n in enumerate(_nodes(graph)):
        found.setdefault((n.op, _types(n), n.line), k)
        found.setdefault((n.op, _types(n)), k)
    numbers = [found.get((n.op, _types(n), n.line), found.get((n.op, _types(n)))) for n in program.foreign]
    return None if None in numbers else numbers  # type: ignore[return-value]


def _types(n: Node) -> tuple[TensorType, ...]:
    return tuple([a.type for a in n.ins])


def _nodes(graph: Graph) -> Iterator[Node]:
    """All nodes, those of held graphs after their holder."""
    for n in graph.nodes:
        yield n
        for held in subgraphs(n.op):
            yield from _nodes(held)


def _constants(graph: Graph) -> list[ndarray]:
    """The constants of a graph, in its order."""
    atoms = [a for n in _nodes(graph) for a in n.ins] + list(graph.outputs)
    return [a.array for a in atoms if isinstance(a, Const)]


def _spelled(t: TensorType) -> list[Any]:
    return [SHORT[t.dtype], *t.shape]


def _type(spelled: list[Any]) -> TensorType:
    return TensorType(tuple(spelled[1:]), as_dtype(spelled[0]))
