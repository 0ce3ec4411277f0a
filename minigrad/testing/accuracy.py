"""How far compiled elementary functions are from the true values, in units in the last place (ulp).

Floor 7. `python -m minigrad.testing.accuracy` measures: float32 over every bit pattern (every Nth with `--every N`),
against float64; float64, and functions of two operands, at random points of every magnitude, against 80 bits, or
40 digits (see `digits`).
`--write` puts the table into docs/functions.md. It takes twenty minutes on two cores; with `--float64`, or for the
functions named, less: the rest of the table stays as it is.
An ulp is the distance between the floats beside the true value, once it is rounded.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import backends, config
from minigrad.interpreters.build import trace
from minigrad.lazy import lazy_module
from minigrad.op import ndarray
from minigrad.ops.table import ROWS
from minigrad.testing.digits import by_digits
from minigrad.types import FLOAT32, FLOAT64, DType, TensorType

special: Any = lazy_module("scipy.special")

PAGE = Path(__file__).parents[2] / "docs" / "functions.md"
CHUNK = 1 << 16
BY_NUMPY = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sqrt": np.sqrt, "cbrt": np.cbrt, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
}  # fmt: skip
# NumPy has none, and scipy's are in float64 only, up to 10 ulp off
BY_DIGITS = {"erf": "erf", "erfc": "erfc", "erfinv": "erfinv", "ndtri": "ndtri", "lgamma": "gammaln", "digamma": "psi"}
POSITIVE = ("lgamma", "digamma")  # in float64: beside the zeros of negative numbers no formula of these has all digits
DIGITS_CHUNKS = 8  # of those at most: a point takes 0.1 ms


def logistic(x: ndarray) -> ndarray:
    small = np.exp(-np.abs(x))
    y: ndarray = np.where(x >= 0, 1, small) / (1 + small)
    return y


def rsqrt(x: ndarray) -> ndarray:
    y: ndarray = 1 / np.sqrt(x)
    return y


def logit(x: ndarray) -> ndarray:
    y: ndarray = np.where((x > 0.25) & (x < 0.75), 2 * np.arctanh(2 * x - 1), np.log(x / (1 - x)))
    return y


def entr(x: ndarray) -> ndarray:
    y: ndarray = np.where(x > 0, -x * np.log(x), np.where(x < 0, -np.inf, x))
    return y


def xlogy(x: ndarray, y: ndarray) -> ndarray:
    z: ndarray = np.where((x == 0) & (y == y), 0, x * np.log(y))
    return z


def erfinv(x: ndarray) -> ndarray:
    """scipy's takes 3 µs to say that it has no value, a hundred times as long as for one."""
    y: ndarray = special.erfinv(np.where(np.abs(x) <= 1, x, np.nan))
    return y


def lgamma(x: ndarray) -> ndarray:
    """scipy's of the least float64s is inf."""
    y: ndarray = np.where(np.abs(x) < 1e-300, -np.log(np.abs(x)), special.gammaln(x))
    return y


BY_HAND = {"rsqrt": rsqrt, "logistic": logistic, "logit": logit, "entr": entr, "erfinv": erfinv,
           "lgamma": lgamma}  # fmt: skip
OF_TWO = {"pow": np.power, "atan2": np.arctan2, "hypot": np.hypot, "xlogy": xlogy}


def truths() -> dict[str, Callable[..., ndarray]]:
    """Each function, for arrays wider than those that are measured."""
    by_scipy = {name: getattr(special, of) for name, of in BY_DIGITS.items()}
    return {**BY_NUMPY, **OF_TWO, **by_scipy, **BY_HAND}


@dataclass
class Worst:
    """The greatest error met, and where."""

    ulp: float = 0.5
    at: tuple[float, ...] = (0.0,)
    points: int = 0

    def look(self, xs: Sequence[ndarray], y: ndarray, truth: ndarray) -> None:
        """y for xs, where `truth` was right; AssertionError if an infinity or nan is not right.

        Where y is the truth rounded, the error is at most half an ulp, and not looked at more closely.
        """
        self.points += y.size
        rounded = truth.astype(y.dtype)
        (off,) = (rounded != y).nonzero()
        y, truth, rounded, *xs = (a[off] for a in (y, truth, rounded, *xs))
        wrong = ~(np.isfinite(rounded) & np.isfinite(y)) & ~(np.isnan(rounded) & np.isnan(y))
        if wrong.any():
            k = int(wrong.argmax())
            raise AssertionError(f"at {[x[k] for x in xs]}: {y[k]!r} in place of {rounded[k]!r}")
        errors = np.abs(y - truth) / np.spacing(np.abs(rounded))
        k = int(np.nanargmax(errors)) if np.isfinite(errors).any() else -1
        if k >= 0 and errors[k] > self.ulp:
            self.ulp, self.at = float(errors[k]), tuple([float(x[k]) for x in xs])


def compiled(name: str, dtype: DType, size: int = CHUNK, backend: str = "llvm") -> Callable[..., ndarray]:
    operands = [TensorType((size,), dtype)] * ROWS[name].operands
    graph, _ = trace(lambda *xs: [ROWS[name](*xs)], operands)
    with config.cache.using(False):
        run = backends.compile(graph, backend)
    return lambda *xs: run(list(xs))[0]


def every_float32(every: int = 1) -> Iterator[ndarray]:
    """All bit patterns, or every Nth, in chunks; what is left over is filled with ones."""
    for start in range(0, 2**32, every * CHUNK):
        bits = np.arange(start, min(start + every * CHUNK, 2**32), every, dtype=np.uint64).astype(np.uint32)
        x = np.ones(CHUNK, np.float32)
        x[: bits.size] = bits.view(np.float32)
        yield x


def some_float64(chunks: int) -> Iterator[ndarray]:
    """Every magnitude, and more of those where functions turn."""
    rng = np.random.default_rng(0)
    for _ in range(chunks):
        quarter = CHUNK // 4
        near = [rng.uniform(-a, b, quarter) for a, b in ((30, 30), (750, 750), (1, 2))]
        near[-1][::2] = np.rint(10.0 ** rng.uniform(0, 15, quarter // 2)) * (np.pi / 2)
        yield np.concatenate([_every_magnitude(rng, quarter), *near])


def _every_magnitude(rng: np.random.Generator, count: int) -> ndarray:
    return rng.normal(size=count) * 10.0 ** rng.uniform(-323, 308, count)


def some_pairs(name: str, dtype: DType, chunks: int) -> Iterator[tuple[ndarray, ndarray]]:
    """Operands of a function of two: for pow those whose power is in the range of the floats, or little beyond it."""
    rng, half = np.random.default_rng(0), CHUNK // 2
    low, high = (-746, 711) if dtype == FLOAT64 else (-104, 89)
    for _ in range(chunks):
        if name == "pow":
            near_one = 1 + rng.normal(size=half // 2) * 10.0 ** rng.uniform(-15, -1, half // 2)
            x = np.concatenate([np.exp(rng.uniform(low, high, half)), rng.uniform(0.3, 3, half // 2), near_one])
            x = x.astype(dtype)
            p = rng.uniform(low, high, CHUNK) / np.log(x, dtype=np.float64)
            x[::4], p[::4] = np.rint(rng.uniform(-40, 40, half // 2)), np.rint(rng.uniform(-40, 40, half // 2))
        else:
            x, p = _every_magnitude(rng, CHUNK), _every_magnitude(rng, CHUNK)
            p[::2] = x[::2] * rng.normal(size=half)
        yield x.astype(dtype), p.astype(dtype)


def points(name: str, chunks: int) -> Iterable[Any]:
    """The float64 points at which a function is measured."""
    if name in OF_TWO:
        return some_pairs(name, FLOAT64, chunks)
    return map(np.abs, some_float64(chunks)) if name in POSITIVE else some_float64(chunks)


def measure(name: str, dtype: DType, xs: Iterable[Any], backend: str = "llvm") -> Worst:
    """The greatest error of a compiled function over chunks of points, or of tuples of them."""
    f, truth, worst = compiled(name, dtype, backend=backend), truths()[name], Worst()
    digits = name in BY_DIGITS and dtype == FLOAT64
    if digits:
        truth = partial(by_digits, name, truth)
    wide = np.float64 if digits or (dtype == FLOAT32 and name not in OF_TWO) else np.longdouble
    with np.errstate(all="ignore"):
        for x in xs:
            operands = x if isinstance(x, tuple) else (x,)
            worst.look(operands, f(*operands), truth(*(x.astype(wide) for x in operands)))
    return worst


HEAD = """\
# Elementary functions: measured error

Written by `python -m minigrad.testing.accuracy --write`. The greatest distance of a compiled function from the true
value, in units in the last place, and where; infinities, nan and the ends of the range are exactly right. float32 at so
many bit patterns (there are 4,294,967,296) against float64; float64, and functions of two operands, at {some:,} points
against 80 bits (erf, erfc, erfinv, ndtri, lgamma and digamma at {digits:,}, against 40 digits; the last two at positive
ones: beside the zeros that they have between negative whole numbers the error is that of their greatest terms). The
formulas stand in `functions.py`, `trigonometric.py`, `powers.py`, `hyperbolic.py`, `special.py` and `gamma.py` of
`minigrad/loops`.

| function | float32 | at | points | float64 | at |
|---|---|---|---|---|---|
"""


def single(name: str, every: int, chunks: int) -> list[str]:
    """The float32 cells of a row."""
    points: Iterable[Any] = some_pairs(name, FLOAT32, chunks) if name in OF_TWO else every_float32(every)
    worst = measure(name, FLOAT32, points)
    count = worst.points if name in OF_TWO else -(-(2**32) // every)
    return [f"{worst.ulp:.2f}", ", ".join(f"{x:.9g}" for x in worst.at), f"{count:,}"]


def double(name: str, chunks: int) -> list[str]:
    """The float64 cells of a row."""
    if name in BY_DIGITS:
        chunks = min(chunks, DIGITS_CHUNKS)
    worst = measure(name, FLOAT64, points(name, chunks))
    return [f"{worst.ulp:.2f}", ", ".join(f"{x:.17g}" for x in worst.at)]


def row(name: str, every: int, chunks: int, kept: list[str]) -> list[str]:
    """The cells; the float32 ones as they are kept, if they are."""
    return [name, *(kept or single(name, every, chunks)), *double(name, chunks)]


def rows_of(text: str) -> dict[str, list[str]]:
    """The rows of a written page, by function."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if "|" in line]
    return {cells[0]: cells for cells in rows[2:]}


def page(names: Sequence[str], every: int, chunks: int, old: dict[str, list[str]], keep: bool) -> str:
    """The table with these rows measured anew (`keep`: their float64 cells) and the old ones besides."""
    kept = [old[name][1:4] if keep and name in old else [] for name in names]
    with ProcessPoolExecutor() as pool:
        new = pool.map(row, names, [every] * len(names), [chunks] * len(names), kept)
        rows = {**old, **dict(zip(names, new, strict=True))}
    lines = [f"| {' | '.join(rows[name])} |\n" for name in sorted(rows)]
    return HEAD.format(some=chunks * CHUNK, digits=min(chunks, DIGITS_CHUNKS) * CHUNK) + "".join(lines)


def main() -> int:
    top = argparse.ArgumentParser(prog="python -m minigrad.testing.accuracy", description=__doc__)
    top.add_argument("names", nargs="*", help="the functions to measure (default: all)")
    top.add_argument("--every", type=int, default=1, help="look at every Nth float32 (default: all)")
    top.add_argument("--chunks", type=int, default=128, help="times 65,536 other points (default: %(default)s)")
    top.add_argument("--float64", action="store_true", help=f"leave the float32 cells as they are in {PAGE.name}")
    top.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = top.parse_args()
    names = options.names or sorted(truths())
    text = page(names, options.every, options.chunks, rows_of(PAGE.read_text()), options.float64)
    if options.write:
        PAGE.write_text(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
