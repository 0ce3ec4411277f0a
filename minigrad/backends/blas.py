"""Where BLAS is: the addresses of its routines, for native code to call.

Floor 4. NumPy's wheels bring an OpenBLAS that is loaded already; asking it costs nothing, its threads are the ones
NumPy uses, and its results are the reference's. Where NumPy was built otherwise, scipy exports the pointers of its own,
at the price of importing scipy.linalg (0.1 s).
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from numpy._core import _multiarray_umath as multiarray  # type: ignore[attr-defined]

from minigrad.lazy import lazy_module

cython_blas: Any = lazy_module("scipy.linalg.cython_blas")


@cache
def blas(name: str) -> tuple[int, int]:
    """The address of a routine such as "sgemm", and how many bits its integers have."""
    library = ctypes.CDLL(multiarray.__file__)  # names are looked up in what it is linked with, too
    try:
        routine = getattr(library, f"scipy_{name}_64_")
    except AttributeError:
        return _from_scipy(name), 32
    return int(ctypes.cast(routine, ctypes.c_void_p).value or 0), 64


def set_threads(threads: int) -> None:
    """Products of matrices run on this many threads from now on: NumPy's, too, where it shares its BLAS with us."""
    ctypes.CFUNCTYPE(None, ctypes.c_int)(threads_function("set"))(threads)


@cache
def threads_function(verb: str) -> int:
    """The address of the function that is told ("set") or tells ("get") on how many threads BLAS runs."""
    try:
        routine = getattr(ctypes.CDLL(multiarray.__file__), f"scipy_openblas_{verb}_num_threads64_")
    except AttributeError:  # another BLAS, which follows OMP_NUM_THREADS: a function that does nothing
        routine = ctypes.pythonapi.Py_IsInitialized
    return int(ctypes.cast(routine, ctypes.c_void_p).value or 0)


def _from_scipy(name: str) -> int:
    capsule = cython_blas.__pyx_capi__[name]
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer_of(capsule, name_of(capsule)))
