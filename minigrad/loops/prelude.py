"""What printed Python says by name because Python has no sign for it: what NaN wins in, free sums, fused products.

Floor 4. Each function is written out at the top of the text that uses it and means there what it says. A compiler may
know an instruction for it instead (`backends.numba` does).
"""

from __future__ import annotations

from functools import cache

from minigrad.frozen import dataclass
from minigrad.types import SHORT, DType


@dataclass(frozen=True)
class PythonFunction:
    """A function in Python: its name, its text and the functions it calls."""

    name: str
    text: str
    uses: tuple[PythonFunction, ...] = ()


MAXIMUM = PythonFunction(
    "maximum",
    '''\
def maximum(a, b):
    """The greater one; NaN wins."""
    return a if (a >= b) | (a != a) else b
''',
)
MINIMUM = PythonFunction(
    "minimum",
    '''\
def minimum(a, b):
    """The lesser one; NaN wins."""
    return a if (a <= b) | (a != a) else b
''',
)
PLUS = PythonFunction(
    "plus",
    '''\
def plus(total, x):
    """One more term of a sum whose order is free: compiled, several partial sums may run side by side."""
    return total + x
''',
)
TIMES = PythonFunction(
    "times",
    '''\
def times(total, x):
    """One more factor of a product whose order is free."""
    return total * x
''',
)
QUOTIENT = PythonFunction(
    "quotient",
    '''\
def quotient(a, b):
    """a / b of integers, rounded to zero."""
    q = a // b
    return q + 1 if (q < 0) & (q * b != a) else q
''',
)
REMAINDER = PythonFunction(
    "remainder",
    '''\
def remainder(a, b):
    """What `quotient` leaves: it has the sign of a."""
    return a - quotient(a, b) * b
''',
    (QUOTIENT,),
)
FUSED_F32 = PythonFunction(
    "fused_f32",
    '''\
def fused_f32(a, b, c):
    """a * b + c, rounded once: in float64 the product is exact."""
    return f32(f64(a) * f64(b) + f64(c))
''',
)
# Dekker's product (1971): what a·b loses in rounding, from halves of 26 bits
FUSED_F64 = PythonFunction(
    "fused_f64",
    '''\
def fused_f64(a, b, c):
    """a * b + c with the product in two parts, so that its rounding error is not lost."""
    p, s, t = a * b, a * f64(134217729.0), b * f64(134217729.0)
    a_high, b_high = s - (s - a), t - (t - b)
    a_low, b_low = a - a_high, b - b_high
    lost = ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low
    return (p + c) + lost
''',
)


@cache
def truncation(old: DType, new: DType) -> PythonFunction:
    """A float to an integer, toward zero. What does not fit gives what NumPy gives: the least integer of 32 bits (64
    for wider types), its low bits for narrower types."""
    bits = 64 if new.itemsize > 4 or (new.itemsize == 4 and new.kind == "u") else 32
    a, b, wide = SHORT[old], SHORT[new], f"i{bits}"
    limit, least = f"{a}({2.0 ** (bits - 1)})", f"{wide}({-(2 ** (bits - 1))})"
    fits = f"{wide}({{}}) if abs({{}}) < {limit} else {least}"
    lines = [f"def {b}_of_{a}(x):"]
    if new.itemsize == 8 and new.kind == "u":
        lines.append(f"    above = x - {limit}  # what a signed integer cannot hold")
        lines.append(f"    low, high = {fits.format('x', 'x')}, {fits.format('above', 'above')}")
        lines.append(f"    return u64(high ^ {least}) if x >= {limit} else u64(low)")
    else:
        lines.append(f"    y = {fits.format('x', 'x')}")
        lines.append(f"    return {'y' if b == wide else f'{b}(y)'}")
    return PythonFunction(f"{b}_of_{a}", "\n".join([*lines, ""]))
