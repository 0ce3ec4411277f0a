"""The tracer front-end: the graph exists on demand. Functions are transformed into functions.

    import minigrad.tracer as jax
    import minigrad.numpy as jnp
    from minigrad.tracer import lax, random

Floor 6. Reading order: `arguments` (trees in, trees out), `autodiff`, `jacobian`, `vectorize`, `staging`, `compiled`,
`loops`, `custom`.

>>> loss = lambda w, x: jnp.sum((w * x) ** 2)
>>> jit(grad(loss))(jnp.asarray([1.0, 2.0]), 3.0).tolist()
[18.0, 36.0]
"""

from typing import NoReturn

import minigrad.numpy as jnp  # the array methods come with it
import minigrad.ops.sugar  # noqa: F401  (the operators)
from minigrad import tree
from minigrad.op import Array
from minigrad.tracer import debug, lax, nn, optimizers, random, tree_util
from minigrad.tracer.ahead import Compiled, Lowered
from minigrad.tracer.autodiff import grad, jvp, linearize, value_and_grad, vjp
from minigrad.tracer.compiled import Jit, jit
from minigrad.tracer.custom import checkpoint, custom_jvp, custom_vjp, remat
from minigrad.tracer.jacobian import hessian, jacfwd, jacrev
from minigrad.tracer.staging import ShapeDtypeStruct, eval_shape, make_graph
from minigrad.tracer.vectorize import vmap

make_jaxpr = make_graph  # JAX's word

__all__ = [
    "Array", "jnp", "lax", "nn", "random", "debug", "optimizers", "tree", "tree_util",
    "grad", "value_and_grad", "jvp", "vjp", "linearize", "jacfwd", "jacrev", "hessian", "vmap",
    "jit", "Jit", "Lowered", "Compiled", "make_graph", "make_jaxpr", "eval_shape", "ShapeDtypeStruct",
    "checkpoint", "remat", "custom_jvp", "custom_vjp",
]  # fmt: skip


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"minigrad.tracer has no {name!r}; jax may, but it is not part of this front-end")
