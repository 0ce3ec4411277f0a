"""One line per function of the namespace: how to call it, with which operands, and whether it has a gradient.

A case calls `f(xp, *operands)`, with `xp` minigrad.numpy or NumPy; `np_f` where NumPy spells it differently.
Operands are letters for sizes, the same letter the same size: "ab b" is a matrix and a vector that broadcasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

Domain = tuple[float, float]


@dataclass(frozen=True)
class Case:
    name: str
    f: Callable[..., Any]
    operands: str = "ab"
    np_f: Callable[..., Any] | None = None
    kinds: str = "if"  # dtypes to try: b bool, i int32, u uint8, f float32 and float64, c complex
    domain: Domain = (-2.0, 2.0)
    grad: bool = True  # compare the gradient with differences
    graph: bool = True  # can it be staged?

    def reference(self, *xs: Any) -> Any:
        return (self.np_f or self.f)(np, *xs)


DTYPES = {"b": ["bool"], "i": ["int32"], "u": ["uint8"], "f": ["float32", "float64"], "c": ["complex64"]}


def draw(
    case: Case, dtype: str, rng: np.random.Generator, sizes: Mapping[str, int] = MappingProxyType({})
) -> list[Any]:
    """Operands of random sizes 1 to 4 save those given, all different numbers for floats (no ties, no kinks)."""
    size = {letter: int(rng.integers(1, 5)) for letter in "abcd"} | {digit: int(digit) for digit in "12356"}
    size |= sizes
    return [_array(tuple(size[s] for s in word), dtype, case.domain, rng) for word in case.operands.split()]


def _array(shape: tuple[int, ...], dtype: str, domain: Domain, rng: np.random.Generator) -> Any:
    lo, hi = domain
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in ("int32", "uint8"):
        return rng.integers(max(int(lo), 0 if dtype == "uint8" else -99), int(hi) + 2, shape).astype(dtype)
    n = int(np.prod(shape))
    spread = lo + (hi - lo) * (rng.permutation(n) + rng.uniform(0.3, 0.7, n)) / max(n, 1)
    x = spread.reshape(shape)
    if "complex" in dtype:
        x = x + 1j * rng.permutation(x.reshape(-1)).reshape(shape)
    return x.astype(dtype)


def unary(names: str, domain: Domain = (-2.0, 2.0), kinds: str = "if", grad: bool = True) -> Iterator[Case]:
    for name in names.split():
        yield Case(name, lambda xp, x, name=name: getattr(xp, name)(x), "ab", domain=domain, kinds=kinds, grad=grad)


def binary(names: str, domain: Domain = (-2.0, 2.0), kinds: str = "if", grad: bool = True) -> Iterator[Case]:
    for name in names.split():
        f = lambda xp, x, y, name=name: getattr(xp, name)(x, y)
        yield Case(name, f, "ab b", domain=domain, kinds=kinds, grad=grad)


def same(name: str, f: Callable[..., Any], operands: str = "ab", **more: Any) -> Case:
    return Case(name, f, operands, **more)


SOME = np.array([[True], [False], [True]])  # which rows count

CASES: list[Case] = [
    *unary("negative square positive abs absolute real conj conjugate", kinds="ifc", grad=True),
    *unary("exp exp2 expm1 sin cos tan sinh cosh tanh asinh atan arctan arcsinh cbrt", domain=(-1.2, 1.2)),
    *unary("log log2 log10 log1p sqrt reciprocal", domain=(0.5, 3.0), kinds="f"),
    *unary("asin acos atanh arcsin arccos arctanh", domain=(-0.9, 0.9), kinds="f"),
    *unary("acosh arccosh", domain=(1.5, 3.0), kinds="f"),
    *unary("sinc nan_to_num", kinds="fc"),
    *unary("deg2rad rad2deg", kinds="f"),
    same("rsqrt", lambda xp, x: xp.rsqrt(x), np_f=lambda xp, x: 1 / np.sqrt(x), domain=(0.5, 3.0), kinds="f"),
    *unary("imag", kinds="c", grad=False),
    *unary("sign floor ceil trunc rint round around isfinite isinf isnan signbit", kinds="f", grad=False),
    same("round-tens", lambda xp, x: xp.round(x, -1), kinds="if", domain=(-40, 40), grad=False),
    same("round-tens-unsigned", lambda xp, x: xp.round(x, decimals=-1), kinds="u", domain=(0, 40), grad=False),
    *unary("bitwise_invert invert", kinds="biu", grad=False),
    *unary("logical_not", kinds="bif", grad=False),
    *binary("add subtract multiply maximum minimum", kinds="ifc"[:2]),
    *binary("divide true_divide", domain=(0.5, 2.0), kinds="ifc"),
    *binary("hypot arctan2 atan2 logaddexp", kinds="f"),
    *binary("copysign", kinds="f"),
    *binary("pow power", domain=(0.5, 2.5), kinds="if"),
    *binary("floor_divide", domain=(1.0, 5.0), kinds="iuf", grad=False),
    *binary("remainder mod", domain=(1.0, 5.0), kinds="iuf", grad=False),
    *binary("equal not_equal less less_equal greater greater_equal", kinds="bif", grad=False),
    *binary("bitwise_and bitwise_or bitwise_xor", kinds="biu", grad=False),
    *binary("bitwise_left_shift bitwise_right_shift", domain=(0, 3), kinds="iu", grad=False),
    *binary("logical_and logical_or logical_xor", kinds="bif", grad=False),
    *binary("nextafter isclose heaviside", kinds="f", grad=False),
    # reductions
    *[
        same(f"{name}-{axis}", lambda xp, x, n=name, a=axis, k=keep: getattr(xp, n)(x, axis=a, keepdims=k), "abc")
        for name in ("sum", "prod", "mean", "var", "std", "max", "min")
        for axis, keep in ((None, False), (1, False), (-1, True), ((0, 2), False))
    ],
    *[
        same(f"{name}-{axis}", lambda xp, x, n=name, a=axis: getattr(xp, n)(x, axis=a), "ab", kinds="bif", grad=False)
        for name in ("any", "all", "count_nonzero", "argmax", "argmin")
        for axis in (None, 0, -1)
    ],
    same("sum-dtype", lambda xp, x: xp.sum(x, axis=0, dtype="float64"), "ab"),
    same("prod-ints", lambda xp, x: xp.prod(x, axis=0), "ab", kinds="u", grad=False),
    same("sum-bools", lambda xp, x: xp.sum(x), "ab", kinds="b", grad=False),
    same("max-complex-real", lambda xp, x: xp.max(xp.real(x)), "ab", kinds="c", grad=False),
    same(
        "var-correction",
        lambda xp, x: xp.var(x, axis=0, correction=1),
        "3b",
        kinds="ifc",
    ),
    same("std-1", lambda xp, x: xp.std(x, axis=1, correction=1), "a3"),
    *[
        same(f"{name}-where", lambda xp, x, n=name, m=more: getattr(xp, n)(x, axis=0, where=SOME, **m), "3b")
        for name, more in {
            "sum": {"initial": 2},
            "prod": {"initial": 2},
            "mean": {},
            "max": {"initial": -5},
            "min": {"initial": 5},
            "var": {},
            "std": {"keepdims": True},
        }.items()
    ],
    same("all-where", lambda xp, x: xp.all(x > 0, axis=0, where=SOME), "3b", grad=False),
    same("any-where", lambda xp, x: xp.any(x, where=SOME), "3b", kinds="b", grad=False),
    *[same(name, lambda xp, x, n=name: getattr(xp, n)(x, axis=1)) for name in ("amax", "amin")],
    same("max-initial", lambda xp, x: xp.max(x, initial=0.5), "ab", kinds="f"),
    same("var-ddof", lambda xp, x: xp.var(x, axis=0, ddof=1), "3b", kinds="f"),
    same("ptp", lambda xp, x: xp.ptp(x, axis=0), "ab"),
    same("average", lambda xp, x, w: xp.average(x, axis=1, weights=w), "ab b", domain=(0.5, 2), kinds="f"),
    same(
        "average-axes",
        lambda xp, x, w: xp.average(x, axis=(2, 0), weights=w),
        "abc ca",
        domain=(0.5, 2),
        kinds="f",
    ),
    same("average-same", lambda xp, x, w: xp.average(x, weights=w), "ab ab", domain=(0.5, 2), kinds="f"),
    same("median", lambda xp, x: xp.median(x, axis=1), "abc", kinds="if"),
    same("quantile", lambda xp, x: xp.quantile(x, 0.3, axis=(0, 2)), "abc", kinds="if"),
    same("percentile", lambda xp, x: xp.percentile(x, 70, keepdims=True), "ab", kinds="f"),
    *[
        same(f"quantile-{method}", lambda xp, x, m=method: xp.quantile(x, 0.3, axis=0, method=m), "3b", kinds="f")
        for method in ("lower", "higher", "nearest", "midpoint")
    ],
    # along an axis
    same("cumsum", lambda xp, x: xp.cumsum(x)),
    same("cumsum-1", lambda xp, x: xp.cumsum(x, axis=1), kinds="iuf"),
    same("cumprod", lambda xp, x: xp.cumprod(x, axis=0)),
    same("cumulative_sum", lambda xp, x: xp.cumulative_sum(x, axis=1, include_initial=True)),
    same("cumulative_prod", lambda xp, x: xp.cumulative_prod(x, axis=0, include_initial=True)),
    same("cummax", lambda xp, x: xp.cummax(x, axis=1), np_f=lambda xp, x: np.maximum.accumulate(x, axis=1)),
    same("cummin", lambda xp, x: xp.cummin(x, axis=0), np_f=lambda xp, x: np.minimum.accumulate(x, axis=0)),
    same("diff", lambda xp, x: xp.diff(x, axis=0), "ab"),
    same("diff-2", lambda xp, x: xp.diff(x, 2), "a6"),
    same("diff-ends", lambda xp, x, p: xp.diff(x, axis=0, prepend=p, append=p), "ab 1b"),
    same("diff-numbers", lambda xp, x: xp.diff(x, axis=0, prepend=0, append=1), "ab"),
    same("diff-bool", lambda xp, x: xp.diff(x), "a6", kinds="b", grad=False),
    # shape and order
    same("reshape", lambda xp, x: xp.reshape(x, (-1, 2)), "a2b"),
    same("reshape-columns", lambda xp, x: xp.reshape(x, (-1, 2), order="F"), "a2b"),
    same("ravel", lambda xp, x: xp.ravel(x), "abc"),
    same("ravel-columns", lambda xp, x: xp.ravel(x, order="F"), "abc"),
    same("expand_dims", lambda xp, x: xp.expand_dims(x, axis=(0, -1))),
    same("squeeze", lambda xp, x: xp.squeeze(x, axis=1), "a1b"),
    same("squeeze-all", lambda xp, x: xp.squeeze(x), "1a1"),
    same("broadcast_to", lambda xp, x: xp.broadcast_to(x, (2, *x.shape))),
    same("permute_dims", lambda xp, x: xp.permute_dims(x, (2, 0, 1)), "abc"),
    same("transpose", lambda xp, x: xp.transpose(x), "abc"),
    same("matrix_transpose", lambda xp, x: xp.matrix_transpose(x), "abc"),
    same("swapaxes", lambda xp, x: xp.swapaxes(x, 0, -1), "abc"),
    same("moveaxis", lambda xp, x: xp.moveaxis(x, (0, 1), (-1, 0)), "abc"),
    same("flip", lambda xp, x: xp.flip(x, axis=(0, 2)), "abc"),
    same("flip-all", lambda xp, x: xp.flip(x)),
    same("roll", lambda xp, x: xp.roll(x, 2)),
    same("roll-axes", lambda xp, x: xp.roll(x, (1, -1), axis=(0, 1)), "abc"),
    same("concat", lambda xp, x, y: xp.concat([x, y], axis=1), "ab ac"),
    same("concatenate-flat", lambda xp, x, y: xp.concatenate([x, y], axis=None), "ab c"),
    same("stack", lambda xp, x, y: xp.stack([x, y], axis=-1), "ab ab"),
    same("hstack", lambda xp, x, y: xp.hstack([x, y]), "ab ac"),
    same("vstack", lambda xp, x, y: xp.vstack([x, y]), "b ab"),
    same("dstack", lambda xp, x, y: xp.dstack([x, y]), "ab ab"),
    same("column_stack", lambda xp, x, y: xp.column_stack([x, y]), "a ab"),
    same("atleast_3d-vector", lambda xp, x: xp.atleast_3d(x), "a"),
    *[
        same(f"atleast_{k}d", lambda xp, x, y, k=k: list(getattr(xp, f"atleast_{k}d")(x, y, 1)), "a ab")
        for k in (1, 2, 3)
    ],
    same("unstack", lambda xp, x: list(xp.unstack(x, axis=1)), "a3"),
    same("split", lambda xp, x: xp.split(x, 3, axis=1), "a6"),
    same("split-at", lambda xp, x: xp.split(x, [1, 4, 4, 9]), "6"),
    same("array_split", lambda xp, x: xp.array_split(x, 4), "6"),
    same("tile", lambda xp, x: xp.tile(x, (2, 1, 3))),
    same("tile-short", lambda xp, x: xp.tile(x, 2), "abc"),
    same("repeat", lambda xp, x: xp.repeat(x, 3, axis=1)),
    same("repeat-flat", lambda xp, x: xp.repeat(x, 2)),
    same("repeat-each", lambda xp, x: xp.repeat(x, np.array([2, 0, 1]), axis=1), "a3"),
    same("pad", lambda xp, x: xp.pad(x, ((1, 2), (0, 1)), constant_values=3)),
    same("pad-array", lambda xp, x: xp.pad(x, xp.asarray([[1, 2], [0, 1]]))),
    same("pad-pairs", lambda xp, x: xp.pad(x, ((1, 2), (0, 1)), constant_values=((1, 2), (3, 4)))),
    *[
        same(f"pad-{mode}", lambda xp, x, m=mode: xp.pad(x, (2, 3), mode=m), operands)
        for mode in ("edge", "reflect", "symmetric", "wrap")
        for operands in ("3", "23")
    ],
    same("broadcast_arrays", lambda xp, x, y: list(xp.broadcast_arrays(x, y)), "a1 b"),
    same("meshgrid", lambda xp, x, y: list(xp.meshgrid(x, y)), "a b"),
    same("meshgrid-ij", lambda xp, x, y: list(xp.meshgrid(x, y, indexing="ij")), "a b"),
    same("meshgrid-sparse", lambda xp, x, y: list(xp.meshgrid(x, y, sparse=True)), "a b"),
    same("tril", lambda xp, x: xp.tril(x, k=1), "ab"),
    same("triu", lambda xp, x: xp.triu(x, k=-1), "abc"),
    # products
    same("matmul", lambda xp, x, y: xp.matmul(x, y), "dab bc", kinds="ifc"),
    same("matmul-vector", lambda xp, x, y: xp.matmul(x, y), "a dab"),
    same("dot", lambda xp, x, y: xp.dot(x, y), "ab dbc"),
    same("vdot", lambda xp, x, y: xp.vdot(x, y), "ab ab", kinds="fc"),
    same("vecdot", lambda xp, x, y: xp.vecdot(x, y), "dab b", kinds="fc"),
    same("vecdot-axis", lambda xp, x, y: xp.vecdot(x, y, axis=0), "ab ab", kinds="f"),
    same("inner", lambda xp, x, y: xp.inner(x, y), "ab cb"),
    same("outer", lambda xp, x, y: xp.outer(x, y), "a b"),
    same("tensordot", lambda xp, x, y: xp.tensordot(x, y, axes=2), "dab abc"),
    same("tensordot-pairs", lambda xp, x, y: xp.tensordot(x, y, axes=((0,), (1,))), "ab ca"),
    same("einsum", lambda xp, x, y: xp.einsum("dab,cb->acd", x, y), "dab cb"),
    same("einsum-numbers", lambda xp, x, y: xp.einsum(x, [..., 2], y, [1, 2], [1, ...]), "dab cb"),
    same("einsum-numbers-only", lambda xp, x, y: xp.einsum(x, [3, 0, 1], y, [2, 1]), "dab cb"),
    same("kron", lambda xp, x, y: xp.kron(x, y), "ab c"),
    same("cross", lambda xp, x, y: xp.cross(x, y), "a3 3"),
    same("convolve", lambda xp, x, y: xp.convolve(x, y), "6 3", kinds="if"),
    same("convolve-same", lambda xp, x, y: xp.convolve(x, y, "same"), "6 2", kinds="f"),
    same("convolve-valid", lambda xp, x, y: xp.convolve(x, y, "valid"), "2 6", kinds="f"),
    same("trace", lambda xp, x: xp.trace(x, offset=1)),
    *[same(f"diagonal{k}", lambda xp, x, k=k: xp.diagonal(x, k, 0, 2), "abc") for k in (-2, 0, 1)],
    *[same(f"diag{k}", lambda xp, x, k=k: xp.diag(x, k), "a") for k in (-2, 0, 1)],
    same("diag-of", lambda xp, x: xp.diag(x, -1), "ab"),
    # positions and order
    same("where", lambda xp, x, y: xp.where(xp.real(x) > xp.real(y), x, y), "ab b", kinds="ifc"),
    same("clip", lambda xp, x: xp.clip(x, -1, 1)),
    same("clip-low", lambda xp, x: xp.clip(x, 0), kinds="if", np_f=lambda xp, x: np.maximum(x, 0)),
    same("clip-names", lambda xp, x: xp.clip(x, a_min=-1, a_max=None), np_f=lambda xp, x: np.maximum(x, -1)),
    same("take", lambda xp, x: xp.take(x, np.array([[1, 0], [2, -1]]), axis=1), "a3"),
    same("take-flat", lambda xp, x: xp.take(x, np.array([0, 0, -1])), "a3"),
    same("take_along_axis-flat", lambda xp, x: xp.take_along_axis(x, np.array([2, 0, -1]), axis=None), "a3"),
    same("take_along_axis", lambda xp, x: xp.take_along_axis(x, np.array([[2, 0, 0, -1]]), axis=1), "a3"),
    same("sort", lambda xp, x: xp.sort(x, axis=0), "ab"),
    same("sort-flat", lambda xp, x: xp.sort(x, axis=None), "ab"),
    same("sort-down", lambda xp, x: xp.sort(x, descending=True), "ab", np_f=lambda xp, x: np.sort(x)[..., ::-1]),
    same("argsort", lambda xp, x: xp.argsort(x, axis=1, stable=True), "ab", grad=False),
    same("argsort-kind", lambda xp, x: xp.argsort(x, kind="stable"), "ab", grad=False),
    same("lexsort", lambda xp, x, y: xp.lexsort([x, y]), "6 6", kinds="i", grad=False),
    same("searchsorted", lambda xp, x, y: xp.searchsorted(xp.sort(x), y), "a bc", grad=False),
    same("searchsorted-r", lambda xp, x, y: xp.searchsorted(xp.sort(x), y, side="right"), "a b", grad=False),
    same("digitize", lambda xp, x, y: xp.digitize(x, xp.sort(y)), "ab 5", kinds="f", grad=False),
    same("digitize-down", lambda xp, x, y: xp.digitize(x, xp.flip(xp.sort(y))), "ab 5", kinds="f", grad=False),
    same("digitize-down-right", lambda xp, x, y: xp.digitize(x, xp.flip(xp.sort(y)), right=True), "a 5", grad=False),
    same("interp-number", lambda xp, y: xp.interp(9.0, xp.sort(y), y, right=-9.0), "5", kinds="f", grad=False),
    same("interp-point", lambda xp, x, y: xp.interp(x, y[:1], y[:1]), "ab 5", kinds="f", grad=False),
    same("interp", lambda xp, x, y: xp.interp(x, xp.sort(y), y), "ab 5", kinds="f", grad=False),
    same("interp-ends", lambda xp, x, y: xp.interp(x, y[:1], y[:1], -9.0, 9.0), "ab 5", kinds="f", grad=False),
    same("isin", lambda xp, x, y: xp.isin(x, y), "ab c", kinds="i", grad=False),
    same("nonzero", lambda xp, x: list(xp.nonzero(x)), "ab", kinds="bi", grad=False, graph=False),
    same("argwhere", lambda xp, x: xp.argwhere(x), "ab", kinds="i", grad=False, graph=False),
    same("flatnonzero", lambda xp, x: xp.flatnonzero(x), "ab", kinds="b", grad=False, graph=False),
    same("unique", lambda xp, x: xp.unique(x), "ab", kinds="if", graph=False),
    same("unique_values", lambda xp, x: xp.unique_values(x), np_f=lambda xp, x: np.unique(x), kinds="if", graph=False),
    same("unique_all", lambda xp, x: list(xp.unique_all(x)), "ab", kinds="if", graph=False),
    same("unique_counts", lambda xp, x: list(xp.unique_counts(x)), "ab", kinds="if", graph=False),
    same("unique_inverse", lambda xp, x: list(xp.unique_inverse(x)), "ab", kinds="if", graph=False),
    same("unique-more", lambda xp, x: list(xp.unique(x, True, True, True)), "6", kinds="i", grad=False, graph=False),
    same("unique-rows", lambda xp, x: list(xp.unique(x % 2, True, axis=0)), "62", kinds="i", grad=False, graph=False),
    same("bincount", lambda xp, x: xp.bincount(x % 5), "6", kinds="iu", grad=False, graph=False),
    # creation
    same("full_like", lambda xp, x: xp.full_like(x, 3), grad=False),
    same("zeros_like", lambda xp, x: xp.zeros_like(x), grad=False),
    same("ones_like", lambda xp, x: xp.ones_like(x, dtype="int8"), grad=False),
    same("linspace", lambda xp, x, y: xp.linspace(x, y, 5), "a a", kinds="f"),
    same("geomspace-arrays", lambda xp, x, y: xp.geomspace(x, y, 5), "a ba", domain=(0.5, 2), kinds="f"),
    same("linspace-step", lambda xp, x, y: list(xp.linspace(x, y, 4, endpoint=False, retstep=True)), "a a", kinds="f"),
]
