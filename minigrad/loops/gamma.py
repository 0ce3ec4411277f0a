"""The logarithm of |Γ(x)|, and its derivative ψ(x).

Floor 4. From 8 on Stirling's series, its rest a polynomial of 1/x²; below, a polynomial on an interval around the zeros
that has them as factors, so that relative errors stay small there, reached by Γ(x + 1) = x·Γ(x) (Abramowitz & Stegun
6.1.15, 6.1.40, 6.3.5, 6.3.18). Negative numbers by reflection (6.1.17, 6.3.7), in float64: there the functions have a
zero in each unit, beside which the error is that of the greatest terms. Coefficients fitted here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from minigrad.loops import functions as f
from minigrad.loops import trigonometric
from minigrad.loops.scalar import Scalar, binary, convert, fma, rarely, select, unary
from minigrad.types import FLOAT32, FLOAT64

_FAR = 8.0
# log Γ(y) / ((y − 1)(y − 2)) on 0.8 .. 2.5, in powers of y − 1.65: error 2.4e-8 and 1.5e-17
_LOG = {
    FLOAT32: (
        0.46255263845081585, -0.12899463966864919, 0.05081013815025419, -0.023033806875088055,
        0.0112248496284572, -0.005729175393968976, 0.0031333826407968644, -0.0016850687700673285,
        0.0005934694646740857, -0.000321612369562549, 0.0005774578173284945, -0.0003261376708123947,
    ),
    FLOAT64: (
        0.462552651307918, -0.12899464699759294, 0.05080886108210188, -0.023033078923656743,
        0.011245122483033032, -0.0057407298901793365, 0.003017813413211567, -0.0016192166513086168,
        0.0008819387746569213, -0.00048590549066827583, 0.0002701468047910485, -0.00015129775019719085,
        8.523472551584805e-05, -4.827584926038793e-05, 2.755477272641858e-05, -1.573809572519813e-05,
        8.712177826781497e-06, -5.00358427106548e-06, 3.6152861827912965e-06, -2.095735650957018e-06,
        -1.2052724009400306e-08, 1.571056452991301e-08, 1.400345388607077e-06, -8.222387340654374e-07,
        -5.805501623620975e-07, 3.4225154825664457e-07, 2.692654328073948e-07, -1.5831368943357272e-07,
    ),
}  # fmt: skip
# (log Γ(x) − ((x − ½)·log x − x + ½ log 2π))·x, in powers of 1/x², x ≥ 8: error 2.4e-8 and 3.7e-17
_STIRLING = {
    FLOAT32: (
        0.08333330939153766, -0.0027655018025744085,
    ),
    FLOAT64: (
        0.0833333333333333, -0.002777777777606244, 0.0007936506649488252, -0.0005952025951802712,
        0.0008372834512071336, -0.0016526004455595122,
    ),
}  # fmt: skip
_LARGEST = {FLOAT32: 4.085003108497519e36, FLOAT64: 2.5599833278516383e305}  # of which log Γ is finite, once rounded
_REST = 0.5 * math.log(2 * math.pi) - 0.5
# ψ(y) / (y − its zero) on 1 .. 2.5, in powers of y − 1.75: error 2.3e-8 and 2e-17
_PSI = {
    FLOAT32: (
        0.8581832038436453, -0.32625462028126606, 0.1571218091976181, -0.0822865549950119,
        0.04476494482344321, -0.024870222984688353, 0.014241936713753399, -0.008056776220293585,
        0.0036583331212002575, -0.0020806276314625904, 0.0026346031302023217, -0.0015038744759195966,
    ),
    FLOAT64: (
        0.8581832171262995, -0.3262546278681057, 0.1571201133520356, -0.08228558635577421,
        0.04479965445346671, -0.024890048489327913, 0.013985786157589093, -0.007910468765597353,
        0.004491814230188876, -0.002556686700917371, 0.0014573685124658021, -0.0008314950930624974,
        0.000474727616562906, -0.00027110565826077765, 0.00015459265153371102, -8.831673837151642e-05,
        5.1398705126837106e-05, -2.9367803644173363e-05, 1.4487003402656893e-05, -8.277907777699667e-06,
        8.507077411101826e-06, -4.86113586531963e-06, -1.2335673403459895e-06, 7.049012638469318e-07,
        2.0776397503965925e-06, -1.1872212713245974e-06,
    ),
}  # fmt: skip
_ZERO = {FLOAT32: (1.4616321325302124, 1.2438149938918909e-08), FLOAT64: (1.4616321449683622, 9.549995429965697e-17)}
# (log x − 1/(2x) − ψ(x))·x², in powers of 1/x², x ≥ 8: error 4.7e-10 and 4.7e-16
_SERIES = {
    FLOAT32: (
        0.08333333285681879, -0.008332783540638763, 0.0038735882621179453,
    ),
    FLOAT64: (
        0.08333333333333287, -0.008333333331168558, 0.003968252342841619, -0.004166217650696842,
        0.007519088230747095, -0.017711160415846534,
    ),
}  # fmt: skip


def _down(x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """y = x − n below 2.5 (for x < 8), (x − 1)(x − 2)...(x − n), and the derivative of this product."""
    y, product, slope = x, x.const(1.0), x.const(0.0)
    for k in range(1, 7):
        more, at = x >= k + 1.5, x - k
        slope = select(more, fma(slope, at, product), slope)
        product = select(more, product * at, product)
        y = select(more, at, y)
    return y, product, slope


def _log_of_positive(x: Scalar) -> Scalar:
    far, small = x >= _FAR, x < 0.8
    y, product, _ = _down(x)
    log = f.log(select(far, x, select(small, x, product)))
    from_one = select(small, x, y - 1.0)
    near = from_one * (from_one - 1.0) * f.polynomial(from_one - 0.65, _LOG[x.dtype])
    rest = f.polynomial(1.0 / (x * x), _STIRLING[x.dtype]) / x
    high = binary("min", f.muladd(x - 0.5, log - 1.0, rest + _REST), x.const(np.finfo(x.dtype).max))
    high = select(x > _LARGEST[x.dtype], math.inf, high)
    return select(far, high, near + select(small, -log, log))


def _psi_of_positive(x: Scalar) -> Scalar:
    far, small = x >= _FAR, x < 1.0
    y, product, slope = _down(x)
    quotient = select(far, 1.0, select(small, -1.0, slope)) / select(far | small, x, product)
    y, (high, low) = select(small, x + 1.0, y), _ZERO[x.dtype]
    near = f.muladd(y - high - low, f.polynomial(y - 1.75, _PSI[x.dtype]), quotient)
    square = quotient * quotient
    return select(far, f.log(x) - f.muladd(square, f.polynomial(square, _SERIES[x.dtype]), quotient * 0.5), near)


def _reflected(x: Scalar, positive: Callable[[Scalar], Scalar], negative: Callable[[Scalar], Scalar]) -> Scalar:
    """Of |x|, and where x < 0, of that in float64."""
    size = select(x < 0.0, -x, x)
    return rarely(x < 0.0, positive(size), convert(negative(convert(size, FLOAT64)), x.dtype))


def lgamma(x: Scalar) -> Scalar:
    def negative(size: Scalar) -> Scalar:
        """log(π / |x·sin πx|) − log Γ(−x); of the least numbers −log(−x), as sin πx underflows."""
        sine = f.absolute(trigonometric.sin((size - unary("rint", size)) * math.pi))
        y = _log_of_positive(size)
        y = select(size < 1e-100, y, f.log(math.pi / (size * sine)) - y)
        return select(size.eq(math.inf), -math.inf, y)  # as scipy has it

    return _reflected(x, _log_of_positive, negative)


def digamma(x: Scalar) -> Scalar:
    def negative(size: Scalar) -> Scalar:
        """ψ(−x) − 1/x − π·cot πx; of whole numbers nan, of the least ones −1/x."""
        apart = size - unary("rint", size)
        y = _psi_of_positive(size) + 1.0 / size + math.pi / trigonometric.tan(apart * math.pi)
        y = select(size < 1e-100, 1.0 / size, y)
        return select(apart.eq(0.0), math.nan, y)

    return _reflected(x, _psi_of_positive, negative)
