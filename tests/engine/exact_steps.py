"""The steps of `exact_programs`: every kind of op, on whole numbers of every dtype.

Sums and products of small whole numbers are the same bits in any order, in floats too: so everything may be compared,
converted and used as a position, and every difference is a defect. What would leave the numbers that a dtype holds
exactly is not drawn. Positions and starts may be anywhere, bounds of integers are among the inputs, and division by 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar

import numpy as np

import minigrad.numpy as mnp
from minigrad.errors import MinigradError
from minigrad.ops.along import AddAlongAxis, TakeAlongAxis
from minigrad.ops.convolve import conv
from minigrad.ops.cumulative import CumProd, CumSum, LinearRecurrence
from minigrad.ops.dynamic import DynamicSlice, DynamicUpdateSlice
from minigrad.ops.gather import Gather, Scatter
from minigrad.ops.pieces import Pad
from minigrad.ops.pool import max_pool, sum_pool
from minigrad.ops.running import RunningArg, cummax, cummin
from minigrad.ops.sort import argsort, sort, top_k

INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
LARGEST = 5000  # elements of a value
_EXACT = {"float32": 2.0**22, "float64": 2.0**50, "complex64": 2.0**21, "complex128": 2.0**49}


class Unfit(Exception):
    """No values there are go together in this step."""


@dataclass
class Steps:
    """Values, and the steps that made those after the inputs; a step gives one value or several."""

    random: Random
    values: list[Any]
    depth: int = 0
    often: ClassVar[dict[str, int]] = {}  # the steps by name, and how often each is taken
    steps: list[tuple[str, int, Callable[..., Any], tuple[int, ...]]] = field(default_factory=list)

    def run(self, xs: Sequence[Any], outputs: Sequence[int]) -> list[Any]:
        values = list(xs)
        for _, _, f, ks in self.steps:
            y = f(*[values[k] for k in ks])
            values += y if isinstance(y, list) else [y]
        return [values[k] for k in outputs]

    def fill(self, count: int) -> Any:
        """Up to so many steps more."""
        names = [name for name, weight in self.often.items() for _ in range(weight)]
        for _ in range(count):
            with suppress(Unfit, MinigradError, ValueError):  # sizes do not go together, or positions are refused
                getattr(self, self.random.choice(names))()
        return self

    def __str__(self) -> str:
        told, at = [], len(self.values) - sum(n for _, n, _, _ in self.steps)
        for text, n, _, ks in self.steps:
            told.append(f"v{at}{f'..v{at + n - 1}' if n > 1 else ''} = {text} of {', '.join(f'v{k}' for k in ks)}")
            at += n
        return "\n".join(told)

    # ── choosing ─────────────────────────────────────────────────────────────────────────────────
    def some(self, kinds: str = "biufc", rank: int = 0, fits: Callable[[Any], bool] = lambda v: True) -> int:
        """A value, later ones more likely: so programs grow deep."""
        found = [k for k, v in enumerate(self.values) if v.dtype.kind in kinds and v.ndim >= rank and fits(v)]
        if not found:
            raise Unfit
        return found[max(self.random.randrange(len(found)), self.random.randrange(len(found)))]

    def like(self, k: int, shape: tuple[int, ...] | None = None) -> int:
        """A value of the same dtype that can be broadcast to a shape, or with the value."""
        v = self.values[k]

        def fits(w: Any) -> bool:
            try:
                both = np.broadcast_shapes(w.shape, v.shape if shape is None else shape)
            except ValueError:
                return False
            return w.dtype == v.dtype and (math.prod(both) <= LARGEST if shape is None else both == shape)

        return self.some(fits=fits)

    def axis(self, k: int) -> int:
        return self.random.randrange(self.values[k].ndim)

    def add(self, text: str, f: Callable[..., Any], *ks: int) -> None:
        with np.errstate(all="ignore"):
            y = f(*[self.values[k] for k in ks])
        ys = y if isinstance(y, list) else [y]
        for v in ys:
            sizes = np.abs(np.asarray(v))[np.isfinite(v)] if v.dtype.kind in "fc" else np.zeros(0)
            if v.size > LARGEST or sizes.max(initial=0) > _EXACT.get(str(v.dtype), 0):
                raise Unfit
        self.values += ys
        self.steps.append((text, len(ys), f, ks))

    # ── elementwise ──────────────────────────────────────────────────────────────────────────────
    def unary(self) -> None:
        k = self.some()
        every = {"f": "negative abs floor ceil trunc sign square isnan", "i": "negative abs sign square bitwise_not"}
        every |= {"u": "negative abs sign square bitwise_not", "b": "logical_not", "c": "negative conj real imag"}
        name = self.random.choice(every[self.values[k].dtype.kind].split())
        self.add(name, getattr(mnp, name), k)

    def binary(self) -> None:
        k = self.some()
        both = "add multiply equal"
        floats = "subtract maximum minimum less floor_divide remainder"
        every = {"b": "logical_and logical_xor maximum", "c": "subtract", "f": floats}
        every["i"] = every["u"] = floats + " bitwise_and bitwise_xor left_shift right_shift"
        name = self.random.choice((both + " " + every[self.values[k].dtype.kind]).split())
        j = self.some("biu") if self.values[k].dtype.kind == "b" and name in ("add", "multiply") else self.like(k)
        self.add(name, getattr(mnp, name), k, j)

    def with_number(self) -> None:
        k = self.some("if")
        name = self.random.choice(("add", "multiply", "floor_divide", "remainder", "maximum"))
        number = self.random.choice((0, 1, 2, 3, 7, 8, 64, -1, -2, -7))
        self.add(f"{name} {number}", lambda v: getattr(mnp, name)(v, number), k)

    def choose(self) -> None:
        c, k = self.some("b"), self.some()
        self.add("where", mnp.where, c, k, self.like(k))

    def convert(self) -> None:
        k = self.some("biuf")
        dtype = self.random.choice((*INTEGERS, "float32", "float64", "bool", "complex64"))
        kinds = self.values[k].dtype.kind + np.dtype(dtype).kind
        f: Callable[[Any], Any] = lambda v: v
        if kinds in ("fi", "fu"):
            low = 0 if kinds == "fu" else -100
            f = lambda v: mnp.clip(mnp.nan_to_num(v), low, 100)
        elif kinds[0] in "iu" and kinds[1] in "fc":
            f = lambda v: v & 63
        self.add(f"astype {dtype}", lambda v: mnp.astype(f(v), dtype), k)

    # ── reductions and movement ──────────────────────────────────────────────────────────────────
    def reduce(self) -> None:
        k, random = self.some("biuf", rank=1, fits=lambda v: v.size > 0), self.random
        v = self.values[k]
        axes, keep = tuple(sorted(random.sample(range(v.ndim), random.randint(1, v.ndim)))), random.random() < 0.3
        name = random.choice(("sum", "sum", "max", "min", "prod", "any", "all", "argmax", "argmin"))
        f = getattr(mnp, name)
        if name.startswith("arg"):
            self.add(f"{name} {axes[0]}", lambda v: f(v, axis=axes[0]), k)
        elif name == "prod":
            self.add(f"prod {axes}", lambda v: f(mnp.clip(v, 0, 1) if v.dtype.kind == "f" else v, axis=axes), k)
        elif name == "sum" and random.random() < 0.4:
            mask = self.some("b", fits=lambda w: _reaches(w, v.shape))
            self.add(f"sum {axes} where", lambda v, m: f(v, axis=axes, keepdims=keep, where=m, initial=5), k, mask)
        else:
            self.add(f"{name} {axes} {keep}", lambda v: f(v, axis=axes, keepdims=keep), k)

    def move(self) -> None:
        k, random = self.some(rank=1), self.random
        shape, axis = self.values[k].shape, self.axis(k)
        order = tuple(random.sample(range(len(shape)), len(shape)))
        cut = tuple(slice(random.randint(0, n), None, random.choice((1, 2, 3))) for n in shape)
        back = tuple(slice(None, None, random.choice((1, -1, -2))) for _ in shape)
        low, high = (tuple(random.randint(-1, 2) for _ in shape) for _ in range(2))
        inside = tuple(random.randint(0, 2) for _ in shape)
        every: dict[str, Callable[[Any], Any]] = {
            f"permute {order}": lambda v: mnp.permute_dims(v, order),
            "reshape": lambda v: mnp.reshape(v, (*shape[1:], shape[0])),
            f"take {cut}": lambda v: v[cut],
            f"turn {back}": lambda v: v[back],
            f"stack {axis}": lambda v: mnp.stack([v, v, mnp.flip(v)], axis=axis),
            f"pad {low} {high} {inside}": lambda v: Pad(low, high, inside)(v, mnp.ones((), dtype=v.dtype)),
            f"roll {axis}": lambda v: mnp.roll(v, 2, axis=axis),
            "edges": lambda v: mnp.pad(v, 1, mode="edge"),
            f"double {axis}": lambda v: mnp.concat([v, v], axis=axis),
        }
        text = random.choice(list(every))
        self.add(text, every[text], k)

    def put(self) -> None:
        k, random = self.some("iufb", rank=1), self.random
        v = self.values[k]
        cut = tuple(slice(random.randint(0, n // 2), random.randint(n // 2, n), random.choice((1, 2))) for n in v.shape)
        mode = random.choice(("set", "add", "max") if v.dtype.kind != "b" else ("set",))
        self.add(f"at {cut} {mode}", lambda v, w: getattr(v.at[cut], mode)(w), k, self.like(k, v[cut].shape))

    # ── at positions that are data ───────────────────────────────────────────────────────────────
    def gather(self) -> None:
        k, j = self.some(rank=1, fits=lambda v: v.size > 0), self.some("iu")
        axis, beyond = self.axis(k), self.random.choice(("clip", "drop"))
        if self.random.random() < 0.5:
            self.add(f"gather {axis} {beyond}", lambda v, at: Gather((axis,), beyond)(v, mnp.expand_dims(at, -1)), k, j)
        else:
            self.add(f"take along {axis}", lambda v, at: TakeAlongAxis(axis)(v, at), k, self.beside(k, axis))

    def scatter(self) -> None:
        k, j, random = self.some("iuf", rank=1, fits=lambda v: v.size > 0), self.some("iu"), self.random
        v, at, axis = self.values[k], self.values[j], self.axis(k)
        mode, beyond = random.choice(("set", "add", "mul", "min", "max")), random.choice(("clip", "drop"))
        shape = (*at.shape, *v.shape[:axis], *v.shape[axis + 1 :])
        if random.random() < 0.3:
            j = self.beside(k, axis)
            shape = self.values[j].shape
            f = lambda v, at, w: AddAlongAxis(axis, v.shape[axis])(mnp.broadcast_to(w, shape), at)
            self.add(f"add along {axis}", f, k, j, self.like(k, shape))
            return
        small = (lambda w: mnp.clip(w, -1, 1)) if mode == "mul" and v.dtype.kind == "f" else (lambda w: w)
        f = lambda v, at, w: Scatter((axis,), mode, beyond)(v, mnp.broadcast_to(small(w), shape), at[..., None])
        self.add(f"scatter {axis} {mode} {beyond}", f, k, j, self.like(k, shape))

    def beside(self, k: int, axis: int) -> int:
        """Positions of the value's shape, save along the axis."""
        shape = self.values[k].shape
        return self.some("iu", fits=lambda w: w.ndim == len(shape) and _but(w.shape, axis) == _but(shape, axis))

    def window(self) -> None:
        k, j, random = self.some(rank=1), self.some("iu", fits=lambda v: v.size > 0), self.random
        sizes = tuple(random.randint(0 if random.random() < 0.1 else 1, n) for n in self.values[k].shape)
        numbers = [random.randrange(self.values[j].size) for _ in sizes]
        starts = lambda at: [mnp.ravel(at)[i] for i in numbers]
        if random.random() < 0.5:
            self.add(f"window {sizes}", lambda v, at: DynamicSlice(sizes)(v, *starts(at)), k, j)
        else:
            f = lambda v, at, w: DynamicUpdateSlice()(v, mnp.broadcast_to(w, sizes), *starts(at))
            self.add(f"put window {sizes}", f, k, j, self.like(k, sizes))

    # ── in order ─────────────────────────────────────────────────────────────────────────────────
    def along(self) -> None:
        k, random = self.some("iuf", rank=1, fits=lambda v: v.size > 0), self.random
        v, axis, turned = self.values[k], self.axis(k), random.random() < 0.5
        small = (lambda v: mnp.clip(v, -1, 1)) if v.dtype.kind == "f" else (lambda v: v)
        j = self.some("biuf", fits=lambda w: w.shape == v.shape)
        every: dict[str, Callable[..., Any]] = {
            "cumsum": lambda v, w: CumSum(axis, turned)(v),
            "cumprod": lambda v, w: CumProd(axis, turned)(small(v)),
            "cummax, cummin": lambda v, w: [cummax(v, axis, turned), cummin(v, axis, not turned)],
            "running": lambda v, w: RunningArg(axis, turned)(v),
            "recurrence": lambda v, w: LinearRecurrence(axis, turned)(small(v), v),
            "sort": lambda v, w: list(sort(v, w, axis=axis, keys=1 + turned, descending=v.dtype.itemsize < 4)),
            "argsort": lambda v, w: argsort(v, axis=axis, descending=turned),
            "largest": lambda v, w: list(top_k(v, min(3, v.shape[-1]))),
        }
        text = random.choice(list(every))
        self.add(f"{text} {axis} {turned}", every[text], k, j)

    # ── products and windows ─────────────────────────────────────────────────────────────────────
    def product(self) -> None:
        k = self.some("iufc", rank=2)
        v = self.values[k]
        fits = lambda w: w.dtype == v.dtype and v.shape[-1] == w.shape[-2]
        self.add("product", lambda a, b: mnp.matmul(a, b), k, self.some(rank=2, fits=fits))

    def convolve(self) -> None:
        k, random = self.some("f", fits=lambda v: v.size > 0), self.random
        groups, rank = random.choice((1, 1, 2, 4)), random.choice((1, 2, 2, 3))
        channels, sizes = random.randint(1, 3), tuple(random.choice((3, 5, 8, 9)) for _ in range(rank))
        window = (groups * random.randint(1, 4), channels, *(random.randint(1, 3) for _ in range(rank)))
        stride, padding = random.choice((1, 1, 2, 3)), random.choice(("SAME", "VALID", 2))
        shape = (random.randint(1, 3), groups * channels, *sizes)

        def f(v: Any) -> Any:
            line = mnp.clip(mnp.nan_to_num(mnp.ravel(v)), -4, 4)
            x, w = (mnp.reshape(mnp.take(line, np.arange(math.prod(s)) % v.size), s) for s in (shape, window))
            return mnp.round(conv(x, w, stride, padding, groups=groups))  # Winograd's fractions

        self.add(f"convolve {shape} {window} {stride} {padding}", f, k)

    def pool(self) -> None:
        k, random = self.some("iuf", rank=1), self.random
        rank = random.randint(1, self.values[k].ndim)
        window, stride = ([random.choice((1, 2, 2, 3)) for _ in range(rank)] for _ in range(2))
        f, padding = random.choice((max_pool, sum_pool)), random.choice((0, "SAME", 1))
        self.add(f"{f.__name__} {window} {stride} {padding}", lambda v: f(v, window, stride, padding), k)


def _reaches(w: Any, shape: tuple[int, ...]) -> bool:
    """Can it be broadcast to that shape?"""
    return w.ndim <= len(shape) and all(n in (1, m) for n, m in zip(w.shape[::-1], shape[::-1]))


def _but(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])
