"""Where a training run stands: its layers, its optimiser and the epochs behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from chipsim.errors import InputError
from chipsim.train.data import CLASSES
from chipsim.train.explicit import Traces
from chipsim.train.hp import Layer, trace_bound
from chipsim.train.settings import Dynamics, EpochRecord, Settings

Layers = tuple[Layer, Layer]


@dataclass(frozen=True)
class Training:
    """A run after ``len(epochs)`` epochs; training changes its tensors and list in place.

    ``carried`` are both layers' traces where batches share and carry them, else None.
    """

    layers: Layers
    optimiser: torch.optim.Adam
    epochs: list[EpochRecord]
    carried: Traces | None = None


def start(settings: Settings, dynamics: Dynamics, pixels: int) -> Training:
    """Return a fresh run: seeded layers ``pixels -> hidden -> 10`` and their optimiser."""
    random = np.random.default_rng([settings.seed, 0])
    hidden = _new_layer(random, pixels, settings.hidden, settings)
    output = _new_layer(random, settings.hidden, CLASSES, settings)
    with torch.no_grad():
        output.weight.mul_(settings.output_scale)
    layers = (hidden, output)
    _choose_what_learns(layers, settings)
    weights = [tensor for layer in layers for tensor in (layer.weight, layer.bias)]
    rule = [tensor for layer in layers for tensor in (layer.alpha, layer.beta, layer.eta)]
    # The learning rates follow the schedule: the training loop sets them before every step.
    optimiser = torch.optim.Adam([{"params": weights}, {"params": rule}])
    carried = None
    if settings.trace == "batch":
        carried = (torch.zeros(pixels, settings.hidden), torch.zeros(settings.hidden, CLASSES))
    return Training(layers, optimiser, [], carried)


def _choose_what_learns(layers: Layers, settings: Settings) -> None:
    """Stop gradients where the rule of `Settings` does not learn."""
    if settings.rule == "gp":
        for layer in layers:
            with torch.no_grad():
                layer.alpha.zero_()
            for tensor in (layer.alpha, layer.beta, layer.eta):
                tensor.requires_grad_(False)
    elif settings.rule == "lp":
        for tensor in vars(layers[0]).values():
            tensor.requires_grad_(False)


def tensors(training: Training) -> dict[str, Tensor]:
    """Return everything that training changes, by name, for a checkpoint."""
    named = {
        f"{name}{number}": tensor
        for number, layer in enumerate(training.layers, start=1)
        for name, tensor in vars(layer).items()
    }
    carried = enumerate(training.carried or (), start=1)
    return named | {f"carried{number}": trace for number, trace in carried}


def check_trace(layers: Layers, dynamics: Dynamics) -> tuple[float, float]:
    """Return the bounds on both layers' traces; InputError if one exceeds the clamp or is NaN."""
    first, second = (trace_bound(layer, dynamics) for layer in layers)
    clamp = math.inf if dynamics.clamp is None else dynamics.clamp
    if not (first <= clamp and second <= clamp):
        raise InputError(
            f"training: the plasticity traces could reach {first:.3g} (hidden) and {second:.3g} "
            f"(output), beyond the clamp of {clamp:g}, where the training form is no "
            "longer exact; lower --rule-rate or raise --clamp"
        )
    return first, second


def _new_layer(random: np.random.Generator, inputs: int, outputs: int, settings: Settings) -> Layer:
    """Weights and biases uniform within 1/sqrt(inputs), the rule as `Settings` says."""
    span = 1.0 / np.sqrt(inputs)
    values = {
        "weight": random.uniform(-span, span, (outputs, inputs)),
        "bias": random.uniform(-span, span, outputs),
        "alpha": np.array([settings.alpha]),
        "beta": random.uniform(0.0, settings.rule_spread, inputs),
        "eta": random.uniform(0.0, settings.rule_spread, outputs),
    }
    return Layer(
        **{
            item.name: torch.tensor(values[item.name], dtype=torch.float32).requires_grad_()
            for item in fields(Layer)
        }
    )
