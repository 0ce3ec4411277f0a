"""Kernels over rows of size 0: the loop over the row runs not at all, and nothing of its body stands outside it."""

import numpy as np
import pytest

from minigrad.ops.table import ROWS
from minigrad.testing.inventory import row_case
from minigrad.testing.laws import compiled_is_eager

SHAPES = [((2, 1), (2, 0), ()), ((2, 0), (1, 1), (2, 1)), ((0,), (1,), ()), ((3, 1), (1, 0), (3, 1))]


@pytest.mark.parametrize("shapes", SHAPES)
def test_clip_and_its_gradient(shapes: tuple[tuple[int, ...], ...]) -> None:
    case = row_case(ROWS["clip"], shapes)
    compiled_is_eager(case.op, case.operands, np.random.default_rng(0))
