"""Every primitive keeps every law. An op is tested by being there; nothing here names one."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from minigrad.errors import DtypeError
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.ops.rows import Row
from minigrad.testing import strategies
from minigrad.testing.inventory import (
    Case,
    class_cases,
    dtypes,
    float_dtype,
    label,
    op_classes,
    op_samples,
    row_case,
    rows,
)
from minigrad.testing.laws import LAWS, concerns
from tests.laws.harness import RUN_SEED, with_seeds

QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
# These look at a table or a grid of their own, not at drawn operands: once per op is enough.
ONCE = ("kink", "annihilate")
# These say something of shapes and layouts that hypothesis can vary.
DRAWN = ("type", "unmodified", "forward", "adjoint", "second", "batch", "nested", "batchgrad", "compiled")


def standard() -> list[pytest.param]:
    found, seen = [], set()
    for case in op_samples():
        for law in LAWS:
            key = (law, label(case.op))
            if concerns(law, case.op) and not (law in ONCE and key in seen):
                found.append(pytest.param(law, case, id=f"{law}-{label(case.op)}-{case.name}"))
                seen.add(key)
    return found


@pytest.mark.parametrize(("law", "case"), standard())
def test_law(law: str, case: Case) -> None:
    name = f"{law}-{label(case.op)}-{case.name}"
    with_seeds(name, lambda rng: LAWS[law](case.op, case.operands, rng))


@pytest.mark.parametrize("cls", op_classes(), ids=lambda cls: cls.__name__)
def test_every_op_class_offers_samples(cls: type) -> None:
    assert class_cases(cls), f"{cls.__name__} has no samples(): say how to draw its operands, and every law tests it"


ROWS = [pytest.param(law, op, id=f"{law}-{op.name}") for op in rows() for law in DRAWN if concerns(law, op)]


def hold(law: str, op: Row, data: st.DataObject) -> None:
    case, operands = data.draw(strategies.row_operands(op, float_dtype(op)), label="operands")
    number = data.draw(st.integers(0, 2**32 - 1), label="seed")
    LAWS[law](case.op, operands, np.random.default_rng(number))


@pytest.mark.parametrize(("law", "op"), ROWS)
@seed(RUN_SEED)
@settings(max_examples=4, **QUIET)
@given(data=st.data())
def test_row_on_drawn_shapes_and_layouts(law: str, op: Row, data: st.DataObject) -> None:
    hold(law, op, data)


@pytest.mark.slow
@pytest.mark.parametrize(("law", "op"), ROWS)
@seed(RUN_SEED + 1)
@settings(max_examples=25, **QUIET)
@given(data=st.data())
def test_row_on_many_drawn_shapes_and_layouts(law: str, op: Row, data: st.DataObject) -> None:
    hold(law, op, data)


@pytest.mark.parametrize("op", rows(), ids=str)
def test_type_is_value_in_every_dtype_a_row_takes(op: Row) -> None:
    for dtype in dtypes(op):
        case = row_case(op, ((2, 3), (3,), ()), dtype)
        with_seeds(f"{op.name}-{dtype}", lambda rng, case=case: LAWS["type"](case.op, case.operands, rng))


@pytest.mark.parametrize("op", rows(), ids=str)
def test_a_row_refuses_every_dtype_it_does_not_take(op: Row) -> None:
    """What is not taken is converted (integers, to float32 at most) or refused with a message; never nonsense."""
    for dtype in ("bool", "int32", "uint8", "int64", "float32", "float64", "complex64", "complex128"):
        xs = [Array(np.ones(2, dtype)) for _ in range(op.operands)]
        try:
            y = op(*xs)
        except DtypeError as error:
            assert f"{op.name} does not take" in str(error)
            continue
        assert np.dtype(dtype).kind not in "biu" or y.dtype not in (np.float64, np.complex128)
        assert y.type == trace(lambda *xs: [op(*xs)], [x.type for x in xs])[0].out_types[0]


def test_names_are_unique() -> None:
    names = [op.name for op in rows()]
    assert len(names) == len(set(names))
