"""What a hybrid-plasticity network does on images: accuracy, spikes and mean traces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chipsim.train.data import Images
from chipsim.train.explicit import Traces, forward_shared
from chipsim.train.hp import LayerRun, decide, forward, frozen, mean_trace, off
from chipsim.train.settings import Dynamics, Summary
from chipsim.train.state import Layers

BATCH = 500


def scaled(pixels: NDArray[np.uint8]) -> Tensor:
    """Return 8-bit ``pixels`` as float32 values in [0, 1]."""
    return torch.from_numpy(pixels.astype(np.float32)) / 255.0


@dataclass(frozen=True)
class Shared:
    """Traces that batches of ``batch`` samples share and carry on, starting at ``traces``."""

    traces: Traces
    batch: int


def evaluate(
    layers: Layers, images: Images, dynamics: Dynamics, shared: Shared | None = None
) -> Iterator[tuple[slice, LayerRun, LayerRun]]:
    """Yield which images were run and what both layers did, batch by batch, without gradients.

    Every sample has its own trace, unless they are ``shared``.
    """
    size = BATCH if shared is None else shared.batch
    traces = None if shared is None else shared.traces
    for first in range(0, images.count, size):
        chosen = slice(first, first + size)
        image = scaled(images.pixels[chosen])
        with torch.no_grad():
            if traces is None:
                hidden, output = forward(*layers, image, dynamics)
            else:
                hidden, output, traces = forward_shared(*layers, image, traces, dynamics)
        yield chosen, hidden, output


def accuracy(
    layers: Layers, images: Images, dynamics: Dynamics, shared: Shared | None = None
) -> float:
    """Return the share of ``images`` classified right, in percent."""
    right = 0
    for chosen, _, output in evaluate(layers, images, dynamics, shared):
        right += int((decide(output).numpy() == images.labels[chosen]).sum())
    return 100.0 * right / images.count


def stored_traces(layers: Layers, images: Images, dynamics: Dynamics) -> Traces:
    """Return both layers' traces averaged over ``images`` and steps: what a frozen network uses.

    Shapes ``(pixels, hidden)`` and ``(hidden, classes)``.
    """
    first, second = layers
    totals = (torch.zeros_like(first.weight.T), torch.zeros_like(second.weight.T))
    with torch.no_grad():
        for chosen, hidden, output in evaluate(layers, images, dynamics):
            share = len(hidden.spikes) / images.count
            pixels = scaled(images.pixels[chosen])
            totals[0].add_(share * mean_trace(first, pixels, hidden.posts, dynamics))
            totals[1].add_(share * mean_trace(second, hidden.spikes, output.posts, dynamics))
    return totals


def stopped(layers: Layers, traces: Traces) -> tuple[Layers, Layers]:
    """Return the layers with plasticity frozen at ``traces``, and with plasticity off."""
    first, second = layers
    with torch.no_grad():
        still = (frozen(first, traces[0]), frozen(second, traces[1]))
        without = (off(first), off(second))
    return still, without


def summarise(
    layers: Layers,
    traces: Traces,
    images: Images,
    dynamics: Dynamics,
    shared: Shared | None = None,
) -> Summary:
    """Return accuracies on ``images`` with plasticity running, frozen and off, and the rule."""
    still, without = stopped(layers, traces)
    runs = evaluate(layers, images, dynamics, shared)
    return Summary(
        running=accuracy(layers, images, dynamics, shared),
        frozen=accuracy(still, images, dynamics),
        off=accuracy(without, images, dynamics),
        hidden_spikes=sum(float(hidden.spikes.sum()) for _, hidden, _ in runs) / images.count,
        rule=_rule_figures(layers, traces),
    )


def _rule_figures(layers: Layers, traces: Traces) -> dict[str, float]:
    figures: dict[str, float] = {}
    for number, (layer, trace) in enumerate(zip(layers, traces, strict=True), start=1):
        figures[f"alpha{number}"] = layer.alpha.item()
        for name, values in (("beta", layer.beta), ("eta", layer.eta), ("hebb", trace)):
            figures[f"{name}{number}_min"] = values.min().item()
            figures[f"{name}{number}_max"] = values.max().item()
    return figures
