"""The hybrid-plasticity layer with its trace H kept, for any variant, clamp and teaching current.

The equations are those of `chipsim.train.hp`.  All arrays end in ``(batch, neurons)`` and may have
further extents in front.  A trace ``(..., n_pre, n_post)`` is shared by the ``batch`` beside it:
every step adds the mean of the batch's outer products, as in the authors' code.  With a batch of 1
and the samples in front, every sample has its own trace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from chipsim.train.hp import Layer, LayerRun, fire, membrane, postsynaptic
from chipsim.train.settings import Dynamics


@dataclass(frozen=True)
class State:
    """A layer between two steps: ``u`` and ``spike (..., batch, n_post)`` and the ``trace``."""

    u: Tensor
    spike: Tensor
    trace: Tensor


def at_rest(layer: Layer, trace: Tensor, batch: int) -> State:
    """Return the state of neurons at rest with ``trace (..., n_pre, n_post)``."""
    still = trace.new_zeros(*trace.shape[:-2], batch, layer.weight.shape[0])
    return State(still, still, trace)


def integrate(
    layer: Layer, x: Tensor, state: State, dynamics: Dynamics, taught: Tensor | None = None
) -> State:
    """Return the state after input ``x (..., batch, n_pre)``, already attenuated; H stays.

    ``taught (..., batch, n_post)`` is a current from outside, added as it is.
    """
    current = x @ layer.weight.T + layer.bias + x @ (layer.alpha * state.trace)
    if taught is not None:
        current = current + taught
    u = membrane(dynamics, state.u, state.spike, current)
    return State(u, fire(dynamics, u), state.trace)


def learn(layer: Layer, x: Tensor, state: State, dynamics: Dynamics) -> tuple[State, Tensor]:
    """Return the state with H updated, and the postsynaptic factor of the update."""
    post = postsynaptic(dynamics, state.u, layer.eta)
    change = (x * layer.beta).transpose(-1, -2) @ post / x.shape[-2]
    trace = dynamics.rho * state.trace + change
    if dynamics.clamp is not None:
        trace = trace.clamp(-dynamics.clamp, dynamics.clamp)
    return replace(state, trace=trace), post


def run(
    layer: Layer, arriving: Tensor, trace: Tensor, dynamics: Dynamics
) -> tuple[LayerRun, Tensor]:
    """Run ``layer`` on ``arriving (samples, steps, n_pre)``; return its run and the last trace.

    ``trace`` is ``(samples, n_pre, n_post)`` for one each, ``(n_pre, n_post)`` for a shared one.
    """
    own = trace.dim() == 3
    state = at_rest(layer, trace, 1 if own else len(arriving))
    spikes, posts, membranes = [], [], []
    for step in range(dynamics.steps):
        x = dynamics.attenuation(step) * arriving[:, step]
        x = x[:, None] if own else x
        state = integrate(layer, x, state, dynamics)
        state, post = learn(layer, x, state, dynamics)
        spikes.append(state.spike.flatten(0, -2))
        posts.append(post.flatten(0, -2))
        membranes.append(state.u.flatten(0, -2))
    whole = LayerRun(*(torch.stack(each, 1) for each in (spikes, posts, membranes)))
    return whole, state.trace
