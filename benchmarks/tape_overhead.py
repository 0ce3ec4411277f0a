"""What the tape costs: one recorded op, and a chain of ten forward and backward, on ten float32 elements.

    python benchmarks/tape_overhead.py

Prints microseconds of CPU time, the best of several runs; with PyTorch installed, its figures beside ours.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import minigrad.tape


def best(f: Callable[[], Any], number: int, repeat: int = 9) -> float:
    """Microseconds of this thread's CPU time per call: what else the machine does counts less."""
    return min(timeit.repeat(f, timer=time.thread_time, number=number, repeat=repeat)) / number * 1e6


def measure(torch: Any) -> dict[str, float]:
    """The figures of one framework."""
    x = torch.ones(10, requires_grad=True)
    w = torch.full((10,), 1.01)
    seed = torch.ones(10)

    def chain() -> Any:
        y = x
        for _ in range(5):
            y = y * w + x
        return y

    def products() -> Any:
        y = x
        for _ in range(10):
            y = y * w
        return y

    def both(f: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> None:
            x.grad = None
            f().backward(seed)

        return run

    return {
        "op, not recorded (w * w)": best(lambda: w * w, 20_000),
        "op, recorded (x * w)": best(lambda: x * w, 20_000),
        "op, recorded (x * 2.0)": best(lambda: x * 2.0, 20_000),
        "op, recorded (x.exp())": best(lambda: x.exp(), 20_000),
        "chain of 10 products, forward": best(products, 2000),
        "chain of 10 products, forward and backward": best(both(products), 2000),
        "5 × (y * w + x), forward and backward": best(both(chain), 2000),
    }


def main() -> None:
    columns = {"minigrad": measure(minigrad.tape)}
    if find_spec("torch"):
        columns["PyTorch"] = measure(import_module("torch"))
    print(f"{'µs':45}" + "".join(f"{name:>10}" for name in columns))
    for row in columns["minigrad"]:
        print(f"{row:45}" + "".join(f"{c[row]:10.2f}" for c in columns.values()))


if __name__ == "__main__":
    main()
