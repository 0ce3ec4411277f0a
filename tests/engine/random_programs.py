"""Random programs that mix what kernels are made of, with inputs to run them on.

A program is drawn by running it: every step is an op on values there are already, so shapes always fit. Values know
whether they are exact, that is, the same bits however the program is compiled: integers and what moves or selects given
numbers are, sums and products of floats are not. Only what is exact is compared, converted or used as a position.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

import minigrad.numpy as mnp
from minigrad.op import Array
from minigrad.testing.laws import LAYOUTS, laid_out
from minigrad.tracer import value_and_grad

SIZES = (1, 2, 3, 4, 5, 8, 16, 17, 33)
SPECIAL = (np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40, -3e-42, 1e-310, 1.0, -1.0)
_LARGEST = 20_000  # elements of a value
_LONG = 400_000  # of an input now and then: its kernels may run on several threads


@dataclass
class Program:
    """`steps`: text, and a function of the values before; `outputs`: which values it returns."""

    inputs: list[np.ndarray]
    steps: list[tuple[str, Callable[[list[Any]], Any]]] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    differentiated: int | None = None  # the input with respect to which the sum of the outputs is differentiated
    scale: float = 1.0  # the largest magnitude on the way, partial sums included
    eps: float = 0.0  # of the coarsest float on the way
    terms: int = 0  # that one place takes at most, one after the other: each may cost a rounding of the whole sum

    def __call__(self, *xs: Any) -> Any:
        if self.differentiated is None:
            return self.run(xs)
        return value_and_grad(self.total, argnums=self.differentiated, has_aux=True)(*xs)

    def run(self, xs: Any) -> list[Any]:
        values = list(xs)
        for _, step in self.steps:
            values.append(step(values))
        return [values[k] for k in self.outputs]

    def total(self, *xs: Any) -> Any:
        ys = self.run(xs)
        floats = [y for y in ys if y.dtype.kind == "f"]
        return sum((mnp.mean(mnp.sin(y)) if y.size else mnp.sum(y) for y in floats), start=mnp.sum(xs[0] * 0.0)), ys

    def __repr__(self) -> str:
        n = len(self.inputs)
        told = [f"v{k} = {x.dtype}{list(x.shape)}" for k, x in enumerate(self.inputs)]
        told += [f"v{n + k} = {text}" for k, (text, _) in enumerate(self.steps)]
        gradient = f", gradient of v{self.differentiated}" if self.differentiated is not None else ""
        return "\n".join([*told, f"return {self.outputs}{gradient}"])


@dataclass
class _Draw:
    random: Random
    program: Program
    values: list[Any]
    exact: list[bool]
    read: set[int] = field(default_factory=set)

    # ── choosing ─────────────────────────────────────────────────────────────────────────────────
    def some(self, fits: Callable[[Any], bool] = lambda v: True, exact: bool = False) -> int | None:
        """A value, later ones more likely: so programs grow deep."""
        found = [k for k, v in enumerate(self.values) if fits(v) and (self.exact[k] or not exact)]
        return found[max(self.random.randrange(len(found)), self.random.randrange(len(found)))] if found else None

    def float(self, exact: bool = False, rank: int = 0) -> int | None:
        return self.some(lambda v: v.dtype.kind == "f" and v.ndim >= rank, exact)

    def axes(self, k: int) -> tuple[int, ...]:
        rank = self.values[k].ndim
        return tuple(sorted(self.random.sample(range(rank), self.random.randint(1, rank)))) if rank else ()

    def partner(self, k: int) -> int:
        """A value of the same kind that broadcasts with this one; at worst the same."""
        v = self.values[k]

        def fits(w: Any) -> bool:
            if w.dtype != v.dtype:
                return False
            try:
                return math.prod(np.broadcast_shapes(v.shape, w.shape)) <= max(_LARGEST, v.size, w.size)
            except ValueError:
                return False

        return self.some(fits) or k

    # ── steps ────────────────────────────────────────────────────────────────────────────────────
    def add(self, text: str, f: Callable[..., Any], *ks: int, exact: bool | None = None) -> None:
        """Append f of these values. It is exact if they are, unless told otherwise."""
        with np.errstate(all="ignore"):
            y = f(*[self.values[k] for k in ks])
        if y.size > max(_LARGEST, *(self.values[k].size for k in ks)):
            return
        self.program.steps.append((text.format(*[f"v{k}" for k in ks]), lambda values: f(*[values[k] for k in ks])))
        self.read.update(ks)
        self.values.append(y)
        self.exact.append(all(self.exact[k] for k in ks) if exact is None else exact or y.dtype.kind in "iub")
        if y.dtype.kind == "f":
            self.meets(np.abs(np.asarray(y)).ravel())
            if text.startswith(("sum", "cumsum")):
                self.meets(
                    np.sum(np.abs(np.nan_to_num(np.asarray(self.values[ks[0]]), posinf=0, neginf=0)), keepdims=True)
                )
            if not self.exact[-1]:
                self.program.eps = max(self.program.eps, float(np.finfo(y.dtype).eps))

    def meets(self, sizes: Any) -> None:
        self.program.scale = max(self.program.scale, float(sizes[np.isfinite(sizes)].max(initial=0.0)))

    def unary(self) -> None:
        name, f = self.random.choice(_UNARY)
        k = self.float()
        if k is not None:
            self.add(f"{name}({{}})", f, k, exact=False)

    def kept(self) -> None:
        """What moves no bit: exact stays exact."""
        name = self.random.choice(("negative", "abs", "positive"))
        k = self.some(lambda v: v.dtype.kind in "fi")
        if k is not None:
            self.add(f"{name}({{}})", getattr(mnp, name), k)

    def binary(self) -> None:
        k = self.float()
        if k is None:
            return
        name = self.random.choice(("add", "subtract", "multiply", "multiply", "maximum", "minimum", "hypot"))
        f = getattr(mnp, name)
        smaller = (lambda a, b: f(mnp.tanh(a), b)) if name == "multiply" else f
        self.add(f"{name}({{}}, {{}})", smaller, k, self.partner(k), exact=None if name[1:] == "imum" else False)

    def integer(self) -> None:
        k = self.some(lambda v: v.dtype.kind in "iu")
        if k is None:
            return
        names = ("add", "subtract", "multiply", "floor_divide", "remainder", "bitwise_xor", "maximum", "left_shift")
        name = self.random.choice(names)
        f = getattr(mnp, name)
        fits = (lambda a, b: f(a, b & 7)) if name == "left_shift" else f
        self.add(f"{name}({{}}, {{}})", fits, k, self.partner(k))

    def compare(self) -> None:
        k = self.some(lambda v: v.dtype.kind != "b", exact=True)
        if k is not None:
            name = self.random.choice(("less", "equal", "greater_equal", "not_equal"))
            j = self.partner(k)
            self.add(f"{name}({{}}, {{}})", getattr(mnp, name), k, j if self.exact[j] else k)

    def select(self) -> None:
        c, k = self.some(lambda v: v.dtype.kind == "b"), self.float()
        if c is None or k is None:
            return
        j = self.partner(k)
        try:
            np.broadcast_shapes(*(self.values[i].shape for i in (c, k, j)))
        except ValueError:
            return
        self.add("where({}, {}, {})", mnp.where, c, k, j)

    def convert(self) -> None:
        k = self.some(lambda v: v.dtype.kind in "iub")
        if k is not None:
            dtype = self.random.choice(("float32", "float64", "int32", "int64", "uint8"))
            # of a whole number that fits: floats keep at least 2^24 of them
            self.add(f"astype({{}} & 1023, {dtype})", lambda v: mnp.astype(_low(v), dtype), k)

    def reduce(self) -> None:
        name = self.random.choice(("sum", "sum", "mean", "max", "min", "any", "prod"))
        k = self.some(lambda v: v.dtype.kind == "b") if name == "any" else self.float(rank=1)
        if k is None or (name in ("max", "min", "mean") and 0 in self.values[k].shape):
            return
        axes, keep = self.axes(k), self.random.random() < 0.4
        g = getattr(mnp, name)

        def f(x: Any) -> Any:
            return g(mnp.tanh(x) if name == "prod" else x, axis=axes, keepdims=keep)

        self.add(f"{name}({{}}, {axes}, {keep})", f, k, exact=None if name in ("max", "min", "any") else False)

    def total_of_integers(self) -> None:
        k = self.some(lambda v: v.dtype.kind in "iu" and v.ndim > 0)
        if k is not None:
            axes = self.axes(k)
            self.add(f"sum({{}}, {axes})", lambda v: mnp.sum(v, axis=axes), k)

    def move(self) -> None:
        k = self.some(lambda v: v.ndim > 0)
        if k is None:
            return
        shape, random = self.values[k].shape, self.random
        axis = random.randrange(len(shape))
        match random.randrange(9):
            case 0:
                order = tuple(random.sample(range(len(shape)), len(shape)))
                self.add(f"permute_dims({{}}, {order})", lambda v: mnp.permute_dims(v, order), k)
            case 1:
                new = self.reshaped(shape)
                self.add(f"reshape({{}}, {new})", lambda v: mnp.reshape(v, new), k)
            case 2:
                axes = self.axes(k)
                self.add(f"flip({{}}, {axes})", lambda v: mnp.flip(v, axis=axes), k)
            case 3:
                cut = tuple(slice(random.randint(0, n), None, random.choice((1, 1, 2, 3))) for n in shape)
                self.add(f"{{}}[{cut}]", lambda v: v[cut], k)
            case 4:
                wide = random.choice(SIZES)
                self.add(f"broadcast_to({{}}, {(wide, *shape)})", lambda v: mnp.broadcast_to(v, (wide, *shape)), k)
            case 5:
                by = tuple((random.randint(0, 2), random.randint(0, 2)) for _ in shape)
                self.add(f"pad({{}}, {by})", lambda v: mnp.pad(v, by), k)
            case 6:
                self.add(f"expand_dims({{}}, {axis})", lambda v: mnp.expand_dims(v, axis), k)
            case 7:
                by_n = random.randint(-3, 3)
                self.add(f"roll({{}}, {by_n}, {axis})", lambda v: mnp.roll(v, by_n, axis=axis), k)
            case 8:
                times = random.randint(1, 3)
                self.add(f"repeat({{}}, {times}, {axis})", lambda v: mnp.repeat(v, times, axis=axis), k)

    def reshaped(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Another shape with as many elements."""
        size = math.prod(shape)
        if not size:
            return (*shape[::-1],)
        new, random = [], self.random
        while size > 1 and len(new) < 4:
            factor = random.choice([d for d in range(1, size + 1) if size % d == 0][:40])
            new.append(factor)
            size //= factor
        return (*new, size)

    def join(self) -> None:
        k = self.some(lambda v: v.ndim > 0)
        if k is None:
            return
        v, axis = self.values[k], self.random.randrange(self.values[k].ndim)

        def fits(w: Any) -> bool:
            same = w.ndim == v.ndim and w.dtype == v.dtype
            return same and all(a == b for d, (a, b) in enumerate(zip(v.shape, w.shape)) if d != axis)

        j, i = self.some(fits), self.some(fits)
        self.add(f"concat([{{}}, {{}}, {{}}], {axis})", lambda *vs: mnp.concat(list(vs), axis=axis), k, j or k, i or k)

    def gather(self) -> None:
        k = self.some(lambda v: v.ndim > 0 and 0 not in v.shape)
        j = self.some(lambda v: v.dtype.kind == "i" and v.ndim <= 2)
        if k is None or j is None:
            return
        axis, how = self.random.randrange(self.values[k].ndim), self.random.randrange(3)
        n = self.values[k].shape[axis if how == 0 else 0]
        if how < 2 and self.values[k].size // n * self.values[j].size > max(_LARGEST, self.values[k].size):
            return  # a long array at as many places would not fit into memory
        if how == 0:
            self.add(f"take({{}}, {{}} % {n}, {axis})", lambda v, at: mnp.take(v, at % n, axis=axis), k, j)
        elif how == 1:
            self.add(
                f"flip({{0}}, 0)[{{1}} % {self.values[k].shape[0]}]",
                lambda v, at: mnp.flip(v, axis=0)[at % len(v)],
                k,
                j,
            )
        else:
            places = np.asarray(self.values[j]) % len(self.values[k])
            self.program.terms += int(np.bincount(places.ravel(), minlength=1).max())
            self.add("{0}.at[{1} % len].add({0}[0])", lambda v, at: v.at[at % len(v)].add(v[0]), k, j, exact=False)

    def along(self) -> None:
        k = self.some(lambda v: v.ndim > 0 and 0 not in v.shape)
        if k is None:
            return
        axis, name = (
            self.random.randrange(self.values[k].ndim),
            self.random.choice(("argmax", "argmin", "argsort", "sort", "cumsum", "cummax", "cummin")),
        )
        if name.startswith("arg") and not self.exact[k]:
            return
        if name == "cumsum" and self.values[k].dtype.kind == "b":
            return
        f = getattr(mnp, name)
        self.add(f"{name}({{}}, {axis})", lambda v: f(v, axis=axis), k, exact=False if name == "cumsum" else None)

    def product(self) -> None:
        k = self.float(rank=2)
        if k is None:
            return
        v = self.values[k]
        found = self.some(lambda w: w.dtype == v.dtype and w.ndim >= 2 and w.shape[-2] == v.shape[-1]
                          and all(a == b or 1 in (a, b) for a, b in zip(v.shape[-3::-1], w.shape[-3::-1])))  # fmt: skip
        if found is not None and self.random.random() < 0.7:
            self.add("tanh({}) @ {}", lambda a, b: mnp.tanh(a) @ b, k, found, exact=False)
        else:
            self.add("tanh({0}) @ {0}^T", lambda a: mnp.tanh(a) @ mnp.matrix_transpose(a), k, exact=False)

    def normalise(self) -> None:
        """Softmax or layer norm along an axis: several reductions over the same rows."""
        k = self.float(rank=1)
        if k is None or 0 in self.values[k].shape:
            return
        axis = self.random.randrange(self.values[k].ndim)
        softmax = self.random.random() < 0.5
        f = _softmax if softmax else _layer_norm
        name = "softmax" if softmax else "layer_norm"
        self.add(f"{name}({{}}, {axis})", lambda v: f(v, axis), k, exact=False)


def _low(v: Any) -> Any:
    return v if v.dtype.kind == "b" else v & (127 if v.dtype.itemsize == 1 else 1023)


def _softmax(v: Any, axis: int) -> Any:
    v = mnp.sin(v) * 4
    e = mnp.exp(v - mnp.max(v, axis=axis, keepdims=True))
    return e / mnp.sum(e, axis=axis, keepdims=True)


def _layer_norm(v: Any, axis: int) -> Any:
    c = v - mnp.mean(v, axis=axis, keepdims=True)
    return c / mnp.sqrt(mnp.mean(c * c, axis=axis, keepdims=True) + 1.0)


# all with derivatives of at most about 1, so that errors do not grow
_UNARY: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("tanh", mnp.tanh),
    ("sin", mnp.sin),
    ("arctan", mnp.arctan),
    ("gauss", lambda v: mnp.exp(-v * v)),
    ("logistic", lambda v: 1 / (1 + mnp.exp(-mnp.maximum(v, -20.0)))),
    ("log1p of square", lambda v: mnp.log1p(v * v)),
    ("half", lambda v: v * 0.5 + 0.25),
    ("rational", lambda v: v / (1 + v * v)),
    ("root", lambda v: mnp.sqrt(v * v + 1)),
)
_STEPS = (
    "unary", "unary", "kept", "binary", "binary", "integer", "compare", "select", "convert", "reduce", "reduce",
    "total_of_integers", "move", "move", "join", "gather", "along", "product", "normalise",
)  # fmt: skip


def draw(random: Random, most: int = 16, long: bool = True) -> Program:
    """A program and its inputs."""
    program = Program(_inputs(random, long))
    d = _Draw(random, program, [Array(x) for x in program.inputs], [True] * len(program.inputs))
    for _ in range(random.randint(most // 4, most)):
        getattr(d, random.choice(_STEPS))()
    last = len(d.values) - 1
    unread = [k for k in range(last) if k not in d.read] or [last]
    program.outputs = sorted({last, random.randint(0, last), *random.choices(unread, k=random.randint(0, 3))})
    floats = [k for k, x in enumerate(program.inputs) if x.dtype.kind == "f"]
    if floats and random.random() < 0.35:
        program.differentiated = random.choice(floats)
        program.eps = max(program.eps, *(float(np.finfo(v.dtype).eps) for v in d.values if v.dtype.kind == "f"))
    return program


def _inputs(random: Random, long: bool) -> list[np.ndarray]:
    """Arrays whose sizes meet, in any layout; some hold special values, some are given twice."""
    numbers = np.random.default_rng(random.randrange(2**32))
    sizes = [random.choice(SIZES) for _ in range(3)]
    if random.random() < 0.06:
        sizes[0] = 0
    found: list[np.ndarray] = []
    float_dtype = random.choice(("float32", "float32", "float64"))
    for _ in range(random.randint(1, 4)):
        shape = tuple(random.choice((*sizes, *sizes, 1)) for _ in range(random.randint(0, 3)))
        if long and random.random() < 0.03:
            shape = random.choice(((_LONG,), (_LONG // 500, 500), (500, _LONG // 500)))
        kind = random.choice((float_dtype, float_dtype, float_dtype, "int32", "int64", "uint8", "bool"))
        if kind.startswith("float"):
            x = numbers.normal(size=shape)
            if random.random() < 0.2 and x.size:
                x.flat[numbers.integers(0, x.size, 3)] = random.choices(SPECIAL, k=3)
        else:
            limits = np.iinfo(kind) if kind != "bool" else None
            wide = random.random() < 0.3 and limits is not None
            low, high = (int(limits.min), int(limits.max)) if wide and limits else (0, 9)
            x = (
                numbers.integers(low, high, size=shape, endpoint=True)
                if kind != "bool"
                else numbers.random(shape) < 0.5
            )
        with np.errstate(all="ignore"):
            found.append(laid_out(np.asarray(x).astype(kind), random.choice(LAYOUTS)))
    if random.random() < 0.15:
        found.append(random.choice(found))
    return found
