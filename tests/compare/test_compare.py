"""The main job: every row trains, all agree, and when one does not the run says which."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from minigrad.cli import main
from minigrad.compare import programs, table
from minigrad.compare.measure import compare, machine
from minigrad.compare.models import MODELS
from minigrad.compare.result import Comparison
from minigrad.compare.text import python_documentation

ROOT = Path(__file__).parents[2]


def trained(model: str, dtype: str, steps: int) -> Comparison:
    c = Comparison(model, dtype, steps, 0, 0, machine())
    compare(MODELS[model], python_documentation(), c, ["numpy"], lambda result, done: None)
    return c


@pytest.mark.parametrize(("model", "dtype", "steps"), [("mlp", "float32", 200), ("mlp", "float64", 200)])
def test_all_rows_agree_after_200_steps(model: str, dtype: str, steps: int) -> None:
    c = trained(model, dtype, steps)
    assert [r.name for r in c.trained] == ["tracer eager", "tape eager", "session", "tracer jit"]
    assert not c.disagreeing and not c.failed
    assert max(map(c.deviation, c.trained)) <= (1e-9 if dtype == "float64" else 1e-4)
    for r in c.trained:
        assert r.losses[-1] < 0.7 * r.losses[0], "it learns"
        assert r.gradient_error is not None and r.gradient_error < (1e-12 if dtype == "float64" else 1e-5)
        assert r.difference_error is not None and r.difference_error < (1e-7 if dtype == "float64" else 1e-4)
        assert r.peak_memory and r.steady and r.first_step


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_transformer_agrees_after_200_steps(dtype: str) -> None:
    c = trained("transformer", dtype, 200)
    assert len(c.trained) == 4 and not c.disagreeing and not c.failed


def test_a_row_that_computes_something_else_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    honest = programs.TapeProgram.prepare

    def dishonest(self: Any, inputs: Any, targets: Any) -> None:
        honest(self, inputs, targets)
        self.optimizer.param_groups[0]["lr"] *= 1.01

    monkeypatch.setattr(programs.TapeProgram, "prepare", dishonest)
    assert main(["compare", "--quick", "--backends", "numpy"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"DISAGREEMENT: the losses of tape eager by \d\.\de-\d+ differ from tracer eager's", said)


def test_a_row_that_fails_is_named_and_the_others_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def wrong(self: Any, inputs: Any, targets: Any) -> float:
        return float(self.model.loss(self.parameters, inputs[:, :-1], targets))

    monkeypatch.setattr(programs.TapeProgram, "step", wrong)
    assert main(["compare", "--quick", "--backends", "numpy"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "FAILED: tape eager" in said and "tracer jit" in said


def test_json_and_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    data, page = tmp_path / "r.json", tmp_path / "r.html"
    chosen = ["--backends", "numpy,llvm"]
    assert main(["compare", "--quick", *chosen, "--json", str(data), "--html", str(page)]) == 0
    out = capsys.readouterr().out
    assert "All 6 trained rows agree" in " ".join(out.split()) and "Not built yet: tape compiled" in out
    written = json.loads(data.read_text())
    by_name = {(r["name"], r["backend"]): r for r in written["results"]}
    assert len(by_name["session", "numpy"]["losses"]) == written["steps"] == 20
    assert {r["status"] for r in written["results"] if r["name"] == "tape compiled"} == {"not built yet"}
    assert by_name["tracer jit", "numpy"]["nodes"] > by_name["tracer jit", "numpy"]["kernels"] > 0
    text = page.read_text()
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+|http://purl\.org/\S+", "", text), "nothing is fetched"
    assert "<script" not in text and text.count("<figure") == 5
    for svg in re.findall(r"<svg .*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(re.sub(r"<svg ", '<svg xmlns:xlink="http://www.w3.org/1999/xlink" ', svg, count=1)
                               if "xmlns:xlink" not in svg else svg)  # fmt: skip


def test_what_cannot_be_done_is_said(capsys: Any) -> None:
    assert main(["compare", "--backends", "cuda"]) == 2
    assert "unknown backend 'cuda'" in capsys.readouterr().err
    assert main(["compare", "--steps", "0"]) == 2
    assert "steps must be at least 1, got 0" in capsys.readouterr().err


def test_batches_are_the_text() -> None:
    text = python_documentation()
    inputs, targets = next(text.batches(4, 9, seed=1))
    assert inputs.shape == targets.shape == (4, 9)
    np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])
    assert text.encode(text.decode(inputs[0])).tolist() == inputs[0].tolist()
    assert len(text.codes) > 400_000 and "The" in text.decode(text.codes[:4000])


@pytest.fixture
def mymodel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "mymodel.py").write_text(
        "import minigrad.numpy as mnp\n\n\ndef loss(x, w):\n    return mnp.mean(mnp.tanh(x @ w) ** 2)\n\n\nrate = 0.1\n"
    )
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("mymodel", None)


def test_show_prints_graph_gradient_and_every_pass(mymodel: None, capsys: Any) -> None:
    assert main(["show", "mymodel:loss", "f32[8,3]", "f32[3,2]"]) == 0
    out = capsys.readouterr().out
    titles = re.findall(r"# ── (.*?): \d+ nodes", out)
    assert titles == ["graph", "gradient with respect to arguments 0, 1", *(f"after {p}" for p in
                      ("dce", "fold", "simplify", "cse", "scans", "dce"))]  # fmt: skip
    assert "v1 = tanh(v0)  # f32[8,2]  mymodel.py:5" in out
    assert re.search(r"# simplify: \d+ -> \d+ nodes, .* ms: ", out)


def test_show_says_what_it_cannot_find(mymodel: None, capsys: Any) -> None:
    for name, said in [
        ("mymodel", "show: 'mymodel' does not name a function"),
        ("nomodel:loss", "show: No module named 'nomodel'"),
        ("mymodel:los", "show: module 'mymodel' has no attribute 'los'"),
        ("mymodel:rate", "show: mymodel:rate is not a function but of type float"),
    ]:
        assert main(["show", name, "f32[2]"]) == 2
        assert said in capsys.readouterr().err
    assert main(["show", "mymodel:loss", "float[2]"]) == 2
    assert "not a tensor type: 'float[2]'" in capsys.readouterr().err


def test_durations_read_well() -> None:
    assert [table.seconds(t) for t in (None, 0.0123, 2.5, 4e-6, 7e-8)] == ["–", "12.3 ms", "2.5 s", "4 µs", "0.07 µs"]
