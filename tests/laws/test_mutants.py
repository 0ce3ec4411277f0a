"""The laws are sharp: each wrong rule is noticed by one of them, and the published table says by which."""

import pytest

from minigrad.ops.elementwise import tanh
from minigrad.testing import mutants
from minigrad.testing.inventory import op_samples
from minigrad.testing.laws import LAWS


@pytest.fixture(scope="module")
def results() -> list[tuple[mutants.Mutant, str | None]]:
    return mutants.report()


@pytest.mark.slow
def test_every_mutant_is_killed(results: list[tuple[mutants.Mutant, str | None]]) -> None:
    assert len(results) > 500
    assert [str(mutant) for mutant, law in results if law is None] == []


@pytest.mark.slow
def test_the_kill_table_is_up_to_date(results: list[tuple[mutants.Mutant, str | None]]) -> None:
    said = mutants.PAGE.read_text("utf-8")
    assert said == mutants.page(results), "run python -m minigrad.testing.mutants --write"


def test_equivalent_mutants_exist() -> None:
    names = {mutant.name for mutant in mutants.mutants()}
    assert set(mutants.EQUIVALENT) <= names


def test_a_mutant_lives_no_longer_than_its_context() -> None:
    right = tanh.partials
    mutant = next(m for m in mutants.mutants() if m.name == ("tanh", "partial 0", "negated"))
    with pytest.raises(ZeroDivisionError), mutants.alive(mutant):
        assert tanh.partials is not right
        raise ZeroDivisionError
    assert tanh.partials is right
    assert mutants.killer(mutant, [c for c in op_samples() if c.op is tanh]) in LAWS
