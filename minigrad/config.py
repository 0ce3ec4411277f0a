"""Settings: argument > context manager > `set` > environment variable > default.

Floor 0. Each setting is one object that knows its name, its default, its environment variable and what it
accepts. Read it with `backend.get()`, or `backend.get(argument)` where a function takes its own argument;
change it for a while with `with backend.using("llvm"):`, or for the whole process with `backend.set("llvm")`.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

from minigrad.errors import SettingError

T = TypeVar("T")


class Setting(Generic[T]):
    """One setting.

    `parse` takes the text of the environment variable or a Python value, and returns the checked value.
    What it refuses it refuses with a ValueError whose text says what is allowed: "one of 'numpy', 'llvm'".
    """

    def __init__(self, name: str, default: T, parse: Callable[[object], T], doc: str, env: str = "") -> None:
        self.name, self.default, self.doc = name, default, doc
        self.env = env or f"MINIGRAD_{name.upper()}"
        self._parse = parse
        self._local: ContextVar[list[T]] = ContextVar(f"minigrad.{name}")  # [value]: None may be a value
        self._process: list[T] = []  # what `set` or the environment said; [] until someone asks

    def get(self, argument: T | None = None) -> T:
        """The value in force here. An argument that is not None wins over everything else.

        The environment is read at the first call only: this takes 0.1 µs, os.environ ten times that.
        """
        if argument is not None:
            return self._checked(argument, self.name)
        local = self._local.get(None)
        if local is not None:
            return local[0]
        if not self._process:
            self._process = [self._from_environment()]
        return self._process[0]

    def set(self, value: T) -> None:
        """Choose a value for the whole process, every thread; context managers still win over it."""
        self._process = [self._checked(value, self.name)]

    def reset(self) -> None:
        """Forget what `set` chose, and read the environment variable again at the next `get`."""
        self._process = []

    @contextmanager
    def using(self, value: T) -> Iterator[T]:
        """Choose a value for the body of a `with`: in this thread (or asyncio task) only."""
        checked = self._checked(value, self.name)
        token = self._local.set([checked])
        try:
            yield checked
        finally:
            self._local.reset(token)

    def _from_environment(self) -> T:
        """The environment variable's value; unset or empty means the default."""
        text = os.environ.get(self.env, "").strip()
        return self._checked(text, f"environment variable {self.env}") if text else self.default

    def _checked(self, value: object, source: str) -> T:
        try:
            return self._parse(value)
        except ValueError as refusal:
            raise SettingError(
                f"{source} is {value!r}, but must be {refusal}", hint=f"{self.name}: {self.doc}"
            ) from None

    def __repr__(self) -> str:
        return f"Setting({self.name!r}, default={self.default!r}, env={self.env!r})"


# What a setting accepts ----------------------------------------------------------------------------------


def one_of(*names: str) -> Callable[[object], str]:
    """Accept one of a few words."""

    def parse(value: object) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise ValueError("one of " + ", ".join(map(repr, names)))

    return parse


def flag(value: object) -> bool:
    """Accept yes or no."""
    words = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError("True or False (as text: " + ", ".join(words) + ")")


def positive_int(value: object, least: int = 1) -> int:
    """Accept 1, 2, 3, ..."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise ValueError(f"a whole number of at least {least}")


def whole_number(value: object) -> int | None:
    """Accept 0, 1, 2, ... and None."""
    return None if value is None else positive_int(value, 0)


def text_or_none(value: object) -> str | None:
    """Accept any text and None."""
    if value is None or isinstance(value, str):
        return value
    raise ValueError("text, or None")


def some_of(*topics: str) -> Callable[[object], frozenset[str]]:
    """Accept any set of a few words; as text, separated by commas, "all" for every one."""

    def parse(value: object) -> frozenset[str]:
        if isinstance(value, str):
            value = topics if value == "all" else [word.strip() for word in value.split(",") if word.strip()]
        if isinstance(value, Iterable):
            chosen = list(value)
            if all(topic in topics for topic in chosen):
                return frozenset(chosen)
        raise ValueError("any of " + ", ".join(map(repr, topics)) + " (as text: separated by commas, or all)")

    return parse


def _cores() -> int:
    """What OMP_NUM_THREADS asks for, as other libraries understand it, or the cores this process may run on."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# The settings --------------------------------------------------------------------------------------------

backend = Setting(
    "backend",
    "llvm",
    one_of("numpy", "numba", "llvm"),
    "what compiled graphs become: NumPy calls, numba kernels or one native function",
)
check_graphs = Setting(
    "check_graphs", False, flag, "type-check every graph after every pass that changed it", env="MINIGRAD_CHECK"
)
num_threads = Setting(
    "num_threads",
    _cores(),
    positive_int,
    "how many cores one compiled program may use; by default OMP_NUM_THREADS, or those this process may run on",
)
jit = Setting("jit", True, flag, "whether the numba backend compiles its kernels, or runs them as the Python they are")
log = Setting("log", frozenset[str](), some_of("recompiles", "passes"), "what to report on stderr while it happens")
seed = Setting[int | None](
    "seed", None, whole_number, "of the random directions of gradient checks; by default a fresh one each time"
)
cache = Setting("cache", True, flag, "keep compiled programs on disk, so that the next process need not compile them")
cache_dir = Setting[str | None](
    "cache_dir", None, text_or_none, "the folder to keep them in; by default below the platform's folder for caches"
)
cache_size = Setting(
    "cache_size", 512, positive_int, "how many MiB they may take; those not used for longest are deleted"
)
SETTINGS: tuple[Setting[Any], ...] = (
    backend, check_graphs, num_threads, jit, log, seed, cache, cache_dir, cache_size,
)  # fmt: skip


def set_num_threads(threads: int) -> None:
    """Run large kernels, and BLAS, on this many threads: 1, 2, ... in this process, from its next program on.

    By default as many as MINIGRAD_NUM_THREADS says, or OMP_NUM_THREADS, or as there are cores this process may use.
    Results of kernels are the same bits for any number; BLAS promises that only for one number.
    """
    num_threads.set(threads)
