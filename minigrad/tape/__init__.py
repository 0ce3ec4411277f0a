"""Run, recording: the graph exists *during* the run. PyTorch's names: `import minigrad.tape as torch`."""

from typing import Any

from minigrad.tape import autograd, methods, nn, optim  # noqa: F401
from minigrad.tape.autograd import backward as _backward  # noqa: F401
from minigrad.tape.creation import CREATION as _CREATION
from minigrad.tape.functions import FUNCTIONS as _FUNCTIONS
from minigrad.tape.grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from minigrad.tape.random import (
    Generator,
    bernoulli,
    get_rng_state,
    manual_seed,
    multinomial,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    set_rng_state,
)
from minigrad.tape.selection import SELECTION as _SELECTION
from minigrad.tape.shapes import SHAPES as _SHAPES
from minigrad.tape.tensor import Tensor
from minigrad.types import LONG as _LONG

globals().update(_FUNCTIONS)
globals().update(_SHAPES)
globals().update(_SELECTION)
globals().update(_CREATION)
globals().update({dtype.name: dtype for dtype in _LONG.values()})

float, double, long, int, bool = (_LONG[short] for short in ("f32", "f64", "i64", "i32", "bool"))
