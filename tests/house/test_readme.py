"""The README's programs run, and print what they say they print."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("number", range(3))
def test_program(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    program = PROGRAMS[number]
    said = re.findall(r"print\(.*\)  # (.*)", program)
    exec(compile(program, f"README program {number + 1}", "exec"), {})
    printed = capsys.readouterr().out.split("\n")[:-1]
    numbers = [[round(float(n), 2) for n in re.findall(r"\d+\.\d*", line)] for line in (*printed, *said)]
    assert len(printed) == len(said) == 1 and numbers[0] == numbers[1] == [2.0, 3.0]


def test_every_file_it_names_exists() -> None:
    root = Path(__file__).parents[2]
    missing = [link for link in re.findall(r"\]\(([^)h][^)]*)\)", README) if not (root / link).exists()]
    assert not missing
