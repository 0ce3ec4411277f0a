"""What a workload says about itself, and how its programs become something to call again and again.

A program is written once for `jax`-like modules, and runs under both minigrad.tracer and JAX; once for `torch`-like
modules. All start from the same NumPy arrays. Imports NumPy only: it is also loaded by the peers' interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

Run = Callable[[], Any]  # one call, which returns its outputs: a tree of arrays


@dataclass(frozen=True)
class Workload:
    """One program, in as many versions as there are kinds of frameworks.

    `arguments(rng)` makes NumPy arrays (float32 and int64; in tuples, lists and dicts). `tracer(jax, jnp)` and
    `torch(torch, compile)` give a function of those arguments; `compile` is torch.compile or does nothing, and is
    put around what PyTorch can compile. `tensorflow(tf)` is there where TensorFlow is a rival. With an `optimizer`
    the function is a loss of (params, *batch), and a call is a training step.
    """

    title: str
    arguments: Callable[[np.random.Generator], tuple[Any, ...]]
    tracer: Callable[[Any, Any], Callable[..., Any]]
    torch: Callable[[Any, Any], Callable[..., Any]]
    tensorflow: Callable[[Any], Callable[..., Any]] | None = None
    optimizer: str | None = None  # a key of `OPTIMIZERS`
    wrt: tuple[int, ...] = ()  # the arguments differentiated by, which PyTorch has to know beforehand
    eager: bool = False  # not compiled; minigrad then runs the torch version, on its tape
    tolerance: float = 1e-3  # relative error in the 2-norm that still counts as the same result
    long: bool = False  # left out by --quick


def leaves(tree: Any) -> Iterator[Any]:
    """The arrays in a tree, dicts in the order of their sorted keys (as JAX has it)."""
    if isinstance(tree, dict):
        tree = [tree[k] for k in sorted(tree)]
    if isinstance(tree, list | tuple):
        for branch in tree:
            yield from leaves(branch)
    elif tree is not None:
        yield tree


def mapped(f: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with f applied to its arrays."""
    if isinstance(tree, dict):
        return {k: mapped(f, v) for k, v in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(mapped(f, v) for v in tree)
    return f(tree)


# ── training steps ───────────────────────────────────────────────────────────────────────────────
RATES = {"sgd": 0.01, "adam": 1e-3}
ADAM_EPS = (
    1e-6  # not the usual 1e-8: Adam's first steps are ±rate, with the sign of what may be a rounding error of 1e-9
)


def sgd(jax: Any, jnp: Any, params: Any, grads: Any) -> Any:
    return (jax.tree.map(lambda w, g: w - RATES["sgd"] * g, params, grads),)


def adam(jax: Any, jnp: Any, params: Any, grads: Any, m: Any, v: Any, t: Any) -> Any:
    """Kingma & Ba 2015, with their betas."""
    t = t + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
    m_scale, v_scale = RATES["adam"] / (1 - 0.9**t), 1 / (1 - 0.999**t)
    update = lambda w, m, v: w - m_scale * m / (jnp.sqrt(v_scale * v) + ADAM_EPS)
    return jax.tree.map(update, params, m, v), m, v, t


def sgd_state(params: Any) -> tuple[Any, ...]:
    return (params,)


def adam_state(params: Any) -> tuple[Any, ...]:
    return params, mapped(np.zeros_like, params), mapped(np.zeros_like, params), np.zeros((), np.float32)


OPTIMIZERS = {"sgd": (sgd_state, sgd), "adam": (adam_state, adam)}


def training_step(jax: Any, jnp: Any, loss: Callable[..., Any], optimizer: str) -> Callable[..., Any]:
    """step((params, *slots), *batch) -> (loss, (new params, *new slots))"""
    update = OPTIMIZERS[optimizer][1]

    def step(state: Any, *batch: Any) -> Any:
        params, *slots = state
        value, grads = jax.value_and_grad(loss)(params, *batch)
        return value, update(jax, jnp, params, grads, *slots)

    return step


def watched(tf: Any, loss: Callable[..., Any], params: Any, *rest: Any) -> Any:
    """TensorFlow's value_and_grad by the first argument, a tree."""
    with tf.GradientTape() as tape:
        tape.watch(params)
        value = loss(params, *rest)
    grads = map(tf.convert_to_tensor, tape.gradient(value, tf.nest.flatten(params)))  # that of a gather is sparse
    return value, tf.nest.pack_sequence_as(params, list(grads))


def traced(workload: Workload, jax: Any, jnp: Any, arguments: tuple[Any, ...]) -> Run:
    """The tracer version, ready to run."""
    program = workload.tracer(jax, jnp)
    if workload.optimizer is None:
        arguments = mapped(jnp.asarray, arguments)
        step = program if workload.eager else jax.jit(program)
        return lambda: step(*arguments)
    state = OPTIMIZERS[workload.optimizer][0](arguments[0])
    state, batch = mapped(jnp.asarray, state), mapped(jnp.asarray, arguments[1:])
    step = jax.jit(training_step(jax, jnp, program, workload.optimizer))

    def run() -> Any:
        nonlocal state
        value, state = step(state, *batch)
        return value, state[0]

    return run


def staged(workload: Workload, tf: Any, xla: bool, arguments: tuple[Any, ...]) -> Run:
    """The TensorFlow version, ready to run, as a tf.function; the optimizers' `jax.tree.map` is its tf.nest."""
    assert workload.tensorflow is not None
    program = workload.tensorflow(tf)
    if workload.optimizer is None:
        arguments = mapped(tf.constant, arguments)
        function = tf.function(program, jit_compile=xla)
        return lambda: function(*arguments)
    make_state, update = OPTIMIZERS[workload.optimizer]
    state, batch = mapped(tf.constant, make_state(arguments[0])), mapped(tf.constant, arguments[1:])
    maps = SimpleNamespace(tree=SimpleNamespace(map=tf.nest.map_structure))

    @tf.function(jit_compile=xla)
    def step(state: Any, *batch: Any) -> Any:
        params, *slots = state
        value, grads = watched(tf, program, params, *batch)
        return value, update(maps, tf, params, grads, *slots)

    def run() -> Any:
        nonlocal state
        value, state = step(state, *batch)
        return value, state[0]

    return run


def recorded(workload: Workload, torch: Any, compile: Any, arguments: tuple[Any, ...]) -> Run:
    """The torch version, ready to run."""
    arguments = mapped(torch.tensor, arguments)
    for place in (0,) if workload.optimizer else workload.wrt:
        for x in leaves(arguments[place]):
            x.requires_grad_()
    program = workload.torch(torch, compile)
    if workload.optimizer is None:
        return lambda: program(*arguments)
    params, loss = arguments[0], compile(program)
    kind, more = {"sgd": (torch.optim.SGD, {}), "adam": (torch.optim.Adam, {"eps": ADAM_EPS})}[workload.optimizer]
    optimizer = kind(list(leaves(params)), lr=RATES[workload.optimizer], **more)

    def run() -> Any:
        optimizer.zero_grad()
        value = loss(*arguments)
        value.backward()
        optimizer.step()
        return value, params

    return run
