"""What a hybrid-plasticity network does on images: accuracy, spikes and mean traces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chipsim.train.data import Images
from chipsim.train.hp import LayerRun, decide, forward, frozen, mean_trace, off
from chipsim.train.settings import Dynamics, Summary
from chipsim.train.state import Layers

BATCH = 500


def scaled(pixels: NDArray[np.uint8]) -> Tensor:
    """Return 8-bit ``pixels`` as float32 values in [0, 1]."""
    return torch.from_numpy(pixels.astype(np.float32)) / 255.0


def evaluate(
    layers: Layers, images: Images, dynamics: Dynamics
) -> Iterator[tuple[slice, LayerRun, LayerRun]]:
    """Yield which images were run and what both layers did, batch by batch, without gradients."""
    for first in range(0, images.count, BATCH):
        chosen = slice(first, first + BATCH)
        with torch.no_grad():
            hidden, output = forward(*layers, scaled(images.pixels[chosen]), dynamics)
        yield chosen, hidden, output


def accuracy(layers: Layers, images: Images, dynamics: Dynamics) -> float:
    """Return the share of ``images`` classified right, in percent."""
    right = 0
    for chosen, _, output in evaluate(layers, images, dynamics):
        right += int((decide(output).numpy() == images.labels[chosen]).sum())
    return 100.0 * right / images.count


def stored_traces(layers: Layers, images: Images, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
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


def summarise(
    layers: Layers, traces: tuple[Tensor, Tensor], images: Images, dynamics: Dynamics
) -> Summary:
    """Return accuracies on ``images`` with plasticity running, frozen and off, and the rule."""
    first, second = layers
    with torch.no_grad():
        stopped = (frozen(first, traces[0]), frozen(second, traces[1]))
        without = (off(first), off(second))
    spikes = sum(float(hidden.spikes.sum()) for _, hidden, _ in evaluate(layers, images, dynamics))
    return Summary(
        running=accuracy(layers, images, dynamics),
        frozen=accuracy(stopped, images, dynamics),
        off=accuracy(without, images, dynamics),
        hidden_spikes=spikes / images.count,
        rule=_rule_figures(layers, traces),
    )


def _rule_figures(layers: Layers, traces: tuple[Tensor, Tensor]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for number, (layer, trace) in enumerate(zip(layers, traces, strict=True), start=1):
        figures[f"alpha{number}"] = layer.alpha.item()
        for name, values in (("beta", layer.beta), ("eta", layer.eta), ("hebb", trace)):
            figures[f"{name}{number}_min"] = values.min().item()
            figures[f"{name}{number}_max"] = values.max().item()
    return figures
