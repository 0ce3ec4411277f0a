"""Start the processes that measure, compare their results, and collect the figures.

Every workload and framework gets two processes: one with an empty cache for the first call and the results, then, if
the results agree, one with the cache the first has filled, for the steady calls.
"""

from __future__ import annotations

import compileall
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).parents[1]
TIME_LIMIT = 600  # seconds a process may take
STEADY, QUICK_STEADY = 3.0, 0.3  # seconds of steady calls
MEMORY, LONG_MEMORY = 1 << 28, 3 << 30  # bytes that a workload takes at most, and a long one
CACHES = (
    "XDG_CACHE_HOME",
    "NUMBA_CACHE_DIR",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "JAX_COMPILATION_CACHE_DIR",
)


@dataclass
class Options:
    """What to run and how."""

    peers: list[str] = field(default_factory=list)
    peer_python: str = sys.executable
    threads: int = 1
    only: list[str] = field(default_factory=list)
    backend: str = "llvm"
    quick: bool = False

    @property
    def workloads(self) -> list[str]:
        return [name for name in self.only or WORKLOADS if not (self.quick and not self.only and WORKLOADS[name].long)]


@dataclass
class Row:
    """One workload under one framework. Seconds and bytes; None where it was not measured, and `status` says why."""

    workload: str
    framework: str
    status: str = "ok"
    whole: float | None = None  # from the start of the process to the end of the first call, drawing the data excepted
    first: float | None = None  # first call, empty cache
    first_cached: float | None = None  # first call in a new process, cache filled
    steady: float | None = None  # median of later calls
    spread: float | None = None  # half their interquartile range
    calls: int | None = None
    memory: int | None = None  # peak of the process
    difference: float | None = None  # from minigrad's results: relative, in the 2-norm, of the worst output


class Failed(Exception):
    """A process that did not measure; the message is what it said last."""


@contextmanager
def pinned(threads: int) -> Iterator[None]:
    """This process, and those it starts, on the first `threads` cores."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:threads])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(options: Options, folder: str) -> dict[str, str]:
    """The same for every framework: number of threads, and where caches go.

    What would make NumPy's BLAS take this processor for another one is not handed on: the peers bring their own BLAS.
    """
    byte_compiled()
    kept = {name: x for name, x in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    threads = {f"{name}_NUM_THREADS": str(options.threads) for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "MINIGRAD")}
    return kept | threads | dict.fromkeys(CACHES, folder) | {
        "MINIGRAD_BACKEND": options.backend,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip


@cache
def byte_compiled() -> None:
    """As an installer leaves a package: the peers' byte code is there too, and nobody's is made while we measure."""
    for package in ("minigrad", "benchmarks"):
        compileall.compile_dir(ROOT / package, quiet=1)


def process(framework: str, arguments: Iterable[str], options: Options, caches: str) -> Any:
    """The JSON that `python -m *arguments` prints, from a process of its own."""
    python = sys.executable if framework == "minigrad" else options.peer_python
    environ = environment(options, caches) | {"BENCHMARK_STARTED": repr(time.time())}
    command = [python, "-m", *arguments]
    try:
        with pinned(options.threads):
            done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise Failed(f"took more than {TIME_LIMIT} s") from None
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return json.loads(done.stdout.splitlines()[-1])


def difference(mine: Path, theirs: Path) -> float:
    """How far apart two files of results are: the largest relative distance, in the 2-norm, of two arrays."""
    with np.load(mine) as a, np.load(theirs) as b:
        if [a[k].shape for k in a.files] != [b[k].shape for k in b.files]:
            return float("inf")
        return max(distance(a[k].astype(np.float64), b[k].astype(np.float64)) for k in a.files)


def distance(a: Any, b: Any) -> float:
    apart = float(np.linalg.norm(a - b) / max(np.linalg.norm(b), np.finfo(np.float32).tiny))
    return apart if np.isfinite(apart) else float("inf")


def plays(framework: str, name: str) -> bool:
    """Whether a framework has a version of a workload: a compiler has none of an eager one."""
    if framework.startswith("tensorflow"):
        return WORKLOADS[name].tensorflow is not None
    return not (framework == "torch.compile" and WORKLOADS[name].eager)


def measured(name: str, options: Options, watch: Callable[[str], None]) -> list[Row]:
    """One workload under minigrad and the peers. Nobody is timed whose results differ from minigrad's."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        rows = [Row(name, framework) for framework in ("minigrad", *options.peers) if plays(framework, name)]
        results = {row.framework: Path(scratch, row.framework + ".npz") for row in rows}
        for row in rows:
            watch(f"{name}: {row.framework}, first call")
            _attempt(row, 0, options, scratch, str(results[row.framework]))
        mine = results["minigrad"]
        for row in rows[1:]:
            if row.status == "ok" and mine.exists():
                row.difference = difference(mine, results[row.framework])
                if row.difference > WORKLOADS[name].tolerance:
                    row.status = f"results differ from minigrad's by {row.difference:.1e}"
        if any(row.difference is not None for row in rows) and all(row.status != "ok" for row in rows[1:]):
            rows[0].status = "results differ from every peer's"
        for row in rows:
            if row.status == "ok":
                watch(f"{name}: {row.framework}, steady calls")
                _attempt(row, QUICK_STEADY if options.quick else STEADY, options, scratch)
        return rows


def _attempt(row: Row, seconds: float, options: Options, scratch: str, *results: str) -> None:
    """Fill in a row from one process."""
    caches = str(Path(scratch, row.framework))
    arguments = ["benchmarks.measure", row.workload, row.framework, str(options.threads), str(seconds), *results]
    _make_memory_ready(LONG_MEMORY if WORKLOADS[row.workload].long else MEMORY)
    try:
        figures = process(row.framework, arguments, options, caches)
    except Failed as failed:
        row.status = f"failed: {failed}"
        return
    if not seconds:
        row.whole, row.first = figures["whole"], figures["first"]
        return
    row.first_cached, row.memory = figures["first"], figures["memory"]
    row.steady, row.spread, row.calls = figures["steady"], figures["spread"], figures["calls"]


def _make_memory_ready(nbytes: int) -> None:
    """Use and free as much memory as the process to be measured will take.

    A virtual machine may have given memory that was idle back to its host, and what is free may lie in pieces. Taking
    it anew costs up to a second a GB, which whoever is measured first would pay for all. NumPy asks for large pages.
    """
    subprocess.run([sys.executable, "-c", f"import numpy; numpy.ones({nbytes}, numpy.int8)"], check=False)


def machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "processor": platform.machine(), "system": platform.system()}


def as_json(options: Options, rows: list[Row], **more: Any) -> str:
    content = {"machine": machine(), "options": asdict(options), "rows": [asdict(row) for row in rows], **more}
    return json.dumps(content, indent=1)
