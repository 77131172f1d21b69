"""An image network whose samples share traces, batch by batch, as in the authors' code.

A chip that sees one sample at a time cannot do so; this is for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from chipsim.train import explicit
from chipsim.train.hp import Layer, LayerRun, fire, membrane, postsynaptic, trace_bound
from chipsim.train.net import Net, NetRun
from chipsim.train.settings import Dynamics

Traces = tuple[Tensor, Tensor]
"""The traces ``(n_pre, n_post)`` of the hidden and the output layer."""


@dataclass(frozen=True)
class Shared:
    """Traces that batches of ``batch`` samples share and carry on, starting at ``traces``."""

    traces: Traces
    batch: int


def forward_shared(
    net: Net, image: Tensor, traces: Traces, dynamics: Dynamics
) -> tuple[NetRun, Traces]:
    """Run a fully connected network on ``image (samples, pixels)``, all sharing ``traces``.

    Returns also the traces afterwards, without gradients: they are carried to the next batch.
    """
    first, hidden_trace = run_held(net.hidden, image, traces[0], dynamics)
    second, output_trace = explicit.run(net.output, first.spikes, traces[1], dynamics)
    return NetRun(image, first, second), (hidden_trace.detach(), output_trace.detach())


def run_held(
    layer: Layer, image: Tensor, trace: Tensor, dynamics: Dynamics
) -> tuple[LayerRun, Tensor]:
    """Run ``layer`` on a held ``image`` with a shared ``trace (n_pre, n_post)``; return it too.

    Where the clamp cannot act, the trace is computed once at the end: what the steps of this run
    add to it acts through the products of every two images, ``(samples, samples)``.
    """
    clamp = float("inf") if dynamics.clamp is None else dynamics.clamp
    reached = float(trace.abs().max()) + trace_bound(layer, dynamics)
    if layer.alpha.dim() == 2 or not reached <= clamp:
        held = image[:, None].expand(-1, dynamics.steps, -1)
        return explicit.run(layer, held, trace, dynamics)
    rated = image * layer.beta / len(image)
    weighted, carried, products = image @ layer.weight.T, image @ trace, image @ rated.T
    u = spike = recalled = torch.zeros_like(weighted)
    spikes, posts, membranes = [], [], []
    for step in range(dynamics.steps):
        d = dynamics.attenuation(step)
        learnt = dynamics.rho**step * carried + products @ recalled
        current = d * weighted + layer.bias + (d * layer.alpha) * learnt
        u = membrane(dynamics, u, spike, current)
        spike = fire(dynamics, u)
        post = postsynaptic(dynamics, u, layer.eta)
        recalled = dynamics.rho * recalled + d * post
        spikes.append(spike)
        posts.append(post)
        membranes.append(u)
    whole = LayerRun(*(torch.stack(each, 1) for each in (spikes, posts, membranes)))
    return whole, dynamics.rho**dynamics.steps * trace + rated.T @ recalled
