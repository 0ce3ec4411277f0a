"""Recompiles: why a compiled thing was traced and compiled again, and how often anything was.

Floor 0. Whoever compiles keeps a `Watch` for each function (or session graph), and on a miss of its own cache enters
`watch.miss(signature)`. A miss after the first is compared with the nearest signature seen before: what differs
is the reason. Nothing here runs on a hit.
"""

from __future__ import annotations

import sys
import time
import warnings
import weakref
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from threading import RLock
from types import FunctionType
from typing import Any

from minigrad import config
from minigrad.errors import RecompileWarning, RetraceError
from minigrad.signatures import Change, Signature, changes, distance, telling
from minigrad.source import Line, user_line

_MANY = 5  # recompiles of one function after which it is likely that they go on
_REMEMBERED = 512  # functions that are remembered to find those made anew
_SEEN = 64  # signatures that are remembered to compare with


@dataclass(frozen=True, slots=True)
class Recompile:
    """One recompile: of what ("jit: step"), why, at which line of the user's, how long it took."""

    what: str
    changes: tuple[Change, ...]
    line: Line
    milliseconds: float = 0.0

    @property
    def reason(self) -> str:
        return "; ".join(map(str, self.changes))

    @property
    def fix(self) -> str:
        return self.changes[0].fix

    def __str__(self) -> str:
        rows = [f"{self.what} was compiled again, in {self.milliseconds:.1f} ms", f"  at {self.line}"]
        return "\n".join([*rows, *(f"  {c}" for c in self.changes), f"  {self.fix}"])


# ── watching ─────────────────────────────────────────────────────────────────────────────────────
class Watch:
    """What one function, or one session graph, has been compiled for."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.recompiles = 0
        self._seen: deque[Signature] = deque(maxlen=_SEEN)
        self._paths: Counter[str] = Counter()  # how often each part was the reason
        self._lock = RLock()

    @property
    def seen(self) -> bool:
        """Has anything been compiled yet?"""
        return bool(self._seen)

    def miss(self, signature: Signature) -> Miss:
        """A context, around the tracing and compiling of a miss. Raises RetraceError under `no_retrace`."""
        again = self._recompile(signature)
        if again and _forbidden.get():
            raise RetraceError(f"{self.what} would be compiled again inside no_retrace: {again.reason}", hint=again.fix)
        return Miss(self, signature, again)

    def learn(self, signature: Signature, again: Recompile | None) -> None:
        """Remember what has been compiled, and report it if it was not the first time."""
        with self._lock:
            self._seen.append(signature)
        if again:
            self._report(again)

    def _recompile(self, signature: Signature) -> Recompile | None:
        with self._lock:
            compared = [changes(old, signature) for old in reversed([*self._seen])]
        found = [c for c in compared if c]  # none differs: the entry was not kept, or was cleared
        if not found:
            return None
        return Recompile(self.what, tuple(telling(min(found, key=distance))), user_line())

    def _report(self, recompile: Recompile) -> None:
        count(recompiles=1)
        with self._lock:
            self.recompiles += 1
            self._paths.update(c.path for c in recompile.changes)
            often = self.recompiles == _MANY
        listeners = _listeners.get()
        for found in listeners:
            found.append(recompile)
        if listeners or "recompiles" in config.log.get():
            print(f"minigrad: {recompile}", file=sys.stderr)
        if often:
            path = self._paths.most_common(1)[0][0]
            last = next((c for c in recompile.changes if c.path == path), recompile.changes[0])
            _warn(f"{self.what} was compiled again {_MANY} times, last because of {last}\n  {last.fix}", recompile.line)


class Miss:
    """The time in which something is traced and compiled. What fails is not remembered."""

    def __init__(self, watch: Watch, signature: Signature, again: Recompile | None) -> None:
        self._watch, self._signature, self._again = watch, signature, again

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is None:
            milliseconds = (time.perf_counter() - self._start) * 1e3
            again = replace(self._again, milliseconds=milliseconds) if self._again else None
            self._watch.learn(self._signature, again)


class Remade:
    """Finds compiled functions that are made anew at each step of a loop: each compiles once and is thrown away."""

    def __init__(self) -> None:
        self._made: dict[Any, list[weakref.ref[Any]]] = {}

    def first_miss(self, function: Any, compiled: Any, what: str) -> None:
        """Called when `compiled`, made of `function`, has compiled for the first time. Warns if it is one too many."""
        if not hasattr(function, "__code__"):
            return
        line = user_line()
        if len(self._made) > _REMEMBERED:  # the values around differ each time: nothing to find in what is long ago
            self._made.clear()
        made = self._made.setdefault((_made_of(function), line.filename, line.lineno), [])
        made.append(weakref.ref(compiled))
        if len(made) == _MANY + 1:
            dead = sum(ref() is None for ref in made)
            if dead == _MANY:
                what_to_do = "compile the function once, outside of the loop, and call that"
                _warn(f"{what} was made anew and compiled again {_MANY} times\n  {what_to_do}", line)
            else:
                made[:] = [ref for ref in made if ref() is not None][-_MANY:]


def _warn(text: str, line: Line) -> None:
    warnings.warn_explicit(text, RecompileWarning, line.filename, line.lineno)


def _made_of(function: Any, deep: int = 4) -> tuple[Any, ...]:
    """Equal code with other values around it is another function; of functions around it their code counts, too: what
    `grad(lambda ...)` gives is new at each step as the lambda is."""
    around = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    inside = [_made_of(x, deep - 1) if deep and isinstance(x, FunctionType) else id(x) for x in around]
    return (function.__code__, *inside)


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


remade = Remade()
_forbidden: ContextVar[bool] = ContextVar("no_retrace", default=False)
_listeners: ContextVar[tuple[list[Recompile], ...]] = ContextVar("log_recompiles", default=())


@contextmanager
def no_retrace() -> Iterator[None]:
    """Inside the block (in this thread), compiling anything a second time raises RetraceError with the reason.

    >>> import minigrad.numpy as mnp
    >>> from minigrad.tracer import jit
    >>> f = jit(lambda x: x * 2)
    >>> with no_retrace():
    ...     _ = f(mnp.ones(3))
    ...     _ = f(mnp.zeros(3))
    """
    token = _forbidden.set(True)
    try:
        yield
    finally:
        _forbidden.reset(token)


@contextmanager
def log_recompiles() -> Iterator[list[Recompile]]:
    """Inside the block (in this thread), every recompile is printed to stderr and collected in the list it gives.

    >>> import minigrad.numpy as mnp
    >>> from minigrad.tracer import jit
    >>> double = jit(lambda x: x * 2)
    >>> with log_recompiles() as found:
    ...     _ = double(mnp.ones(3)), double(mnp.ones(4))
    >>> found[0].reason
    'argument x: f32[3] -> f32[4]'
    """
    found: list[Recompile] = []
    token = _listeners.set((*_listeners.get(), found))
    try:
        yield found
    finally:
        _listeners.reset(token)


# ── counting ─────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Counters:
    """What has happened in this process so far.

    traces: functions and session runs made into graphs; compiles: graphs compiled; disk_hits: those found in the cache
    on disk instead; recompiles: misses of a function that had been compiled before; seconds: spent compiling and
    loading.
    """

    traces: int = 0
    compiles: int = 0
    disk_hits: int = 0
    recompiles: int = 0
    seconds: float = 0.0


_counters = Counters()
_counting = RLock()  # also of a signal's handler in the middle of it


def counters() -> Counters:
    """The counters of this process, as they stand."""
    return _counters


def count(**more: float) -> None:
    """Add to the counters."""
    global _counters
    with _counting:
        _counters = replace(_counters, **{k: getattr(_counters, k) + n for k, n in more.items()})
