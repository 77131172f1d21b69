"""What a hybrid-plasticity network does on images: accuracy, spikes and mean traces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chipsim.train.data import Images
from chipsim.train.hp import frozen, mean_trace, off
from chipsim.train.net import Net, NetRun, forward, rated
from chipsim.train.readout import decide
from chipsim.train.settings import Dynamics, Summary
from chipsim.train.shared import Shared, Traces, forward_shared

BATCH = 500


@dataclass(frozen=True)
class Answers:
    """Accuracy in percent; hidden spikes of a sample and steps, both until its decision."""

    accuracy: float
    hidden_spikes: float
    steps: float


def scaled(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return 8-bit ``pixels`` as float32 values in [0, 1] on ``device``."""
    return torch.from_numpy(pixels.astype(np.float32)).to(device) / 255.0


def evaluate(
    net: Net, images: Images, dynamics: Dynamics, shared: Shared | None = None
) -> Iterator[tuple[slice, NetRun]]:
    """Yield which images were run and what the network did, batch by batch, without gradients.

    Every sample has its own trace, unless they are ``shared``.
    """
    size = BATCH if shared is None else shared.batch
    traces = None if shared is None else shared.traces
    for first in range(0, images.count, size):
        chosen = slice(first, first + size)
        image = scaled(images.pixels[chosen], net.device)
        with torch.no_grad():
            if traces is None:
                run = forward(net, image, dynamics)
            else:
                run, traces = forward_shared(net, image, traces, dynamics)
        yield chosen, run


def answers(net: Net, images: Images, dynamics: Dynamics, shared: Shared | None = None) -> Answers:
    """Return how ``images`` are classified, and after how many spikes and steps."""
    right = spikes = steps = 0
    for chosen, run in evaluate(net, images, dynamics, shared):
        decision = decide(run.output, dynamics)
        right += int((decision.classes.cpu().numpy() == images.labels[chosen]).sum())
        counts = run.hidden.spikes.sum(2).cumsum(1)
        spikes += int(counts.gather(1, decision.steps[:, None] - 1).sum())
        steps += int(decision.steps.sum())
    return Answers(100.0 * right / images.count, spikes / images.count, steps / images.count)


def accuracy(net: Net, images: Images, dynamics: Dynamics, shared: Shared | None = None) -> float:
    """Return the share of ``images`` classified right, in percent."""
    return answers(net, images, dynamics, shared).accuracy


def stored_traces(net: Net, images: Images, dynamics: Dynamics) -> Traces:
    """Return both layers' traces averaged over ``images`` and steps: what a frozen network uses.

    Shapes ``(n_pre, hidden)`` and ``(hidden, classes)``.
    """
    first, second = rated(net.hidden, dynamics), net.output
    totals = (torch.zeros_like(first.weight.T), torch.zeros_like(second.weight.T))
    outer = dynamics.of_output()
    with torch.no_grad():
        for _, run in evaluate(net, images, dynamics):
            share = len(run.arriving) / images.count
            totals[0].add_(share * mean_trace(first, run.arriving, run.hidden.posts, dynamics))
            totals[1].add_(share * mean_trace(second, run.hidden.spikes, run.output.posts, outer))
    return totals


def stopped(net: Net, traces: Traces) -> tuple[Net, Net]:
    """Return the network with plasticity frozen at ``traces``, and with plasticity off."""
    with torch.no_grad():
        still = replace(
            net, hidden=frozen(net.hidden, traces[0]), output=frozen(net.output, traces[1])
        )
        without = replace(net, hidden=off(net.hidden), output=off(net.output))
    return still, without


def summarise(
    net: Net,
    traces: Traces,
    images: Images,
    dynamics: Dynamics,
    shared: Shared | None = None,
) -> Summary:
    """Return accuracies on ``images`` with plasticity running, frozen and off, and the rule."""
    still, without = stopped(net, traces)
    running = answers(net, images, dynamics, shared)
    return Summary(
        running=running.accuracy,
        frozen=accuracy(still, images, dynamics),
        off=accuracy(without, images, dynamics),
        hidden_spikes=running.hidden_spikes,
        steps=running.steps,
        rule=_rule_figures(net, traces),
    )


def _rule_figures(net: Net, traces: Traces) -> dict[str, float]:
    figures: dict[str, float] = {}
    for number, (layer, trace) in enumerate(zip(net.layers, traces, strict=True), start=1):
        figures[f"alpha{number}"] = layer.alpha.item()
        for name, values in (("beta", layer.beta), ("eta", layer.eta), ("hebb", trace)):
            figures[f"{name}{number}_min"] = values.min().item()
            figures[f"{name}{number}_max"] = values.max().item()
    return figures
