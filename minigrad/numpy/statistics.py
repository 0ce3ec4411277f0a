"""Statistics of samples: covariance, correlation, histograms.

Floor 5.
"""

from __future__ import annotations

from typing import Any

from minigrad.errors import ArgumentError, ShapeError
from minigrad.numpy import reductions
from minigrad.numpy.creation import linspace
from minigrad.numpy.cumulative import diff
from minigrad.numpy.joining import concat
from minigrad.numpy.linear_algebra import convolve, diagonal, matmul
from minigrad.numpy.manipulation import atleast_2d, flip, ravel
from minigrad.numpy.searching import searchsorted
from minigrad.op import Operand, lift
from minigrad.ops import elementwise as e
from minigrad.ops.axes import python_number
from minigrad.ops.composite import floating
from minigrad.ops.gather import Scatter
from minigrad.ops.matrices import adjoint, column, row
from minigrad.ops.movement import Reshape, expand_to, full, zero
from minigrad.ops.pieces import slice_axis
from minigrad.ops.stop import stop_gradient
from minigrad.types import INT64, promote


def cov(
    m: Operand,
    /,
    y: Operand | None = None,
    rowvar: Any = True,
    bias: Any = False,
    ddof: int | None = None,
    fweights: Operand | None = None,
    aweights: Operand | None = None,
) -> Any:
    """The covariance matrix of variables, the rows of m (and of y): [k, n] -> [k, k]; of one variable a scalar.

    Divided by n - 1, or by n if `bias`, or by n - ddof. `fweights` say how often a sample counts, `aweights` how much.

    >>> import minigrad.numpy as mnp
    >>> mnp.cov(mnp.asarray([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    x = _variables("cov", m, y, rowvar)
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = [lift(w, "cov") for w in (fweights, aweights) if w is not None]
    for w in weights:
        if w.shape != x.shape[1:]:
            raise ShapeError(f"cov: weights {w.type} for {x.shape[1]} samples")
    if not weights:
        away = e.sub(x, reductions.mean(x, 1, keepdims=True))
        total, heavy = float(x.shape[1] - ddof), away
    else:
        w = e.convert(weights[0] if len(weights) == 1 else e.mul(*weights), e.real(x).dtype)
        mass = reductions.sum(w)
        away = e.sub(x, e.div(reductions.sum(e.mul(x, w), 1, keepdims=True), mass))
        lost = mass if aweights is None else e.div(reductions.sum(e.mul(w, lift(aweights))), 1)
        total = e.sub(mass, ddof if aweights is None else e.div(e.mul(lost, ddof), mass))
        heavy = e.mul(away, w)
    # NumPy's order: Σ (x_i − μ_i)·conj(x_j − μ_j)
    product = e.div(matmul(heavy, adjoint(away)), total)
    return Reshape(())(product) if product.shape == (1, 1) else product


def _variables(who: str, m: Operand, y: Operand | None, rowvar: Any) -> Any:
    """The variables as rows [k, n]."""
    rows = []
    for part in (m,) if y is None else (m, y):
        x = floating(part, who)
        if x.ndim > 2:
            raise ShapeError(f"{who}: takes a vector or a matrix, got {x.type}")
        rows.append(atleast_2d(x) if rowvar or x.ndim < 2 else x.T)
    return rows[0] if len(rows) == 1 else concat(rows, axis=0)


def corrcoef(x: Operand, /, y: Operand | None = None, rowvar: Any = True) -> Any:
    """The correlation matrix of variables: `cov` divided by both standard deviations, held within [-1, 1].

    >>> import minigrad.numpy as mnp
    >>> mnp.corrcoef(mnp.asarray([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])).round(3).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return e.div(c, c)
    deviation = e.sqrt(e.real(diagonal(c)))
    c = e.div(e.div(c, column(deviation)), row(deviation))
    if c.dtype.kind == "c":
        return c
    held = stop_gradient(c)  # rounding may step out of [-1, 1]; what brings it back is a constant
    return e.add(c, e.sub(e.clip(held, -1.0, 1.0), held))


def correlate(a: Operand, /, v: Operand, mode: str = "valid") -> Any:
    """The cross-correlation of two vectors, Σ aₙ₊ₖ·conj(vₙ) for each shift k. Modes: "valid", "same", "full".

    >>> import minigrad.numpy as mnp
    >>> mnp.correlate(mnp.asarray([1, 2, 3]), mnp.asarray([0, 1])).tolist()
    [2, 3]
    """
    a, v = lift(a, "correlate"), lift(v, "correlate")
    for x in (a, v):
        if x.ndim != 1 or x.shape[0] == 0:
            raise ShapeError(f"correlate: takes vectors that are not empty, got {x.type}")
    if a.shape[0] < v.shape[0]:  # the shifts of the shorter one against the longer one, backwards
        y = correlate(v, a, mode)
        return flip(e.conj(y) if y.dtype.kind == "c" else y, axis=0)
    return convolve(a, flip(e.conj(v) if v.dtype.kind == "c" else v, axis=0), mode)


# ── histograms ───────────────────────────────────────────────────────────────────────────────────
def histogram_bin_edges(a: Operand, /, bins: Any = 10, range: tuple[Any, Any] | None = None) -> Any:
    """So many equal bins from the smallest to the largest element (or over `range`): their edges [bins + 1].

    >>> import minigrad.numpy as mnp
    >>> mnp.histogram_bin_edges(mnp.asarray([0.0, 4.0]), bins=2).tolist()
    [0.0, 2.0, 4.0]
    """
    bins = python_number(bins)
    if not isinstance(bins, int):
        edges = lift(bins, "histogram")
        if edges.ndim != 1:
            raise ShapeError(f"histogram: bins are a number or a vector of edges, got {edges.type}")
        return edges
    if bins < 1:
        raise ArgumentError(f"histogram: needs at least one bin, got {bins}")
    x = ravel(floating(a, "histogram"))
    if range is not None:
        low, high = (e.convert(lift(end, "histogram"), x.dtype) for end in range)
    elif x.shape[0] == 0:
        low, high = zero(x.dtype), e.add(zero(x.dtype), 1)
    else:
        low, high = reductions.min(x), reductions.max(x)
    flat = e.equal(low, high)  # all alike: a bin of width 1 around them
    return linspace(e.where(flat, e.sub(low, 0.5), low), e.where(flat, e.add(high, 0.5), high), bins + 1)


def histogram(
    a: Operand,
    /,
    bins: Any = 10,
    range: tuple[Any, Any] | None = None,
    density: Any = None,
    weights: Operand | None = None,
) -> tuple[Any, Any]:
    """How many elements lie in each bin (int64, or the sum of their weights), and the edges of the bins.

    A bin holds its left edge, the last one both. `density`: divided by the whole and by the widths. Counts have no
    gradient; sums of weights have one by the weights.

    >>> import minigrad.numpy as mnp
    >>> [part.tolist() for part in mnp.histogram(mnp.asarray([0.0, 1.0, 1.5, 4.0]), bins=2)]
    [[3, 1], [0.0, 2.0, 4.0]]
    """
    edges = histogram_bin_edges(a, bins, range)
    x = ravel(lift(a, "histogram"))
    n = edges.shape[0] - 1
    many = full(x.shape, 1, INT64) if weights is None else ravel(lift(weights, "histogram"))
    if many.shape != x.shape:
        raise ShapeError(f"histogram: weights {many.type} for {x.type}")
    place = e.sub(searchsorted(edges, x, side="right"), 1)
    place = e.where(e.equal(x, slice_axis(edges, 0, n, n + 1)), n - 1, place)
    place = e.where(e.less(place, 0), n, place)  # below the first edge: dropped, as beyond the last
    counts = Scatter((0,), "add", "drop")(full((n,), 0, many.dtype), expand_to(many, x.shape), column(place))
    if density:
        mass = e.convert(counts, promote(counts.dtype, edges.dtype))
        return e.div(e.div(mass, reductions.sum(mass)), diff(edges)), edges
    return counts, edges
