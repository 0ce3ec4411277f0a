"""LLVM's text made into machine code that this process can call.

Floor 4. llvmlite parses and optimises for this machine's processor; `loader` links, or else ORC. A program met before
(same text) is not compiled again while it is remembered.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache, lru_cache
from itertools import count
from threading import RLock
from typing import Any

import numpy as np

from minigrad.backends import loader
from minigrad.backends.blas import blas, threads_function
from minigrad.backends.threads import POOL
from minigrad.errors import BackendError
from minigrad.lazy import lazy_module
from minigrad.loops import pool, signals
from minigrad.loops.library import THREADS, THREADS_NOW
from minigrad.loops.program import ENTRY, Layout

llvm: Any = lazy_module("llvmlite.binding")

compiling = RLock()  # LLVM's contexts are not for several threads at once
_serial = count()
BLAS = ("sgemm", "dgemm")
IMPORTED = (
    *BLAS,
    THREADS,
    THREADS_NOW,
    signals.FOREIGN,
    pool.POOL,
    *signals.SYMBOLS,
)  # symbols that are not the process's own
if hasattr(os, "register_at_fork"):  # a child must not find compilers in the middle of something that never ends there
    os.register_at_fork(before=compiling.acquire, after_in_parent=compiling.release, after_in_child=compiling.release)


class _Method(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (("name", ctypes.c_char_p), ("at", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


ONE, FASTCALL = 0x8, 0x80  # METH_O, METH_FASTCALL: called with one object; with an array of objects and their number
_method = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(_Method), ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


def function(at: int, how: int, code: object) -> Any:
    """A function of ours as one of Python's own kind: called through ctypes it would take 0.2 µs more. It has the GIL,
    and lets go of it itself if it is long (see `signals`). `code` is what must live as long as it does."""
    method = _Method(b"program", at, how, None)
    return _method(method, (method, code), None)


def address(callback: Any) -> int:
    """The address native code calls a ctypes callback by."""
    return int(ctypes.cast(callback, ctypes.c_void_p).value or 0)


def python(name: str) -> int:
    """The address of a function of CPython's interface."""
    return address(getattr(ctypes.pythonapi, name))


class Native:
    """A linked program. `run(list of arrays)` raises what a foreign kernel or a signal's handler raised.

    `image` is its object code, `symbols` what it calls; `foreign` is the address of the function it calls back;
    `threaded`: it may use several threads, its own or BLAS's.
    """

    def __init__(self, image: bytes, symbols: tuple[str, ...], foreign: int) -> None:
        self.image, self.symbols = image, symbols
        given = {signals.FOREIGN: foreign, pool.POOL: POOL.address}
        given |= {THREADS: threads_function("set"), THREADS_NOW: threads_function("get")}
        given.update({name: python(name) for name in signals.SYMBOLS})
        known = {name: given[name] if name in given else blas(name)[0] for name in symbols}
        self._code = linked(image, known, (ENTRY, pool.WORKER) if pool.POOL in symbols else (ENTRY,))
        self.threaded = pool.POOL in symbols or any(name in BLAS for name in symbols)
        if pool.POOL in symbols:
            POOL.adopt(self._code[pool.WORKER], self._code)
        self.size = len(image)
        self.run = function(self._code[ENTRY], ONE, self._code)


def linked(image: bytes, known: dict[str, int], exported: tuple[str, ...]) -> Any:
    """Object code in memory: `[name]` is where an exported function begins. `known` are the addresses of what it calls,
    functions of C's libraries aside."""
    code = loader.load(image, lambda name: known.get(name) or loader.process_symbol(name))
    return _link(image, known, exported) if code is None else code


def _link(image: bytes, known: dict[str, int], exported: tuple[str, ...]) -> Any:
    """The same by LLVM's linker."""
    with compiling:
        builder = llvm.JITLibraryBuilder().add_object_img(image).add_current_process()
        for name in exported:
            builder.export_symbol(name)
        for name, place in known.items():
            builder.import_symbol(name, place)
        return builder.link(_linker(), f"minigrad{next(_serial)}")


@lru_cache(maxsize=256)
def native(text: str, foreign: int) -> Native:
    """The program of this text; `foreign` is the address of the function it calls back."""
    image = _compiled(text)
    return Native(image, tuple([name for name in IMPORTED if f"@{name}(" in text or f"@{name} =" in text]), foreign)


def _compiled(text: str) -> bytes:
    """LLVM's text as object code."""
    with compiling:
        machine, options = _compiler()
        module = llvm.parse_assembly(text)
        _optimize(module, machine, options)
        image: bytes = machine.emit_object(module)
        module.close()
    return image


def _optimize(module: Any, machine: Any, options: Any) -> None:
    """Give accumulators registers. Nothing else is wanted of LLVM's passes: the loops are written in vectors, and equal
    scalars are merged and what does not change is lifted out of loops when instructions are selected.

    A manager serves once, and takes 60 KB that llvmlite 0.50 does not give back: the `_dispose` that does so is hidden
    by another base's, which does nothing. The builder serves once, too: each run leaves callbacks in it, which every
    later run of a pass calls, so that after a thousand programs one takes five times as long.
    """
    builder = llvm.create_pass_builder(machine, options)
    manager = llvm.create_new_module_pass_manager()
    manager.add_sroa_pass()
    manager.run(module, builder)
    llvm.newpassmanagers.NewPassManager._dispose(manager)
    manager.detach()
    builder.close()


@cache
def _linker() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_lljit_compiler()


@cache
def _compiler() -> tuple[Any, Any]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=1, jit=True)
    return machine, llvm.create_pipeline_tuning_options(speed_level=0)


@cache
def vector_bytes() -> int:
    """How wide this machine's vectors are."""
    with compiling:
        features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512bw") else 32 if features.get("avx2") else 16


@cache
def prepare() -> None:
    """Load LLVM and set it up for this machine. Its first module takes three times as long as later ones."""
    _compiled("define float @first(float %x) {\n  ret float %x\n}")


@cache
def layout() -> Layout:
    """Where this Python keeps a list's items and this NumPy an array's data, found by looking."""
    array = np.zeros(1)
    items = [array]
    data = _offset(array, array.ctypes.data)
    for offset in (24, 40):  # with the GIL, without it
        if offset + 8 <= sys.getsizeof(items) and _word(_word(id(items) + offset)) == id(array):
            return Layout(offset, data, blas("sgemm")[1])
    raise BackendError("llvm: this Python does not keep lists as CPython does")


def _offset(thing: Any, wanted: int) -> int:
    for offset in range(8, 64, 8):
        if _word(id(thing) + offset) == wanted:
            return offset
    raise BackendError("llvm: this NumPy does not keep its arrays as expected")


def _word(address: int) -> int:
    return int(ctypes.c_size_t.from_address(address).value)
