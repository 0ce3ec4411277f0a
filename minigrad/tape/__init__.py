"""Run, recording: the graph exists *during* the run. PyTorch's names: `import minigrad.tape as torch`.

Floor 6. Functions of tensors come from the tables of functions.py, shapes.py, selection.py and creation.py.
"""

from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi
from typing import Any

from minigrad.tape import autograd as autograd
from minigrad.tape import methods as methods  # puts the methods on Tensor
from minigrad.tape import nn as nn
from minigrad.tape import optim as optim
from minigrad.tape.creation import CREATION
from minigrad.tape.functions import FUNCTIONS
from minigrad.tape.grad_mode import enable_grad as enable_grad
from minigrad.tape.grad_mode import inference_mode as inference_mode
from minigrad.tape.grad_mode import is_grad_enabled as is_grad_enabled
from minigrad.tape.grad_mode import no_grad as no_grad
from minigrad.tape.grad_mode import set_grad_enabled as set_grad_enabled
from minigrad.tape.random import RANDOM
from minigrad.tape.random import Generator as Generator
from minigrad.tape.random import manual_seed as manual_seed
from minigrad.tape.selection import SELECTION
from minigrad.tape.shapes import SHAPES
from minigrad.tape.tensor import Tensor as Tensor
from minigrad.types import LONG

globals().update({**FUNCTIONS, **SHAPES, **SELECTION, **CREATION, **RANDOM})
globals().update({dtype.name: dtype for dtype in LONG.values()})
float, double, long, int, bool = (LONG[short] for short in ("f32", "f64", "i64", "i32", "bool"))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"minigrad.tape has no {name!r}; torch may, but it is not part of this front-end")
