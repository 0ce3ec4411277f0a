"""One workload under one framework, in this process: first call, steady calls, memory, and the results.

    python -m benchmarks.measure NAME FRAMEWORK THREADS STEADY_SECONDS [RESULTS_FILE]

The runner starts it; it prints one line of JSON. Loaded by the peers' interpreter too: standard library and NumPy only.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workload import Run, Workload, leaves, recorded, staged, traced
from benchmarks.workloads import WORKLOADS

CHECKED_CALLS = 3  # the calls after which results are compared: a training step builds on the one before
WARM_UP = 0.2  # of the steady time
FEWEST, MOST = 5, 20_000  # steady calls

Start = tuple[Callable[[Workload, Any], Run], Callable[[Any], Any]]  # (prepare, wait for the outputs)


# ── the frameworks: each imports itself, and says how to prepare a run and wait for its end ──────
def minigrad(threads: int) -> Start:
    jax, jnp = import_module("minigrad.tracer"), import_module("minigrad.numpy")

    def prepare(workload: Workload, arguments: Any) -> Run:
        if workload.eager:
            return recorded(workload, import_module("minigrad.tape"), lambda f: f, arguments)
        return traced(workload, jax, jnp, arguments)

    return prepare, lambda outputs: None


def jax(threads: int) -> Start:
    jax, jnp = import_module("jax"), import_module("jax.numpy")

    def wait(outputs: Any) -> None:
        while isinstance(outputs, tuple | list | dict):  # all outputs of one program are ready together
            outputs = outputs[0] if isinstance(outputs, tuple | list) else next(iter(outputs.values()))
        outputs.block_until_ready()

    return lambda workload, arguments: traced(workload, jax, jnp, arguments), wait


def torch(threads: int, compiled: bool = False) -> Start:
    torch = import_module("torch")
    torch.set_num_threads(threads)
    compile = torch.compile if compiled else lambda f: f
    return lambda workload, arguments: recorded(workload, torch, compile, arguments), lambda outputs: None


def torch_compile(threads: int) -> Start:
    return torch(threads, compiled=True)


def tensorflow(threads: int, xla: bool = False) -> Start:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tf = import_module("tensorflow")
    tf.config.threading.set_intra_op_parallelism_threads(threads)

    def wait(outputs: Any) -> None:
        next(leaves(outputs)).numpy()

    return lambda workload, arguments: staged(workload, tf, xla, arguments), wait


def tensorflow_xla(threads: int) -> Start:
    return tensorflow(threads, xla=True)


FRAMEWORKS = {
    "minigrad": minigrad,
    "jax": jax,
    "torch": torch,
    "torch.compile": torch_compile,
    "tensorflow": tensorflow,
    "tensorflow.xla": tensorflow_xla,
}


# ── measuring ────────────────────────────────────────────────────────────────────────────────────
def timed(f: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    y = f()
    return time.perf_counter() - start, y


def steady(call: Callable[[], Any], seconds: float) -> list[float]:
    """Seconds of single calls, after warming up."""
    end = time.perf_counter() + WARM_UP * seconds
    while time.perf_counter() < end:
        call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < FEWEST or (time.perf_counter() < end and len(times) < MOST):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def peak_memory() -> int:
    """The most bytes this process has had in memory. (Linux: VmHWM; ru_maxrss there counts the parent's as well.)"""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def as_numpy(x: Any) -> Any:
    return np.asarray(x.detach().numpy() if hasattr(x, "detach") else x)


def measure(name: str, framework: str, threads: int, seconds: float, results: str | None) -> dict[str, Any]:
    started = float(os.environ["BENCHMARK_STARTED"])  # by the clock, just before this process was
    workload = WORKLOADS[name]
    importing, (prepare, wait) = timed(lambda: FRAMEWORKS[framework](threads))
    drawing, arguments = timed(lambda: workload.arguments(np.random.default_rng(0)))
    run = prepare(workload, arguments)
    del arguments

    def call() -> Any:
        outputs = run()
        wait(outputs)
        return outputs

    first, _ = timed(call)
    figures = {"import": importing, "first": first, "whole": time.time() - started - drawing}
    if seconds:
        times = steady(call, seconds)
        low, middle, high = statistics.quantiles(times, n=4)
        figures |= {"steady": middle, "spread": (high - low) / 2, "calls": len(times)}
    figures["memory"] = peak_memory()
    if results:
        for _ in range(CHECKED_CALLS - 1):
            outputs = call()
        np.savez(results, *(as_numpy(x) for x in leaves(outputs)))
    return figures


if __name__ == "__main__":
    name, framework, threads, seconds, *results = sys.argv[1:]
    print(json.dumps(measure(name, framework, int(threads), float(seconds), results[0] if results else None)))
