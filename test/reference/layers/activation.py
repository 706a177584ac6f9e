"""activation: its cases, its forward in PyTorch, and the definition that both are checked against."""
import itertools

import numpy as np
import torch

from cases import Case, draw, random

FUNCTIONS = {"relu": torch.relu, "tanh": torch.tanh}


def cases():
    shapes = [(1,), (5,), (2, 3), (3, 1), (1, 2, 3), (2, 2, 2), (1, 3, 2, 2), (2, 1, 2, 1, 2)]
    for shape, function, scale in itertools.product(shapes, FUNCTIONS, (0.1, 0.5, 1.5)):
        name = f"{function}, shape {list(shape)}, deviation {scale}"
        yield Case("activation", name, {"x": draw(random("activation", name, "inputs"), shape, scale)}, {"function": function})
    for function in FUNCTIONS:
        yield Case("activation", f"{function} at 0", {"x": np.array([0.0, 0.5])}, {"function": function})


def forward(t, function):
    return {"out": FUNCTIONS[function](t["x"])}


def definition(t, function):
    x = t["x"]
    if function == "relu":
        return {"out": np.where(x.real > 0, x, 0)}
    return {"out": (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))}
