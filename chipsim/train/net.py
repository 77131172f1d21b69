"""The image network: spiking convolutions if it has any, then a hidden and an output layer.

The convolutions of variants B and C are 3 x 3, keep the size of the map, and their LIF neurons'
spikes are averaged over 2 x 2; they are neither plastic nor attenuated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from chipsim.errors import InputError
from chipsim.train.hp import (
    Layer,
    LayerRun,
    run_spiking,
    run_static,
    trace_bound,
)
from chipsim.train.lif import lif_spikes
from chipsim.train.settings import Dynamics

KERNEL = 3
POOL = 2


@dataclass(frozen=True)
class Convolution:
    """``weight (channels_out, channels_in, KERNEL, KERNEL)`` and ``bias (channels_out,)``."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class Net:
    """What is trained; the hidden layer, and in variant A the output layer, is plastic."""

    convolutions: tuple[Convolution, ...]
    hidden: Layer
    output: Layer

    @property
    def layers(self) -> tuple[Layer, Layer]:
        """The fully connected layers."""
        return self.hidden, self.output

    @property
    def pixels(self) -> int:
        """The pixels of an image."""
        inputs = self.hidden.weight.shape[1]
        if not self.convolutions:
            return inputs
        smaller: int = (POOL * POOL) ** len(self.convolutions)
        return inputs // len(self.convolutions[-1].bias) * smaller

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.hidden.weight.device


@dataclass(frozen=True)
class NetRun:
    """What both layers did, and what arrived at the hidden one.

    ``arriving`` is ``(samples, pixels)``, held for all steps, or ``(samples, steps, n_pre)``.
    """

    arriving: Tensor
    hidden: LayerRun
    output: LayerRun


def forward(net: Net, image: Tensor, dynamics: Dynamics) -> NetRun:
    """Run ``image (samples, pixels)`` of values in [0, 1], every sample with traces of its own.

    InputError if a trace could reach the clamp, which the layers' form without H does not know;
    for bounded postsynaptic factors `chipsim.train.state.check_trace` says so beforehand.
    """
    first, second = (rated(layer, dynamics) for layer in net.layers)
    if net.convolutions:
        arriving = convolved(net.convolutions, image, dynamics)
        hidden = run_spiking(first, arriving, dynamics)
    else:
        arriving = image
        hidden = run_static(first, image, dynamics)
    run = NetRun(arriving, hidden, run_spiking(second, hidden.spikes, dynamics.of_output()))
    if dynamics.post == "linear":
        layers = ((first, run.hidden), (second, run.output))
        bounds = [trace_bound(layer, dynamics, did) for layer, did in layers if not layer.silent]
        refuse_clamp(bounds, dynamics)
    return run


def convolved(convolutions: tuple[Convolution, ...], image: Tensor, dynamics: Dynamics) -> Tensor:
    """Return the averaged spikes ``(samples, steps, n_pre)`` of the last convolution's maps.

    ``image`` is ``(samples, pixels)``, square.  Neuron ``(c, y, x)`` is number ``(y * width + x) *
    channels + c`` (channels last), so that neighbours see the same window: a crossbar core holds
    neighbours, and of their source only what they see.
    """
    side = math.isqrt(image.shape[1])
    maps = image.reshape(1, len(image), 1, side, side)
    for convolution in convolutions:
        currents = torch.nn.functional.conv2d(
            maps.flatten(0, 1), convolution.weight, convolution.bias, padding=KERNEL // 2
        )
        spikes = lif_spikes(currents.reshape(*maps.shape[:2], *currents.shape[1:]), dynamics)
        pooled = torch.nn.functional.avg_pool2d(spikes.flatten(0, 1), POOL)
        maps = pooled.reshape(*spikes.shape[:2], *pooled.shape[1:])
    return maps.movedim(2, -1).flatten(2).transpose(0, 1)


def rated(layer: Layer, dynamics: Dynamics) -> Layer:
    """Return ``layer`` with the learning rates that act: none below 0 where those count as 0."""
    return replace(layer, beta=layer.beta.clamp(min=0.0)) if dynamics.positive_rates else layer


def refuse_clamp(bounds: Sequence[float], dynamics: Dynamics) -> None:
    """Raise InputError if one of the traces' ``bounds`` exceeds the clamp or is NaN."""
    clamp = math.inf if dynamics.clamp is None else dynamics.clamp
    if not all(bound <= clamp for bound in bounds):
        reached = " and ".join(f"{bound:.3g}" for bound in bounds)
        raise InputError(
            f"training: the plasticity traces of the layers could reach {reached}, beyond the "
            f"clamp of {clamp:g}, where the training form is no longer exact; lower --rule-rate "
            "or raise --clamp"
        )
