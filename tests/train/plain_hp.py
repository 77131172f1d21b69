"""The equations of chipsim/network.py in plain float64 numpy: one sample, explicit H, no torch."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass
class PlainLayer:
    weight: np.ndarray
    bias: np.ndarray
    alpha: float
    beta: np.ndarray
    eta: np.ndarray


@dataclass
class PlainResult:
    counts: tuple[np.ndarray, np.ndarray]
    membrane: np.ndarray
    mean_traces: tuple[np.ndarray, np.ndarray]
    largest_trace: tuple[float, float]


def run_sample(layers, image, dynamics, traces=None):
    """Run one sample; with ``traces`` the network is frozen at them instead of plastic."""
    plastic = traces is None
    if plastic:
        h = [np.zeros(layer.weight.T.shape) for layer in layers]
    else:
        h = [np.asarray(trace, np.float64) for trace in traces]
    u = [np.zeros(len(layer.bias)) for layer in layers]
    s = [np.zeros(len(layer.bias)) for layer in layers]
    counts = [np.zeros(len(layer.bias)) for layer in layers]
    sums = [np.zeros_like(trace) for trace in h]
    largest = [0.0, 0.0]
    for t in range(dynamics.steps):
        d = math.exp(-t / dynamics.tau)
        arriving = np.asarray(image, np.float64)
        for n, layer in enumerate(layers):
            x = d * arriving
            sums[n] += h[n]
            current = layer.weight @ x + layer.bias + layer.alpha * (x @ h[n])
            u[n] = dynamics.decay * (u[n] - dynamics.threshold * s[n]) + current
            s[n] = (u[n] > dynamics.threshold).astype(float)
            if plastic:
                post = np.tanh(u[n] / dynamics.threshold - layer.eta)
                h[n] = dynamics.rho * h[n] + np.outer(layer.beta * x, post)
                h[n] = np.clip(h[n], -dynamics.clamp, dynamics.clamp)
                largest[n] = max(largest[n], float(np.abs(h[n]).max()))
            counts[n] += s[n]
            arriving = s[n]
    means = tuple(total / dynamics.steps for total in sums)
    return PlainResult(tuple(counts), u[1], means, tuple(largest))


def plain_decide(counts: np.ndarray, membrane: np.ndarray) -> int:
    best = 0
    for index in range(1, len(counts)):
        if (counts[index], membrane[index]) > (counts[best], membrane[best]):
            best = index
    return best


def run_variant(weight, bias, gate, rate, slide, arriving, dynamics, taught=None):
    """Run one batch that shares one trace, any variant; ``arriving (batch, steps, n_pre)``.

    Returns spikes and posts ``(batch, steps, n_post)``, the last membranes and the last trace.
    """
    batch, steps, n_pre = arriving.shape
    n_post = len(slide)
    h = np.zeros((n_pre, n_post))
    u, s = np.zeros((batch, n_post)), np.zeros((batch, n_post))
    spikes, posts = np.zeros((batch, steps, n_post)), np.zeros((batch, steps, n_post))
    for t in range(steps):
        d = 1.0 if dynamics.tau is None else math.exp(-t / dynamics.tau)
        change = np.zeros_like(h)
        for b in range(batch):
            x = d * arriving[b, t]
            current = weight @ x + bias + x @ (gate * h)
            if taught is not None:
                current = current + taught[b, t]
            if dynamics.reset == "zero":
                u[b] = dynamics.decay * u[b] * (1 - s[b]) + current
            else:
                u[b] = dynamics.decay * (u[b] - dynamics.threshold * s[b]) + current
            s[b] = u[b] > dynamics.threshold
            if dynamics.post == "softmax":
                e = np.exp(u[b] - slide - (u[b] - slide).max())
                post = e / e.sum()
            else:
                post = u[b] / dynamics.threshold - slide
                post = np.tanh(post) if dynamics.post == "tanh" else post
            spikes[b, t], posts[b, t] = s[b], dynamics.sign * post
            change += np.outer(rate * x, posts[b, t]) / batch
        h = dynamics.rho * h + change
        if dynamics.clamp is not None:
            h = np.clip(h, -dynamics.clamp, dynamics.clamp)
    return spikes, posts, u, h
