"""The equations simplify uses. Each is a name that says it, the ops it starts from, and a function that matches it.

Floor 4. `exact`: both sides are equal to the bit (payloads of nan aside). `zero sign`: but for the sign of a zero.
`ulp`: up to a rounding. Left out because floats forbid them: x + 0.0 -> x (-0.0 + 0.0 is 0.0), x * 0 -> 0 (nan, inf),
x - x -> 0 (nan, inf), log(exp x) -> x (exp overflows: inf becomes finite), exp(log x) -> x (x < 0), -(a - b) -> b - a
(the sign of zero), and anything that reorders two roundings.
"""

from minigrad.passes.equations import arithmetic, functions, movement
from minigrad.passes.equations.table import EQUATIONS, Equation, equations_of

__all__ = ["EQUATIONS", "Equation", "arithmetic", "equations_of", "functions", "movement"]
