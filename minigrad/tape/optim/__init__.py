"""Optimizers: parameters, groups and state. Their arithmetic is `minigrad.ops.optimize`'s."""

from minigrad.tape.optim.algorithms import SGD, Adam, AdamW
from minigrad.tape.optim.optimizer import Optimizer

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
