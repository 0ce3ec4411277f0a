"""Modules: parameters, and the functions they are used in. PyTorch's `torch.nn`."""

from minigrad.tape.nn import functional, init
from minigrad.tape.nn.containers import ModuleDict, ModuleList, Sequential
from minigrad.tape.nn.layers import (
    GELU,
    Dropout,
    Embedding,
    Flatten,
    Identity,
    LayerNorm,
    Linear,
    ReLU,
    Sigmoid,
    SiLU,
    Tanh,
)
from minigrad.tape.nn.losses import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from minigrad.tape.nn.module import Module, Parameter

__all__ = [
    "GELU", "BCEWithLogitsLoss", "CrossEntropyLoss", "Dropout", "Embedding", "Flatten", "Identity", "LayerNorm",
    "Linear", "MSELoss", "Module", "ModuleDict", "ModuleList", "Parameter", "ReLU", "Sequential", "SiLU", "Sigmoid",
    "Tanh", "functional", "init",
]  # fmt: skip
