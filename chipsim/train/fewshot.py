"""Few-shot learning by local plasticity: variant D of Wu et al. 2022, on features of a conv net.

An episode shows a drawing of each class once a shot, with the class as a teaching current, then a
drawing to classify.  All learning within an episode is the trace H of the last layer; with
features ``x``, and alpha and W of shape ``(features, ways)``::

    u = k u (1 - s) + x (alpha W + (1 - alpha) H) + teaching * label
    H = rho H + min(eta, 0.1) outer(x, softmax(u - beta))

``beta (ways,)`` and ``eta (1,)`` have the roles that eta and beta have in the other variants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chipsim.train.explicit import at_rest, integrate, learn
from chipsim.train.hp import Layer
from chipsim.train.omniglot import DRAWERS, Characters
from chipsim.train.settings import Dynamics

TEACHING = 10.0
"""The current of a label (published: the authors' code)."""

LARGEST_RATE = 0.1
"""Bound on eta (published: the authors' code)."""

INK_MEAN, INK_SPREAD = 0.08, 0.24
"""Mean and standard deviation of the resized background drawings, ink in [0, 1] (measured)."""


class FewShotNet(nn.Module):
    """Four 3 x 3 convolutions of stride 2 with tanh (31 x 31 to 2 x 2), then the plastic layer."""

    def __init__(self, ways: int, channels: int, generator: torch.Generator) -> None:
        """Draw all parameters from ``generator``."""
        super().__init__()
        planes = (1, channels, channels, channels, channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1)
            for before, after in zip(planes, planes[1:], strict=False)
        )
        features = 4 * channels
        for convolution in self.convolutions:
            convolution = cast(nn.Conv2d, convolution)
            nn.init.xavier_uniform_(convolution.weight, generator=generator)
            nn.init.zeros_(cast(Tensor, convolution.bias))
        span = features**-0.5
        self.weight = nn.Parameter((2 * torch.rand(ways, features, generator=generator) - 1) * span)
        self.alpha = nn.Parameter(0.1 * torch.rand(features, ways, generator=generator))
        self.beta = nn.Parameter(0.1 * torch.rand(ways, generator=generator))
        self.eta = nn.Parameter(torch.full((1,), LARGEST_RATE))

    def forward(self, ink: Tensor) -> Tensor:
        """Return the features ``(images, features)`` of ``ink (images, side, side)`` in [0, 1]."""
        maps = ((ink - INK_MEAN) / INK_SPREAD)[:, None]
        for convolution in self.convolutions:
            maps = torch.tanh(convolution(maps))
        return maps.flatten(1)

    def plastic_layer(self) -> Layer:
        """Return the last layer in the form of the other variants."""
        return Layer(
            weight=self.alpha.T * self.weight,
            bias=torch.zeros_like(self.beta),
            alpha=1.0 - self.alpha,
            beta=self.eta.clamp(max=LARGEST_RATE),
            eta=self.beta,
        )

    def rule(self) -> list[nn.Parameter]:
        """Return the parameters of the local rule; the others are weights."""
        return [self.alpha, self.beta, self.eta]


@dataclass(frozen=True)
class Episodes:
    """``support (episodes, shots * ways)`` and ``query (episodes, queries)`` index drawings.

    ``shown`` and ``asked`` are their classes, 0 to ways - 1.  Drawings are numbered character by
    character, ``DRAWERS`` each.
    """

    support: NDArray[np.int64]
    shown: NDArray[np.int64]
    query: NDArray[np.int64]
    asked: NDArray[np.int64]


def draw_episodes(
    random: np.random.Generator, characters: int, episodes: int, ways: int, shots: int, queries: int
) -> Episodes:
    """Draw ``episodes`` of different characters, with ``queries`` drawings of each class to ask.

    No drawing is both shown and asked; the classes come in random order in each shot.
    """
    drawn = [_draw_episode(random, characters, ways, shots, queries) for _ in range(episodes)]
    support, shown, query, asked = (np.stack(part) for part in zip(*drawn, strict=True))
    return Episodes(support, shown, query, asked)


def _draw_episode(
    random: np.random.Generator, characters: int, ways: int, shots: int, queries: int
) -> tuple[NDArray[np.int64], ...]:
    chosen = random.choice(characters, ways, replace=False)
    drawers = np.argsort(random.random((ways, DRAWERS)), axis=1)[:, : shots + queries]
    drawings = chosen[:, None] * DRAWERS + drawers
    shown = np.concatenate([random.permutation(ways) for _ in range(shots)])
    support = drawings[shown, np.repeat(np.arange(shots), ways)]
    asked = np.repeat(np.arange(ways), queries)
    return support, shown, drawings[:, shots:].reshape(-1), asked


def answer(
    layer: Layer,
    support: Tensor,
    shown: Tensor,
    query: Tensor,
    dynamics: Dynamics,
    plastic: bool = True,
) -> Tensor:
    """Return the membrane potentials ``(episodes, queries, ways)`` in answer to the queries.

    ``support (episodes, shots * ways, features)`` with classes ``shown`` is learnt from, one
    drawing a step; every query then is a last step of its own.  Without ``plastic`` H stays 0.
    """
    ways = layer.weight.shape[0]
    episodes, steps, features = support.shape
    taught = TEACHING * nn.functional.one_hot(shown, ways).to(support.dtype)
    state = at_rest(layer, support.new_zeros(episodes, features, ways), batch=1)
    for step in range(steps):
        x = support[:, step : step + 1]
        state = integrate(layer, x, state, dynamics, taught[:, step : step + 1])
        if plastic:
            state, _ = learn(layer, x, state, dynamics)
    return integrate(layer, query, state, dynamics).u


def as_ink(drawings: Characters) -> Tensor:
    """Return 8-bit drawings as float32 in [0, 1]."""
    return torch.from_numpy(drawings.astype(np.float32)) / 255.0
