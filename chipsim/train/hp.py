"""The hybrid-plasticity layer of Wu et al. 2022 as differentiable torch functions.

A layer's equations, as `chipsim.network` states them for variant A::

    x_t = d_t * input_t,  d_t = exp(-t / tau)
    u   = k (u - theta s) + x_t W^T + b + x_t (alpha * H);   s = u > theta
    H   = clip(rho H + sign * outer(beta x_t, post(u)), -clamp, clamp)

`Dynamics` has the constants and tells the variants of the authors' code apart (reset, ``post``,
sign); a `Layer` has the tensors.  Here every sample has its own H, which is never stored: while
the clamp does not act, ``H_t = sum over s < t of rho^(t-1-s) sign outer(beta x_s, post_s)``, so
the products of the presynaptic activities of two steps weigh the postsynaptic factors of the
earlier one.  `trace_bound` proves that the clamp cannot act.  `chipsim.train.explicit` keeps H.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from chipsim.train.settings import Dynamics

SURROGATE_HALF_WIDTH = 0.5
"""Half-width of the box that stands for the spike's derivative (published: the authors' code)."""


@dataclass(frozen=True)
class Layer:
    """One plastic projection and its neurons.

    Shapes: ``weight (n_post, n_pre)``, ``bias (n_post,)``, ``alpha (1,)`` or, where synapses
    differ, ``(n_pre, n_post)``, ``beta (n_pre,)`` or ``(1,)``, ``eta (n_post,)``.
    """

    weight: Tensor
    bias: Tensor
    alpha: Tensor
    beta: Tensor
    eta: Tensor

    @property
    def silent(self) -> bool:
        """Whether the trace neither acts nor is asked to by a gradient."""
        return not self.alpha.requires_grad and not bool(self.alpha.any())


@dataclass(frozen=True)
class LayerRun:
    """What a layer did: ``spikes`` and ``posts`` are ``(samples, steps, n_post)``.

    ``posts`` is the postsynaptic factor; ``membranes`` the membrane potentials before reset, in
    the same shape.
    """

    spikes: Tensor
    posts: Tensor
    membranes: Tensor

    @property
    def membrane(self) -> Tensor:
        """The membrane potentials of the last step, ``(samples, n_post)``."""
        return self.membranes[:, -1]


class _Spike(torch.autograd.Function):
    """Heaviside step of ``u - theta`` with a box as its derivative."""

    @staticmethod
    def forward(ctx: Any, above: Tensor) -> Tensor:
        ctx.save_for_backward(above)
        return (above > 0).to(above.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        (above,) = ctx.saved_tensors
        gradient: Tensor = gradients[0]
        near: Tensor = above.abs() < SURROGATE_HALF_WIDTH
        return gradient * near.to(gradient.dtype)


def membrane(dynamics: Dynamics, u: Tensor, spike: Tensor, current: Tensor) -> Tensor:
    """Return the membrane potential after one step, before reset; shapes ``(samples, n_post)``."""
    if dynamics.reset == "zero":
        return dynamics.decay * u * (1.0 - spike) + current
    return dynamics.decay * (u - dynamics.threshold * spike) + current


def fire(dynamics: Dynamics, u: Tensor) -> Tensor:
    """Return the spikes of membrane potential ``u``, with the surrogate as their derivative."""
    spike: Tensor = _Spike.apply(u - dynamics.threshold)  # type: ignore[no-untyped-call]
    return spike


def postsynaptic(dynamics: Dynamics, u: Tensor, eta: Tensor) -> Tensor:
    """Return the postsynaptic factor of the trace's update, with its sign."""
    if dynamics.post == "softmax":
        factor = torch.softmax(u - eta, dim=-1)
    else:
        factor = u / dynamics.threshold - eta
        factor = torch.tanh(factor) if dynamics.post == "tanh" else factor
    return factor if dynamics.sign == 1 else -factor


def _recall(layer: Layer, products: Tensor) -> Tensor:
    """Return how ``products (..., n_pre)`` of presynaptic activities weigh earlier posts.

    The sum over ``n_pre`` of ``products * beta * alpha``: ``(..., 1)``, or ``(..., n_post)`` where
    alpha differs between synapses.
    """
    if layer.alpha.dim() == 2:
        return (products * layer.beta) @ layer.alpha
    return layer.alpha * (products @ layer.beta.expand(products.shape[-1])[:, None])


def run_static(layer: Layer, image: Tensor, dynamics: Dynamics) -> LayerRun:
    """Run ``layer`` on input ``image (samples, n_pre)`` that is held for all steps.

    The weighted sum is computed once and scaled by ``d_t``; the trace acts through one vector per
    sample, because all presynaptic activities are multiples of the same image.
    """
    weighted = image @ layer.weight.T
    gain = None if layer.silent else _recall(layer, image * image)
    u = spike = recalled = torch.zeros_like(weighted)
    spikes, posts, membranes = [], [], []
    for step in range(dynamics.steps):
        d = dynamics.attenuation(step)
        current = d * weighted + layer.bias
        if gain is not None:
            current = current + (d * gain) * recalled
        u = membrane(dynamics, u, spike, current)
        spike = fire(dynamics, u)
        post = postsynaptic(dynamics, u, layer.eta)
        recalled = dynamics.rho * recalled + d * post
        spikes.append(spike)
        posts.append(post)
        membranes.append(u)
    return LayerRun(*(torch.stack(each, 1) for each in (spikes, posts, membranes)))


def run_spiking(layer: Layer, arriving: Tensor, dynamics: Dynamics) -> LayerRun:
    """Run ``layer`` on the spikes ``arriving (samples, steps, n_pre)`` of the layer before it."""
    x = arriving * attenuations(dynamics, arriving)[:, None]
    driven = x @ layer.weight.T + layer.bias
    recall = None if layer.silent else _recall_pairs(layer, x, dynamics)
    u = spike = torch.zeros_like(driven[:, 0])
    spikes: list[Tensor] = []
    posts: list[Tensor] = []
    membranes: list[Tensor] = []
    for step, current in enumerate(driven.unbind(1)):
        if posts and recall is not None:
            current = current + (recall[step] * torch.stack(posts, 1)).sum(1)
        u = membrane(dynamics, u, spike, current)
        spike = fire(dynamics, u)
        spikes.append(spike)
        posts.append(postsynaptic(dynamics, u, layer.eta))
        membranes.append(u)
    return LayerRun(*(torch.stack(each, 1) for each in (spikes, posts, membranes)))


def _recall_pairs(layer: Layer, x: Tensor, dynamics: Dynamics) -> list[Tensor]:
    """Return for each step how it weighs the posts of the steps before: ``(samples, step, ...)``.

    The last extent is 1, or ``n_post`` where alpha differs between synapses.
    """
    faded = fading(dynamics, x)
    if layer.alpha.dim() == 1:
        pairs = layer.alpha * (x @ (x * layer.beta).transpose(1, 2)) * faded
        return [pairs[:, step, :step, None] for step in range(dynamics.steps)]
    return [
        _recall(layer, x[:, step : step + 1] * x[:, :step]) * faded[step, :step, None]
        for step in range(dynamics.steps)
    ]


def attenuations(dynamics: Dynamics, like: Tensor) -> Tensor:
    """Return ``d_t`` of all steps, shape ``(steps,)``, in the type of ``like``."""
    factors = [dynamics.attenuation(step) for step in range(dynamics.steps)]
    return torch.tensor(factors, dtype=like.dtype, device=like.device)


def fading(dynamics: Dynamics, like: Tensor) -> Tensor:
    """Return how much of step s is left in the trace that step t uses.

    Shape ``(steps, steps)``, entry ``[t, s] = rho^(t-1-s)`` for ``s < t``, else 0.
    """
    rows = [
        [dynamics.rho ** (t - 1 - s) if s < t else 0.0 for s in range(dynamics.steps)]
        for t in range(dynamics.steps)
    ]
    return torch.tensor(rows, dtype=like.dtype, device=like.device)


def trace_bound(layer: Layer, dynamics: Dynamics, run: LayerRun | None = None) -> float:
    """Return a bound on every ``|H|`` for presynaptic activity in [0, 1], whatever the sample.

    ``|H_t| <= sum over s < t of rho^(t-1-s) d_s max|beta| |post_s|``, and ``|tanh|`` and softmax
    are at most 1; a linear postsynaptic factor has no bound but that of the ``run`` in question.
    Where this is at most the clamp, the clamp never acts and the functions here are exact.
    """
    if run is not None:
        sizes = run.posts.detach().abs().unbind(1)
    else:
        largest = math.inf if dynamics.post == "linear" else 1.0
        sizes = (torch.tensor(largest, dtype=torch.float64),) * dynamics.steps
    reached = highest = torch.zeros_like(sizes[0])
    for step, size in enumerate(sizes):
        reached = dynamics.rho * reached + dynamics.attenuation(step) * size
        highest = torch.maximum(highest, reached)
    return float(highest.max()) * float(layer.beta.detach().abs().max())


def mean_trace(layer: Layer, arriving: Tensor, posts: Tensor, dynamics: Dynamics) -> Tensor:
    """Return the trace averaged over samples and over the steps that use it: ``(n_pre, n_post)``.

    ``arriving (samples, steps, n_pre)`` is the presynaptic activity before attenuation, or
    ``(samples, n_pre)`` where it is held for all steps; ``posts (samples, steps, n_post)``.
    """
    samples, steps, n_post = posts.shape
    share = fading(dynamics, posts).mean(0) * attenuations(dynamics, posts)
    shared = share[:, None] * posts
    if arriving.dim() == 2:
        total = arriving.T @ shared.sum(1)
    else:
        total = arriving.reshape(samples * steps, -1).T @ shared.reshape(-1, n_post)
    return layer.beta[:, None] * total / samples


def frozen(layer: Layer, trace: Tensor) -> Layer:
    """Return ``layer`` with plasticity stopped: ``trace (n_pre, n_post)`` folded into weights."""
    return off(replace(layer, weight=layer.weight + layer.alpha * trace.T))


def off(layer: Layer) -> Layer:
    """Return ``layer`` without plasticity."""
    return replace(layer, alpha=torch.zeros_like(layer.alpha))
