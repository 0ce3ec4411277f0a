"""minigrad: one autodiff core, three front-ends that differ only in when the graph exists.

import minigrad.session as tf     # before the run
import minigrad.tape as torch     # during the run
import minigrad.tracer as jax     # on demand
"""

from minigrad import errors, numpy, text, tree, types
from minigrad.config import set_num_threads
from minigrad.op import Array
from minigrad.recompiles import counters, log_recompiles, no_retrace

__version__ = "0.1.0"

__all__ = [
    "Array", "counters", "errors", "log_recompiles", "no_retrace", "numpy", "set_num_threads", "text", "tree",
    "types",
]  # fmt: skip
