"""Bilevel training: weights follow training data, the local rule's parameters validation data.

The rule is judged by what the weights become (Wu et al. 2022): with ``w' = w - rate grad L_train``,

    d L_val(w', rule) / d rule = dL_val/drule - rate * d2L_train/(drule dw) . dL_val/dw'

whose mixed second derivative is a finite difference of two gradients, as in the authors' code and
in Liu, Simonyan and Yang 2019 (DARTS), eq. 7-8.  An optimiser's first parameter group are the
weights, its second the rule.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEP = 1e-3
"""Length of the step in weight space of the finite difference (published: the authors' code)."""

LARGEST = 1.0
"""Bound on each mixed derivative (published: the authors' code)."""

Loss = Callable[[], Tensor]


def inner_step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    """Step the weights on the training ``loss``; the rule stays."""
    weights, _ = _parameters(optimiser)
    optimiser.zero_grad()
    for tensor, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        tensor.grad = gradient
    optimiser.step()


def outer_step(optimiser: torch.optim.Optimizer, training: Loss, validation: Loss) -> None:
    """Step the rule on the ``validation`` loss at the weights of the inner step; they stay.

    Both functions compute their loss with the parameters as they are.  The rate of the look-ahead
    is the learning rate of the weights.
    """
    weights, rule = _parameters(optimiser)
    gradients = torch.autograd.grad(validation(), [*rule, *weights])
    direct, by_weights = gradients[: len(rule)], gradients[len(rule) :]
    mixed = _mixed_product(training, weights, rule, by_weights)
    rate = optimiser.param_groups[0]["lr"]
    optimiser.zero_grad()
    for tensor, first, second in zip(rule, direct, mixed, strict=True):
        tensor.grad = first - rate * second
    optimiser.step()


def _mixed_product(
    training: Loss, weights: list[Tensor], rule: list[Tensor], direction: tuple[Tensor, ...]
) -> list[Tensor]:
    """Return ``d2L_train/(drule dw) . direction``, bounded."""
    norm = float(torch.cat([part.flatten() for part in direction]).norm())
    if norm == 0.0:
        return [torch.zeros_like(tensor) for tensor in rule]
    step = min(STEP / norm, STEP)
    kept = [weight.detach().clone() for weight in weights]
    sides = []
    for shift in (step, -step):
        _place(weights, kept, direction, shift)
        sides.append(torch.autograd.grad(training(), rule))
    _place(weights, kept, direction, 0.0)
    return [
        ((up - down) / (2.0 * step)).clamp(-LARGEST, LARGEST)
        for up, down in zip(*sides, strict=True)
    ]


def _place(
    weights: list[Tensor], at: list[Tensor], direction: tuple[Tensor, ...], step: float
) -> None:
    with torch.no_grad():
        for weight, origin, part in zip(weights, at, direction, strict=True):
            weight.copy_(origin + step * part)


def _parameters(optimiser: torch.optim.Optimizer) -> tuple[list[Tensor], list[Tensor]]:
    weights, rule = (
        [tensor for tensor in group["params"] if tensor.requires_grad]
        for group in optimiser.param_groups
    )
    return weights, rule
