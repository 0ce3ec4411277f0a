"""The examples in docstrings run as they stand, wherever they are; and every function of the namespace has one."""

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import minigrad
import minigrad.numpy as mnp

MODULES = [
    found.name for found in pkgutil.walk_packages(minigrad.__path__, "minigrad.") if "__main__" not in found.name
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name), optionflags=FLAGS).failed == 0


@pytest.mark.parametrize("home", [mnp, mnp.linalg, mnp.fft, mnp.special], ids=lambda home: home.__name__)
def test_every_function_of_the_namespace_has_an_example(home: ModuleType) -> None:
    functions = {name: getattr(home, name) for name in home.__all__}
    assert [n for n, f in functions.items() if inspect.isfunction(f) and ">>>" not in (f.__doc__ or "")] == []
