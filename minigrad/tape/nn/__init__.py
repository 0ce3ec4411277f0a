"""Modules: parameters, and the functions they are used in. PyTorch's `torch.nn`."""

# ruff: noqa: I001
# fmt: off
from minigrad.tape.nn import functional, init
from minigrad.tape.nn.containers import ModuleDict, ModuleList, Sequential
from minigrad.tape.nn.layers import (
    GELU, AvgPool2d, Dropout, Embedding, Flatten, Identity, LayerNorm, Linear, MaxPool2d, ReLU, Sigmoid, SiLU, Tanh,
)
from minigrad.tape.nn.losses import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from minigrad.tape.nn.module import Module, Parameter

__all__ = [
    "GELU", "AvgPool2d", "BCEWithLogitsLoss", "CrossEntropyLoss", "Dropout", "Embedding", "Flatten", "Identity",
    "LayerNorm", "Linear", "MSELoss", "MaxPool2d", "Module", "ModuleDict", "ModuleList", "Parameter", "ReLU",
    "Sequential", "SiLU", "Sigmoid", "Tanh", "functional", "init",
]
