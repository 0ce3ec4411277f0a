"""Modules that are loaded when they are used."""

import os
import signal
import sys

import pytest

from minigrad.lazy import lazy_module

TOP = """
from half_way import inner
import half_way.trouble
"""
TROUBLE = """
import sys
if "half_way_interrupted" not in sys.modules:
    sys.modules["half_way_interrupted"] = sys
    raise KeyboardInterrupt
"""


def test_an_import_that_was_interrupted_can_be_tried_again(tmp_path, monkeypatch) -> None:
    """Python keeps `half_way.inner` but forgets `half_way`; the next one would not have it as an attribute."""
    package = tmp_path / "half_way"
    package.mkdir()
    for name, text in (("__init__", "from half_way import outer"), ("outer", TOP), ("inner", ""), ("trouble", TROUBLE)):
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = lazy_module("half_way")
    try:
        with pytest.raises(KeyboardInterrupt):
            module.inner  # noqa: B018
        assert not [name for name in sys.modules if name.startswith("half_way.")]
        assert module.inner is sys.modules["half_way.inner"] and module.outer.half_way.trouble
    finally:
        for name in [name for name in sys.modules if name.startswith("half_way")]:
            del sys.modules[name]


def test_ctrl_c_waits_until_a_module_is_there(tmp_path, monkeypatch) -> None:
    """So that nothing of it is loaded twice: libraries in C seldom bear that."""
    (tmp_path / "slow_to_come.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhole = True")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = lazy_module("slow_to_come")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            module.whole  # noqa: B018
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        there = sys.modules["slow_to_come"]
        assert module.whole and sys.modules["slow_to_come"] is there
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
        sys.modules.pop("slow_to_come", None)
