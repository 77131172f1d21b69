"""Continual learning of shuffled images: variant E of Wu et al. 2022, a sparse mask for each task.

Every task shuffles the pixels in its own way and owns a random share of the synapses; weights act
inside the task's mask ``m``, local plasticity outside::

    I = x (m W) + alpha x ((1 - m) H)

Two plastic layers without bias; the third layer's masked weights read out the second's last
membrane potentials (readout ``membrane``: the authors' code) or its spikes, which output neurons
without reset integrate with the same decay (``integrated``: what a chip can do whose packets carry
no numbers).
Every sample has its own H, which starts at zero (the authors share one over a batch, zeroed for
each).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chipsim.train.data import CLASSES
from chipsim.train.hp import Layer, LayerRun, run_spiking, run_static
from chipsim.train.settings import ContinualSettings, Dynamics
from chipsim.train.state import CPU


@dataclass(frozen=True)
class ContinualNet:
    """What is trained: three layers, of which the first two are plastic.

    Shapes: ``weights[n] (n_post, n_pre)``, ``alpha[n] (1,)``, ``beta[n] (n_pre,)`` and
    ``eta[n] (n_post,)``.
    """

    weights: tuple[Tensor, Tensor, Tensor]
    alpha: tuple[Tensor, Tensor]
    beta: tuple[Tensor, Tensor]
    eta: tuple[Tensor, Tensor]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.weights[0].device

    def named(self) -> dict[str, Tensor]:
        """Return all tensors under the names of the authors' code."""
        named = {f"fc{n}.weight": weight for n, weight in enumerate(self.weights, start=1)}
        for name in ("alpha", "beta", "eta"):
            named |= {f"{name}{n}": tensor for n, tensor in enumerate(getattr(self, name), start=1)}
        return named

    def rule(self) -> list[Tensor]:
        """Return the parameters of the local rule."""
        return [*self.alpha, *self.beta, *self.eta]


@dataclass(frozen=True)
class Task:
    """One task: the order of the pixels and the masks ``(n_post, n_pre)`` of the three layers."""

    order: NDArray[np.int64]
    masks: tuple[Tensor, Tensor, Tensor]


def new_net(settings: ContinualSettings, pixels: int, device: torch.device = CPU) -> ContinualNet:
    """Return a network drawn from the seed, on ``device``.

    Alpha, beta and eta start as in the authors' code.  Weights start within 1 over the square root
    of a mask's fan-in; with the authors' 1 over that of all inputs, thin masks drive too little.
    """
    random = np.random.default_rng([settings.seed, 0])
    hidden = settings.hidden
    shapes = ((hidden, pixels), (hidden, hidden), (CLASSES, hidden))
    weights = [
        _drawn(random, device, -span, span, n_post, n_pre)
        for (n_post, n_pre) in shapes
        for span in [1.0 / np.sqrt(settings.density * n_pre)]
    ]
    plastic = settings.rule == "hp"
    alpha = [_drawn(random, device, 0.0, 0.1 if plastic else 0.0, 1) for _ in range(2)]
    beta = [_drawn(random, device, 0.0, 1e-3, n_pre) for _, n_pre in shapes[:2]]
    eta = [torch.zeros(hidden, device=device, requires_grad=True) for _ in range(2)]
    net = ContinualNet(
        (weights[0], weights[1], weights[2]),
        (alpha[0], alpha[1]),
        (beta[0], beta[1]),
        (eta[0], eta[1]),
    )
    for tensor in net.rule():
        tensor.requires_grad_(plastic)
    return net


def new_task(
    settings: ContinualSettings, number: int, pixels: int, device: torch.device = CPU
) -> Task:
    """Return task ``number``, drawn from the seed; task 0 keeps the order of the pixels."""
    random = np.random.default_rng([settings.seed, 1, number])
    order = random.permutation(pixels) if number else np.arange(pixels)
    hidden = settings.hidden
    shapes = ((hidden, pixels), (hidden, hidden), (CLASSES, hidden))
    first, second, third = (
        torch.from_numpy((random.random(shape) < settings.density).astype(np.float32)).to(device)
        for shape in shapes
    )
    return Task(order, (first, second, third))


def forward(net: ContinualNet, task: Task, image: Tensor, dynamics: Dynamics) -> Tensor:
    """Return the readout ``(samples, classes)`` for ``image (samples, pixels)`` in [0, 1]."""
    last = last_hidden(net, task, image, dynamics)
    if dynamics.readout == "integrated":
        left = [dynamics.decay ** (dynamics.steps - 1 - step) for step in range(dynamics.steps)]
        seen = (last.spikes * last.spikes.new_tensor(left)[:, None]).sum(1)
    else:
        seen = last.membrane
    return seen @ (net.weights[2] * task.masks[2]).T


def last_hidden(net: ContinualNet, task: Task, image: Tensor, dynamics: Dynamics) -> LayerRun:
    """Return what the second hidden layer does for ``image``, as in `forward`."""
    order = torch.from_numpy(task.order).to(image.device)
    first = run_static(_layer(net, task, 0), image[:, order], dynamics)
    return run_spiking(_layer(net, task, 1), first.spikes, dynamics)


def _layer(net: ContinualNet, task: Task, number: int) -> Layer:
    mask = task.masks[number]
    alpha = net.alpha[number]
    return Layer(
        weight=net.weights[number] * mask,
        bias=mask.new_zeros(len(mask)),
        alpha=alpha * (1.0 - mask.T) if alpha.requires_grad or bool(alpha) else alpha,
        beta=net.beta[number],
        eta=net.eta[number],
    )


def _drawn(
    random: np.random.Generator, device: torch.device, low: float, high: float, *shape: int
) -> Tensor:
    values = random.uniform(low, high, shape)
    return torch.tensor(values, dtype=torch.float32, device=device).requires_grad_()
