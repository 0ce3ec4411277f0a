"""The pytest plugin: the `assert_gradients` fixture, `--minigrad-seed`, and a summary with one line per failure.

Floor 7. pytest finds it by the entry point `minigrad` wherever minigrad is installed. What tests report travels in
`user_properties`, the one thing that reaches the terminal from pytest-xdist's workers too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

try:
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "minigrad.testing.pytest_plugin needs pytest: pip install pytest", name=error.name
    ) from None

from minigrad import config
from minigrad.errors import ArgumentError, CheckFailedError
from minigrad.testing.check_grads import check_grads

CHECKS, FAILURE = "minigrad gradient checks", "minigrad gradient failure"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("minigrad")
    group.addoption(
        "--minigrad-seed",
        metavar="N",
        default=None,
        help="the seed of the random directions of gradient checks; a failure names the one to repeat it with",
    )


def pytest_configure(config: pytest.Config) -> None:
    given = config.getoption("--minigrad-seed")
    if given is not None:
        set_seed(given)


def set_seed(given: str) -> None:
    """The seed for every check of this process."""
    if not given.isdecimal():
        raise pytest.UsageError(f"--minigrad-seed is {given!r}, but must be a whole number of at least 0")
    config.seed.set(int(given))


@pytest.fixture
def assert_gradients(record_property: Callable[[str, Any], None]) -> Callable[..., None]:
    """`check_grads`, counted: the summary tells how many checks ran, and each failure in one line.

    It takes what `check_grads` takes, and `what`: words to count this check under ("float64", "reverse", ...).
    """

    def check(f: Callable[..., Any], args: Any, *more: Any, what: tuple[str, ...] = (), **options: Any) -> None:
        if isinstance(what, str):
            raise ArgumentError("assert_gradients: what must be a tuple of words", hint=f"write ({what!r},)")
        record_property(CHECKS, list(what))
        try:
            check_grads(f, args, *more, **options)
        except CheckFailedError as error:
            record_property(FAILURE, one_line(error))
            raise

    return check


def one_line(error: CheckFailedError) -> str:
    """What is wrong, why, and where, in one line."""
    what = error.what.removeprefix("check_grads: ")
    cause = (error.hint or "").split("\n")[0].removeprefix("likely cause: ")
    places = [f"{text} {line.place}" for text, line in error.lines]
    return "; ".join([what, *([cause] if cause else []), *places])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    listed = [r for found in terminalreporter.stats.values() for r in found]
    finished = [r for r in listed if isinstance(r, pytest.TestReport) and r.when == "call"]
    checks: list[Any] = [words for r in finished for name, words in r.user_properties if name == CHECKS]
    failures = [(r.nodeid, text) for r in finished for name, text in r.user_properties if name == FAILURE]
    if not checks:
        return
    terminalreporter.section("gradient checks")
    for test, text in failures:
        terminalreporter.write_line(f"{test}: {text}")
    by_word = Counter(word for words in checks for word in words)
    shown = f" ({', '.join(f'{word} {count}' for word, count in sorted(by_word.items()))})" if by_word else ""
    terminalreporter.write_line(f"{len(checks)} gradient checks{shown}, {len(failures)} failed")
