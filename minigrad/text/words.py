"""The words of the text besides the ops: constants, sizes, types, dtypes, nested graphs. Spelled here and read here.

Floor 1.
"""

from __future__ import annotations

import base64
import binascii
import keyword
import math
import zlib
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, TypeAlias

import numpy as np

from minigrad.errors import GraphError, MinigradError
from minigrad.graph import Builder, Const, Graph, LazyGraph, Var, repeated_element
from minigrad.op import Array, Interpreter, Op, Operand, Value, interpreter, lift, ndarray, registry, using
from minigrad.source import UNKNOWN, Line, user_line
from minigrad.types import LONG, SHORT, Size, TensorType, parse_size

LIST_LIMIT = 64  # constants with more elements, unless all equal, are compressed


# ── reading ──────────────────────────────────────────────────────────────────────────────────────
def tensor(text: str) -> TensorType:
    """The type a text says; a scalar's may be the dtype alone: "f64"."""
    whole = text if "[" in text else f"{text}[]"
    return _read(TensorType.parse, whole, f"not a tensor type: {text!r}", "f32[2,3]")  # type: ignore[no-any-return]


def dim(text: str) -> Size:
    """A symbolic size from its text."""
    return _read(parse_size, text, f"not a size: {text!r}", "n + 1")  # type: ignore[no-any-return]


def _read(parse: Callable[[str], Any], text: str, what: str, example: str) -> Any:
    try:
        found = parse(text)
    except (MinigradError, ValueError, TypeError, ZeroDivisionError) as error:
        raise GraphError(what, hint=f"write it as {example}") from error
    # the reader of sizes skips what it does not know: only the spelling that comes back is understood
    if str(found).replace(" ", "") != text.replace(" ", ""):
        raise GraphError(what, hint=f"did you mean {found}?")
    return found


def const(elements: Any, type_text: str) -> Array:
    """A constant from its elements in row-major order, or from the one number they all are."""
    t = _known(type_text)
    try:
        if isinstance(elements, list):
            return Array(np.array(elements, t.dtype).reshape(t.shape))
        return Array(np.broadcast_to(np.asarray(elements, t.dtype), t.shape))
    except (ValueError, TypeError, OverflowError) as error:
        raise GraphError(f"const: the elements are not those of {t}: {error}") from None


def const64(text: str, type_text: str) -> Array:
    """A constant from its compressed little-endian bytes in base 64."""
    t = _known(type_text)
    nbytes = math.prod(t.shape) * t.dtype.itemsize
    try:
        # never unpacks more than the type allows, whatever the text holds
        data = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), nbytes + 1)
        return Array(np.frombuffer(data, t.dtype.newbyteorder("<")).astype(t.dtype).reshape(t.shape))
    except (ValueError, OverflowError, binascii.Error, zlib.error) as error:
        raise GraphError(f"const64: the bytes are not those of {t}: {error}") from None


def _known(type_text: str) -> TensorType:
    t = tensor(type_text)
    if not all(isinstance(n, int) and n >= 0 for n in t.shape):
        raise GraphError(f"a constant's type must have known sizes, got {t}")
    return t


def host(description: str) -> Any:
    """Stands for a Python function, which has no text."""
    raise GraphError(f"a Python function cannot be read from text: {description}")


def rule() -> LazyGraph:
    """Stands for a derivative rule that the text leaves out."""

    def missing() -> Graph:
        raise GraphError("a graph read from text has no derivative rules within derivative rules")

    return LazyGraph(missing)


class Writing(Interpreter):
    """Ops append nodes, as their text says. `line` is where the text is, when it is not being run by Python."""

    def __init__(self) -> None:
        self.builder = Builder()
        self.line: Line | None = None

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        ins = [x if isinstance(x, Var) else Const(self.array(x)) for x in op.coerce(xs)]
        return self.builder.add_node(op, ins, self, self.line or user_line())

    def array(self, x: Value) -> ndarray:
        if not isinstance(x, Array):
            raise GraphError(f"an operand must be a name or a constant, got {type(x).__name__}")
        return x.array


def graph(f: Callable[..., Any]) -> Graph:
    """The graph of a function whose parameters are annotated with their types as text."""
    it = Writing()
    parameters = signature(f).parameters.values()
    # where annotations are kept as source text, the quotes of ours are part of them
    inputs = [it.builder.add_input(tensor(p.annotation.strip("'\"")), it, p.name, UNKNOWN) for p in parameters]
    token = interpreter.set(it)
    try:
        ys = f(*inputs)
    finally:
        interpreter.reset(token)
        it.alive = False
    outputs = [lift(y, "return") for y in (ys if isinstance(ys, tuple) else (ys,))]
    return it.builder.graph([y if isinstance(y, Var) else Const(it.array(y)) for y in outputs], f.__name__)


# What a text may call, and what it may name, besides ops.
CALLS: dict[str, Callable[..., Any]] = {
    "const": const,
    "const64": const64,
    "dim": dim,
    "tensor": tensor,
    "complex": complex,
    "host": host,
    "rule": rule,
}
NAMES: dict[str, Any] = {"nan": math.nan, "inf": math.inf, **LONG}
RESERVED = {*CALLS, *NAMES, "graph"}


def namespace() -> dict[str, Any]:
    """What the text of a graph needs around it to run as Python.

    >>> from minigrad.text import namespace, to_text
    >>> import minigrad.ops.elementwise
    >>> names = namespace()
    >>> exec('def f(x: "f32[2]"):\\n    return mul(x, 2.0)', names)
    >>> names["graph"](names["f"]).nodes[0].out.type
    TensorType(shape=(2,), dtype=dtype('float32'))
    """
    return {**{op_name(name): op for name, op in registry.items()}, **CALLS, **NAMES, "graph": graph}


def op_name(name: str) -> str:
    """An op's name as the text can say it: `and` is `and_`, as Python would have it; so is any word of the text."""
    return name + "_" if keyword.iskeyword(name) or name in RESERVED else name


# ── spelling ─────────────────────────────────────────────────────────────────────────────────────
def spell_element(x: Any) -> str:
    """One element of a constant: the shortest Python that reads back to its bits (nan and inf by name)."""
    kind = x.dtype.kind
    if kind == "c":
        return f"complex({spell_element(x.real)}, {spell_element(x.imag)})"
    if kind != "f":
        return str(x)  # True, -3
    return "nan" if np.isnan(x) else str(x)  # 0.1, -0.0, 1e-08, -inf


Spell: TypeAlias = "Callable[[ndarray], str]"


def spell_const(array: ndarray) -> str:
    """A constant as a call of `const` or `const64`, exact to the bit."""
    t = TensorType(array.shape, array.dtype)
    quoted = f'"{t}"' if t.shape else f'"{SHORT[t.dtype]}"'
    elements = _elements(array)
    if elements is not None:
        return f"const({elements}, {quoted})"
    data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()
    return f'const64("{base64.b64encode(zlib.compress(data, 9)).decode()}", {quoted})'


def _elements(array: ndarray) -> str | None:
    """The elements as text: one number if they are all equal, a list if they are few, None if it must be bytes."""
    if array.size == 0:
        return "[]"
    repeated = repeated_element(array)
    if repeated is not None:
        spelled = [repeated]
        text = spell_element(repeated)
    elif array.size <= LIST_LIMIT:
        spelled = list(array.flat)
        text = f"[{', '.join(map(spell_element, spelled))}]"
    else:
        return None
    # the sign and the payload of a nan have no text
    plain = all(not np.isnan(x) or x.tobytes() == _plain_nan(x).tobytes() for x in spelled)
    return text if plain else None


def _plain_nan(x: Any) -> Any:
    if x.dtype.kind != "c":
        return x.dtype.type(math.nan)
    return x.dtype.type(complex(*(math.nan if np.isnan(part) else float(part) for part in (x.real, x.imag))))


def spell_operands(op: Op, ins: Sequence[Any], names: dict[Var, str]) -> list[str]:
    """Operands by name; scalar constants as Python literals where the op would make the same constant of them."""
    text = [names[a] if isinstance(a, Var) else "" for a in ins]
    values: list[Any] = [a if isinstance(a, Var) else Array(a.array) for a in ins]
    for i, a in enumerate(ins):
        if isinstance(a, Var):
            continue
        literal = _literal(a.array)
        trial = [*values[:i], literal, *values[i + 1 :]]
        if literal is not None and _gives(op, trial, ins):
            values, text[i] = trial, repr(literal)
        else:
            text[i] = spell_const(a.array)
    return text


def _literal(array: ndarray) -> Any:
    """A Python number that may stand for a scalar constant."""
    kind = array.dtype.kind
    if array.shape != () or kind == "c" or (kind == "f" and not np.isfinite(array)):
        return None
    return float(str(array[()])) if kind == "f" else array.item()


def _gives(op: Op, operands: list[Any], ins: Sequence[Any]) -> bool:
    """Does the op make of these operands exactly the atoms `ins`?"""
    try:
        with using(Writing()):  # so that a conversion shows as another Var
            made = op.coerce(operands)
    except (MinigradError, TypeError):
        return False
    return all(
        x is a if isinstance(a, Var) else isinstance(x, Array) and Const(x.array).key() == a.key()
        for x, a in zip(made, ins, strict=True)
    )
