"""stop_gradient: the identity, with no derivative.

Floor 2. What stands behind it counts as a constant to every derivative: a shift that cancels (softmax), a target.
"""

from __future__ import annotations

from typing import Any

from minigrad.op import NoGradient
from minigrad.ops.rows import row


def _identity(x: Any) -> Any:
    return x


stop_gradient = row("stop_gradient", _identity, NoGradient("stop_gradient makes its operand a constant"), takes="biufc")
