"""The examples in minigrad.testing's docstrings run as they stand."""

import doctest
import importlib
import pkgutil

import pytest

import minigrad.testing

MODULES = [f"minigrad.testing.{found.name}" for found in pkgutil.iter_modules(minigrad.testing.__path__)]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", ["minigrad.testing", *MODULES])
def test_examples(name: str) -> None:
    found = doctest.testmod(
        importlib.import_module(name), optionflags=FLAGS, extraglobs={"check_grads": minigrad.testing.check_grads}
    )
    assert found.failed == 0
    assert found.attempted or name not in ("minigrad.testing", "minigrad.testing.check_grads")
