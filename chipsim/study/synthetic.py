"""Untrained networks with hybrid plasticity, to study what size costs.

Their weights are random: energy, traffic, cores and time mean something, because activity is what
it was scaled to; what they answer means nothing, so they are run without labels and no accuracy is
reported.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.network import (
    LIF,
    Input,
    Network,
    Population,
    Projection,
    Trace,
    attenuation,
)
from chipsim.plasticity import HybridPlasticity
from chipsim.study.model import SyntheticHP

INPUTS, OUTPUTS, STEPS = 784, 10, 10
MOST_HIDDEN = 1 << 16
HIGHEST_RATE = 0.4
"""Weights have mean 0, so about half of the neurons never fire: a rate of 0.5 is out of reach."""

NEURON = LIF(threshold=0.35, decay=0.4)
ATTENUATION_TAU = 40.0
RHO, CLAMP = 0.95, 4.0
"""Wu et al. 2022, variant A, as in models/hp_mnist.yaml."""

ALPHA, SPREAD = 0.05, 0.02
"""Strength of the local part, and standard deviation of beta and eta: the size they have in
models/hp_mnist.pt."""

_SAMPLES = 50
_HALVINGS = 40


def untrained(trace: Trace) -> Trace:
    """Return ``trace`` without labels, for a network that never learned them."""
    return replace(trace, labels=None)


def images(trace: Trace) -> NDArray[np.float64]:
    """Return the held images of a trace, ``(samples, 784)``, scaled; InputError for another one."""
    if trace.held is None or trace.neurons != INPUTS:
        raise InputError(
            f"{trace.name}: a synthetic_hp network takes a trace of held images of {INPUTS} values "
            "(such as traces/hp_mnist_test1000.npz)"
        )
    values = np.asarray(trace.held, np.float64) * trace.scale
    if not (values.min() >= 0 and values.max() <= 1 + 1e-6):
        raise InputError(f"{trace.name}: values of images must lie in 0 to 1; set its scale")
    return values


def synthetic_hp(spec: SyntheticHP, trace: Trace) -> Network:
    """Return the network ``spec`` describes, its weights scaled for the start of ``trace``.

    Each layer's weights are normal with mean 0, times the gain at which its neurons, without their
    local part, fire at the stated rate over the first samples of ``trace``.  Biases are zero.
    Raises what `images` raises, and InputError if no gain reaches a rate.
    """
    rng = np.random.default_rng(spec.seed)
    held = images(trace)[:_SAMPLES]
    activity = np.broadcast_to(held, (STEPS, *held.shape))
    hidden, activity = _layer(
        "fc1", "image", "hidden", spec.hidden, activity, spec.hidden_rate, rng
    )
    output, _ = _layer("fc2", "hidden", "output", OUTPUTS, activity, spec.output_rate, rng)
    return Network(
        name=f"synthetic_hp_{spec.hidden}",
        steps=STEPS,
        populations=(
            Population("image", INPUTS, Input("graded", 1.0)),
            Population("hidden", spec.hidden, NEURON),
            Population("output", OUTPUTS, NEURON),
        ),
        projections=(hidden, output),
        readout="output",
        notes=("synthetic network: random weights, so what it answers means nothing",),
    )


def _layer(
    name: str,
    source: str,
    target: str,
    size: int,
    activity: NDArray[np.float64],
    rate: float,
    rng: np.random.Generator,
) -> tuple[Projection, NDArray[np.float64]]:
    """Return a projection scaled for ``activity (steps, samples, n_pre)``, and its spikes."""
    n_pre = int(activity.shape[2])
    weight = rng.normal(0, n_pre**-0.5, (size, n_pre))
    rule = HybridPlasticity(
        alpha=ALPHA,
        beta=rng.normal(0, SPREAD, n_pre).astype(np.float32),
        eta=rng.normal(0, SPREAD, size).astype(np.float32),
        rho=RHO,
        clamp=CLAMP,
        stored_trace=np.zeros((n_pre, size), np.float32),
    )
    unscaled = Projection(
        name, source, target, weight.astype(np.float32),
        attenuation_tau=ATTENUATION_TAU, plasticity=rule,
    )  # fmt: skip
    factors = attenuation(unscaled, STEPS)
    current = (activity @ weight.T) * factors[:, None, None]
    gain = _gain_for(current, rate, name)
    scaled = replace(unscaled, weight=np.asarray(gain * weight, np.float32))
    return scaled, _spikes(gain * current)


def _gain_for(current: NDArray[np.float64], rate: float, name: str) -> float:
    """Return the factor on ``current`` at which neurons fire at ``rate``, to four digits.

    Rounded so that the last bits of a sum, which differ between machines, do not show.
    """
    high = 1.0
    while _spikes(high * current).mean() < rate:
        high *= 2
        if high > 2**20:
            raise InputError(f"synthetic_hp: {name}: no weights reach a rate of {rate:g}")
    low = 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        reached = _spikes(middle * current).mean() >= rate
        low, high = (low, middle) if reached else (middle, high)
    return float(f"{high:.4g}")


def _spikes(current: NDArray[np.float64]) -> NDArray[np.float64]:
    """Run the `LIF` of `NEURON` on currents ``(steps, samples, neurons)``; return its spikes."""
    potential = np.zeros(current.shape[1:])
    spikes = np.zeros(current.shape)
    for step, drive in enumerate(current):
        before = spikes[step - 1] if step else 0.0
        potential = NEURON.decay * (potential - NEURON.threshold * before) + drive
        spikes[step] = potential > NEURON.threshold
    return spikes
