"""The soma of a crossbar core: sums into currents, leak, reset, firing, thresholds that rise.

One short loop a thing to do, none of which branches on what it reads: such loops use vectors.
``tests/naive.py`` holds the plain twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inner
from chipsim.kernels.integers import limit, round_all, stream
from chipsim.kernels.layout import SUBTRACT, ZERO

SOMAS = 512
"""Neurons updated at a time."""

FULL_RISE = 2**31 - 1
"""Where the state of an adaptive threshold saturates."""

LEAK, GAIN, ADAPT = 1, 2, 8
"""What a rounding is for (`chipsim.kernels.plasticity` has more): part of its noise's key."""


@inner
def update_somas(program: Any, p: int, sample: int, t: int, state: Any) -> int:
    """Turn sums into currents and fire, for population ``p``; return the overflows.

    As many neurons at a time as the nearest cache holds.
    """
    population = program.populations[p]
    overflows = 0
    for first in range(0, population.size, SOMAS):
        last = min(first + SOMAS, population.size)
        _currents(program, p, first, last, sample, t, state)
        overflows += _fire(program, p, first, last, sample, t, state)
    return overflows


@inner
def _currents(program: Any, p: int, first: int, last: int, sample: int, t: int, state: Any) -> None:
    """Turn sums into membrane currents, bias included."""
    population, f = program.populations[p], program.formats[0]
    size, scaled, current = np.uint64(last - first), state.scratch, state.current
    bias = program.bias[population.first + first : population.first + last]
    for j in range(size):
        current[j] = bias[j]
    for c in range(population.channels, population.channels_end):
        channel, factor = program.channels[c], program.factor[c, t]
        sums = state.sums[channel.first + first : channel.first + last]
        for j in range(size):
            scaled[j] = limit(sums[j], f.accumulator_bits, f.wrap) * factor
        noise = stream(f.seed, sample, t, GAIN, c)
        round_all(scaled, last - first, channel.shift, f.rounding, noise, first)
        for j in range(size):
            current[j] += scaled[j]


@inner
def _fire(program: Any, p: int, first: int, last: int, sample: int, t: int, state: Any) -> int:
    """Leak, add current and fire; return the overflows."""
    population, f = program.populations[p], program.formats[0]
    begin, end, size = population.first + first, population.first + last, np.uint64(last - first)
    u, spikes, leaked = state.u[begin:end], state.spikes[begin:end], state.scratch
    subtract, before = population.reset == SUBTRACT, population.before_leak != 0
    fall = population.threshold if subtract else 0
    early, late = fall if before else 0, 0 if before else fall
    kept = np.int64(0 if population.reset == ZERO else -1)
    for j in range(size):
        fired = np.int64(spikes[j] != 0)
        leaked[j] = ((u[j] & (kept | (fired - 1))) - fired * early) * population.decay
    noise = stream(f.seed, sample, t, LEAK, p)
    round_all(leaked, last - first, f.decay_bits, f.rounding, noise, first)
    overflows, current = 0, state.current
    for j in range(size):
        v = leaked[j] - np.int64(spikes[j] != 0) * late + current[j]
        limited = limit(v, f.membrane_bits, f.wrap)
        overflows += limited != v
        u[j] = limited
    if population.adaptation_decay_bits > 0:
        _rise(program, p, first, last, stream(f.seed, sample, t, ADAPT, p), state)
    _spike(population, u, spikes, state.risen[begin:end], state.waiting[begin:end])
    return overflows


@inner
def _rise(program: Any, p: int, first: int, last: int, noise: Any, state: Any) -> None:
    """Let thresholds fall back, and rise where a neuron fired before."""
    population, f = program.populations[p], program.formats[0]
    begin, end, size = population.first + first, population.first + last, np.uint64(last - first)
    risen, spikes, slow = state.risen[begin:end], state.spikes[begin:end], state.scratch
    strength = program.adaptation[begin:end]
    for j in range(size):
        slow[j] = risen[j] * population.adaptation_decay
    bits = population.adaptation_decay_bits
    round_all(slow, last - first, bits, f.rounding, noise, first)
    for j in range(size):
        risen[j] = min(slow[j] + strength[j], FULL_RISE) if spikes[j] != 0 else slow[j]


@inner
def _spike(population: Any, u: Any, spikes: Any, risen: Any, waiting: Any) -> None:
    """Mark the neurons above their thresholds, or at them, that need not wait."""
    threshold = population.threshold - (1 if population.fires_at != 0 else 0)
    fraction, refractory = population.adaptation_fraction, population.refractory
    if refractory == 0 and population.adaptation_decay_bits == 0:
        for j in range(np.uint64(len(u))):
            spikes[j] = u[j] > threshold
        return
    for j in range(np.uint64(len(u))):
        waits = max(waiting[j] - 1, 0)
        fires = u[j] > threshold + (risen[j] >> fraction) and waits == 0
        spikes[j] = fires
        waiting[j] = refractory if fires else waits
