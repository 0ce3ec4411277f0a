"""The table of elementwise ops: every row by name, and the derivative chosen at every kink.

Floor 2. `ROWS` is what the parser, the laws, the loop printers and the documentation go through. `KINKS` is the one
convention for all modes, front-ends and backends; each line of it is tested in forward and reverse.
"""

from __future__ import annotations

from minigrad.frozen import dataclass
from minigrad.ops import bits, complex, elementwise, rows, special, stop
from minigrad.ops.rows import Row

ROWS: dict[str, Row] = {
    op.name: op
    for module in (rows, elementwise, complex, bits, special, stop)
    for op in vars(module).values()
    if isinstance(op, Row)
}


@dataclass(frozen=True)
class Kink:
    """At the point `at`, where the op has no derivative, the partials are these."""

    op: str
    at: tuple[float, ...]
    partials: tuple[float, ...]
    why: str


INF = float("inf")
KINKS = (
    Kink("max", (1.0, 1.0), (0.5, 0.5), "a tie shares the derivative, as in JAX and PyTorch"),
    Kink("min", (1.0, 1.0), (0.5, 0.5), "a tie shares the derivative, as in JAX and PyTorch"),
    Kink(
        "max", (0.0, 0.0), (0.5, 0.5), "so max(x, 0) has 1/2 at 0; relu is where(x > 0, x, 0) and has 0, as everywhere"
    ),
    Kink("clip", (-1.0, -1.0, 1.0), (1.0, 0.0, 0.0), "an edge belongs to the inside, as in PyTorch"),
    Kink("clip", (1.0, -1.0, 1.0), (1.0, 0.0, 0.0), "an edge belongs to the inside, as in PyTorch"),
    Kink("clip", (0.0, 1.0, -1.0), (0.0, 0.0, 1.0), "crossed bounds: the value is hi, and so is the derivative"),
    Kink("abs", (0.0,), (0.0,), "the middle of the subgradients, as in PyTorch"),
    Kink("sign", (0.0,), (0.0,), "a step, flat on both sides"),
    Kink("floor", (1.0,), (0.0,), "a step, flat on both sides"),
    Kink("ceil", (1.0,), (0.0,), "a step, flat on both sides"),
    Kink("trunc", (0.0,), (0.0,), "a step, flat on both sides"),
    Kink("round", (0.5,), (0.0,), "a step, flat on both sides"),
    Kink("floor_div", (2.0, 1.0), (0.0, 0.0), "a step, flat on both sides"),
    Kink("rem", (2.0, 1.0), (1.0, -2.0), "a − b·floor(a/b) with the quotient held, as in JAX and PyTorch"),
    Kink("hypot", (0.0, 0.0), (0.0, 0.0), "the smallest subgradient of a length, as PyTorch's norm"),
    Kink("atan2", (0.0, 0.0), (0.0, 0.0), "no angle at the origin: no gradient from it, as in PyTorch"),
    Kink("copysign", (0.0, 1.0), (0.0, 0.0), "as abs at 0, as in PyTorch"),
    Kink("sqrt", (0.0,), (INF,), "the one-sided limit; a zero cotangent annihilates it"),
    Kink("rsqrt", (0.0,), (-INF,), "the one-sided limit; a zero cotangent annihilates it"),
    Kink("cbrt", (0.0,), (INF,), "the limit; a zero cotangent annihilates it"),
    Kink("log", (0.0,), (INF,), "the one-sided limit; a zero cotangent annihilates it"),
    Kink("asin", (1.0,), (INF,), "the one-sided limit; a zero cotangent annihilates it"),
    Kink("acosh", (1.0,), (INF,), "the one-sided limit; a zero cotangent annihilates it"),
    Kink("pow", (0.0, 2.0), (0.0, 0.0), "p·x^(p−1), and for p the limit of x^p·log x"),
    Kink("pow", (0.0, 1.0), (1.0, 0.0), "p·x^(p−1), and for p the limit of x^p·log x"),
    Kink("pow", (0.0, 0.5), (INF, 0.0), "p·x^(p−1), and for p the limit of x^p·log x"),
    Kink("pow", (0.0, 0.0), (0.0, 0.0), "x⁰ is 1 everywhere, and 0^p is taken as flat, as in PyTorch"),
    Kink("pow", (-2.0, 2.0), (-4.0, float("nan")), "no real power beside p = 2, so nothing to derive in p"),
    Kink("logaddexp", (-INF, -INF), (0.5, 0.5), "a tie shares the derivative, infinite or not"),
    Kink("logaddexp", (INF, INF), (0.5, 0.5), "a tie shares the derivative, infinite or not"),
)
