"""What neurons send at the end of a step: spikes, looked up numbers, membrane potentials.

``tests/naive.py`` holds the plain twin.
"""

from __future__ import annotations

from typing import Any

from chipsim.kernels.compiled import inner
from chipsim.kernels.integers import round_shift, stream

OUTPUT, MEMBRANE_OUTPUT = 10, 16
"""What a rounding is for (`chipsim.kernels.soma` has more): part of its noise's key."""


@inner
def send_spikes(program: Any, p: int, t: int, state: Any) -> None:
    """Put the spikes of population ``p`` at step ``t`` into the activity."""
    population, f = program.populations[p], program.formats[0]
    activity, spikes, slot = state.activity, state.spikes, t % f.slots
    for i in range(population.size):
        activity[slot, f.inputs + population.first + i] = spikes[population.first + i]


@inner
def send_graded(program: Any, p: int, sample: int, t: int, state: Any) -> None:
    """Look up the outputs of the graded neurons of population ``p``; mark those that are not 0."""
    population, f = program.populations[p], program.formats[0]
    activity, u, table = state.activity, state.u, program.outputs
    entries, first = table.shape[1], population.first
    noise, slot = stream(f.seed, sample, t, OUTPUT, p), t % f.slots
    for i in range(population.size):
        scaled = u[first + i] * population.activation_gain
        place = round_shift(scaled, population.activation_shift, f.rounding, noise, i)
        place = min(max(place + entries // 2, 0), entries - 1)
        output = table[population.activation, place]
        activity[slot, f.inputs + first + i] = output
        state.spikes[first + i] = output != 0


@inner
def send_membranes(program: Any, p: int, sample: int, t: int, steps: int, state: Any) -> int:
    """Put the membranes of population ``p`` into the activity; return how many ended at the most.

    Zeros where they are sent in the last of the ``steps`` only and this is another.
    """
    population, f = program.populations[p], program.formats[0]
    activity, u, slot = state.activity, state.u, t % f.slots
    if population.sent_last != 0 and t != steps - 1:
        for i in range(population.size):
            activity[slot, population.sent + i] = 0
        return 0
    noise, most = stream(f.seed, sample, t, MEMBRANE_OUTPUT, p), population.sent_maximum
    ended = 0
    for i in range(population.size):
        scaled = u[population.first + i] * population.sent_gain
        value = round_shift(scaled, population.sent_shift, f.rounding, noise, i)
        limited = min(max(value, -most), most)
        ended += limited != value
        activity[slot, population.sent + i] = limited
    return ended
