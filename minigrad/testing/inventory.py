"""Every primitive there is, found by looking: rows of the tables, and op classes with their samples.

Floor 7. The laws, the mutants and the table of rules all start here, so an op is tested by being there.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

import minigrad
from minigrad.op import Op, ndarray, registry
from minigrad.ops.kinds import Draw
from minigrad.ops.rows import Row

MODULES: tuple[ModuleType, ...] = tuple(
    import_module(found.name)
    for found in pkgutil.walk_packages(minigrad.__path__, "minigrad.")
    if found.name.startswith(("minigrad.ops.", "minigrad.control."))
)


def rows() -> list[Row]:
    """The elementwise ops, in the order of their tables."""
    return [op for op in registry.values() if isinstance(op, Row)]


def op_classes() -> list[type[Op]]:
    """The concrete op classes of ops/ and control/, by name. A class without an `impl` is a kind, not an op."""
    names = {module.__name__ for module in MODULES}
    classes: list[type[Op]] = [c for c in registry.values() if isinstance(c, type) and c.__module__ in names]
    concrete = [c for c in classes if c.impl is not Op.impl and getattr(c, "__dataclass_fields__", None) is not None]
    return sorted(concrete, key=lambda c: c.__name__)


def label(op: Op) -> str:
    """A name for tests and tables: the row's, or the class's."""
    return op.name if isinstance(op, Row) else type(op).__name__


# ── cases: an op with parameters, and how to draw its operands ───────────────────────────────────
@dataclass(frozen=True)
class Case:
    """An op and one way to draw operands for it."""

    op: Op
    draws: tuple[Draw, ...]
    name: str

    def operands(self, rng: np.random.Generator) -> list[ndarray]:
        return [draw(d, rng) for d in self.draws]


def draw(d: Draw, rng: np.random.Generator) -> ndarray:
    """An array as a Draw asks for it."""
    x = _spread(d, rng)
    return x + np.asarray(d.diagonal * np.eye(d.shape[-2], d.shape[-1]), x.dtype) if d.diagonal else x


def _spread(d: Draw, rng: np.random.Generator) -> ndarray:
    """Elements within the domain. Distinct ones keep apart by at least half their mean distance."""
    dtype, (low, high) = np.dtype(d.dtype), d.domain
    if dtype.kind == "b":
        return np.asarray(rng.integers(0, 2, d.shape), dtype)
    if dtype.kind in "iu":
        low, high = _integers(d.domain, dtype)
        if d.distinct:
            return rng.permutation(np.arange(low, high + 1))[: int(np.prod(d.shape))].reshape(d.shape).astype(dtype)
        return np.asarray(rng.integers(low, high, d.shape, endpoint=True), dtype)
    if dtype.kind == "c":
        return np.asarray(rng.uniform(low, high, d.shape) + 1j * rng.uniform(low, high, d.shape), dtype)
    if d.distinct:
        n = int(np.prod(d.shape))
        places = (rng.permutation(n) + rng.uniform(0.25, 0.75, n)) / max(n, 1)
        return np.asarray(low + (high - low) * places.reshape(d.shape), dtype)
    return np.asarray(rng.uniform(low, high, d.shape), dtype)


def _integers(domain: tuple[float, float], dtype: np.dtype[Any]) -> tuple[int, int]:
    """The least and greatest integer to draw: those of the domain, or around it where it holds none."""
    limits = np.iinfo(dtype)
    low, high = int(np.ceil(domain[0])), int(np.floor(domain[1]))
    if low > high:
        low, high = high, low
    return max(low, int(limits.min)), max(0, min(high, int(limits.max)))


# The shapes of a row's operands in the standard cases, taken in turn: two of them broadcast, one is empty.
_ROW_SHAPES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((),),
    ((3,),),
    ((2, 3), (3,), (2, 1)),
    ((0, 2),),
    ((9, 4), (4,), (9, 1)),
)


def row_case(op: Row, shapes: Sequence[tuple[int, ...]], dtype: str = "float64") -> Case:
    """A row on operands of these shapes (taken in turn) and this dtype, drawn from its domains."""
    drawn = [Draw(shapes[i % len(shapes)], dtype, op.sample_domain(i)) for i in range(op.operands)]
    shown = "-".join("x".join(map(str, d.shape)) or "scalar" for d in drawn)
    return Case(op, tuple(drawn), f"{shown}-{dtype}")


def dtypes(op: Row) -> list[str]:
    """One dtype of each kind and width a row computes in."""
    of_kind = {
        "b": ["bool"], "i": ["int8", "int32", "int64"], "u": ["uint8", "uint64"],
        "f": ["float32", "float64"], "c": ["complex64", "complex128"],
    }  # fmt: skip
    return [dtype for kind in op.takes for dtype in of_kind[kind]]


def float_dtype(op: Row) -> str:
    """The dtype in which a row is differentiated: float64, or what it takes."""
    return "float64" if "f" in op.takes else "complex128" if "c" in op.takes else dtypes(op)[-1]


def op_samples() -> Iterator[Case]:
    """Every op with operands that suit it: what the laws are tried on, for a backend or a pass of yours to be tried on.

    Rows come over a few shapes (a scalar, an empty one, some that broadcast), op classes with the parameters and
    operands they offer themselves. `case.op` is the op, `case.operands(rng)` draws its operands as ndarrays.

    >>> import numpy as np
    >>> case = next(case for case in op_samples() if case.op.label == "gather")
    >>> [x.shape for x in case.operands(np.random.default_rng(0))]
    [(5,), (3, 1)]
    """
    for op in rows():
        for shapes in _ROW_SHAPES:
            yield row_case(op, shapes, float_dtype(op))
    for op in rows():
        if "c" in op.takes and "f" in op.takes:
            yield row_case(op, ((2,),), "complex128")
    for cls in op_classes():
        yield from class_cases(cls)


def class_cases(cls: type[Op]) -> list[Case]:
    """The samples an op class offers; none when it offers none (which a test does not forgive)."""
    samples = getattr(cls, "samples", None)
    if samples is None:
        return []
    return [Case(op, tuple(draws), f"{i}") for i, (op, draws) in enumerate(samples())]
