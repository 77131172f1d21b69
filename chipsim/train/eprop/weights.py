"""The learning weights: how they start and how an update changes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.eprop_float import EpropGradients, EpropWeights, Reals
from chipsim.train.eprop.rule import Neurons, Optimiser, Rule


@dataclass(frozen=True)
class Moments:
    """Adam's running means of gradients and of their squares, shaped like the weights."""

    first: EpropGradients
    second: EpropGradients


def new_weights(
    random: np.random.Generator,
    inputs: int,
    neurons: Neurons,
    outputs: int,
    rule: Rule,
    readout: Literal["normal", "glorot"],
) -> EpropWeights:
    """Draw float32 weights, always in the same order, whatever the kind of feedback.

    W_in and W_rec are normal with standard deviation ``1/sqrt(fan-in)``, W_rec without
    self-connections; W_out likewise or uniform after Glorot & Bengio 2010.
    """
    n = neurons.count
    into = random.standard_normal((inputs, n)) / np.sqrt(inputs)
    recurrent = random.standard_normal((n, n)) / np.sqrt(n)
    np.fill_diagonal(recurrent, 0.0)
    if not neurons.recurrent:
        recurrent[:] = 0.0
    if readout == "normal":
        out = random.standard_normal((n, outputs)) / np.sqrt(n)
    else:
        span = np.sqrt(6.0 / (n + outputs))
        out = random.uniform(-span, span, (n, outputs))
    feedback = random.standard_normal((outputs, n)) * rule.feedback_spread
    if rule.feedback == "symmetric":
        feedback = out.T
    return EpropWeights(*(_float32(values) for values in (into, recurrent, out, feedback)))


def shift_mean(weights: EpropWeights, neurons: Neurons, mean: float) -> None:
    """Add ``mean`` to the weights of all synapses there are."""
    for values in (weights.inputs, weights.readout):
        values += np.float32(mean)
    if neurons.recurrent:
        weights.recurrent[~np.eye(neurons.count, dtype=np.bool_)] += np.float32(mean)


def no_gradients(weights: EpropWeights) -> EpropGradients:
    """Return gradients of zero for ``weights``."""
    return EpropGradients(
        np.zeros_like(weights.inputs),
        np.zeros_like(weights.recurrent),
        np.zeros_like(weights.readout),
    )


def new_moments(weights: EpropWeights) -> Moments:
    """Return Adam's moments before the first update."""
    return Moments(no_gradients(weights), no_gradients(weights))


def update(
    weights: EpropWeights,
    moments: Moments,
    gradients: EpropGradients,
    number: int,
    optimiser: Optimiser,
    rule: Rule,
) -> None:
    """Change ``weights`` (and ``moments``) in place by update ``number``, counted from 0.

    ``gradients`` is the mean over the batch; its diagonal of W_rec is set to 0.
    """
    np.fill_diagonal(gradients.recurrent, 0.0)
    steps = [
        _step(gradient, first, second, number, optimiser)
        for gradient, first, second in zip(gradients, moments.first, moments.second, strict=True)
    ]
    for values, step in zip(weights, steps, strict=False):
        values -= step
    if rule.feedback == "symmetric":
        weights.feedback[:] = weights.readout.T
    elif rule.feedback == "adaptive":
        weights.feedback[:] -= steps[2].T
        keep = weights.readout.dtype.type(1.0 - rule.feedback_decay)
        weights.readout[:] *= keep
        weights.feedback[:] *= keep


def _step(gradient: Reals, first: Reals, second: Reals, number: int, optimiser: Optimiser) -> Reals:
    """Return what to subtract, following Adam's moments in place."""
    real = gradient.dtype.type
    rate = optimiser.rate_at(number)
    if optimiser.kind == "sgd":
        return np.asarray(real(rate) * gradient)
    decay1, decay2 = optimiser.decay1, optimiser.decay2
    first += real(1.0 - decay1) * (gradient - first)
    second += real(1.0 - decay2) * (gradient * gradient - second)
    rate *= np.sqrt(1.0 - decay2 ** (number + 1)) / (1.0 - decay1 ** (number + 1))
    return np.asarray(real(rate) * first / (np.sqrt(second) + real(optimiser.epsilon)))


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)
