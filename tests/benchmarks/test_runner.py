"""The benchmark runner, on the smallest workloads and the slowest backend: does it run, and write what it says?"""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import report, runner
from benchmarks.__main__ import main
from benchmarks.runner import Row
from benchmarks.workload import leaves, mapped
from benchmarks.workloads import WORKLOADS


def test_two_workloads_are_measured_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    names = ["scalar-call", "chain-eager-gradient"]
    assert main(["--quick", "--backend", "numpy", "--only", *names, "--json", str(file)]) == 0
    rows = json.loads(file.read_text("utf-8"))["rows"]
    assert [(row["workload"], row["framework"], row["status"]) for row in rows] == [
        (n, "minigrad", "ok") for n in names
    ]
    for row in rows:
        assert 0 < row["steady"] < row["whole"]
        assert row["first"] < row["whole"]
        assert row["memory"] > 1e6
    shown = capsys.readouterr().out
    assert all(WORKLOADS[name].title in shown for name in names)


def test_an_interpreter_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--quick", "--only", "scalar-call", "--peers", "jax", "--peer-python", "/nowhere/python"])
    assert "--peer-python: /nowhere/python is no program that can be run" in capsys.readouterr().err


def test_a_failing_process_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TIME_LIMIT", 1e-3)
    (row,) = runner.measured("scalar-call", runner.Options(quick=True), lambda text: None)
    assert row.status == "failed: took more than 0.001 s"
    assert row.steady is None


@pytest.mark.parametrize(
    ("theirs", "expected"), [([1.0, 2.0], 0.0), ([1.0, 1.0], 2**-0.5), ([1.0, np.nan], np.inf), ([1.0], np.inf)]
)
def test_the_difference_of_results(tmp_path: Path, theirs: list[float], expected: float) -> None:
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(a, np.float32([0, 1]), np.float32([1, 2]))
    np.savez(b, np.float32([0, 1]), np.float32(theirs))
    assert runner.difference(a, b) == pytest.approx(expected)


def test_the_bars() -> None:
    def row(framework: str, steady: float, first: float) -> Row:
        return Row("rnn", framework, whole=1.0, first=first, first_cached=0.1, steady=steady, memory=100)

    rows = [row("minigrad", 0.02, 0.3), row("jax", 0.01, 1.0), row("torch", 0.03, 0.1)]
    assert report.verdict(rows) == [
        "geometric mean of (best peer ÷ minigrad) on 1 workloads: 0.50 (bar: 1.3)",
        "steady: not slower than the best peer: rnn 0.50",
        "first: at most 0.5 of JAX's: reached everywhere",
        "whole: at most 0.5 of JAX's: rnn 1.00",
        "memory: at most 1 of JAX's: reached everywhere",
        "first call, cached: at most 25 ms above steady: rnn 80 ms",
    ]
    failed = Row("rnn", "jax", status="failed: No module named jax")
    assert not [line for line in report.verdict([rows[0], failed]) if "JAX" in line]


def test_trees_are_in_jax_order() -> None:
    tree = {"b": (1, [2]), "a": 3}
    assert list(leaves(tree)) == [3, 1, 2]
    assert mapped(lambda x: -x, tree) == {"b": (-1, [-2]), "a": -3}
