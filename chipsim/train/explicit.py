"""The hybrid-plasticity layer with its trace H kept, for any variant, clamp and teaching current.

The equations are those of `chipsim.train.hp`.  A trace of shape ``(samples, n_pre, n_post)`` is
each sample's own.  One of shape ``(n_pre, n_post)`` is shared: every step adds the mean of the
batch's outer products to it, as in the authors' code, so what a sample does depends on the batch
it is in.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chipsim.train.hp import Layer, LayerRun, fire, membrane, postsynaptic
from chipsim.train.settings import Dynamics

Traces = tuple[Tensor, Tensor]


def run(
    layer: Layer,
    arriving: Tensor,
    trace: Tensor,
    dynamics: Dynamics,
    taught: Tensor | None = None,
) -> tuple[LayerRun, Tensor]:
    """Run ``layer`` on ``arriving (samples, steps, n_pre)``; return its run and the last trace.

    ``taught (samples, steps, n_post)`` is a current from outside, added as it is.  The number of
    steps is that of ``arriving``.
    """
    samples, steps, _ = arriving.shape
    u = spike = arriving.new_zeros(samples, layer.weight.shape[0])
    spikes, posts = [], []
    for step in range(steps):
        x = dynamics.attenuation(step) * arriving[:, step]
        current = x @ layer.weight.T + layer.bias + _product(x, layer.alpha * trace)
        if taught is not None:
            current = current + taught[:, step]
        u = membrane(dynamics, u, spike, current)
        spike = fire(dynamics, u)
        post = postsynaptic(dynamics, u, layer.eta)
        trace = dynamics.rho * trace + _outer(x * layer.beta, post, shared=trace.dim() == 2)
        if dynamics.clamp is not None:
            trace = trace.clamp(-dynamics.clamp, dynamics.clamp)
        spikes.append(spike)
        posts.append(post)
    return LayerRun(torch.stack(spikes, 1), torch.stack(posts, 1), u), trace


def forward_shared(
    hidden: Layer, output: Layer, image: Tensor, traces: Traces, dynamics: Dynamics
) -> tuple[LayerRun, LayerRun, Traces]:
    """Run both layers on ``image (samples, pixels)`` with traces shared by all samples.

    Returns both runs and the traces afterwards, without their gradients: they are carried to the
    next batch.
    """
    held = image[:, None].expand(-1, dynamics.steps, -1)
    first, hidden_trace = run(hidden, held, traces[0], dynamics)
    second, output_trace = run(output, first.spikes, traces[1], dynamics)
    return first, second, (hidden_trace.detach(), output_trace.detach())


def _product(x: Tensor, matrix: Tensor) -> Tensor:
    """Return ``x (samples, n_pre)`` times a matrix of all samples, or of each."""
    return x @ matrix if matrix.dim() == 2 else torch.einsum("bi,bij->bj", x, matrix)


def _outer(pre: Tensor, post: Tensor, shared: bool) -> Tensor:
    """Return each sample's outer product, or their mean."""
    return pre.T @ post / len(pre) if shared else torch.einsum("bi,bj->bij", pre, post)
