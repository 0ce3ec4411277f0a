"""How the compiler's cost grows with the program: chains of 100 to 100,000 sines, traced, rewritten, compiled.

    python -m benchmarks.scaling FRAMEWORK NODES

One size in this process; prints one line of JSON. `python -m benchmarks --only scaling` runs them all.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.measure import timed

SIZES = (100, 1000, 10_000, 100_000)
QUICK_SIZES = SIZES[:2]
LARGEST = {"jax": 10_000}  # beyond which a framework takes many minutes


def chain(sin: Any, nodes: int) -> Any:
    def f(x: Any) -> Any:
        for _ in range(nodes):
            x = sin(x)
        return x

    return f


def minigrad(nodes: int) -> dict[str, float]:
    """Seconds to trace, of each pass, and of the backend behind the passes."""
    tracer, jnp, backends = (import_module(f"minigrad.{name}") for name in ("tracer", "numpy", "backends"))
    x = np.ones(10, np.float32)
    tracing, graph = timed(lambda: tracer.make_graph(chain(jnp.sin, nodes))(x))
    compiling, executable = timed(lambda: backends.compile(graph))
    figures = {"trace": tracing}
    for record in executable.history:
        figures[record.name] = figures.get(record.name, 0) + record.seconds
    return figures | {"backend": compiling - sum(figures.values()) + tracing, "total": tracing + compiling}


def jax(nodes: int) -> dict[str, float]:
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    sys.setrecursionlimit(10 * nodes + 1000)
    x = jnp.ones(10, jnp.float32)
    tracing, lowered = timed(lambda: jax.jit(chain(jnp.sin, nodes)).lower(x))
    compiling, _ = timed(lowered.compile)
    return {"trace": tracing, "backend": compiling, "total": tracing + compiling}


FRAMEWORKS = {"minigrad": minigrad, "jax": jax}


if __name__ == "__main__":
    framework, nodes = sys.argv[1:]
    print(json.dumps(FRAMEWORKS[framework](int(nodes))))
