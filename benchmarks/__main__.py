"""`python -m benchmarks`: run the workloads, show a table, and whether the bars are reached."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import report, scaling
from benchmarks.measure import FRAMEWORKS
from benchmarks.runner import Failed, Options, Row, as_json, measured, process
from benchmarks.workloads import WORKLOADS
from minigrad.lazy import lazy_module

rich_console = lazy_module("rich.console")

SCALING = "scaling"


def parser() -> argparse.ArgumentParser:
    names = ", ".join([*WORKLOADS, SCALING])
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, epilog=f"workloads: {names}")
    peers = [name for name in FRAMEWORKS if name != "minigrad"]
    top.add_argument("--peers", nargs="+", default=[], choices=peers, help="frameworks to compare with")
    top.add_argument("--peer-python", default=sys.executable, metavar="PATH", help="the interpreter that has them")
    top.add_argument("--threads", type=int, default=1, help="cores to use (default: %(default)s)")
    top.add_argument("--only", nargs="+", default=[], metavar="NAME", choices=[*WORKLOADS, SCALING])
    top.add_argument("--backend", default="llvm", choices=("numpy", "numba", "llvm"), help="default: %(default)s")
    top.add_argument("--json", metavar="FILE", help="write the figures there")
    top.add_argument("--plot", metavar="FILE", help="draw the steady times there (needs matplotlib)")
    top.add_argument("--quick", action="store_true", help="few calls, small chains, no ResNet: to see that it runs")
    return top


def scaled(options: Options) -> list[dict[str, Any]]:
    """The chains, under minigrad and what peers there are."""
    found = []
    for framework in ("minigrad", *options.peers):
        if framework not in scaling.FRAMEWORKS:
            continue
        for nodes in scaling.QUICK_SIZES if options.quick else scaling.SIZES:
            if nodes > scaling.LARGEST.get(framework, nodes):
                continue
            figure: dict[str, Any] = {"framework": framework, "nodes": nodes, "status": "ok", "seconds": {}}
            try:
                figure["seconds"] = process(framework, ["benchmarks.scaling", framework, str(nodes)], options, "")
            except Failed as failed:
                figure["status"] = f"failed: {failed}"
            found.append(figure)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 1 if something failed or results differ."""
    chosen = parser().parse_args(arguments)
    only = [name for name in chosen.only if name != SCALING]
    if shutil.which(chosen.peer_python) is None:
        parser().error(f"argument --peer-python: {chosen.peer_python} is no program that can be run")
    options = Options(chosen.peers, chosen.peer_python, chosen.threads, only, chosen.backend, chosen.quick)
    console = rich_console.Console(width=None if sys.stdout.isatty() else 140)
    rows: list[Row] = []
    chains: list[dict[str, Any]] = []
    with rich_console.Console(stderr=True).status("") as status:
        if only or not chosen.only:
            for name in options.workloads:
                rows += measured(name, options, status.update)
                _write(chosen.json, options, rows, chains)
        if SCALING in chosen.only or not chosen.only:
            status.update(SCALING)
            chains = scaled(options)
    _write(chosen.json, options, rows, chains)
    if rows:
        console.print(report.table(rows))
        console.print("\n".join(report.verdict(rows)), highlight=False)
        for row in rows:
            if row.status != "ok":
                console.print(f"{row.workload}, {row.framework}: {row.status}", style="red", highlight=False)
        if chosen.plot:
            report.plot(rows, chosen.plot)
    if chains:
        console.print(report.scaling_table(chains))
    return int(any(row.status != "ok" for row in rows) or any(c["status"] != "ok" for c in chains))


def _write(file: str | None, options: Options, rows: list[Row], chains: list[dict[str, Any]]) -> None:
    """After every workload: a long run that is interrupted leaves what it has."""
    if file:
        Path(file).write_text(as_json(options, rows, scaling=chains), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
