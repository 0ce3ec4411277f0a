"""Is the tape recording? `no_grad`, `enable_grad`, `set_grad_enabled`: context managers that are decorators too.

Floor 6. The switch is a context variable, so threads and async tasks have their own; it is always put back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

GRAD: ContextVar[bool] = ContextVar("grad", default=True)


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require grad are recorded here.

    >>> import minigrad.tape as torch
    >>> torch.is_grad_enabled()
    True
    """
    return GRAD.get()


class _Mode:
    """Sets the switch within `with`, or for the calls of a decorated function."""

    enabled: bool

    def __init__(self) -> None:
        self.tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self.tokens.append(GRAD.set(self.enabled))

    def __exit__(self, *exc: object) -> None:
        GRAD.reset(self.tokens.pop())

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        enabled = self.enabled

        @functools.wraps(f)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            token = GRAD.set(enabled)
            try:
                return f(*args, **kwargs)
            finally:
                GRAD.reset(token)

        return wrapped


class _Named(_Mode):
    """A mode whose name alone (`@no_grad`) decorates, as well as `@no_grad()`."""

    def __new__(cls, f: Callable[..., Any] | None = None) -> Any:
        return super().__new__(cls) if f is None else cls()(f)


class no_grad(_Named):
    """Nothing inside is recorded; results do not require grad.

    >>> import minigrad.tape as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    enabled = False


class enable_grad(_Named):
    """Recording again, inside `no_grad`."""

    enabled = True


class inference_mode(_Mode):
    """As `no_grad`. (Tensors made inside stay ordinary ones: they may be used in recorded code later.)"""

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.enabled = not mode


class set_grad_enabled(_Mode):
    """Switches recording from here on; as a context manager, until the end of the `with`."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.enabled = bool(mode)
        self.tokens.append(GRAD.set(self.enabled))

    def __enter__(self) -> None:
        """The switch was thrown when this was made."""
