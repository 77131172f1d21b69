"""Where a training run stands: its network, its optimiser and the epochs behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chipsim.errors import InputError
from chipsim.train.data import CLASSES
from chipsim.train.hp import Layer, trace_bound
from chipsim.train.net import KERNEL, POOL, Convolution, Net, refuse_clamp
from chipsim.train.settings import Dynamics, EpochRecord, Settings
from chipsim.train.shared import Traces

CPU = torch.device("cpu")

Bounds = tuple[float, float]
"""The largest ``|H|`` that the hidden and the output layer's traces may have had."""


@dataclass(frozen=True)
class Training:
    """A run after ``len(epochs)`` epochs; training changes its tensors and list in place.

    ``carried`` are both layers' traces where batches share and carry them, else None.
    """

    net: Net
    optimiser: torch.optim.Adam
    epochs: list[EpochRecord]
    carried: Traces | None = None


def start(
    settings: Settings, dynamics: Dynamics, pixels: int, device: torch.device = CPU
) -> Training:
    """Return a fresh run on ``device``: a seeded network for images of ``pixels``, and optimiser.

    InputError if the images are too small, or no squares, for the convolutions.
    """
    random = np.random.default_rng([settings.seed, 0])
    convolutions, features = _new_convolutions(random, settings, pixels, device)
    hidden = _new_layer(random, features, settings.hidden, settings, device)
    output = _new_layer(random, settings.hidden, CLASSES, settings, device)
    with torch.no_grad():
        output.weight.mul_(settings.output_scale)
    net = Net(convolutions, hidden, output)
    _choose_what_learns(net, settings, dynamics)
    weights = [
        tensor
        for parts in (convolutions, net.layers)
        for part in parts
        for tensor in (part.weight, part.bias)
    ]
    rule = [tensor for layer in net.layers for tensor in (layer.alpha, layer.beta, layer.eta)]
    # The learning rates follow the schedule: the training loop sets them before every step.
    optimiser = torch.optim.Adam([{"params": weights}, {"params": rule}])
    return Training(net, optimiser, [], _new_carried(net, settings, dynamics))


def tensors(training: Training) -> dict[str, Tensor]:
    """Return everything that training changes, by name, for a checkpoint."""
    net = training.net
    named = {
        f"{kind}{name}{number}": tensor
        for kind, parts in (("conv.", net.convolutions), ("", net.layers))
        for number, part in enumerate(parts, start=1)
        for name, tensor in vars(part).items()
    }
    carried = enumerate(training.carried or (), start=1)
    return named | {f"carried{number}": trace for number, trace in carried}


def check_trace(net: Net, dynamics: Dynamics) -> Bounds | None:
    """Return the bounds on both layers' traces; InputError if one exceeds the clamp or is NaN.

    None where the postsynaptic factor is linear: there `chipsim.train.net.forward` checks.
    """
    if dynamics.post == "linear":
        return None
    first, second = (trace_bound(layer, dynamics) for layer in net.layers)
    refuse_clamp((first, second), dynamics)
    return first, second


def _choose_what_learns(net: Net, settings: Settings, dynamics: Dynamics) -> None:
    """Stop gradients where the rule of `Settings` does not learn, or the variant is not plastic."""
    if settings.rule == "lp":
        for part in (*net.convolutions, net.hidden):
            for tensor in vars(part).values():
                tensor.requires_grad_(False)
    still = (net.output,) if dynamics.plastic == "hidden" else ()
    for layer in net.layers if settings.rule == "gp" else still:
        with torch.no_grad():
            layer.alpha.zero_()
        for tensor in (layer.alpha, layer.beta, layer.eta):
            tensor.requires_grad_(False)


def _new_carried(net: Net, settings: Settings, dynamics: Dynamics) -> Traces | None:
    """Return traces of zero for batches to share, or None where every sample has its own."""
    if settings.trace == "sample":
        return None
    if net.convolutions or dynamics.post == "linear":
        raise InputError(
            "training: --hebb batch is for fully connected networks of variant A; give neither "
            "--channels nor another --variant"
        )
    first, second = (torch.zeros_like(layer.weight.T) for layer in net.layers)
    return first.detach(), second.detach()


def _new_convolutions(
    random: np.random.Generator, settings: Settings, pixels: int, device: torch.device
) -> tuple[tuple[Convolution, ...], int]:
    """Return the convolutions and the inputs that are left for the hidden layer.

    Their biases start at zero: drawn like the weights, a bias alone would make a neuron fire.
    """
    if not settings.channels:
        return (), pixels
    side = math.isqrt(pixels)
    if side * side != pixels or side % POOL ** len(settings.channels):
        raise InputError(
            f"training: images of {pixels} pixels for {len(settings.channels)} convolutions, each "
            f"of which halves the side; give fewer --channels"
        )
    made = []
    for before, after in pairwise((1, *settings.channels)):
        span = 1.0 / math.sqrt(before * KERNEL**2)
        weight = random.uniform(-span, span, (after, before, KERNEL, KERNEL))
        made.append(Convolution(_leaf(weight, device), _leaf(np.zeros(after), device)))
    side //= POOL ** len(settings.channels)
    return tuple(made), settings.channels[-1] * side * side


def _new_layer(
    random: np.random.Generator,
    inputs: int,
    outputs: int,
    settings: Settings,
    device: torch.device,
) -> Layer:
    """Weights and biases uniform within 1/sqrt(fan-in), the rule as `Settings` says."""
    span = 1.0 / np.sqrt(inputs)
    values = {
        "weight": random.uniform(-span, span, (outputs, inputs)),
        "bias": random.uniform(-span, span, outputs),
        "alpha": np.array([settings.alpha]),
        "beta": random.uniform(0.0, settings.rule_spread, inputs),
        "eta": random.uniform(0.0, settings.rule_spread, outputs),
    }
    return Layer(**{item.name: _leaf(values[item.name], device) for item in fields(Layer)})


def _leaf(values: NDArray[np.float64], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).requires_grad_()
