"""The examples do what they say: each is run, shortened where that still shows it, and its numbers are looked at."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples"
SUPPORT = {"digits"}  # what examples share
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in SUPPORT)


@pytest.fixture(scope="module")
def example():
    """The example of this name as a module; they import one another as scripts beside each other do."""
    before = set(sys.modules)
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module
    sys.path.remove(str(FOLDER))
    for name in {*PROGRAMS, *SUPPORT} - before:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def classifiers(example):
    return {name: example(f"mlp_{name}").main(steps=120) for name in ("session", "tape", "tracer")}


def falls(losses, to):
    """Do the losses end, on average, below this part of what they began with?"""
    return np.mean(losses[-5:]) < to * losses[0]


@pytest.mark.parametrize("name", ["session", "tape", "tracer"])
def test_each_classifier_learns(classifiers, name):
    losses, accuracy = classifiers[name]
    assert len(losses) == 120 and falls(losses, 0.15)
    assert accuracy > 0.92


def test_the_three_classifiers_have_the_same_losses(classifiers):
    losses = {name: found[0] for name, found in classifiers.items()}
    np.testing.assert_allclose(losses["tape"], losses["tracer"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(losses["session"], losses["tracer"], rtol=1e-4, atol=1e-6)


def test_the_transformer_learns_to_write(example):
    losses, written = example("transformer").main(steps=60, length=80)
    assert losses[0] > 4.5 and falls(losses, 0.62)  # characters alone, without what stands before, are at 0.7
    assert len(written) == 84 and written.startswith("The ")
    assert sum(c.islower() or c in " \n" for c in written) > 50


def test_loops_take_the_same_steps_and_have_the_exact_gradient(example):
    module = example("control_flow")
    found, together = module.main()
    eccentricity = {name: e for name, e, _ in module.ORBITS}
    for name, (session, tape, tracer) in found.items():
        assert session[1] == tape[1] == tracer[1]
        for anomaly, _, gradient in (session, tape, tracer):
            assert anomaly == pytest.approx(session[0], rel=1e-14)
            np.testing.assert_allclose(gradient, module.exact_gradient(anomaly, eccentricity[name]), rtol=1e-10)
    assert together == [session[1] for session, _, _ in found.values()] and len(set(together)) > 1


def test_ensembles_and_gradients_of_single_examples(example):
    losses, alone, together, difference, found = example("vmap").main(steps=80)
    assert losses.shape == (80, 8) and all(falls(column, 0.5) for column in losses.T)
    assert len(set(losses[0].tolist())) == 8  # eight networks, not one eight times
    assert together > np.mean(alone) and together > 0.92
    assert difference < 1e-6
    assert found > 75  # of 100; by chance it would be 7


def test_parameters_are_recovered_through_the_solver(example):
    module = example("lotka_volterra")
    losses, found = module.main(steps=50)
    assert losses[50 - 1] < 0.01 * losses[0] and losses[-1] < 0.5 * losses[50 - 1]
    assert losses[-1] < 1.2 * module.NOISE**2
    for name, value in module.TRUE.items():
        assert found[name] == pytest.approx(value, rel=0.02)


def test_a_wrong_gradient_is_caught(example):
    module = example("property_testing")
    drawn, message = module.main()
    assert set(drawn) == {"log1pexp", "huber"} and all(count >= module.EXAMPLES for count in drawn.values())
    assert re.search(r"the derivative of output by x(\[\d+\])*(?: at index \S+)? is -?\d", message), message
    assert "likely cause: the derivative rule of custom_vjp: custom_vjp wrong_huber" in message
    assert "property_testing.py:" in message


def test_signals_are_unmixed_through_scipy():
    """In a process of its own: SciPy reads SCIPY_ARRAY_API once."""
    done = run("examples/scipy_array_api.py")
    assert done.returncode == 0, done.stderr
    first, second = [[float(n) for n in re.findall(r"[01]\.\d*", row)] for row in unmixed(done.stdout)]
    assert sorted([first.index(max(first)), second.index(max(second))]) == [0, 1]
    assert min(max(first), max(second)) > 0.995 and max(min(first), min(second)) < 0.05


def unmixed(text):
    return re.search(r"unmixed: +(\[.*?\]) (\[.*?\])", text).groups()


def test_noise_is_left_out_through_scikit_learn():
    code = "import sklearn_array_api as e; _, w, before, after = e.main(); print([w.tolist(), before, after])"
    done = run("-c", f"import sys; sys.path.insert(0, 'examples'); {code}")
    assert done.returncode == 0, done.stderr
    weights, before, after = eval(done.stdout)
    assert sum(w == 0 for w in weights[13:]) >= 8 and max(weights[13:]) < 0.4 * max(weights[:13])
    assert after > before


# ── as a user runs them ──────────────────────────────────────────────────────────────────────────
def run(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_a_program_runs_from_the_command_line():
    done = run("examples/mlp_tracer.py", "5")
    assert done.returncode == 0, done.stderr
    assert "accuracy on 360 held-out digits 0." in done.stdout


def test_without_scikit_learn_one_line_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; sys.path.insert(0, 'examples'); import mlp_tape"
    done = run("-c", code)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "the digits come with scikit-learn: pip install '.[examples]' in minigrad's folder\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_short_says_what_to_look_at_and_stands_in_the_table(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert len(text.splitlines()) <= 120 and max(map(len, text.splitlines())) <= 120
    assert "What to look at: " in text.split('"""')[1]
    assert f"[{name}.py]({name}.py)" in (FOLDER / "README.md").read_text()
