"""Checks of derivatives, for the house's own ops and for yours.

Floor 7. `check_grads` compares a function's derivatives with differences of its values. `strategies` (loaded on
first use, needs hypothesis) draws shapes, broadcasts, arrays and programs for property tests.
"""

from minigrad.lazy import lazy_module
from minigrad.testing.check_grads import check_grads
from minigrad.testing.foreign import session_function
from minigrad.testing.inventory import op_samples

strategies = lazy_module("minigrad.testing.strategies")

__all__ = ["check_grads", "op_samples", "session_function", "strategies"]
