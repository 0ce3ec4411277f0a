"""The functions of the circle and their inverses.

Floor 4. See `functions`. An angle of any size is reduced to the eighth of the circle around 0 with chunks of 2/π or
1/(2π), after Payne & Hanek (1983), and the inverses to a quotient or a sine below 1 or ½. tan and the inverses of a
float32 are computed in float64, by shorter polynomials.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from minigrad.loops import functions as f
from minigrad.loops.scalar import Scalar, binary, bitcast, const, convert, fma, rarely, select, unary
from minigrad.types import FLOAT32, FLOAT64, INT64

# (sin √z / √z − 1)/z and (cos √z − 1 + z/2)/z² for √z ≤ π/4: relative error 2.0e-8 and 2.0e-9 (float32), 5.7e-17 (of
# terms that are at most 10% and 2% of the whole)
_SIN = {
    FLOAT32: (-0.16666664661114838, 0.008332748037517147, -0.00019587840521305324),
    FLOAT64: (
        -0.16666666666666666, 0.008333333333333331, -0.00019841269841265063, 2.7557319219337312e-06,
        -2.5052106231802837e-08, 1.6058531516797758e-10, -7.586691094197958e-13,
    ),
}  # fmt: skip
_COS = {
    FLOAT32: (0.04166666465830042, -0.0013888302802309161, 2.454789161981386e-05),
    FLOAT64: (
        0.041666666666666664, -0.0013888888888887398, 2.480158729876456e-05, -2.7557317271145144e-07,
        2.087614614655861e-09, -1.1382623647474604e-11,
    ),
}  # fmt: skip
# 2/π in chunks of 28 bits: times the 24 bits of a float32 each product is exact in float64
_TWO_OVER_PI = (
    0.6366197690367699, 3.3308114738561656e-09, 2.276010047810136e-18, 2.5268260189002822e-26, 1.6682867657019525e-34,
    1.158871328288855e-43, 7.053959174404295e-52,
)  # fmt: skip
# 1/(2π) in chunks of 53 bits after an empty one, times 2^400, so that none is subnormal
_TURNS = (
    0.0, 4.109778323959754e+119, 1.8960786502636836e+104, 6.572900405835735e+87, 5.456933385326597e+71,
    2.186648458666528e+56, 2.487724217961826e+40, 7.421047934966091e+21, 75972487.47960162, 1.7325702568837235e-08,
    4.380447632504249e-24, 3.2185812992475757e-40, 1.6004074492422124e-56, 7.444248557773843e-72,
    5.816901812855584e-88, 9.781982121419133e-104, 1.0990146314310253e-120, 8.582882136641901e-136,
    7.290989847143289e-152, 3.0112672278351273e-168, 1.3987153053911922e-183, 3.371398288544708e-200,
    1.9631551724258055e-215, 5.1345346314382155e-232,
)  # fmt: skip
# π/2 in chunks of 33 bits, whose products with numbers below 2^20 are exact, and what is left
_HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)
_FEW_TURNS = 2.0**20  # an angle up to which that does
_FULL = (6.283185307179586, 2.4492935982947064e-16)  # 2π in two parts
_HALF_PI_LOW = 6.123233995736766e-17  # what π/2 has beyond 53 bits
# (atan √z/√z − 1)/z for 0 ≤ z ≤ 1: relative error 7.5e-9 and 9.0e-17 (of a term that is at most 21% of the whole)
_ATAN = {
    FLOAT32: (
        -0.3333333308107325, 0.19999949321141888, -0.1428400379473353, 0.11088261628735159, -0.08931826777381315,
        0.07031914250029966, -0.04896051402709067, 0.026305001110062377, -0.009144629760592396, 0.0014886919393047597,
    ),
    FLOAT64: (
        -0.3333333333333333, 0.1999999999999992, -0.14285714285701234, 0.11111111110268297, -0.0909090906193528,
        0.07692307078827029, -0.06666657934573768, 0.05882264416776449, -0.052624922290256754, 0.04758080083637821,
        -0.043306538430670664, 0.03938687540798632, -0.035271331066871296, 0.030330719265790507, -0.024191345810140718,
        0.01718398172211335, -0.010412153260359241, 0.005140912856746939, -0.0019612554271685326,
        0.0005376839297396244, -9.371186345052626e-05, 7.767624330289919e-06,
    ),
}  # fmt: skip
# (asin √z/√z − 1)/z for 0 ≤ z ≤ ¼: relative error 2.2e-8 and 5.5e-17 (of a term that is at most 5% of the whole)
_ASIN = {
    FLOAT32: (
        0.16666666337430908, 0.07500094543497424, 0.04459940152851218, 0.03110066273549457, 0.017149238357677253,
        0.03369084720283012,
    ),
    FLOAT64: (
        0.16666666666666666, 0.07500000000000118, 0.044642857142551895, 0.03038194447553234, 0.02237215744350722,
        0.017352816540325496, 0.01396378001220357, 0.011566459612121669, 0.009621842970100282, 0.009319560794767446,
        0.0030448799094556773, 0.019554513336123378, -0.01924167174674304, 0.02961201126495512,
    ),
}  # fmt: skip


# ── angles ───────────────────────────────────────────────────────────────────────────────────────
def _quadrant(wide: Scalar) -> tuple[Scalar, Scalar]:
    """(r, q) with x = q·π/2 + r and |r| ≤ π/4, for a small float32 given in float64: the first product is exact."""
    n, q = f.nearest(wide * (2 / math.pi))
    return fma(n, -_HALF_PI_LOW, fma(n, -math.pi / 2, wide)), q


def _any_quadrant(wide: Scalar) -> tuple[Scalar, Scalar]:
    """(r, q) with x = q·π/2 + r modulo 2π and |r| ≤ π/4, for any finite float32, given in float64."""
    turns = wide.const(0.0)
    for chunk in _TWO_OVER_PI:
        product = wide * chunk
        turns = turns + (product - unary("rint", product * 0.25) * 4.0)  # modulo 4 quarters, exactly
    n, q = f.nearest(turns)
    return (turns - n) * (math.pi / 2), q


def _neighbours(at: Scalar, count: int, numbers: Sequence[float]) -> list[Scalar]:
    """So many of some 24 numbers, from a place on that is data: by halving how far they may be away."""
    found = [const(x, FLOAT64) for x in numbers]
    for step in (16, 8, 4, 2, 1):
        beyond, wanted = (at & step).ne(0), count + step - 1
        found = [*(select(beyond, y, x) for x, y in zip(found, found[step:])), *found[-step:]][:wanted]
    return found


def _turn(x: Scalar) -> Scalar:
    """x less the nearest integer."""
    return x - unary("rint", x)


def _two_sum(a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
    """(s, t) with s + t = a + b exactly and s = a + b rounded (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _short_quadrant(x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """(r, low, q) with x = q·π/2 + r + low, for a small float64: what the chunks leave of it is exact in two parts."""
    n, q = f.nearest(x * (2 / math.pi))
    first, second, third, rest = _HALF_PI
    r, low = _two_sum(x - n * first, n * -second)
    r, lost = _two_sum(r, n * -third)
    return r, fma(n, -rest, low + lost), q


def _long_quadrant(x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """(r, low, q) with x = q·π/2 + r + low modulo 2π, for any finite float64 but the smallest.

    Of x/(2π), whole turns do not count. So only the chunks of 1/(2π) count whose product with the last bit of x, 2^s,
    is below 1, and of these the first five: no float64 is nearer than 2^−62 quarters to a whole number of them, and
    what is left out is below 2^−150. Their products with x, each exact in two parts, are added in three parts.

    x = 2^s·(an integer), so the product with the first of the five is a multiple of 2^−53: less its whole turns
    it is one number.
    """
    exponent = (bitcast(x, INT64) >> 52) & 2047
    place = binary("max", exponent - 1022, 0) * 1237 >> 16  # (s + 53) // 53
    chunks = _neighbours(place, 5, _TURNS)
    x = x * 2.0**-400
    (p0, q0), (p1, q1), (p2, q2), (p3, q3) = (f.two_product(x, c) for c in chunks[:4])
    turns, lost = _two_sum(_turn(_turn(p0) + _turn(q0)), _turn(p1))
    q1 = q1 + lost  # exact: `lost` is 0 unless the bits of q1 are all below those of it
    n, q = f.nearest(((turns + q1) + p2) * 4.0)
    turns = turns - n * 0.25
    first, c = _two_sum(turns, q1)
    first, d = _two_sum(first, p2)
    second, e = _two_sum(q2, p3)
    second, g = _two_sum(second, c + d)
    turns, low = _two_sum(first, second)
    low = low + (e + g + (q3 + x * chunks[4]))
    r, lost = f.two_product(turns, x.const(_FULL[0]))
    return r, lost + (turns * _FULL[1] + low * _FULL[0]), q


def _near_zero(r: Scalar) -> tuple[Scalar, Scalar]:
    """(sin r, cos r) for |r| ≤ π/4, by polynomials for float32."""
    z = r * r
    sine = f.muladd(f.polynomial(z, _SIN[FLOAT32]) * z, r, r)
    return sine, f.muladd(f.polynomial(z, _COS[FLOAT32]) * z, z, z * -0.5) + 1.0


def _circle(r: Scalar, low: Scalar) -> tuple[Scalar, Scalar]:
    """(sin, cos) of r + low for float64; 1 − z/2 is a pair: it loses more than the rest of the cosine is uncertain."""
    z = r * r
    sine = f.muladd(f.polynomial(z, _SIN[FLOAT64]) * z, r, low) + r
    cosine, lost = f.fast_two_sum(r.const(1.0), z * -0.5)
    return sine, cosine + (lost + f.muladd(f.polynomial(z, _COS[FLOAT64]) * z, z, -(r * low)))


def _of_angle(x: Scalar, of: Callable[[Scalar, Scalar, Scalar], Scalar], wide: bool = False) -> Scalar:
    """of(sin r, cos r, q) with x = q·π/2 + r. `wide`: in float64, also of a float32."""
    if x.dtype == FLOAT64:
        few, many = (of(*_circle(r, low), q) for r, low, q in (_short_quadrant(x), _long_quadrant(x)))
    else:
        angles = [quadrant(convert(x, FLOAT64)) for quadrant in (_quadrant, _any_quadrant)]
        few, many = (of(*_near_zero(r if wide else convert(r, FLOAT32)), q) for r, q in angles)
    return rarely(~(f.absolute(x) < _FEW_TURNS), few, many)


def _sin_cos(x: Scalar, ahead: int) -> Scalar:
    """sin(x + ahead·π/2)."""

    def turned(sine: Scalar, cosine: Scalar, q: Scalar) -> Scalar:
        y = select(((q + ahead) & 1).ne(0), cosine, sine)
        return select(((q + ahead) & 2).ne(0), -y, y)

    return _of_angle(x, turned)


_SMALL = 2.0**-28  # up to here sin x and tan x round to x or its neighbour, and −0 is kept


def sin(x: Scalar) -> Scalar:
    y = _sin_cos(x, 0)
    return select(x.eq(0.0) if x.dtype == FLOAT32 else f.absolute(x) < _SMALL, x, y)


def cos(x: Scalar) -> Scalar:
    return _sin_cos(x, 1)


def tan(x: Scalar) -> Scalar:
    """sin r/cos r, or −cos r/sin r in odd quadrants."""

    def quotient(sine: Scalar, cosine: Scalar, q: Scalar) -> Scalar:
        odd = (q & 1).ne(0)
        return select(odd, -cosine, sine) / select(odd, sine, cosine)

    y = convert(_of_angle(x, quotient, wide=True), x.dtype)
    return select(f.absolute(x) < _SMALL, x, y)


# ── their inverses ───────────────────────────────────────────────────────────────────────────────
def _odd(t: Scalar, coefficients: Sequence[float]) -> Scalar:
    """t + t³·P(t²)."""
    z = t * t
    return f.muladd(f.polynomial(z, coefficients) * z, t, t)


def _from_half_pi(quarters: int, x: Scalar) -> Scalar:
    """quarters·π/2 − x."""
    return quarters * math.pi / 2 - (x - quarters * _HALF_PI_LOW)


def _angle(y: Scalar, x: Scalar, coefficients: Sequence[float]) -> Scalar:
    """atan(y/x) for y and x from 0 to ∞, 0/0 counting as 0 and ∞/∞ as 1."""
    low, high = binary("min", y, x), binary("max", y, x)
    t = select(low.eq(math.inf), 1.0, low / select(high.eq(0.0), 1.0, high))
    angle = _odd(t, coefficients)
    return select(y > x, _from_half_pi(1, angle), angle)


def atan(x: Scalar) -> Scalar:
    wide = convert(x, FLOAT64)
    y = _angle(f.absolute(wide), wide.const(1.0), _ATAN[x.dtype])
    return convert(binary("copysign", y, wide), x.dtype)


def atan2(y: Scalar, x: Scalar) -> Scalar:
    a, b = convert(y, FLOAT64), convert(x, FLOAT64)
    angle = _angle(f.absolute(a), f.absolute(b), _ATAN[x.dtype])
    left = binary("copysign", b.const(1.0), b) < 0.0
    return convert(binary("copysign", select(left, _from_half_pi(2, angle), angle), a), x.dtype)


def _arc(a: Scalar, coefficients: Sequence[float]) -> tuple[Scalar, Scalar]:
    """(asin a, is a small?) for small a, at most ½; else asin √((1 − a)/2), which is (π/2 − asin a)/2."""
    small = a <= 0.5
    return _odd(select(small, a, unary("sqrt", (1.0 - a) * 0.5)), coefficients), small


def asin(x: Scalar) -> Scalar:
    wide = convert(x, FLOAT64)
    arc, small = _arc(f.absolute(wide), _ASIN[x.dtype])
    return convert(binary("copysign", select(small, arc, _from_half_pi(1, arc * 2.0)), wide), x.dtype)


def acos(x: Scalar) -> Scalar:
    wide = convert(x, FLOAT64)
    arc, small = _arc(f.absolute(wide), _ASIN[x.dtype])
    beyond = select(wide < 0.0, _from_half_pi(2, arc * 2.0), arc * 2.0)
    return convert(select(small, _from_half_pi(1, binary("copysign", arc, wide)), beyond), x.dtype)
