"""Checks of derivatives, for the house's own ops and for yours.

Floor 7. `check_grads` compares a function's derivatives with differences of its values. `strategies` (loaded on
first use, needs hypothesis) draws shapes, broadcasts, arrays and programs for property tests.
"""

from minigrad.lazy import lazy_module
from minigrad.testing.check_grads import check_grads

strategies = lazy_module("minigrad.testing.strategies")

__all__ = ["check_grads", "strategies"]
