"""Tensor: numbers that can be written in place, and the history they came from.

Floor 6. A tensor holds an ndarray and, when recorded, its *node*: the `Record` that made it (a pair (record, k) for
result k of several). A leaf that requires grad is its own node. Everything computed on tensors goes through the
`Tape` (interpreter.py); everything that changes one through `inplace.assign`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, BackwardError, NotDifferentiableError
from minigrad.op import Handle, Interpreter, ndarray
from minigrad.source import Line, Place, line_at
from minigrad.tape.memory import MEMORY
from minigrad.tape.record import Record, record_of
from minigrad.types import SHORT, DType, Shape, TensorType, is_differentiable


class Tensor(Handle):
    """A tensor of the tape. Make one with `tensor`, `zeros`, `randn`, ...

    Shapes are tuples, dtypes NumPy's; all memory is the CPU's.

    >>> import minigrad.tape as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    # `_array` must not be called `array`: by that name `Evaluate` knows values it may compute with unrecorded.
    __slots__ = ("__weakref__", "_array", "_kin", "_node", "_place", "grad", "requires_grad")
    front_end: ClassVar[str] = "tape"
    tape: ClassVar[Interpreter]
    _place: Place | None  # where a leaf was made; set only by creation functions

    def __init__(self, array: ndarray, requires_grad: bool = False, node: Any = None) -> None:
        self._array, self.requires_grad, self._node = array, requires_grad, node
        self.grad: Tensor | None = None
        self._kin: Any = None  # views.View of a view, the views of a base, or None

    # ── what it is ───────────────────────────────────────────────────────────────────────────────
    @property
    def type(self) -> TensorType:  # type: ignore[override]
        return TensorType(self._array.shape, self._array.dtype)

    @property
    def shape(self) -> Shape:
        return self._array.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> DType:
        return self._array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def size(self) -> Any:
        return Size(self._array)

    def numel(self) -> int:
        return self._array.size

    def dim(self) -> int:
        return self._array.ndim

    def is_contiguous(self) -> bool:
        return self._array.flags.c_contiguous

    def data_ptr(self) -> int:
        return self._array.ctypes.data

    # ── its history ──────────────────────────────────────────────────────────────────────────────
    @property
    def grad_fn(self) -> Record | None:
        """The record that made it; None for a leaf."""
        return record_of(self._node)  # type: ignore[no-any-return]

    @property
    def is_leaf(self) -> bool:
        """Made by the user, or not recorded: backward puts gradients into leaves that require them."""
        return self._node is None

    @property
    def _version(self) -> int:
        return MEMORY.version(self._array)

    def home(self) -> Interpreter:
        return self.tape

    def origin(self) -> Line:
        record = self.grad_fn
        return line_at(getattr(self, "_place", None)) if record is None else record.line

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Start (or stop) to record what is done with this leaf."""
        if not requires_grad and self._node is not None:
            raise BackwardError(
                "requires_grad_: only a leaf can stop requiring grad, and this tensor is a result",
                hint="use detach() for a tensor without history",
                lines=[("made at", self.origin())],
            )
        if requires_grad:
            check_differentiable(self._array, "requires_grad")
        self.requires_grad = requires_grad
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of this result in `grad` when backward passes through it."""
        if not self.requires_grad:
            raise BackwardError("retain_grad: this tensor does not require grad")
        if self._node is not None:
            record = self.grad_fn
            assert record is not None
            record.listen(self)

    def detach(self) -> Tensor:
        """The same memory without history."""
        return Tensor(self._array)

    @property
    def data(self) -> Tensor:
        """The same memory without history. Assigning replaces the memory."""
        return Tensor(self._array)

    @data.setter
    def data(self, new: Tensor) -> None:
        self._array = new._array

    def __reduce__(self) -> Any:
        return rebuilt, (type(self), self._array, self.requires_grad and self._node is None)

    # ── its numbers ──────────────────────────────────────────────────────────────────────────────
    def concrete(self, why: str) -> ndarray:
        return self._array

    def numpy(self, *, force: bool = False) -> ndarray:
        """The ndarray itself: memory is shared. `force=True` reads one that requires grad."""
        if self.requires_grad and not force:
            raise BackwardError(
                f"numpy: {self.type} requires grad, and what NumPy does with it would not be recorded",
                hint="use x.detach().numpy()",
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> Any:
        """The number in a tensor of one element, as a Python number."""
        if self._array.size != 1:
            raise ArgumentError(f"item: {self.type} has {self._array.size} elements, not one", hint="use tolist()")
        return self._array.item()

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ArgumentError(
                f"bool(): {self.type} has {self._array.size} truth values", hint="use x.any() or x.all()"
            )
        return bool(self._array.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iu" or self._array.size != 1:
            raise ArgumentError(f"{self.type} cannot be an index: one integer is needed")
        return int(self._array.item())

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise ArgumentError(f"len(): {self.type} has no axes")
        return int(self._array.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        return iter([self[k] for k in range(len(self))])  # type: ignore[index]

    def __format__(self, form: str) -> str:
        return format(self.item(), form) if form else str(self)

    def __repr__(self) -> str:
        text = np.array2string(self._array, precision=4, separator=", ", prefix="tensor(", threshold=1000)
        if self._array.dtype not in _PLAIN:
            text += f", dtype={self._array.dtype.name}"
        if self._node is not None:
            text += f", grad_fn={self.grad_fn!r}"
        elif self.requires_grad:
            text += ", requires_grad=True"
        return f"tensor({text})"


_PLAIN = {d for d, short in SHORT.items() if short in ("f32", "i64", "bool")}


def rebuilt(cls: type[Tensor], array: ndarray, requires_grad: bool) -> Tensor:
    """A leaf again, as pickling left it: histories are not saved."""
    made = cls.__new__(cls)
    Tensor.__init__(made, array, requires_grad)
    return made


class Size(int):
    """The number of elements; called, the shape. So `x.size` reads as in NumPy and `x.size()` as in PyTorch."""

    of: tuple[int, ...]

    def __new__(cls, array: ndarray) -> Size:
        size = super().__new__(cls, array.size)
        size.of = array.shape
        return size

    def __call__(self, dim: int | None = None) -> Any:
        return self.of if dim is None else self.of[dim]


def check_differentiable(array: ndarray, who: str) -> None:
    if not is_differentiable(array.dtype):
        raise NotDifferentiableError(
            f"{who}: {array.dtype.name} has no derivatives; only floats and complex numbers do",
            hint="convert first: x.float(), or tensor(..., dtype=float32)",
        )
