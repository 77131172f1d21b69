"""Pattern generation: a frozen input, sums of four sines to produce.

Constants: the tutorial of Bellec et al. 2020 (IGITUGraz/eligibility_propagation), published.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.train.eprop.tasks.spikes import poisson
from chipsim.train.eprop.trial import Trial, spike_events

INPUTS = 100
STEPS = 1000
PROBABILITY = 0.05
FREQUENCIES = np.array([1.0, 2.0, 3.0, 5.0])
"""Hz: periods per second of 1,000 steps."""


def draw_pattern(random: np.random.Generator, outputs: int) -> Trial:
    """Draw the one trial of a task with ``outputs`` curves."""
    spikes = np.empty((STEPS, INPUTS), np.bool_)
    poisson(random, spikes, PROBABILITY)
    curves = np.stack([_sum_of_sines(random) for _ in range(outputs)], axis=1)
    return Trial(STEPS, spike_events(spikes), curves.astype(np.float32))


def _sum_of_sines(random: np.random.Generator) -> NDArray[np.float64]:
    """Amplitudes 0.5 to 2, any phases; starts at 0, largest deviation 1."""
    seconds = np.arange(STEPS) / 1000.0
    amplitude = random.uniform(0.5, 2.0, len(FREQUENCIES))
    phase = random.uniform(0.0, 2.0 * np.pi, len(FREQUENCIES))
    curve = amplitude @ np.sin(2.0 * np.pi * np.outer(FREQUENCIES, seconds) + phase[:, None])
    curve -= curve[0]
    return np.asarray(curve / np.abs(curve).max())
