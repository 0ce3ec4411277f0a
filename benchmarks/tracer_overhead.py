"""What the tracer costs: an eager op, a trace, a walk backward, a compiled call; all on ten float32 elements.

    python benchmarks/tracer_overhead.py

Prints microseconds, the best of several runs, beside the bar each figure is held to; with JAX installed, its figures.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

import minigrad.numpy
import minigrad.tracer
from minigrad.interpreters.reverse import graph_steps, walk
from minigrad.op import Array

NODES = 1000


def best(f: Callable[[], Any], number: int, repeat: int = 9) -> float:
    """Microseconds per call."""
    return min(timeit.repeat(f, number=number, repeat=repeat)) / number * 1e6


def chain(x: Any) -> Any:
    for _ in range(NODES // 2):
        x = x * 1.01 + x
    return x


def measure(jax: Any, jnp: Any) -> dict[str, float]:
    """The figures of one framework."""
    x, y = jnp.asarray(np.ones(10, np.float32)), jnp.asarray(np.full(10, 1.5, np.float32))
    raw = np.ones(10, np.float32)
    params = {f"w{i}": x for i in range(10)}
    add = jax.jit(lambda a, b: a + b)
    first = jax.jit(lambda p: p["w0"] + p["w9"])
    half = jax.jit(lambda a: a + 0.5)
    trace = getattr(jax, "make_graph", None) or jax.make_jaxpr

    def loss(x: Any) -> Any:
        return jnp.sum(chain(x))

    for f in (lambda: add(x, y), lambda: first(params), lambda: half(x), lambda: half(raw), lambda: half(1.0)):
        f()
    return {
        "eager x + y": best(lambda: x + y, 20_000),
        "eager x * 2.0": best(lambda: x * 2.0, 20_000),
        "eager jnp.exp(x)": best(lambda: jnp.exp(x), 20_000),
        "trace, per node": best(lambda: trace(chain)(x), 3) / NODES,
        "eager grad, per op": best(lambda: jax.grad(loss)(x), 3, 5) / NODES,
        "jit call, one array": best(lambda: half(x), 10_000),
        "jit call, one ndarray": best(lambda: half(raw), 10_000),
        "jit call, two arrays": best(lambda: add(x, y), 10_000),
        "jit call, a Python float": best(lambda: half(1.0), 10_000),
        "jit call, a dict of ten": best(lambda: first(params), 5000),
    }


def walk_over_a_graph() -> float:
    """Microseconds per node of one walk backward over the nodes of a graph, values at hand (as after a run)."""
    graph = minigrad.tracer.make_graph(chain)(np.ones(10, np.float32))
    value = Array(np.ones(10, np.float32))

    def backward() -> None:
        steps = graph_steps(graph.nodes, graph.inputs, lambda atom: value)
        walk(steps, {graph.outputs[0]: value})

    return best(backward, 3) / NODES


BARS = {
    "eager x + y": 1.5,
    "eager x * 2.0": 1.5,
    "eager jnp.exp(x)": 1.5,
    "trace, per node": 15.0,
    "walk backward over a graph, per node": 20.0,
    "jit call, one array": 5.0,
}


def main() -> None:
    figures = measure(minigrad.tracer, minigrad.numpy)
    figures["walk backward over a graph, per node"] = walk_over_a_graph()
    other = measure(import_module("jax"), import_module("jax.numpy")) if find_spec("jax") else {}
    print(f"{'µs':38}{'minigrad':>10}{'bar':>8}{'jax' if other else '':>10}")
    for name, figure in figures.items():
        bar = f"≤ {BARS[name]:g}" if name in BARS else ""
        peer = f"{other[name]:10.2f}" if name in other else ""
        print(f"{name:38}{figure:10.2f}{bar:>8}{peer}")


if __name__ == "__main__":
    main()
