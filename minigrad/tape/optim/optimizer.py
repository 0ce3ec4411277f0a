"""What all optimizers share: parameter groups with their options, state per parameter, saving and loading.

Floor 6. A subclass gives `update`: new values from old ones; nothing in it is recorded or in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minigrad.errors import ArgumentError, ValueTypeError
from minigrad.op import EVALUATE, Array, using
from minigrad.tape.grad_mode import enable_grad
from minigrad.tape.inplace import forget_gradients, write
from minigrad.tape.tensor import Tensor


class Optimizer:
    """Changes parameters by their gradients."""

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[dict[str, Any]] = []
        given: list[Any] = [params] if isinstance(params, (Tensor, dict)) else list(params)
        if not given:
            raise ArgumentError(
                f"{type(self).__name__}: there are no parameters",
                hint="modules in a plain list do not register theirs: use nn.ModuleList or nn.Sequential",
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Parameters with options of their own; those left out are the defaults."""
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for i, p in enumerate(params):
            if not isinstance(p, Tensor):
                raise ValueTypeError(f"{type(self).__name__}: parameter {i} is a {type(p).__name__}, not a tensor")
            if not p.is_leaf:
                raise ArgumentError(
                    f"{type(self).__name__}: parameter {i}, {p.type}, is a result, not a leaf: it has no gradient",
                    hint="give the tensor it was computed from, or p.detach().requires_grad_()",
                )
            if id(p) in known:
                raise ArgumentError(f"{type(self).__name__}: parameter {i}, {p.type}, appears twice")
            known.add(id(p))
        unknown = set(group) - {"params", *self.defaults}
        if unknown:
            raise ArgumentError(f"{type(self).__name__}: unknown options {sorted(unknown)}")
        self.param_groups.append({**self.defaults, **group, "params": params})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of the parameters."""
        forget_gradients(self._params(), set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; a closure computes loss and gradients first, and is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with using(EVALUATE):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self._change(p, group)
        return loss

    def _change(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state.setdefault(p, {})
        old = {k: Array(v._array) if isinstance(v, Tensor) else v for k, v in state.items()}
        assert p.grad is not None
        new, changed = self.update(Array(p._array), Array(p.grad._array), old, group)
        write(p, new.array)
        state.update({k: Tensor(v.array) if isinstance(v, Array) else v for k, v in changed.items()})

    def update(self, w: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """(the new parameter, the new state)."""
        raise NotImplementedError(f"{type(self).__name__} defines no update()")

    # ── saving ───────────────────────────────────────────────────────────────────────────────────
    def state_dict(self) -> dict[str, Any]:
        """State and options; parameters are numbered in the order they were given."""
        number = {p: i for i, p in enumerate(self._params())}
        groups = [{**g, "params": [number[p] for p in g["params"]]} for g in self.param_groups]
        return {"state": {number[p]: dict(s) for p, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and options of a state dict; the groups must have as many parameters as here."""
        groups = state_dict["param_groups"]
        theirs, ours = ([len(g["params"]) for g in gs] for gs in (groups, self.param_groups))
        if theirs != ours:
            raise ArgumentError(f"load_state_dict: groups of {theirs} parameters do not fit groups of {ours}")
        params = self._params()
        for ours_, theirs_ in zip(self.param_groups, groups, strict=True):
            ours_.update({k: v for k, v in theirs_.items() if k != "params"})
        self.state = {params[int(i)]: {k: _copied(v) for k, v in s.items()} for i, s in state_dict["state"].items()}

    def _params(self) -> list[Tensor]:
        return [p for g in self.param_groups for p in g["params"]]

    def __repr__(self) -> str:
        groups = [{k: v for k, v in g.items() if k != "params"} for g in self.param_groups]
        return f"{type(self).__name__}({', '.join(map(str, groups))})"


def _copied(v: Any) -> Any:
    return Tensor(np.array(v._array)) if isinstance(v, Tensor) else v
