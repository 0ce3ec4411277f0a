"""The numba backend: a graph as Python that can be read and stepped through, its kernels compiled by numba.

Floor 4. `exe.source` is the text; tracebacks and debuggers show it. With the setting `jit` off (MINIGRAD_JIT=0) the
kernels run as the Python they are: slow, but a breakpoint can stand in the innermost loop. A compiled kernel is object
code that knows nothing of numba: `kept` puts it into the cache, and numba is loaded when a kernel is not there.
"""

from __future__ import annotations

import hashlib
import linecache
import os
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from minigrad import config
from minigrad.backends import native
from minigrad.backends.inputs import Inputs
from minigrad.backends.outputs import Outputs, arena
from minigrad.control.plan import explain
from minigrad.errors import BackendError
from minigrad.graph import Graph, Node
from minigrad.lazy import lazy_module
from minigrad.loops import signals
from minigrad.loops.prelude import PythonFunction
from minigrad.loops.python_program import program
from minigrad.op import ndarray
from minigrad.passes.inline import inline
from minigrad.passes.plan import plan
from minigrad.passes.schedule import ForeignKernel, schedule
from minigrad.types import SHORT, DType

llvm: Any = lazy_module("llvmlite.binding")
llvm_ir: Any = lazy_module("llvmlite.ir")
numba: Any = lazy_module("numba")
numba_compiler: Any = lazy_module("numba.core.compiler")
numba_registry: Any = lazy_module("numba.core.registry")
numba_extending: Any = lazy_module("numba.extending")


def compiles() -> bool:
    """Are kernels compiled, as the settings have it, or run as Python?"""
    return config.jit.get() and os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


class NumbaExecutable:
    """A graph as Python. Safe to call from several threads at once.

    `images` is the object code of its kernels, by what they are (see `named`), if they were compiled before; KeyError
    if it lacks one.
    """

    def __init__(self, graph: Graph, images: Mapping[str, bytes] | None = None) -> None:
        self.graph = graph
        self.history: list[Any] = []
        self.seconds = 0.0
        self.schedule = schedule(inline(graph))
        planned = plan(self.schedule)
        made = program(planned)
        self.source = made.text
        self.filename = _remember(graph.name, made.text)
        self.namespace = _defined(made.text, self.filename)
        self.jit = compiles()
        self.images: dict[str, bytes] = {}
        for name, kernel in made.kernels.items() if self.jit else ():
            found = _native(*kernel) if images is None else NativeKernel(images[named(*kernel)])
            self.namespace[name] = found.call
            self.images[named(*kernel)] = found.image
        self._run = self.namespace["run"]
        self._places = made.work
        self._inputs = Inputs(graph)
        self._outputs = Outputs(graph)
        self._constants = [np.ascontiguousarray(a).reshape(-1) for a in planned.constants]
        self._arena = planned.arena
        self._reference = [_Reference(k.node) for k in self.schedule.every() if isinstance(k, ForeignKernel)]
        self._work: list[list[ndarray]] = []  # what no call is using

    @cached_property
    def _as_python(self) -> Any:
        """For calls with the setting `jit` off, also of what was compiled before."""
        return _defined(self.source, self.filename)["run"] if self.jit else self._run

    @property
    def nodes(self) -> int:
        """The kernels."""
        return len(self.schedule.kernels)

    def __call__(self, arrays: list[ndarray]) -> list[ndarray]:
        """The outputs, in arrays of their own."""
        inputs = [a.reshape(-1) for a in self._inputs.contiguous(arrays)]
        outputs = self._outputs.arrays()
        work = self._work.pop() if self._work else _room(self._arena, self._places)
        run = self._run if config.jit.get() else self._as_python
        with np.errstate(all="ignore"):
            run(inputs, [y.reshape(-1) for y in outputs], work, self._constants, self._reference)
        self._work.append(work)
        return outputs


class _Reference:
    """The NumPy implementation of a node's op; its errors name the line that built the node."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def __call__(self, *xs: ndarray) -> Any:
        try:
            return self.node.op.impl(*xs)
        except Exception as error:
            explain(error, self.node)


def _room(size: int, work: list[tuple[int, int, DType]]) -> list[ndarray]:
    """Flat arrays in a new arena."""
    whole = arena(size)
    return [np.ndarray((n,), dtype, whole, at) for at, n, dtype in work]


# ── the text as functions ────────────────────────────────────────────────────────────────────────
def _remember(name: str, text: str) -> str:
    """Register the text where tracebacks and debuggers look for source, under the file name this gives."""
    filename = f"<minigrad {name} {hashlib.sha256(text.encode()).hexdigest()[:8]}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    return filename


def _defined(text: str, filename: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": filename}
    exec(compile(text, filename, "exec"), namespace)
    return namespace


def named(kernel: PythonFunction, dtypes: tuple[DType, ...]) -> str:
    """What tells a kernel from all others: a digest of its text, of all it calls, and of its arrays' dtypes."""
    return hashlib.blake2b(repr((kernel, dtypes)).encode(), digest_size=20).hexdigest()


# ── kernels as native code ───────────────────────────────────────────────────────────────────────
_ENTRY = "minigrad_kernel"


class NativeKernel:
    """A linked kernel. `call(*arrays)` runs it without the GIL; it trusts its arguments. `image` is its object code."""

    def __init__(self, image: bytes) -> None:
        known = {n: native.python(n) for n in signals.SYMBOLS}
        code = native.linked(image, known, (_ENTRY,))
        self.image = image
        self.call = native.function(code[_ENTRY], native.FASTCALL, code)


@lru_cache(maxsize=1024)
def _native(kernel: PythonFunction, dtypes: tuple[DType, ...]) -> NativeKernel:
    """A kernel compiled for flat arrays of these dtypes.

    numba's own dispatcher would ask for the types of all arrays at every call, would refuse those that are read-only,
    and cannot be told that no array overlaps with one that is written, without which most loops are not vectorised.
    Its wrappers call its runtime. So the kernel takes pointers, and our own text stands between it and Python.
    """
    with native.compiling, _compiler_lock():
        # bools are bytes, 0 or 1: numba cannot read bools through a pointer
        pointers = [numba.types.CPointer(numba.from_dtype(np.uint8 if d.kind == "b" else d)) for d in dtypes]
        flags = numba_compiler.Flags()
        flags.noalias = flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        flags.error_model = "numpy"
        target = numba_registry.cpu_target
        target.typing_context.refresh()
        target.target_context.refresh()
        made = numba_compiler.compile_extra(
            target.typing_context, target.target_context, _prepared(kernel), pointers, numba.types.void, flags, {}
        )
        made.library.add_llvm_module(llvm.parse_assembly(_entry(made.fndesc.llvm_func_name, len(dtypes))))
        made.library.finalize()
        return NativeKernel(made.library._get_compiled_object())


def _compiler_lock() -> Any:
    """numba's own: its contexts are shared by the process."""
    try:
        return numba.core.compiler_lock.global_compiler_lock
    except ImportError as missing:
        hint = "pip install numba; or set MINIGRAD_JIT=0, and the kernels run as Python"
        raise BackendError(f"the numba backend needs numba: {missing}", hint=hint) from missing


def _entry(kernel: str, count: int) -> str:
    """LLVM's text of a function CPython can call with `count` arrays. numba's takes places for a result and an error
    (there are none), and where the elements are."""
    found = ""
    for k in range(count):
        found += f"  %at{k} = getelementptr ptr, ptr %arrays, i64 {k}\n  %array{k} = load ptr, ptr %at{k}\n"
        found += f"  %data{k} = getelementptr i8, ptr %array{k}, i64 {native.layout().data}\n"
        found += f"  %p{k} = load ptr, ptr %data{k}\n"
    pointers = "".join([f", ptr %p{k}" for k in range(count)])
    return f"""\
{signals.text(long=True)}
declare i32 @"{kernel}"(ptr, ptr{", ptr" * count})
declare ptr @{signals.ZERO}(i64)
define ptr @{_ENTRY}(ptr %self, ptr %arrays, i64 %count) nounwind {{
  %state = alloca ptr
  %result = alloca ptr
  %error = alloca ptr
{found}\
  call void @{signals.ENTER}(ptr %state)
  %status = call i32 @"{kernel}"(ptr %result, ptr %error{pointers})
  call void @{signals.LEAVE}(ptr %state)
  %zero = call ptr @{signals.ZERO}(i64 0)
  ret ptr %zero
}}"""


@lru_cache(maxsize=1024)
def _called(function: PythonFunction) -> Any:
    """A function that kernels call, for numba: an instruction if there is one, else compiled and put in their place.

    Products may be fused with the sums they stand in, here only: the formulas were made for it.
    """
    if function.name in _INSTRUCTIONS:
        return numba_extending.intrinsic(_INSTRUCTIONS[function.name])
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True, "error_model": "numpy"}
    return numba.njit(fastmath={"contract"}, **options)(_prepared(function))


def _prepared(function: PythonFunction) -> Any:
    """The Python function, with what it calls ready for numba."""
    namespace = {"np": np, "inf": np.inf, "nan": np.nan, **{short: d.type for d, short in SHORT.items()}}
    namespace.update({f.name: _called(f) for f in function.uses})
    exec(compile(function.text, f"<minigrad {function.name}>", "exec"), namespace)
    return namespace[function.name]


# ── instructions for what the prelude says in Python ─────────────────────────────────────────────
def _two(build: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """What numba's `intrinsic` wants, for two operands and a result of one type; build(builder, type, operands)."""

    def typed(typing: Any, a: Any, b: Any) -> Any:
        return a(a, a), lambda context, builder, signature, args: build(builder, a, args)

    return typed


def _fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    return a(a, a, a), lambda context, builder, signature, args: builder.fma(*args)


def _extremum(which: str) -> Callable[[Any, Any, Any], Any]:
    def build(builder: Any, dtype: Any, args: Any) -> Any:
        t = args[0].type
        signed = isinstance(dtype, numba.types.Integer) and dtype.signed
        name = f"llvm.{which}imum" if isinstance(dtype, numba.types.Float) else f"llvm.{'s' if signed else 'u'}{which}"
        return builder.call(builder.module.declare_intrinsic(name, [t], llvm_ir.FunctionType(t, [t, t])), args)

    return build


_INSTRUCTIONS = {
    "maximum": _two(_extremum("max")),
    "minimum": _two(_extremum("min")),
    "plus": _two(lambda builder, _, xs: builder.fadd(*xs, flags=("reassoc",))),
    "times": _two(lambda builder, _, xs: builder.fmul(*xs, flags=("reassoc",))),
    "quotient": _two(lambda builder, _, xs: builder.sdiv(*xs)),
    "remainder": _two(lambda builder, _, xs: builder.srem(*xs)),
    "fused_f32": _fused,
    "fused_f64": _fused,
}
