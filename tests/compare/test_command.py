"""`minigrad compare` and `minigrad show` as typed: in terminals wide and narrow, into pipes, interrupted, mistyped."""

import importlib.util
import io
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import minigrad
from minigrad import cli
from minigrad.compare import report, run
from minigrad.compare.result import Comparison, Event, Result
from minigrad.compare.run import show
from minigrad.lazy import lazy_module

rich_console = lazy_module("rich.console")
MINIGRAD = [sys.executable, "-m", "minigrad"]


def measured() -> Comparison:
    """A comparison as a run leaves it: two rows measured, one stopped, two without numbers."""
    c = Comparison("mlp", "float32", 5, 0, 31447, "2 cores, Linux x86_64, Python 3.11.7")
    for name, backend in (("tape eager", "–"), ("tracer jit", "numpy"), ("session", "numpy")):
        r = Result(name, name.split()[0], backend, "on demand: at the first call")
        r.events = [Event("trace", "trace", 0.0, 0.0123), Event("run", "step 1", 0.0123, 0.0567)]
        r.step_seconds, r.losses = [0.0123456] * 9, [4.5, 4.25, 4.125, 4.0, 3.875]
        r.nodes, r.kernels, r.peak_memory, r.gradient_error, r.difference_error = 1182, 161, 2**21, 1e-7, 3.3e-8
        c.results.append(r)
    c.results[-1].losses = c.results[-1].losses[:2]
    c.results.append(Result("tracer jit", "tracer", "llvm", "on demand", status="not built yet"))
    c.results.append(Result("session", "session", "llvm", "before the run", status="not built yet"))
    return c


def printed(c: Comparison, width: int) -> str:
    out = io.StringIO()
    show(c, rich_console.Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_the_table_is_whole_at_every_width(width):
    text = printed(measured(), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width or width == 40
    for cell in (
        "on demand: at the first call",
        "1,182",
        "12.3 ms ± 0.00 µs",
        "2.0 MiB",
        "3.875000",
        "1.0e-07",
        "3.3e-08",
    ):
        assert text.count(cell) >= 2, cell
    tables = text.count("─\n")
    assert text.count("tape eager") == tables == (1 if width == 200 else tables)  # every table names its rows
    assert "Not built yet: tracer jit on llvm, session on llvm." in " ".join(text.split())
    assert "All 2 trained rows agree" in text


def test_an_interrupted_run_shows_what_it_has():
    c = measured()
    c.interrupted = True
    assert "Interrupted: the table shows what had been measured." in printed(c, 80)


def test_a_message_is_not_markup():
    c = measured()
    c.results[0].status = "failed: add: f32[2] and [bold]f32[3]"
    assert "FAILED: tape eager failed: add: f32[2] and [bold]f32[3]" in " ".join(printed(c, 80).split())


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "r.json"
    old = os.umask(0o022)
    try:
        run.write(str(path), "new")
    finally:
        os.umask(old)
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o644  # others may read a report
    with pytest.raises(UnicodeEncodeError):
        run.write(str(path), "broken \udc00")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def told(capsys, *arguments):
    """What a wrong command is told; nothing may have been trained for it."""
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert "agree" not in out
    return re.sub(r"\n  at .*test_command.py:\d+.*", "", err)


def test_wrong_options(capsys, tmp_path, monkeypatch):
    assert told(capsys, "compare", "--steps", "-3") == "minigrad: compare: steps must be at least 1, got -3\n"
    assert told(capsys, "compare", "--seed", "-1") == "minigrad: compare: the seed must be at least 0, got -1\n"
    assert told(capsys, "compare", "--backends", "numpy,cuda") == (
        "minigrad: unknown backend 'cuda'\n  known: numpy, numba, llvm\n"
    )
    missing = tmp_path / "no" / "r.html"
    assert told(capsys, "compare", "--html", str(missing)) == (
        f"minigrad: compare: there is no folder {tmp_path / 'no'} to write r.html in\n"
    )
    assert told(capsys, "compare", "--json", str(tmp_path)) == (
        f"minigrad: compare: {tmp_path} is a folder\n  name a file in it\n"
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert told(capsys, "compare", "--html", str(tmp_path / "r.html")) == (
        "minigrad: compare: the page's figures need matplotlib, which is not installed\n"
        "  pip install 'minigrad[report]' (in a clone: pip install '.[report]')\n"
    )
    assert not list(tmp_path.iterdir())


def test_show_is_told_the_arguments_of_the_function(capsys, tmp_path, monkeypatch):
    (tmp_path / "shown.py").write_text("three = 3\ndef loss(w, x):\n    return (w * x).sum()\n")
    monkeypatch.chdir(tmp_path)
    assert told(capsys, "show", "shown:loss", "f32[3]") == (
        "minigrad: show: loss(w, x) does not fit 1 type: missing a required argument: 'x'\n"
        "  give one type for each argument\n"
    )
    assert told(capsys, "show", "shown:three") == "minigrad: show: shown:three is not a function but of type int\n"
    assert "write module:function" in told(capsys, "show", "shown")
    assert "run it in the folder that holds the module" in told(capsys, "show", "nowhere:loss")


def test_a_mistake_on_the_command_line_has_no_line_of_source(tmp_path):
    launcher = tmp_path / "minigrad"
    launcher.write_text("import sys\nfrom minigrad.cli import main\nsys.exit(main())\n")
    command = [sys.executable, launcher, "compare", "--steps", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (2, "minigrad: compare: steps must be at least 1, got 0\n")


def test_into_a_pipe_that_closes():
    command = " ".join([*MINIGRAD, "show", "minigrad.numpy:sin", "f32[3]"])
    done = subprocess.run(["bash", "-c", f"{command} | head -1"], capture_output=True, text=True)
    assert done.stdout.startswith("# ── graph: 1 nodes") and done.stderr == ""


@contextmanager
def long_comparison(**streams):
    """A process that compares for hours; it hears Ctrl-C even if this one was started with the signal ignored."""
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    command = [*MINIGRAD, "compare", "--steps", "100000", "--backends", "numpy"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, env=environment, **streams)
    signal.signal(signal.SIGINT, before)
    try:
        yield process
    finally:
        process.kill()


def test_ctrl_c_prints_what_is_there():
    with long_comparison(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(8)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == run.INTERRUPTED, err
    assert "tracer eager" in out and "Interrupted: the table shows what had been measured." in out
    assert "Traceback" not in out + err


def test_ctrl_c_leaves_the_terminal_whole():
    """In a terminal of its own: bars while it runs; after Ctrl-C the cursor is back and the table is there."""
    ours, theirs = pty.openpty()
    with long_comparison(stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        check_interrupted(process, ours)


def check_interrupted(process, ours):
    text = read_until(ours, "/100000")
    process.send_signal(signal.SIGINT)
    text += read_until(ours, None)
    assert process.wait(20) == run.INTERRUPTED
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1, text
    last = text.rpartition("\x1b[?25h")[2]
    assert "tracer eager" in last and "Interrupted: the table shows what had been measured." in last
    assert "Traceback" not in text


def read_until(terminal: int, sign: str | None) -> str:
    """What a terminal shows until the sign appears, or until its program ends."""
    text, patience = "", time.monotonic() + 30
    while sign is None or sign not in text:
        assert time.monotonic() < patience, text
        try:
            text += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # how a terminal says that its program has ended
            return text
    return text


def test_into_a_file_there_are_no_control_codes(tmp_path):
    written = tmp_path / "out.txt"
    with written.open("w") as out:
        done = subprocess.run([*MINIGRAD, "compare", "--steps", "1", "--backends", "numpy"], stdout=out)
    assert done.returncode == 0
    assert "\x1b" not in written.read_text() and "\r" not in written.read_text()


def test_the_page_stands_alone_and_takes_the_colours_of_the_reader():
    pytest.importorskip("matplotlib")
    c = measured()
    c.drawings = {"loss": "<svg></svg>"}
    page = report.page(c)
    assert page.count("<svg") == 4 and "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)  # glyphs and markers point into the page itself
    figures = page[page.index("<figure>") :]
    assert "#000000" not in figures and "currentColor" in figures
    for cell in ("12.3 ms ± 0.00 µs", "not built yet", "2.0 MiB"):
        assert cell in page
    assert set(re.findall(r"<(?:h2|summary)>([^<]*)", page)) == {
        "What each choice costs", "What the columns mean", "The first moments", "A steady step", "The losses",
        "The graph", "loss",
    }  # fmt: skip
