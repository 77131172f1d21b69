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
