"""jit: trace once for each combination of shapes, dtypes, structure and static values; compile; run.

Floor 6. Under `Evaluate` a call finds its executable in a dictionary and runs it. Under any other interpreter (an
outer jit, grad, vmap) the function becomes one `Call` op that holds the graph, and follows that op's rules.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial, update_wrapper
from threading import RLock
from types import MethodType
from typing import Any

import numpy as np

from minigrad import backends, config, tree
from minigrad.errors import ArgumentError
from minigrad.graph import run
from minigrad.op import EVALUATE, Array, Value, interpreter, ndarray
from minigrad.recompiles import Watch, count, remade
from minigrad.signatures import Part, Signature
from minigrad.tracer.ahead import Lowered, explained
from minigrad.tracer.arguments import (
    argument_names,
    argument_value,
    name_of,
    positional_names,
    require_callable,
)
from minigrad.tracer.entry import Entry
from minigrad.tracer.staging import NOT_A_TENSOR, Staged, Statics, stage
from minigrad.types import SHORT

_KEPT = 256  # programs of one function: who needs more is likely to need ever more


class Jit:
    """A compiled function. Made by `jit`; callable as the function was."""

    def __init__(self, f: Any, statics: Statics, backend: str | None, inline: bool, donated: frozenset[int]) -> None:
        update_wrapper(self, f)
        self.f, self.statics, self.backend, self.inline = f, statics, backend, inline
        self.trace_count = 0
        self._entries: dict[Any, Entry] = {}
        self._quick: dict[Any, Entry] = {}  # the same entries, for calls with nothing but arrays, by a cheaper key
        self._donated = donated
        self._is_plain = not statics and not donated
        self._lock = RLock()
        self._watch = Watch(f"jit: {name_of(f)}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        key: list[Any] = [self.backend or config.backend.get()]
        if interpreter.get() is EVALUATE and not kwargs and self._is_plain:
            arrays: list[ndarray] = []
            for x in args:
                kind = type(x)
                if kind is Array:
                    x = x.array
                elif kind is not np.ndarray:
                    break
                arrays.append(x)
                key.append(x.shape)
                key.append(x.dtype)
            else:
                quick = tuple(key)
                entry = self._quick.get(quick)
                if entry is not None:
                    return entry.run(arrays)
                return self._call(args, kwargs, key[0], quick)
        return self._call(args, kwargs, key[0], None)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any], backend: str, quick: Any) -> Any:
        dynamic, named, static_key = self.statics.split(args, kwargs)
        leaves, structure = tree.flatten((dynamic, named))
        eager = interpreter.get() is EVALUATE
        values, parts = self._values(leaves, dynamic, named, eager)
        key = (backend, structure, static_key, *parts)
        entry = self._entries.get(key)
        captured: list[Value] = []
        runs = eager and all(type(x) is Array for x in values)
        if entry is None:
            first = not self._watch.seen
            with self._watch.miss(self._signature(dynamic, named, static_key, structure, backend, values)):
                staged = self._stage(dynamic, named, static_key, [x.type for x in values])
                entry, captured = Entry(staged, backend, self._donated_leaves(dynamic)), staged.captured
                if not captured:  # a graph that closes over traced values is good for this call only
                    entry = self._keep(key, entry)
                if runs:
                    _ = entry.executable  # compiled here, where its time counts
            if first:
                remade.first_miss(self.f, self, self._watch.what)
        if runs:
            if quick == (backend, *parts):  # else the arrays are not what runs: their bytes are in another order
                self._quick[quick] = entry
            if entry.donated:
                return entry.run_donating(values, leaves, self._watch.what)  # type: ignore[arg-type]
            return entry.run([x.array for x in values])  # type: ignore[attr-defined]
        operands = [*captured, *values]
        ys = run(entry.graph, operands) if self.inline else entry.op(*operands)
        return entry.outputs.unflatten(ys)

    def _donated_leaves(self, args: tuple[Any, ...]) -> frozenset[int]:
        """The numbers of the leaves that belong to donated arguments."""
        found: list[int] = []
        start = 0
        for k, x in enumerate(args):
            stop = start + len(tree.leaves(x))
            found += range(start, stop) if k in self._donated else ()
            start = stop
        return frozenset(found)

    def _keep(self, key: Any, entry: Entry) -> Entry:
        """The entry to use; the oldest one is forgotten when there are too many."""
        with self._lock:
            if len(self._entries) >= _KEPT:
                del self._entries[next(iter(self._entries))]
                self._quick.clear()
            return self._entries.setdefault(key, entry)

    def _values(self, leaves: list[Any], args: Any, kwargs: Any, eager: bool) -> tuple[list[Value], list[Any]]:
        """The leaves as values, and their shapes and dtypes one after the other (quicker to hash than types)."""
        values: list[Value] = []
        parts: list[Any] = []
        for i, x in enumerate(leaves):
            if type(x) is np.ndarray and eager and x.dtype in SHORT:
                x = Array(x)  # no copy: what runs now neither changes its inputs nor keeps them
            elif type(x) is not Array:
                x = argument_value("jit", x, lambda i=i: argument_names(self.f, args, kwargs)[i], NOT_A_TENSOR)  # type: ignore[misc]
            values.append(x)
            parts.append(x.shape)
            parts.append(x.dtype)
        return values, parts

    def _stage(self, args: tuple[Any, ...], kwargs: dict[str, Any], static_key: Any, types: Any = None) -> Staged:
        with self._lock:
            self.trace_count += 1
        count(traces=1)
        return stage("jit", self.f, self.statics, args, kwargs, static_key, types)

    def _signature(
        self, args: Any, kwargs: Any, static_key: Any, structure: tree.TreeDef, backend: str, values: list[Value]
    ) -> Signature:
        """The parts of the key, by the names the user knows them by."""
        names = argument_names(self.f, args, kwargs)
        parts = {f"argument {name}": Part("array", str(x.type)) for name, x in zip(names, values, strict=True)}
        for place, _, x in static_key:
            parts[f"static argument {self._static_name(place)}"] = Part(
                "static", f"{x!r} ({type(x).__name__})", hash(x)
            )
        parts["the arguments' containers"] = Part("structure", str(structure))
        parts["the setting backend"] = Part("setting", backend)
        return parts

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        """To another process by its name, as functions go there; without one, as what it was made of. No program."""
        name = getattr(self, "__qualname__", "")
        if getattr(sys.modules.get(self.__module__), name, None) is self:
            return name
        return Jit, (self.f, self.statics, self.backend, self.inline, self._donated)

    def __repr__(self) -> str:
        return f"<jit of {getattr(self.f, '__qualname__', self.f)}, {len(self._entries)} compiled>"

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The graph for these arguments (or their types), to look at or to compile ahead of time."""
        staged = self._stage(*self.statics.split(args, kwargs))
        return Lowered(staged, self.backend or config.backend.get())

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """What is computed together, for these arguments (or their types): the kernels with the lines they come from,
        what they load and store, why what is not computed together is not, and the calls of the library. To be printed.

        Without arguments: of the program that was compiled last. Nothing is run, and nothing compiled.
        """
        made = list(self._entries.items())
        if args or kwargs or not (made or self._takes_arguments()):
            return self.lower(*args, **kwargs).explain()
        if not made:
            raise ArgumentError(
                f"explain: {name_of(self.f)} has not been called yet, so it is not known for which arguments",
                hint="call it first, or give arguments or their types: explain(ShapeDtypeStruct((3,), 'float32'))",
            )
        (_, _, static_key, *_), entry = made[-1]
        given = [f"{v.label}: {v.type}" for v in entry.graph.inputs]
        given += [f"{self._static_name(place)} = {x!r:.60}" for place, _, x in static_key]
        return f"for {', '.join(given) or 'no arguments'}\n{explained(entry.graph)}"

    def _takes_arguments(self) -> bool:
        try:
            inspect.signature(self.f).bind()
        except TypeError:
            return True
        except ValueError:  # a builtin that does not say
            pass
        return False

    def _static_name(self, place: int | str) -> str:
        return positional_names(self.f, place + 1)[place] if isinstance(place, int) else place

    def cache_size(self) -> int:
        """How many combinations of types, structures and static values have been traced and kept."""
        return len(self._entries)

    def clear_cache(self) -> None:
        self._entries.clear()
        self._quick.clear()


def jit(
    f: Callable[..., Any] | None = None,
    *,
    static_argnums: int | Sequence[int] = (),
    static_argnames: str | Iterable[str] = (),
    donate_argnums: int | Sequence[int] = (),
    backend: str | None = None,
    inline: bool = False,
) -> Any:
    """f, traced into a graph at the first call with arguments of new types, compiled, and run.

    Array arguments (also inside containers) are inputs, known by shape and dtype only; Python numbers are inputs of
    dtype bool, int64, float32 or complex64. Static arguments are Python values the graph is made for: a new value
    means a new trace. donate_argnums: positional arguments whose arrays nobody will use again; an output of the same
    shape and dtype may lie in their memory, and using them is an error. NumPy arrays stay as they are.
    inline: inside another trace the nodes are copied in, instead of one call.

    The result has `lower`, `explain`, `trace_count`, `cache_size()` and `clear_cache()`.

    >>> square = jit(lambda x: x * x)
    >>> [float(square(x)) for x in (2.0, 3.0)], square.trace_count
    ([4.0, 9.0], 1)
    """
    if f is None:
        return partial(
            jit,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            backend=backend,
            inline=inline,
        )
    require_callable("jit", f)
    backends.prepare(backend)
    statics, given = Statics("jit", f, static_argnums, static_argnames), Statics("jit", f, donate_argnums, (), "donate")
    both = sorted(statics.numbers & given.numbers)
    if both:
        raise ArgumentError(f"jit: argument {both[0]} is static, so it cannot be donated")
    return Jit(f, statics, backend, inline, given.numbers)
