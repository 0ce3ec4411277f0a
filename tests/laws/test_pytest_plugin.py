"""The pytest plugin, in test runs of its own: what passes, what the summary says, the seed, several processes."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# An installed minigrad would bring the plugin by itself; here it must be the checkout's.
PLUGIN = ("-p", "no:minigrad", "-p", "minigrad.testing.pytest_plugin", "-p", "no:cacheprovider")

PROGRAM = """
import minigrad.numpy as mnp
import numpy as np

def test_right(assert_gradients):
    assert_gradients(mnp.sin, (0.5,), what=("float64",))
    assert_gradients(mnp.cos, (np.ones(3, np.float32),), 1, what=("float32",))

def test_wrong(assert_gradients):
    assert_gradients(np.sin, (np.ones(2),), vjp=lambda y_bar, x: y_bar * np.sin(x), what=("float64",))

def test_kink(assert_gradients):
    assert_gradients(lambda x: mnp.abs(x), (np.array([1.0, 0.0]),))

def test_other():
    pass
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("MINIGRAD_SEED", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return pytester


@pytest.mark.parametrize("processes", [(), ("-n", "2")], ids=["alone", "two processes"])
def test_the_summary_has_a_line_per_failure_and_counts(inner: pytest.Pytester, processes: tuple[str, ...]) -> None:
    inner.makepyfile(PROGRAM)
    found = inner.runpytest_subprocess(*PLUGIN, *processes)
    found.assert_outcomes(passed=2, failed=2)
    text = found.stdout.str()
    lines = text[text.index("= gradient checks =") :].splitlines()
    wrong, kink = sorted((line for line in lines if "::test_" in line and "FAILED" not in line), reverse=True)
    assert wrong.startswith(
        "test_the_summary_has_a_line_per_failure_and_counts.py::test_wrong: reverse mode, order 1: "
    )
    assert "the derivative of output at index (0,) by x at index (0,) is 0.841470985, differences give 0.54" in wrong
    assert wrong.endswith(
        "; the gradient given is wrong there (or f has features smaller than the steps; then pass eps)"
    )
    assert (
        "::test_kink: order 1: output at index (1,) is not differentiable by x at index (1,): the slope is -1" in kink
    )
    assert "4 gradient checks (float32 1, float64 2), 2 failed" in lines


def test_the_seed_is_the_one_given(inner: pytest.Pytester) -> None:
    inner.makepyfile(PROGRAM)
    text = inner.runpytest_subprocess(*PLUGIN, "--minigrad-seed", "77").stdout.str()
    assert text.count("repeat with seed=77") >= 2
    given = inner.runpytest_subprocess(*PLUGIN, "--minigrad-seed", "x").stderr.str()
    assert "--minigrad-seed is 'x', but must be a whole number of at least 0" in given


def test_without_checks_there_is_no_summary(inner: pytest.Pytester) -> None:
    inner.makepyfile("def test_other(): pass")
    found = inner.runpytest_subprocess(*PLUGIN)
    found.assert_outcomes(passed=1)
    found.stdout.no_fnmatch_line("*gradient checks*")


def test_deselected_tests_are_no_reports(inner: pytest.Pytester) -> None:
    inner.makepyfile(PROGRAM)
    found = inner.runpytest_subprocess(*PLUGIN, "-k", "right")
    found.assert_outcomes(passed=1, deselected=3)
    found.stdout.fnmatch_lines(["2 gradient checks (float32 1, float64 1), 0 failed"])


def test_words_come_in_a_tuple(inner: pytest.Pytester) -> None:
    inner.makepyfile("def test_it(assert_gradients): assert_gradients(abs, (1.0,), what='f')")
    inner.runpytest_subprocess(*PLUGIN).stdout.fnmatch_lines(
        ["*ArgumentError: assert_gradients: what must be a tuple*"]
    )


def test_pytest_finds_it_by_its_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert hasattr(import_module(project["entry-points"]["pytest11"]["minigrad"]), "assert_gradients")


def test_without_pytest_there_is_a_clear_error() -> None:
    code = "import sys; sys.modules['pytest'] = None\nimport minigrad.testing.pytest_plugin"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert run.stderr.strip().splitlines()[-1] == (
        "ModuleNotFoundError: minigrad.testing.pytest_plugin needs pytest: pip install pytest"
    )
