"""Every error class's docstring is its manual page: what it means, and a trigger that runs."""

import doctest
import inspect

import pytest

from minigrad import errors

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.MinigradError)]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("page", CLASSES, ids=lambda c: c.__name__)
def test_the_trigger_on_the_page_triggers_it(page: type[errors.MinigradError]) -> None:
    text = inspect.getdoc(page) or ""
    found = doctest.DocTestParser().get_doctest(text, {}, page.__name__, None, None)
    assert found.examples, "a manual page has an example that runs"
    if page is not errors.MinigradError:
        assert f"minigrad.errors.{page.__name__}: " in text, "the example ends in the error itself"
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(found, out=said.append)
    assert not failed, "".join(said)
