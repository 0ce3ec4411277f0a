"""The command line: `minigrad compare`, `minigrad show` and `minigrad cache`.

Floor 7.
"""

from __future__ import annotations

import argparse
import inspect
import pkgutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import minigrad
from minigrad import config, passes
from minigrad.backends import cache
from minigrad.compare import run as comparison
from minigrad.compare.models import MODELS
from minigrad.errors import ArgumentError, MinigradError
from minigrad.graph import Graph
from minigrad.passes.inline import inline
from minigrad.passes.schedule import explain, schedule
from minigrad.text import to_text
from minigrad.tracer import grad, make_graph
from minigrad.types import TensorType, is_differentiable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code. A mistake of the user's is a message, not a traceback."""
    options = parser().parse_args(arguments)
    try:
        return options.command(options)  # type: ignore[no-any-return]
    except MinigradError as error:
        on_command_line = error.line.filename == sys.argv[0]  # of the launcher that called us
        print("minigrad:", error.message() if on_command_line else error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return comparison.INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="minigrad", description="One autodiff core, three front-ends that differ only in when the graph exists."
    )
    top.add_argument("--version", action="version", version=f"minigrad {minigrad.__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    c = commands.add_parser("compare", help="train one model under every execution model and show what each costs")
    c.add_argument("--model", choices=sorted(MODELS), default="mlp", help="what to train (default: %(default)s)")
    c.add_argument("--steps", type=int, default=200, help="Adam steps per row (default: %(default)s)")
    c.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    c.add_argument("--backends", default="numpy,numba,llvm", help="comma-separated (default: %(default)s)")
    c.add_argument("--seed", type=int, default=0, help="of parameters and batches (default: %(default)s)")
    c.add_argument("--quick", action="store_true", help=f"at most {comparison.QUICK_STEPS} steps")
    c.add_argument("--json", metavar="FILE", help="write all measurements there")
    c.add_argument("--html", metavar="FILE", help="write a self-contained page there (needs the extra: report)")
    c.set_defaults(command=_compare)

    s = commands.add_parser("show", help="print a function's graph, its gradient's graph and every pass")
    s.add_argument("function", help="module:function, as in mymodel:loss")
    s.add_argument("types", nargs="*", metavar="TYPE", help="of each argument, as in 'f32[8,3]' 'i64[8]'")
    s.set_defaults(command=_show)

    k = commands.add_parser("cache", help="show, verify or clear the compiled programs kept on disk")
    k.add_argument("action", nargs="?", choices=("show", "verify", "clear"), default="show")
    k.set_defaults(command=_cache)
    return top


def _compare(options: argparse.Namespace) -> int:
    return comparison.run(
        options.model,
        steps=options.steps,
        dtype=options.dtype,
        backends=[name for name in options.backends.split(",") if name],
        seed=options.seed,
        quick=options.quick,
        json_file=options.json,
        html_file=options.html,
    )


def _show(options: argparse.Namespace) -> int:
    f = find(options.function)
    types = [TensorType.parse(text) for text in options.types]
    require_fitting(f, types)
    graph = make_graph(f)(*types)
    section("graph", graph)
    floats = tuple(i for i, t in enumerate(types) if is_differentiable(t.dtype))
    scalar = len(graph.outputs) == 1 and graph.out_types[0].shape == () and is_differentiable(graph.out_types[0].dtype)
    if scalar and floats:
        graph = make_graph(grad(f, argnums=floats))(*types)
        section(f"gradient with respect to {_places(floats)}", graph)
    else:
        print("# no gradient: it takes a function that returns one scalar float, and float arguments\n")
    for step in passes.DEFAULT:
        graph, history = passes.run(graph, [step])
        section(f"after {history[0].name}", graph, str(history[0]))
    print("# ── kernels " + "─" * 68)
    print(explain(schedule(inline(graph))))
    return 0


def _cache(options: argparse.Namespace) -> int:
    store = cache.configured()
    try:
        entries = store.entries()
    except OSError as error:
        hint = "choose another folder with MINIGRAD_CACHE_DIR"
        raise ArgumentError(f"cache: the folder {store.folder} cannot be read ({error.strerror})", hint=hint) from None
    kinds = Counter(path.stem.rpartition("-")[0] or "older" for path, _ in entries)  # a key begins with its backend
    each = ", ".join(f"{count} {backend}" for backend, count in sorted(kinds.items()))
    programs = f"{len(entries)} program{'s' * (len(entries) != 1)}{f' ({each})' * bool(each)}"
    if options.action == "clear":
        print(f"deleted {store.clear()} of {programs} in {store.folder}")
        return 0
    size = sum(size for _, size in entries) / cache.MEBIBYTE
    off = "" if config.cache.get() else " (switched off)"
    print(f"{store.folder}{off}: {programs}, {size:.1f} of at most {store.limit // cache.MEBIBYTE} MiB")
    bad = store.verify() if options.action == "verify" else []
    for path, why in bad:
        print(f"{path.name} {why}")
    if options.action == "verify":
        ignored = len(entries) if any(path == store.folder for path, _ in bad) else len(bad)
        print(f"{ignored} of them would be ignored")
    return 1 if bad else 0


def require_fitting(f: Callable[..., Any], types: Sequence[TensorType]) -> None:
    """Raise an ArgumentError if f cannot be called with as many arguments as there are types."""
    try:
        signature = inspect.signature(f)
    except ValueError:  # a builtin that does not say
        return
    try:
        signature.bind(*types)
    except TypeError as error:
        given = f"{len(types)} type{'s' * (len(types) != 1)}"
        name = getattr(f, "__name__", "the function")
        raise ArgumentError(
            f"show: {name}{signature} does not fit {given}: {error}", hint="give one type for each argument"
        ) from None


def _places(numbers: Sequence[int]) -> str:
    return ("argument " if len(numbers) == 1 else "arguments ") + ", ".join(map(str, numbers))


def section(title: str, graph: Graph, note: str = "") -> None:
    print(f"# ── {title}: {len(graph.nodes)} nodes " + "─" * max(0, 60 - len(title)))
    if note:
        print(note)
    print(to_text(graph, lines=True), end="\n\n")


def find(name: str) -> Callable[..., Any]:
    """The function that `module:function` names; modules of the current folder are found too."""
    if not name.partition(":")[2]:
        raise ArgumentError(
            f"show: {name!r} does not name a function", hint="write module:function, as in mymodel:loss"
        )
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = pkgutil.resolve_name(name)
    except ModuleNotFoundError as error:
        raise ArgumentError(f"show: {error}", hint="run it in the folder that holds the module") from None
    except AttributeError as error:
        raise ArgumentError(f"show: {error}") from None
    except ValueError:
        raise ArgumentError(f"show: {name!r} is not a name Python can import") from None
    if not callable(found):
        raise ArgumentError(f"show: {name} is not a function but of type {type(found).__name__}")
    return found  # type: ignore[no-any-return]
