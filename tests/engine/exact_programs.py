"""Random programs on whole numbers, with loops, branches and lanes: see `exact_steps`."""

from __future__ import annotations

import math
from random import Random
from typing import Any, ClassVar

import numpy as np

import minigrad.numpy as mnp
from minigrad.op import Array
from minigrad.testing.laws import LAYOUTS, laid_out
from minigrad.tracer import lax, vmap
from tests.engine.exact_steps import INTEGERS, LARGEST, Steps, Unfit

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)


class Exact(Steps):
    """The steps that hold programs themselves, and how often each step is taken."""

    often: ClassVar[dict[str, int]] = {
        "unary": 2, "binary": 3, "with_number": 1, "choose": 1, "convert": 2, "reduce": 4, "move": 4, "put": 2,
        "gather": 2, "scatter": 2, "window": 1, "along": 2, "product": 1, "convolve": 1, "pool": 1, "scan": 1,
        "loop": 1, "branch": 1, "lanes": 1,
    }  # fmt: skip

    def inside(self, values: list[Any]) -> Exact:
        if self.depth == 2:
            raise Unfit
        return Exact(self.random, list(values), self.depth + 1).fill(self.random.randint(1, 6))

    def scan(self) -> None:
        random, k, j = self.random, self.some(), self.some()
        x = self.some(rank=1, fits=lambda v: 0 < v.shape[0] < 20)
        given = [self.values[k], self.values[j], self.values[x][0]]
        body = self.inside(given)
        outs = [random.randrange(len(body.values)) for _ in range(3)]
        reverse, swapped = random.random() < 0.5, self.values[k].type == self.values[j].type and random.random() < 0.5

        def f(a: Any, b: Any, x: Any) -> list[Any]:
            def step(carry: Any, x: Any) -> Any:
                found = body.run([*carry, x], outs)
                new = tuple(_as(c, y) for c, y in zip(carry, found))
                return new[::-1] if swapped else new, found[2]

            (a, b), ys = lax.scan(step, (a, b), x, reverse=reverse)
            return [a, b, ys]

        self.add(f"scan {outs} {reverse} {swapped} (\n{body}\n)", f, k, j, x)

    def loop(self) -> None:
        k, j, t = self.some(), self.some(), self.some("iu", fits=lambda v: v.size > 0)
        body = self.inside([self.values[k], self.values[j]])
        out = self.random.randrange(len(body.values))

        def f(a: Any, b: Any, t: Any) -> Any:
            times = mnp.astype(mnp.ravel(t)[0] & 7, "int32")
            return lax.fori_loop(0, times, lambda i, c: _as(c, body.run([c, b], [out])[0]), a)

        self.add(f"loop {out} (\n{body}\n)", f, k, j, t)

    def branch(self) -> None:
        k, t = self.some(), self.some("biu", fits=lambda v: v.size > 0)
        sides = [self.inside([self.values[k]]) for _ in range(3)]
        outs = [self.random.randrange(len(side.values)) for side in sides]

        def f(a: Any, t: Any) -> Any:
            number = mnp.astype(mnp.ravel(t)[0], "int32")
            return lax.switch(number, [lambda a, s=s, o=o: _as(a, s.run([a], [o])[0]) for s, o in zip(sides, outs)], a)

        self.add(f"branch {outs} (\n" + "\n--\n".join(map(str, sides)) + "\n)", f, k, t)

    def lanes(self) -> None:
        k = self.some(rank=1, fits=lambda v: 0 < v.shape[0] < 10)
        j = self.some(fits=lambda v: v.size < 100)
        body = self.inside([self.values[k][0], self.values[j]])
        outs = [self.random.randrange(len(body.values)) for _ in range(2)]
        f = lambda a, b: vmap(lambda a, b: body.run([a, b], outs), in_axes=(0, None))(a, b)
        self.add(f"lanes {outs} (\n{body}\n)", f, k, j)


def _as(c: Any, y: Any) -> Any:
    """A carry of c's type, made of y: small, so that steps may be many."""
    y = mnp.real(y) if y.dtype.kind == "c" else y
    y = mnp.clip(mnp.nan_to_num(y), 0, 9) if y.dtype.kind == "f" else y & 7 if y.dtype.kind in "iu" else y
    y = mnp.astype(y if y.shape == c.shape else mnp.sum(y), c.dtype)
    return mnp.broadcast_to(mnp.clip(y, 0, 9) if y.dtype.kind in "iuf" else y, c.shape)


def draw(random: Random, most: int = 14) -> tuple[list[np.ndarray], Exact, list[int]]:
    """Inputs in any layout, a program, and which of its values are wanted."""
    rng = np.random.default_rng(random.randrange(2**32))
    sizes = [random.choice(SIZES) for _ in range(3)]
    if random.random() < 0.05:
        sizes[0] = 0
    inputs = []
    for _ in range(random.randint(2, 5)):
        shape = tuple(random.choice((*sizes, *sizes, 1)) for _ in range(random.randint(0, 3)))
        shape = shape if math.prod(shape) <= LARGEST else shape[:1]
        dtype = np.dtype(random.choice(("float32", "float32", "float64", "bool", "int64", *random.sample(INTEGERS, 3))))
        x = rng.integers(-4 if dtype.kind in "if" else 0, 2 if dtype.kind == "b" else 9, shape).astype(dtype)
        if dtype.kind != "b" and x.size and random.random() < 0.3:
            ends = [np.inf, -np.inf, np.nan] if dtype.kind == "f" else [np.iinfo(dtype).min, np.iinfo(dtype).max]
            x.flat[rng.integers(0, x.size, 2)] = random.choices(ends, k=2)
        inputs.append(laid_out(x, random.choice(LAYOUTS)))
    program = Exact(random, [Array(x) for x in inputs]).fill(random.randint(most // 4, most))
    last = len(program.values) - 1
    return inputs, program, sorted({last, *(random.randint(0, last) for _ in range(random.randint(1, 4)))})
