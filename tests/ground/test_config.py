"""Settings: what wins over what, and how a bad value is refused. Lazy modules load on first use."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from minigrad import config
from minigrad.errors import SettingError


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    for setting in config.SETTINGS:
        setting.reset()
    yield
    for setting in config.SETTINGS:
        setting.reset()


def test_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINIGRAD_BACKEND", raising=False)
    assert config.backend.get() == "llvm"
    monkeypatch.setenv("MINIGRAD_BACKEND", "numba")
    assert config.backend.get() == "llvm", "the environment is read once"
    config.backend.reset()
    assert config.backend.get() == "numba"
    config.backend.set("llvm")
    assert config.backend.get() == "llvm"
    with config.backend.using("numpy"):
        assert config.backend.get() == "numpy"
        with config.backend.using("numba"):
            assert config.backend.get() == "numba"
        assert config.backend.get() == "numpy"
        assert config.backend.get("llvm") == "llvm"
    assert config.backend.get() == "llvm"


def test_using_is_undone_by_an_error_and_unseen_by_other_threads() -> None:
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError), config.backend.using("llvm"):
        thread = threading.Thread(target=lambda: seen.append(config.backend.get()))
        thread.start()
        thread.join()
        raise ZeroDivisionError
    assert seen == [config.backend.get()]


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (config.backend, " llvm ", "llvm"),
        (config.check_graphs, "1", True),
        (config.check_graphs, "Off", False),
        (config.num_threads, "3", 3),
        (config.log, "recompiles, passes", {"recompiles", "passes"}),
        (config.log, "all", {"recompiles", "passes"}),
    ],
)
def test_environment(monkeypatch: pytest.MonkeyPatch, setting: Any, text: str, value: Any) -> None:
    monkeypatch.setenv(setting.env, text)
    assert setting.get() == value
    assert type(setting.get()) is type(setting.default)
    monkeypatch.setenv(setting.env, "")
    setting.reset()
    assert setting.get() == setting.default


@pytest.mark.parametrize(
    ("setting", "text", "allowed"),
    [
        (config.backend, "tpu", "one of 'numpy', 'numba', 'llvm'"),
        (config.check_graphs, "maybe", "True or False (as text: 1, true, yes, on, 0, false, no, off)"),
        (config.num_threads, "0", "a whole number of at least 1"),
        (config.num_threads, "two", "a whole number of at least 1"),
        (config.log, "passes,all", "any of 'recompiles', 'passes' (as text: separated by commas, or all)"),
    ],
)
def test_bad_values(monkeypatch: pytest.MonkeyPatch, setting: Any, text: str, allowed: str) -> None:
    monkeypatch.setenv(setting.env, text)
    with pytest.raises(SettingError) as caught:
        setting.get()
    assert f"environment variable {setting.env} is {text!r}, but must be {allowed}" in str(caught.value)
    with pytest.raises(SettingError) as caught:
        setting.set(text)
    assert f"{setting.name} is {text!r}, but must be {allowed}" in str(caught.value)
    with pytest.raises(SettingError), setting.using(3.5):
        pass


def test_a_set_of_topics_is_a_value() -> None:
    with config.log.using(frozenset({"passes"})):
        assert config.log.get() == {"passes"}


LAZY = """
import sys, threading
from minigrad.lazy import lazy_module
heavy = ("scipy", "numba", "rich", "llvmlite")
modules = {n: lazy_module(n) for n in ("scipy.special", "scipy.linalg", "numba", "rich.console")}
repr(modules)
assert not [m for m in sys.modules if m.split(".")[0] in heavy]
uses = [lambda: modules["scipy.special"].erf(0.5), lambda: modules["scipy.linalg"].cholesky,
        lambda: modules["rich.console"].Console]
threads = [threading.Thread(target=use) for use in uses * 4]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert "numba" not in sys.modules
assert "erf" in vars(modules["scipy.special"]) and "Console" in vars(modules["rich.console"])
assert modules["numba"].njit and "njit" in dir(modules["numba"])
import scipy.special
assert lazy_module("scipy.special") is scipy.special
try:
    lazy_module("minigrad.absent").x
except ModuleNotFoundError as error:
    print(error)
"""


def test_lazy_modules_load_on_first_use() -> None:
    result = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=False)
    assert (result.stdout.strip(), result.stderr) == ("No module named 'minigrad.absent'", "")
