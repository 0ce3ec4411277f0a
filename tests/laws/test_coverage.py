"""docs/ops.md says what the ops say."""

from minigrad.testing import coverage
from minigrad.testing.inventory import op_classes, rows


def test_the_table_of_rules_is_up_to_date() -> None:
    assert coverage.PAGE.read_text("utf-8") == coverage.page(), "run python -m minigrad.testing.coverage --write"


def test_every_op_has_a_line() -> None:
    text = coverage.page()
    assert all(f"| `{op.name}` |" in text for op in rows())
    assert all(f"| `{cls.__name__}` |" in text for cls in op_classes())
