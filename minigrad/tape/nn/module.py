"""Module: a function with parameters, made of modules.

Floor 6. Parameters, buffers and modules register themselves when they are assigned to an attribute; everything else
here walks those three dictionaries. What a layer needs beyond its arithmetic belongs here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ArgumentError, ValueTypeError
from minigrad.tape.inplace import forget_gradients, write
from minigrad.tape.shapes import to
from minigrad.tape.tensor import Tensor, check_differentiable
from minigrad.types import as_dtype, shape_text


class Parameter(Tensor):
    """A tensor that a module owns and an optimizer may change.

    >>> import minigrad.tape as torch
    >>> torch.nn.Parameter(torch.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        if not isinstance(data, Tensor):
            raise ValueTypeError(f"Parameter: needs a tensor, got {type(data).__name__}", hint="use tensor(...) first")
        if requires_grad:
            check_differentiable(data._array, "Parameter")
        super().__init__(data._array, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Module:
    """Base class of models and layers: subclasses assign their parts in `__init__` and compute in `forward`.

    >>> import minigrad.tape as torch
    >>> from minigrad.tape import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(torch.ones(2))
    ...
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, p in Scale().named_parameters()]
    ['factor']
    """

    training: bool = True
    _shown: ClassVar[Sequence[str]] = ()  # attributes in a layer's repr

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _buffers={}, _modules={}, _not_saved=set(), training=True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # ── attributes ───────────────────────────────────────────────────────────────────────────────
    def __setattr__(self, name: str, value: Any) -> None:
        parts = self.__dict__
        if "_parameters" not in parts:
            raise ArgumentError(
                f"{type(self).__name__}: {name} was assigned before the module was set up",
                hint="call super().__init__() first in __init__",
            )
        kind = "_parameters" if isinstance(value, Parameter) else "_modules" if isinstance(value, Module) else ""
        if not kind:
            kind = next((k for k in ("_parameters", "_modules", "_buffers") if name in parts[k]), "")
            if kind and not (value is None or (kind == "_buffers" and isinstance(value, Tensor))):
                raise ValueTypeError(
                    f"{type(self).__name__}.{name} is one of {kind[1:]}: a {type(value).__name__} cannot replace it",
                    hint="assign a Parameter or Module, or del the attribute first",
                )
        for other in ("_parameters", "_modules", "_buffers"):
            parts[other].pop(name, None) if other != kind else None
        if kind:
            parts.pop(name, None)
            parts[kind][name] = value
        else:
            parts[name] = value

    def __getattr__(self, name: str) -> Any:
        for kind in ("_parameters", "_modules", "_buffers"):
            found = self.__dict__.get(kind, {})
            if name in found:
                return found[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for kind in ("_parameters", "_modules", "_buffers"):
            if name in self.__dict__[kind]:
                del self.__dict__[kind][name]
                return
        object.__delattr__(self, name)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """A parameter under a name; None keeps the name free for one."""
        self._parameters[name] = parameter

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """A tensor that is state but not trained; `state_dict` holds it if it is persistent."""
        self._buffers[name] = tensor
        if not persistent:
            self._not_saved.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """A module under a name."""
        self._modules[name] = module

    # ── walking ──────────────────────────────────────────────────────────────────────────────────
    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(path, module) for this module and all below it, each once."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            stack += [(_joined(path, n), m) for n, m in reversed(module._modules.items()) if m is not None]

    def modules(self) -> Iterator[Module]:
        return (m for _, m in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        return ((n, m) for n, m in self._modules.items() if m is not None)

    def children(self) -> Iterator[Module]:
        return (m for _, m in self.named_children())

    def _named(self, kind: str, prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, value in module.__dict__[kind].items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield _joined(path, name), value

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter), each once."""
        return self._named("_parameters", prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """(path, buffer), each once."""
        return self._named("_buffers", prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (b for _, b in self.named_buffers(recurse=recurse))

    # ── changing all of it ───────────────────────────────────────────────────────────────────────
    def apply(self, f: Callable[[Module], Any]) -> Module:
        """f(module) for every module below this one, then this one."""
        for m in reversed(list(self.modules())):
            f(m)
        return self

    def train(self, mode: bool = True) -> Module:
        """Training mode (or not): what Dropout and the like ask for."""
        for m in self.modules():
            m.__dict__["training"] = bool(mode)
        return self

    def eval(self) -> Module:
        """Evaluation mode."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Whether the parameters are trained."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        forget_gradients(self.parameters(), set_to_none)

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Floating-point parameters and buffers in another dtype. ("cpu" is the only device.)"""
        for _, t in [*self.named_parameters(), *self.named_buffers()]:
            if t.dtype.kind == "f":
                t._array = to(t.detach(), *args, **kwargs)._array
        return self

    def double(self) -> Module:
        return self.to(as_dtype("float64"))

    def float(self) -> Module:
        return self.to(as_dtype("float32"))

    # ── saving ───────────────────────────────────────────────────────────────────────────────────
    def _saved(self) -> Iterator[tuple[str, Tensor]]:
        for path, module in _every_path(self):
            for name, t in [*module._parameters.items(), *module._buffers.items()]:
                if t is not None and name not in module._not_saved:
                    yield _joined(path, name), t

    def state_dict(self) -> dict[str, Tensor]:
        """Every parameter and persistent buffer by path. The memory is shared."""
        return {path: t.detach() for path, t in self._saved()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> None:
        """Copy the tensors of a state dict into this module's. Nothing is changed if something does not fit."""
        own = dict(self._saved())
        problems = [] if not strict else _differences(own, state_dict)
        for path, t in own.items():
            if path in state_dict and np.shape(state_dict[path]) != t.shape:
                theirs = shape_text(np.shape(state_dict[path]))
                problems.append(f"  {path}: shape {theirs} in the state dict, {shape_text(t.shape)} in the module")
        if problems:
            raise ArgumentError(
                f"load_state_dict: the state dict does not fit {type(self).__name__}:\n" + "\n".join(problems),
                hint="nothing was loaded" + ("; strict=False ignores missing and unexpected names" if strict else ""),
            )
        for path, t in own.items():
            if path in state_dict:
                given = state_dict[path]
                write(t, given._array if isinstance(given, Tensor) else np.asarray(given))

    def __repr__(self) -> str:
        lines = [f"({n}): {m!r}".replace("\n", "\n  ") for n, m in self._modules.items()]
        if not lines:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"

    def extra_repr(self) -> str:
        """What stands between the brackets of a layer's repr."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _every_path(module: Module, path: str = "") -> Iterator[tuple[str, Module]]:
    """As `named_modules`, but a module that is used twice comes under both its paths."""
    yield path, module
    for name, m in module.named_children():
        yield from _every_path(m, _joined(path, name))


def _differences(own: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    missing = [f"  {p}: missing in the state dict" for p in own if p not in given]
    return missing + [f"  {p}: unexpected, the module has no such name" for p in given if p not in own]
