"""Few-shot learning by local plasticity: variant D of Wu et al. 2022, on features of a conv net.

An episode shows a drawing of each class once a shot, with the class as a teaching current, then a
drawing to classify.  All learning within an episode is the trace H of the last layer; with
features ``x``, and alpha and W of shape ``(features, ways)``::

    u = k u (1 - s) + x (alpha W + (1 - alpha) H) + teaching * label
    H = rho H + min(eta, 0.1) outer(x, softmax(u - beta))

``beta (ways,)`` and ``eta (1,)`` have the roles that eta and beta have in the other variants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
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
    """Four 3 x 3 convolutions of stride 2 with tanh (31 x 31 to 2 x 2), then the plastic layer.

    Each convolution is followed by a batch normalisation, which the authors' lacks and which, once
    trained, is a scale and an offset of each channel: part of the convolution.
    """

    def __init__(self, ways: int, channels: int, generator: torch.Generator) -> None:
        """Draw all parameters from ``generator``."""
        super().__init__()
        planes = (1, channels, channels, channels, channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            for before, after in pairwise(planes)
        )
        for convolution in self.convolutions:
            weight = cast(nn.Conv2d, convolution).weight
            nn.init.xavier_uniform_(weight, generator=generator)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in self.convolutions)
        features = 4 * channels
        span = features**-0.5
        self.weight = nn.Parameter((2 * torch.rand(ways, features, generator=generator) - 1) * span)
        self.alpha = nn.Parameter(0.1 * torch.rand(features, ways, generator=generator))
        self.beta = nn.Parameter(0.1 * torch.rand(ways, generator=generator))
        self.eta = nn.Parameter(torch.full((1,), LARGEST_RATE))

    def forward(self, ink: Tensor) -> Tensor:
        """Return the features ``(images, features)`` of ``ink (images, side, side)`` in [0, 1]."""
        maps = ((ink - INK_MEAN) / INK_SPREAD)[:, None]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            maps = torch.tanh(norm(convolution(maps)))
        return maps.flatten(1)

    def plastic_layer(self, ways: int) -> Layer:
        """Return the last layer's first ``ways`` outputs in the form of the other variants."""
        alpha = self.alpha[:, :ways]
        return Layer(
            weight=alpha.T * self.weight[:ways],
            bias=torch.zeros_like(self.beta[:ways]),
            alpha=1.0 - alpha,
            beta=self.eta.clamp(max=LARGEST_RATE),
            eta=self.beta[:ways],
        )

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.weight.device

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
    random: np.random.Generator, characters: int, ways: int, shots: int, queries: int
) -> Episodes:
    """Draw ``shots + queries`` drawings of ``ways`` different characters; return their episodes.

    There are ``shots + queries`` episodes of the same drawings: each drawing takes its turn in
    being shown, and the others are asked.  The classes come in random order in each shot.
    """
    drawn = shots + queries
    chosen = random.choice(characters, ways, replace=False)
    drawers = np.argsort(random.random((ways, DRAWERS)), axis=1)[:, :drawn]
    drawings = chosen[:, None] * DRAWERS + drawers
    shown = np.stack(
        [np.concatenate([random.permutation(ways) for _ in range(shots)]) for _ in range(drawn)]
    )
    turned = np.stack([np.roll(drawings, -turn, axis=1) for turn in range(drawn)])
    turn, shot = np.arange(drawn)[:, None], np.repeat(np.arange(shots), ways)
    support = turned[turn, shown, shot]
    asked = np.tile(np.repeat(np.arange(ways), queries), (drawn, 1))
    return Episodes(support, shown, turned[:, :, shots:].reshape(drawn, -1), asked)


def joined(groups: Sequence[Episodes]) -> Episodes:
    """Return the episodes of all ``groups`` as one."""
    return Episodes(
        *(
            np.concatenate([getattr(group, item.name) for group in groups])
            for item in fields(Episodes)
        )
    )


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


def as_ink(drawings: Characters, device: torch.device) -> Tensor:
    """Return 8-bit drawings as float32 in [0, 1] on ``device``."""
    return torch.from_numpy(drawings.astype(np.float32)).to(device) / 255.0
