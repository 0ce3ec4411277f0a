"""The Op protocol (what a primitive must answer), the `interpreter` context, and the meaning everything starts from.

Floor 1. `op(*xs)` asks the interpreter in force what to do: `interpreter.get().apply(op, xs)`. That is the
whole dispatch mechanism: context decides, not data. `Evaluate`, the default, runs NumPy and gives an `Array`.
An op's parameters are its dataclass fields; its rules are its methods. Each rule is written, derived from the
op's kind (`NotImplemented`: the interpreter derives it), or refused with a reason (`NoGradient`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextvars import ContextVar, Token
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, TypeAlias, cast

import numpy as np

from minigrad.errors import (
    DtypeError,
    LeakError,
    MinigradError,
    MixedFrontEndsError,
    NotDifferentiableError,
    ShapeError,
    ValueTypeError,
)
from minigrad.frozen import dataclass
from minigrad.source import UNKNOWN, Line, user_line
from minigrad.types import SHORT, DType, Shape, TensorType, as_dtype, scalar_dtype, shape_text

ndarray: TypeAlias = "np.ndarray[Any, Any]"
Operand: TypeAlias = Any  # a Value, or what can be lifted to one: ndarray, NumPy or Python scalar

# NumPy reports overflow and division by zero through `warnings`, at the frame that called it: ours. Like the
# big frameworks we let inf and nan speak for themselves. `np.errstate` would cost 0.45 µs an op; this costs nothing.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"minigrad\.")


# ── values ───────────────────────────────────────────────────────────────────────────────────────
class Value:
    """Whatever ops take and give: an `Array`, or an interpreter's stand-in for one. All have a `type`.

    Operators and methods (`x + y`, `x.sum()`) are put on this class by `ops.sugar`, so every kind has them all.
    """

    __slots__ = ()
    type: TensorType
    differentiated: ClassVar[bool] = False  # does it carry a derivative that its bare numbers would lose?

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property
    def size(self) -> Any:
        return self.type.size

    def origin(self) -> Line:
        """Where it was made, for messages: known of what is traced or recorded."""
        return UNKNOWN

    def concrete(self, why: str) -> ndarray:
        """The numbers, for Python code that must have them now (`why` names that code, as `bool()`)."""
        raise NotImplementedError(f"{type(self).__name__} defines no concrete(), which {why} needs")

    # NumPy must hand over to us instead of looping over us element by element; `minigrad.numpy` puts the answer here.
    __array_ufunc__: ClassVar[Any] = None
    # A list as an operand is for `minigrad.numpy` to read, too: (list, who asks) -> Value.
    from_list: ClassVar[Any] = None


class Array(Value):
    """A tensor with its numbers: an ndarray that nothing will change. Python and NumPy code reads it freely."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array: ndarray = array if type(array) is np.ndarray else np.asarray(array)

    @property
    def type(self) -> TensorType:  # type: ignore[override]
        return TensorType(self.array.shape, self.array.dtype)

    @property
    def shape(self) -> Shape:
        return self.array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> DType:
        return self.array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return self.array.ndim

    def concrete(self, why: str) -> ndarray:
        return self.array


class Handle(Value):
    """A front-end's own value (a tape Tensor, a session Tensor): ops on it go to that front-end's interpreter."""

    __slots__ = ()
    front_end: ClassVar[str] = ""

    def home(self) -> Interpreter:
        """The interpreter of the front-end it belongs to."""
        raise NotImplementedError(f"{type(self).__name__} defines no home()")


def lift(x: Operand, who: str = "op") -> Value:
    """A Value from an ndarray (copied: the caller may change it later), a NumPy or Python scalar, or lists of them."""
    if isinstance(x, Value):
        return x
    if type(x) in (bool, int, float, complex):
        return Array(np.asarray(x, _scalar_dtype(x, who)))
    if isinstance(x, (np.ndarray, np.generic)):
        if x.dtype not in SHORT:
            as_dtype(x.dtype)  # raises, naming the dtype
        if type(x) is not np.ndarray and np.any(getattr(x, "mask", False)):
            hint = "fill them first: x.filled(0.0), or x.filled(nan) with nansum and its like"
            raise ValueTypeError(f"{who}: elements of a masked array are missing", hint=hint)
        return Array(_copied(x))
    if isinstance(x, (list, tuple, range)):
        return cast(Value, Value.from_list(x, who))
    if hasattr(x, "__array__"):
        return lift(np.asarray(x), who)
    raise ValueTypeError(
        f"{who}: cannot compute with {short_repr(x)} (a {type(x).__name__})",
        hint="tensors, NumPy arrays and Python numbers are welcome",
    )


_LARGE, _LINE = 1 << 16, 64  # bytes of an array worth aligning, and of a line of the cache


def _copied(x: Any) -> ndarray:
    """A copy in native byte order. A large one begins with a line of the cache: vectors that lie in two lines each cost
    half the time of a kernel that writes past the caches (x·x, 64 MB: 8.4 ms, aligned 3.8)."""
    dtype = x.dtype.newbyteorder("=")
    if x.nbytes < _LARGE or not x.flags.c_contiguous:
        return np.array(x, dtype=dtype)
    y = aligned(x.shape, dtype, np.empty(x.nbytes + _LINE, np.uint8), _LINE)
    y[...] = x
    return y


def aligned(shape: tuple[int, ...], dtype: DType, block: ndarray, to: int) -> ndarray:
    """An array that begins at a multiple of so many bytes, in a block that is larger by them."""
    return np.ndarray(shape, dtype, block, -block.ctypes.data % to)


def _scalar_dtype(x: Any, who: str) -> DType:
    if type(x) is int and not -(2**63) <= x < 2**63:
        raise DtypeError(f"{who}: the integer {x} does not fit in int64", hint="write it as a float")
    return scalar_dtype(x)


def short_repr(x: Any) -> str:
    """What x is, for a message."""
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."


def type_of(x: Operand) -> TensorType:
    """The type of a Value or of anything that can be lifted to one."""
    return x.type if isinstance(x, Value) else lift(x).type


# ── interpreters ─────────────────────────────────────────────────────────────────────────────────
class Interpreter:
    """A meaning given to ops. `below` is the interpreter that was in force when this one started."""

    front_end: str = "tracer"
    below: Interpreter
    alive = True

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        """What the op means for these operands."""
        raise NotImplementedError(f"{type(self).__name__} defines no apply()")


class Evaluate(Interpreter):
    """The first meaning: run NumPy. Never compiles; any number of shapes costs the same."""

    def apply(self, op: Op, xs: Sequence[Operand]) -> Any:
        arrays = [x.array for x in xs if type(x) is Array]
        if len(arrays) != len(xs):
            if not (op.weak and len(arrays) == 1 and len(xs) == 2):
                return self._apply_mixed(op, xs)
            # x * 2.0 and 2.0 * x, the commonest case of coerce, in line: through it they take twice the time
            scalar, dtype = xs[type(xs[0]) is Array], arrays[0].dtype
            if type(scalar) is not float or dtype.kind != "f":
                return self._apply_mixed(op, xs)
            arrays.insert(xs[1] is scalar, np.asarray(scalar, dtype))
            return _run(op, arrays)
        return _run(op, arrays if op.admit(arrays) else [x.array for x in op.coerce(xs)])  # type: ignore[attr-defined]

    def _apply_mixed(self, op: Op, xs: Sequence[Operand]) -> Any:
        """Some operand is not an Array: a handle (go to its home), a raw constant, or a value that leaked."""
        for x in xs:
            if type(x) is not Array and isinstance(x, Value):
                if not isinstance(x, Handle):
                    raise leaked(op, x)
                require_one_front_end(op, [h for h in xs if isinstance(h, Handle)])
                return x.home().apply(op, xs)
        return _run(op, [x.array for x in op.coerce(xs)])  # type: ignore[attr-defined]


def _run(op: Op, arrays: list[ndarray]) -> Any:
    try:
        y = op.impl(*arrays)
    except (ValueError, TypeError, IndexError):
        explain(op, [TensorType(a.shape, a.dtype) for a in arrays])
        raise
    return tuple([Array(a) for a in y]) if op.many else Array(y)


def require_one_front_end(op: Op, handles: Sequence[Handle]) -> None:
    first = handles[0]
    for other in handles[1:]:
        if other.front_end != first.front_end:
            raise MixedFrontEndsError(
                f"{op.label}: a {first.front_end} value and a {other.front_end} value cannot meet in one op",
                hint="take the numbers out of one of them first",
                lines=[(f"{h.front_end} value made at", h.origin()) for h in (first, other)],
            )


def leaked(who: Op | str, x: Any) -> LeakError:
    """The error for a value whose interpreter is not in force here."""
    made = getattr(x, "line", None)
    state = "outlived its trace" if not x.owner.alive else "is used outside the code that is being traced"
    return LeakError(
        f"{who if isinstance(who, str) else who.label}: a traced value {x.type} {state}",
        hint="return it from the traced function instead of keeping it in a list, global or attribute",
        lines=[("made at", made)] if isinstance(made, Line) else (),
    )


def explain(op: Op, types: Sequence[TensorType], xs: Sequence[Operand] = ()) -> None:
    """NumPy refused: raise what the op's type rule says of it, which speaks the user's words."""
    try:
        op.out_type(*types)
    except MinigradError as error:
        if isinstance(error, ShapeError):
            error.also(made_at(xs))
        raise error from None


def made_at(xs: Sequence[Operand]) -> list[tuple[str, Line]]:
    """Where the operands of an op whose shapes do not fit were made, if on other lines: for its error."""
    here = user_line()
    made = [(f"{shape_text(x.shape)} {_whence(x)}", x.origin()) for x in xs if isinstance(x, Value)]
    return [(label, line) for label, line in made if not line.same_place(here)]


def _whence(x: Value) -> str:
    name = getattr(x, "label", "")  # of a graph's inputs: arguments and placeholders
    return f"is {name}, from" if name else "made at"


EVALUATE = Evaluate()
interpreter: ContextVar[Interpreter] = ContextVar("interpreter", default=EVALUATE)


class using:
    """`with using(it):` puts an interpreter in force, and always takes it out again."""

    __slots__ = ("interpreter", "token")

    def __init__(self, it: Interpreter) -> None:
        self.interpreter = it

    def __enter__(self) -> Any:
        self.token: Token[Interpreter] = interpreter.set(self.interpreter)
        return self.interpreter

    def __exit__(self, *exc: object) -> None:
        interpreter.reset(self.token)


# ── the protocol ─────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class NoGradient:
    """Stands where a derivative rule would: why there is none.

    Integer and bool results simply carry no derivative; a float result with `refuse` raises when asked for one.
    """

    reason: str
    refuse: bool = False

    def check(self, op: Op) -> None:
        if self.refuse:
            raise NotDifferentiableError(
                f"{op.label} has no derivative: {self.reason}", hint="wrap it in stop_gradient, or give a custom rule"
            )


# Every op by the name it has in the text of a graph: classes of ops, and rows (which are single ops).
registry: dict[str, Any] = {}


class Op:
    """A primitive. Subclasses are frozen dataclasses: the fields are the parameters, the methods the rules.

    In all rules the output comes first, then the inputs; `None` as a tangent or cotangent means "zero", and only
    that. `wanted[i]` says whether operand i needs its cotangent at all.
    """

    many: ClassVar[bool] = False  # several outputs: out_type, impl and rules deal in tuples
    weak: ClassVar[bool] = False  # takes two floats of one dtype, which a Python float beside a tensor takes on
    effect: ClassVar[bool] = False  # does something besides returning: kept, and kept in order
    no_gradient: ClassVar[NoGradient | None] = None

    def __init_subclass__(cls, listed: bool = True, **more: Any) -> None:
        """List the class in `registry`; `listed=False` is for kinds whose ops are listed one by one."""
        super().__init_subclass__(**more)
        if listed:
            registry[cls.__name__] = cls

    def __call__(self, *xs: Operand) -> Any:
        return interpreter.get().apply(self, xs)

    @property
    def label(self) -> str:
        """The name users know it by."""
        return type(self).__name__.lower()

    def admit(self, arrays: list[ndarray]) -> bool:
        """May these arrays go straight to `impl`? (The fast path of `coerce`.)"""
        return True

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        """Operands as Values of the dtypes the rules expect; raw constants lifted."""
        return [x if isinstance(x, Value) else lift(x, self.label) for x in xs]

    def out_type(self, *types: TensorType) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no out_type()")

    def impl(self, *arrays: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no impl()")

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:  # T x -o T y
        return NotImplemented

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:  # T y -o T x
        return NotImplemented

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        """The op over operands whose axis 0 is mapped where `mapped` says; every output is mapped at axis 0."""
        return NotImplemented

    def pullback(self, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        """(y, y_bar -> x_bars), for ops that save more than (y, xs) for the way back. Default: they do not."""
        return NotImplemented

    def __str__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.parameters().items())})"

    def parameters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _field_names(type(self))}  # type: ignore[arg-type]


@cache
def _field_names(cls: type) -> tuple[str, ...]:
    return tuple([f.name for f in fields(cls)]) if is_dataclass(cls) else ()
