"""One script per workload. The order is that of the report."""

from benchmarks.workload import Workload
from benchmarks.workloads import (
    black_scholes,
    chain,
    cnn,
    elementwise,
    hessian,
    hvp,
    layer_norm,
    lotka_volterra,
    mlp,
    pairwise,
    per_example,
    resnet,
    rnn,
    scalar_call,
    softmax,
    transformer,
)

WORKLOADS: dict[str, Workload] = {
    "scalar-call": scalar_call.WORKLOAD,
    "chain-eager": chain.EAGER,
    "chain-eager-gradient": chain.EAGER_GRADIENT,
    "chain": chain.COMPILED,
    "chain-gradient": chain.COMPILED_GRADIENT,
    "elementwise": elementwise.WORKLOAD,
    "black-scholes": black_scholes.WORKLOAD,
    "softmax": softmax.WORKLOAD,
    "layer-norm": layer_norm.WORKLOAD,
    "mlp-small": mlp.SMALL,
    "mlp-large": mlp.LARGE,
    "cnn": cnn.WORKLOAD,
    "transformer": transformer.WORKLOAD,
    "rnn": rnn.WORKLOAD,
    "per-example": per_example.WORKLOAD,
    "hessian": hessian.WORKLOAD,
    "hvp": hvp.WORKLOAD,
    "lotka-volterra": lotka_volterra.WORKLOAD,
    "pairwise": pairwise.WORKLOAD,
    "resnet50": resnet.WORKLOAD,
}
