"""How the output layer answers, and the loss that trains it to answer so.

``spike_count``: most spikes after all steps; then the highest final membrane potential; then the
lowest index, as `chipsim.network.Network` has it.

``first_spike`` is rank-order coding: a sample stops at the first step in which an output neuron
fires, and the highest membrane potential of that step decides (all thresholds are equal, so that
neuron fired); where none ever fires, that of the last step.  The authors stop a whole batch when
80 to 90 % of its samples have fired.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from chipsim.train.data import CLASSES
from chipsim.train.hp import LayerRun
from chipsim.train.settings import Dynamics

LARGEST_OUTPUT = 1.1
"""Bound on membrane potential over threshold in the loss (published: the authors' code)."""


@dataclass(frozen=True)
class Decision:
    """``classes (samples,)`` and how many ``steps (samples,)`` each took to be decided."""

    classes: Tensor
    steps: Tensor


def decide(output: LayerRun, dynamics: Dynamics) -> Decision:
    """Return what the output layer says about each sample."""
    if dynamics.readout == "first_spike":
        step = _deciding_step(output)
        return Decision(_at(output, step).argmax(1), step + 1)
    counts = output.spikes.sum(1)
    leading = counts == counts.amax(1, keepdim=True)
    classes = output.membrane.masked_fill(~leading, -math.inf).argmax(1)
    return Decision(classes, torch.full_like(classes, output.spikes.shape[1]))


def loss(output: LayerRun, labels: Tensor, dynamics: Dynamics) -> Tensor:
    """Return the mean squared error to the one-hot label.

    That of the spike rates or, for ``first_spike``, of the membrane potentials over threshold in
    the deciding step, as in the authors' code, except that the label's neuron should reach
    `LARGEST_OUTPUT` rather than 1, since it must exceed the threshold to fire.
    """
    target = torch.nn.functional.one_hot(labels, CLASSES).to(output.spikes.dtype)
    if dynamics.readout == "first_spike":
        reached = _at(output, _deciding_step(output)) / dynamics.threshold
        goal = LARGEST_OUTPUT * target
        return torch.nn.functional.mse_loss(reached.clamp(max=LARGEST_OUTPUT), goal)
    return torch.nn.functional.mse_loss(output.spikes.mean(1), target)


def _deciding_step(output: LayerRun) -> Tensor:
    """Return the first step in which an output fires, else the last: ``(samples,)``."""
    fired = output.spikes.detach().any(2)
    last = torch.full_like(fired[:, 0], fired.shape[1] - 1, dtype=torch.int64)
    return torch.where(fired.any(1), fired.to(torch.int8).argmax(1), last)


def _at(output: LayerRun, step: Tensor) -> Tensor:
    """Return the membrane potentials ``(samples, n_post)`` of each sample's ``step``."""
    return output.membranes[torch.arange(len(step), device=step.device), step]
