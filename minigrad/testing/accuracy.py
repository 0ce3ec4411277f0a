"""How far compiled elementary functions are from the true values, in units in the last place (ulp).

Floor 7. `python -m minigrad.testing.accuracy` measures: float32 over every bit pattern (every Nth with `--every N`),
against float64; float64 at random points of every magnitude, against 80 bits. `--write` puts the table into
docs/functions.md. It takes twenty minutes on two cores.
An ulp is the distance between the floats beside the true value, once it is rounded.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import backends, config
from minigrad.interpreters.build import trace
from minigrad.lazy import lazy_module
from minigrad.op import ndarray
from minigrad.ops.table import ROWS
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
NO_WIDER = ("erf", "erfc")  # scipy has them in float64 only, up to 10 ulp off: float64 has no truth to be held to


def logistic(x: ndarray) -> ndarray:
    small = np.exp(-np.abs(x))
    y: ndarray = np.where(x >= 0, 1, small) / (1 + small)
    return y


def rsqrt(x: ndarray) -> ndarray:
    y: ndarray = 1 / np.sqrt(x)
    return y


def truths() -> dict[str, Callable[[ndarray], ndarray]]:
    """Each function, for arrays wider than those that are measured."""
    return {**BY_NUMPY, "rsqrt": rsqrt, "logistic": logistic, "erf": special.erf, "erfc": special.erfc}


@dataclass
class Worst:
    """The greatest error met, and where."""

    ulp: float = 0.5
    at: float = 0.0
    points: int = 0

    def look(self, x: ndarray, y: ndarray, truth: ndarray) -> None:
        """y for x, where `truth` was right; AssertionError if an infinity or nan is not right.

        Where y is the truth rounded, the error is at most half an ulp, and not looked at more closely.
        """
        self.points += x.size
        rounded = truth.astype(y.dtype)
        (off,) = (rounded != y).nonzero()
        x, y, truth, rounded = (a[off] for a in (x, y, truth, rounded))
        wrong = ~(np.isfinite(rounded) & np.isfinite(y)) & ~(np.isnan(rounded) & np.isnan(y))
        if wrong.any():
            k = int(wrong.argmax())
            raise AssertionError(f"at {x[k]!r}: {y[k]!r} in place of {rounded[k]!r}")
        errors = np.abs(y - truth) / np.spacing(np.abs(rounded))
        k = int(np.nanargmax(errors)) if np.isfinite(errors).any() else -1
        if k >= 0 and errors[k] > self.ulp:
            self.ulp, self.at = float(errors[k]), float(x[k])


def compiled(name: str, dtype: DType, size: int = CHUNK) -> Callable[[ndarray], ndarray]:
    graph, _ = trace(lambda x: [ROWS[name](x)], [TensorType((size,), dtype)])
    with config.cache.using(False):
        run = backends.compile(graph, "llvm")
    return lambda x: run([x])[0]


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
        wide = rng.normal(size=quarter) * 10.0 ** rng.uniform(-300, 300, quarter)
        near = [rng.uniform(-a, b, quarter) for a, b in ((30, 30), (750, 750), (1, 2))]
        yield np.concatenate([wide, *near])


def measure(name: str, dtype: DType, xs: Iterator[ndarray]) -> Worst:
    """The greatest error of a compiled function over chunks of points."""
    f, truth, worst = compiled(name, dtype), truths()[name], Worst()
    wide = np.float64 if dtype == FLOAT32 or name in NO_WIDER else np.longdouble
    for x in xs:
        with np.errstate(all="ignore"):
            worst.look(x, f(x), truth(x.astype(wide)))
    return worst


HEAD = """\
# Elementary functions: measured error

Written by `python -m minigrad.testing.accuracy --write`. The greatest distance of a compiled function from the true
value, in units in the last place, and where; infinities, nan and the ends of the range are exactly right. float32 at so
many bit patterns (there are 4,294,967,296) against float64; float64 at {some:,} points against 80 bits (erf and erfc
have no wider truth here). The formulas stand in `minigrad/loops/functions.py` and `minigrad/loops/wide.py`; in float64
the trigonometric functions and their inverses, log10 and cbrt are the C library's.

| function | float32 | at | patterns | float64 | at |
|---|---|---|---|---|---|
"""


def row(name: str, every: int, chunks: int) -> str:
    single = measure(name, FLOAT32, every_float32(every))
    cells = [f"{single.ulp:.2f}", f"{single.at:.9g}", f"{-(-(2**32) // every):,}"]
    if name in NO_WIDER:
        return " | ".join([f"| {name}", *cells, "", " |"])
    double = measure(name, FLOAT64, some_float64(chunks))
    return " | ".join([f"| {name}", *cells, f"{double.ulp:.2f}", f"{double.at:.17g} |"])


def page(every: int, chunks: int) -> str:
    names = sorted(truths())
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(row, names, [every] * len(names), [chunks] * len(names)))
    return HEAD.format(some=chunks * CHUNK) + "\n".join(rows) + "\n"


def main() -> int:
    top = argparse.ArgumentParser(prog="python -m minigrad.testing.accuracy", description=__doc__)
    top.add_argument("--every", type=int, default=1, help="look at every Nth float32 (default: all)")
    top.add_argument("--chunks", type=int, default=128, help="times 65,536 float64 (default: %(default)s)")
    top.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = top.parse_args()
    text = page(options.every, options.chunks)
    if options.write:
        PAGE.write_text(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
