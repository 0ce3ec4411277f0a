"""What a compiled program depends on: the key it is kept under.

Floor 4. The graph as it was before any pass, exact to the bit, constants included; minigrad's own sources; the versions
of what compiles and runs it; the processor; the settings. If any of it differs, so does the key.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Collection, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import config
from minigrad.backends import native
from minigrad.errors import BackendError
from minigrad.graph import Graph
from minigrad.lazy import lazy_module
from minigrad.op import ndarray
from minigrad.text import to_text

binding: Any = lazy_module("llvmlite.binding")

_SPELLED = 512  # bytes of a constant that are written out; more are hashed
# The rest of minigrad (front-ends, the command line) only decides which graph there is.
_ROOMS = ("text", "ops", "interpreters", "control", "passes", "loops", "backends")


def key(graph: Graph, backend: str, optimize: bool, donated: Collection[int] = ()) -> str | None:
    """The key of this graph on this machine; None for a graph that runs Python functions, which have no text."""
    text = to_text(graph, lines=False, names=False, rules=False, spell=_spell)
    if "host(" in text:
        return None
    settings = (backend, optimize, sorted(donated), config.check_graphs.get(), _numba() if backend == "numba" else ())
    digest = hashlib.blake2b(repr((text, settings, surroundings())).encode(), digest_size=20)
    return f"{backend}-{digest.hexdigest()}"


def _spell(array: ndarray) -> str:
    if array.nbytes <= _SPELLED:
        data = array.tobytes()
    else:
        data = hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=20).digest()
    return f"const({array.shape}, {array.dtype.str}, {data.hex()})"


@cache
def surroundings() -> tuple[Any, ...]:
    """Everything but the graph and the settings. LLVM itself is not asked: its library takes long to load."""
    return (_sources(), versions(), native.layout(), platform.machine(), sys.platform, processor())


def _numba() -> tuple[Any, ...]:
    """numba's version, and the environment it takes settings from."""
    settings = sorted([(name, x) for name, x in os.environ.items() if name.startswith("NUMBA_")])
    return (_numba_version(), settings)


@cache
def _numba_version() -> bytes:
    found = find_spec("numba")
    return (Path(found.origin).parent / "_version.py").read_bytes() if found and found.origin else b""


def versions() -> tuple[Any, ...]:
    """Of Python, NumPy and llvmlite; and which library of LLVM's, since llvmlite may be built with another one."""
    found = find_spec("llvmlite")
    if found is None or found.origin is None:
        raise BackendError("llvm: llvmlite is not installed")
    home = Path(found.origin).parent
    files = sorted((home / "binding").glob("*llvmlite.*"))
    libraries = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return (sys.version, np.__version__, (home / "_version.py").read_bytes(), libraries)


def processor() -> tuple[str, ...]:
    """What this machine's processor is and can do."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            first = file.read(1 << 13).decode(errors="replace").partition("\n\n")[0]
    except OSError:  # not Linux
        return (binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten())
    # the names of these lines on x86 and on ARM; others change from moment to moment
    told = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features", "CPU implementer",
            "CPU architecture", "CPU variant", "CPU part", "CPU revision")  # fmt: skip
    return tuple([line for line in first.splitlines() if line.partition(":")[0].strip() in told])


def _sources() -> str:
    """Of minigrad itself: an edited copy is another compiler, whatever its version says. Size and time of change stand
    for a file's content, as they do for Python's own byte code; to read them all would take longer than the rest."""
    home = Path(__file__).parents[1]
    files = [*_modules(home, ()), *(e for room in _ROOMS for e in _modules(home / room))]
    about = sorted((e.path, (found := e.stat()).st_size, found.st_mtime_ns) for e in files)
    return hashlib.blake2b(repr(about).encode(), digest_size=20).hexdigest()


def _modules(folder: str | Path, within: Collection[str] | None = None) -> Iterator[os.DirEntry[str]]:
    """The Python files of a folder, and of the folders in it (`within`: of these only)."""
    with os.scandir(folder) as entries:
        for e in entries:
            if e.name.endswith(".py"):
                yield e
            elif e.is_dir() and e.name != "__pycache__" and (within is None or e.name in within):
                yield from _modules(e.path)
