"""How many threads programs use: the pool's, which are made when the first program wants them, and BLAS's.

Floor 4. The threads are Python's but never hold the GIL while they wait or work (see `loops.pool`). They sleep while
nothing runs on several threads. A forked child begins without any, and makes its own.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from _thread import start_new_thread
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from minigrad import config
from minigrad.backends.blas import set_threads
from minigrad.loops import pool

Worker = ctypes.CFUNCTYPE(None, ctypes.c_int64)  # releases the GIL while it runs


class _Pool:
    """The pool's memory and its threads. `limit` is how many threads there shall be beside the one that calls."""

    def __init__(self) -> None:
        # private: by default a forked child would share it, and its threads would take our blocks
        private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
        self._memory = mmap.mmap(-1, pool.SIZE, **private)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._memory))  # threads may look at it until the very end
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._worker: Any = None
        self._told = False
        self.reset()

    def reset(self) -> None:
        """As if there had never been a thread; so it is in a forked child."""
        self._memory[:] = bytes(pool.SIZE)
        self.threads, self._alive, self._lock = 0, set[int](), RLock()
        _posix("pthread_mutex_init", self.address + pool.MUTEX, None)
        _posix("pthread_cond_init", self.address + pool.CONDITION, None)

    def adopt(self, worker: int, code: object) -> None:
        """Threads shall wait in this function of a program, whose code stays for good."""
        if self._worker is None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(code))
            self._worker = Worker(worker)
            self.threads = 0  # those wanted so far could not be made

    def resize(self, threads: int) -> None:
        """Have as many threads as the setting says."""
        with self._lock:
            self.threads = threads
            if self._told or threads != config.num_threads.default:  # else BLAS's own settings hold
                self._tell_blas(threads)
                self._told = True
            ctypes.c_int64.from_address(self.address + pool.LIMIT).value = threads - 1
            new = [k for k in range(threads - 1) if k not in self._alive] if self._worker else []
            self._alive.update(new)
        try:
            for k in new:
                start_new_thread(self._work, (k,))
        except RuntimeError:  # the system gives no more, or Python is about to end: those there are will do
            with self._lock:
                self._alive.difference_update(new[new.index(k) :])
        self._wake()

    def _work(self, k: int) -> None:
        while True:
            self._worker(k)
            with self._lock:
                if k >= self.threads - 1:
                    self._alive.discard(k)
                    return

    def _tell_blas(self, threads: int) -> None:
        """On how many threads it shall run: while programs run products in blocks, as soon as they are done."""
        with self._mutex():
            if ctypes.c_int64.from_address(self.address + pool.ALONE).value:
                ctypes.c_int32.from_address(self.address + pool.KEPT).value = threads
            else:
                set_threads(threads)

    def _wake(self) -> None:
        """Those that sleep see whether they are still wanted."""
        with self._mutex():
            _posix("pthread_cond_broadcast", self.address + pool.CONDITION)

    @contextmanager
    def _mutex(self) -> Iterator[None]:
        """What programs hold while they change what the pool says of BLAS, and threads while they go to sleep."""
        _posix("pthread_mutex_lock", self.address + pool.MUTEX)
        try:
            yield
        finally:
            _posix("pthread_mutex_unlock", self.address + pool.MUTEX)


def _posix(function: str, address: int, *more: None) -> None:
    """Elsewhere programs use one thread only: there is nothing to guard."""
    if os.name == "posix":
        getattr(ctypes.CDLL(None), function)(ctypes.c_void_p(address), *more)


POOL = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.reset)


def prepare() -> None:
    """Before a program runs that may use several threads, ours or BLAS's: have as many as the setting says."""
    threads = config.num_threads.get()
    if threads != POOL.threads:
        POOL.resize(threads)
