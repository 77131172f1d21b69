"""Neurons without plasticity over all steps, with their gradient by hand.

The equations are those of `chipsim.train.hp`: ``u_t = membrane(u_(t-1), s_(t-1), I_t)``.  Large
maps make automatic differentiation of every step slow; here only the membrane potentials are kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chipsim.train.hp import SURROGATE_HALF_WIDTH, membrane
from chipsim.train.settings import Dynamics


def lif_spikes(currents: Tensor, dynamics: Dynamics) -> Tensor:
    """Return the spikes ``(steps, ...)`` that input ``currents`` cause in neurons at rest.

    ``currents`` is ``(steps, ...)``, or ``(1, ...)`` where they are held for all steps.
    """
    spikes: Tensor = _LIF.apply(currents, dynamics)  # type: ignore[no-untyped-call]
    return spikes


class _LIF(torch.autograd.Function):
    """Spikes of all steps; backwards in time, ``grad u_t`` comes from ``s_t`` and ``u_(t+1)``."""

    @staticmethod
    def forward(ctx: Any, currents: Tensor, dynamics: Dynamics) -> Tensor:
        membranes = currents.new_empty(dynamics.steps, *currents.shape[1:])
        spikes = torch.empty_like(membranes)
        u = spike = torch.zeros_like(currents[0])
        for step in range(dynamics.steps):
            u = membrane(dynamics, u, spike, currents[min(step, len(currents) - 1)])
            membranes[step] = u
            spike = torch.gt(u, dynamics.threshold, out=spikes[step])
        ctx.save_for_backward(membranes, spikes)
        ctx.dynamics, ctx.held = dynamics, len(currents) == 1
        return spikes

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (by_spikes,), (membranes, spikes) = gradients, ctx.saved_tensors
        dynamics: Dynamics = ctx.dynamics
        by_currents = torch.empty_like(membranes)
        later = torch.zeros_like(membranes[0])
        for step in reversed(range(dynamics.steps)):
            u = membranes[step]
            near = (u - dynamics.threshold).abs_() < SURROGATE_HALF_WIDTH
            # What s_t and u_t do to u_(t+1): its derivatives by both, times the gradient of it.
            if dynamics.reset == "zero":
                by_spike, by_u = -dynamics.decay * u, dynamics.decay * (1.0 - spikes[step])
                through_spike, kept = later * by_spike, later * by_u
            else:
                kept = dynamics.decay * later
                through_spike = -dynamics.threshold * kept
            later = kept.add_((through_spike.add_(by_spikes[step])).mul_(near))
            by_currents[step] = later
        return (by_currents.sum(0, keepdim=True) if ctx.held else by_currents), None
