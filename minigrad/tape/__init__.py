"""Run, recording: the graph exists during the run. The PyTorch-style front-end."""

from minigrad.tape import autograd, inplace
from minigrad.tape.autograd import backward
from minigrad.tape.grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from minigrad.tape.tensor import Tensor
