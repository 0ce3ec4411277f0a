"""Complex numbers as pairs of reals: what is native for reals is so for them.

Floor 4. In memory a complex tensor is a real one with one more axis, of size 2. `AsReal` and `AsComplex` say so and
cost nothing; between them there are only real nodes. Ops that are not written out here take whole complex tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from minigrad.frozen import dataclass
from minigrad.graph import Atom, Const, Graph, Node, Var
from minigrad.op import Op, ndarray
from minigrad.ops import elementwise as e
from minigrad.ops.along import AddAlongAxis, TakeAlongAxis
from minigrad.ops.cumulative import CumSum
from minigrad.ops.dynamic import DynamicSlice, DynamicUpdateSlice
from minigrad.ops.gather import Gather, Scatter
from minigrad.ops.movement import Expand, Reshape, Sum
from minigrad.ops.pieces import Concatenate, Pad, Slice
from minigrad.ops.rows import Convert, Row, Where
from minigrad.passes.rewrite import Sweep, rebuilt
from minigrad.passes.schedule import pair_functions
from minigrad.passes.schedule.moves import MOVES
from minigrad.passes.schedule.windows import Interleave
from minigrad.types import BOOL, FLOAT32, TensorType, real_of

Pair: TypeAlias = tuple[Atom, Atom]
# what is done to both parts alike; operands that are not complex are positions and conditions
_ALIKE = (
    *MOVES, Concatenate, Pad, Sum, CumSum, Gather, TakeAlongAxis, AddAlongAxis, DynamicSlice, DynamicUpdateSlice, Where,
)  # fmt: skip


@dataclass(frozen=True)
class AsReal(Op, listed=False):
    """The parts of complex numbers along one more axis, where they are."""

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return TensorType((*x.shape, 2), real_of(x.dtype))

    def impl(self, x: ndarray) -> ndarray:
        return np.stack([x.real, x.imag], -1)


@dataclass(frozen=True)
class AsComplex(Op, listed=False):
    """The inverse of `AsReal`."""

    def out_type(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return TensorType(x.shape[:-1], np.result_type(x.dtype, np.complex64))

    def impl(self, x: ndarray) -> ndarray:
        return np.ascontiguousarray(x).view(np.result_type(x.dtype, np.complex64))[..., 0]


def as_pairs(graph: Graph) -> Graph:
    """The graph with real nodes for complex ones."""
    if not any(v.type.dtype.kind == "c" for n in graph.nodes for v in (*n.ins, *n.outs)):
        return graph
    sweep = _Pairs(graph)
    for n in graph.nodes:
        sweep.line = n.line
        found = sweep.rewritten(n) if any(a.type.dtype.kind == "c" for a in (*n.ins, *n.outs)) else None
        if found is None:
            sweep.keep(rebuilt(n, tuple([sweep.whole(a) for a in n.ins])))
        elif n.out.type.dtype.kind == "c":
            re, im = found
            sweep.computed[n.out] = re, im
        else:
            sweep.replace(n.out, found[0])
    for a in graph.outputs:
        sweep.whole(a)
    return sweep.graph()


class _Pairs(Sweep):
    """The sweep. What is complex in the old graph is a pair in the new one where it was computed as such."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.computed: dict[Atom, Pair] = {}
        self.loaded: dict[Atom, Pair] = {}

    def pair(self, a: Atom) -> Pair:
        """The parts of a complex atom."""
        if a in self.computed:
            return self.computed[a]
        if a not in self.loaded:
            (now,) = self.atoms((a,))
            if isinstance(now, Const):
                self.loaded[a] = Const(now.array.real), Const(now.array.imag)
            else:
                parts, shape = self.emit(AsReal(), now), a.type.shape
                first, one = (0,) * len(shape), (1,) * (len(shape) + 1)
                slices = [self.emit(Slice((*first, k), (*shape, k + 1), one), parts) for k in (0, 1)]
                re, im = (self.emit(Reshape(shape), x) for x in slices)
                self.loaded[a] = re, im
        return self.loaded[a]

    def whole(self, a: Atom) -> Atom:
        """The tensor in memory, where its other readers find it, too, from now on."""
        found = self.computed.pop(a, None)
        if found is not None:
            assert isinstance(a, Var)
            shape = a.type.shape or (1,)
            parts = found if a.type.shape else [self.emit(Reshape(shape), x) for x in found]
            both = self.emit(Interleave((2,), (2 * shape[-1],)), *parts)
            self.replace(a, self.emit(AsComplex(), self.emit(Reshape((*a.type.shape, 2)), both)))
        return self.atoms((a,))[0]

    def rewritten(self, n: Node) -> Sequence[Atom] | None:
        """The parts of what a node gives (one, if it is real); None if its op takes whole tensors."""
        op = n.op
        rule = _RULES.get(op.name) if isinstance(op, Row) else None
        alike = isinstance(op, _ALIKE) or (isinstance(op, Scatter) and op.mode in ("set", "add"))
        if not (rule or alike or isinstance(op, Convert)) or n.out.type.size == 0:
            return None
        pairs = [self.pair(a) if a.type.dtype.kind == "c" else self.atoms((a, a)) for a in n.ins]
        if isinstance(op, Convert):
            found = self.converted(op, pairs[0], n.ins[0].type.dtype.kind == "c")
        elif rule is not None:
            found = rule(self.emit, *pairs)
        else:
            found = tuple([self.emit(op, *parts) for parts in zip(*pairs)])
        return [x if x.type.shape == n.out.type.shape else self.emit(Expand(n.out.type.shape), x) for x in found]

    def converted(self, op: Convert, x: Sequence[Atom], whole: bool) -> Sequence[Atom]:
        if op.dtype.kind == "c":
            part = Convert(real_of(op.dtype))
            zero = Const(np.zeros((), real_of(op.dtype)))
            return self.emit(part, x[0]), self.emit(part, x[1]) if whole else zero
        if op.dtype == BOOL:
            return [self.emit(e.or_, *(self.emit(e.not_equal, y, _zero(y)) for y in x))]
        return [self.emit(Convert(op.dtype), x[0])]


# ── arithmetic: each rule gives the parts of its result ──────────────────────────────────────────
Emit: TypeAlias = Callable[..., Var]


def _number(x: float, like: Atom) -> Const:
    return Const(np.asarray(x, like.type.dtype))


def _zero(like: Atom) -> Const:
    return _number(0, like)


def _mul(do: Emit, x: Pair, y: Pair) -> Pair:
    (a, b), (c, d) = x, y
    return do(e.sub, do(e.mul, a, c), do(e.mul, b, d)), do(e.add, do(e.mul, a, d), do(e.mul, b, c))


def _mul_no_nan(do: Emit, x: Pair, y: Pair) -> Pair:
    zero = do(e.or_, _equal(do, x, (_zero(x[0]),) * 2)[0], _equal(do, y, (_zero(y[0]),) * 2)[0])
    re, im = _mul(do, x, y)
    return do(Where(), zero, _zero(re), re), do(Where(), zero, _zero(im), im)


def _div(do: Emit, x: Pair, y: Pair) -> Pair:
    """Smith's algorithm (1962), as NumPy: scaled by the larger part of the divisor, so that no square overflows."""
    (a, b), (c, d) = x, y
    first = do(e.greater_equal, do(e.abs_, c), do(e.abs_, d))
    large, small = do(Where(), first, c, d), do(Where(), first, d, c)
    nothing = do(e.equal, large, _zero(c))
    large = do(Where(), nothing, _zero(c), large)
    ratio = do(Where(), nothing, _zero(c), do(e.div, small, large))
    scale = do(e.div, _number(1, c), do(e.add, large, do(e.mul, small, ratio)))
    ar, br = do(e.mul, a, ratio), do(e.mul, b, ratio)
    re = do(Where(), first, do(e.add, a, br), do(e.add, ar, b))
    im = do(Where(), first, do(e.sub, b, ar), do(e.sub, br, a))
    re, im = do(Where(), nothing, a, re), do(Where(), nothing, b, im)  # an infinite part times a ratio of 0 is nan
    return do(e.mul, re, scale), do(e.mul, im, scale)


def _exp(do: Emit, x: Pair) -> Pair:
    """e^a·(cos b + i·sin b): real where b is 0; where a is ±∞ and b has no sine, ∞ + i·nan or 0 (C99, annex G).

    Large ones in two steps, e^(a − k)·e^k: e^a may overflow where its product with a sine does not.
    """
    a, b = x
    limit, k = (88, 64) if a.type.dtype == FLOAT32 else (709, 512)
    big = do(e.greater, a, _number(limit, a))
    part = do(e.exp, do(Where(), big, do(e.sub, a, _number(k, a)), a))
    rest = do(Where(), big, _number(math.exp(k), a), _number(1, a))
    size, flat, lost = do(e.mul, part, rest), do(e.equal, b, _zero(b)), do(e.not_, do(e.isfinite, b))
    ends = [do(e.and_, lost, do(e.equal, a, _number(end, a))) for end in (np.inf, -np.inf)]
    nothing = do(Where(), do(e.less, b, _zero(b)), _number(-0.0, b), _zero(b))
    re, im = (do(e.mul, do(e.mul, part, wave), rest) for wave in (do(e.cos, b), do(e.sin, b)))
    re = do(Where(), do(e.or_, do(e.or_, flat, ends[0]), ends[1]), size, re)
    return re, do(Where(), flat, b, do(Where(), ends[1], nothing, im))


def _reciprocal(do: Emit, x: Pair) -> Pair:
    """1/(a + i·b), as NumPy: by the ratio of the smaller part to the larger one."""
    a, b = x
    first = do(e.less_equal, do(e.abs_, b), do(e.abs_, a))
    large, small = do(Where(), first, a, b), do(Where(), first, b, a)
    ratio = do(e.div, small, large)
    total = do(e.add, large, do(e.mul, small, ratio))
    one, minus = _number(1, a), _number(-1, a)
    re, im = do(Where(), first, one, ratio), do(Where(), first, do(e.neg, ratio), minus)
    return do(e.div, re, total), do(e.div, im, total)


def _equal(do: Emit, x: Pair, y: Pair) -> tuple[Atom]:
    return (do(e.and_, do(e.equal, x[0], y[0]), do(e.equal, x[1], y[1])),)


_RULES: dict[str, Callable[..., Sequence[Atom]]] = {
    "complex": lambda do, a, b: (a[0], b[0]),
    "real": lambda do, x: x[:1],
    "imag": lambda do, x: x[1:],
    "conj": lambda do, x: (x[0], do(e.neg, x[1])),
    "neg": lambda do, x: (do(e.neg, x[0]), do(e.neg, x[1])),
    "add": lambda do, x, y: (do(e.add, x[0], y[0]), do(e.add, x[1], y[1])),
    "sub": lambda do, x, y: (do(e.sub, x[0], y[0]), do(e.sub, x[1], y[1])),
    "mul": _mul,
    "mul_no_nan": _mul_no_nan,
    "div": _div,
    "reciprocal": _reciprocal,
    "equal": _equal,
    "not_equal": lambda do, x, y: (do(e.or_, do(e.not_equal, x[0], y[0]), do(e.not_equal, x[1], y[1])),),
    "isnan": lambda do, x: (do(e.or_, do(e.isnan, x[0]), do(e.isnan, x[1])),),
    "isfinite": lambda do, x: (do(e.and_, do(e.isfinite, x[0]), do(e.isfinite, x[1])),),
    "stop_gradient": lambda do, x: x,
    "exp": _exp,
    "log": pair_functions.log,
    "log2": pair_functions.log_to(2),
    "log10": pair_functions.log_to(10),
    "sqrt": pair_functions.sqrt,
    "rsqrt": lambda do, x: _reciprocal(do, pair_functions.sqrt(do, x)),
    "sinh": pair_functions.sinh,
    "cosh": pair_functions.cosh,
    "tanh": pair_functions.tanh,
    "sin": pair_functions.odd_turned(pair_functions.sinh),
    "cos": pair_functions.cos,
    "tan": pair_functions.odd_turned(pair_functions.tanh),
}
