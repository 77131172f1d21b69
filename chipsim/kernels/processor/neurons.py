"""Ring buffers and LIF neurons of a core, tick by tick.

``tests/naive_processor.py`` holds the plain twin.  The equations are those of
`chipsim.network.LIF`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.processor.arithmetic import (
    NEURON,
    extra,
    extra_decay,
    key,
    noise,
    saturate,
    share,
    times,
)
from chipsim.kernels.processor.layout import MEMBRANE, ONE, RING, SUBTRACT, ZERO


@inlined
def add_row(program: Any, state: Any, tick: int, low: int, high: int, signed: bool) -> None:
    """Add the synapses ``low .. high-1`` of a row that is processed in ``tick`` to the ring.

    ``signed``: their target has one signed ring buffer (`POPULATION`, ``types`` 1).
    """
    formats = program.formats[0]
    width = np.uint64(2 * formats.neurons)
    size = np.uint64(formats.slots) * width
    start = np.uint64(tick % formats.slots) * width
    place, weight, ring = program.place[low:high], program.weight[low:high], state.ring
    for k in range(np.uint64(len(place))):
        at = start + np.uint64(place[k])
        if at >= size:
            at -= size
        change = np.int32(weight[k])
        if signed:
            change = np.int32(np.int16(weight[k]))
        ring[at] += change


@inlined
def _take_current(program: Any, state: Any, p: int, n: int, slot: int) -> Any:
    """Take neuron ``n``'s input out of ``slot`` of the ring, as a current in s16.15."""
    formats, population = program.formats[0], program.populations[p]
    excitatory = 2 * slot * formats.neurons + n
    inhibitory = excitatory + formats.neurons
    first, second = np.int64(state.ring[excitatory]), np.int64(state.ring[inhibitory])
    state.ring[excitatory] = 0
    state.ring[inhibitory] = 0
    if population.types == 1:
        kept = min(max(first, np.int64(-32768)), np.int64(32767))
        state.saturated[p, RING] += kept != first
        return kept << population.shift
    kept, lost = min(first, np.int64(65535)), min(second, np.int64(65535))
    state.saturated[p, RING] += np.int64(kept != first) + np.int64(lost != second)
    return (kept << population.shift) - (lost << population.shift_inhibitory)


@inlined
def threshold(program: Any, state: Any, p: int, n: int, word: Any) -> Any:
    """Return neuron ``n``'s threshold of this step, once it has adapted; ``word`` is its noise."""
    formats, population = program.formats[0], program.populations[p]
    if population.adapts == 0:
        return population.threshold
    return population.threshold + times(program.strength[n], state.a[n], extra(formats, word, 2))


@inlined
def _adapt(program: Any, state: Any, p: int, n: int, word: Any) -> None:
    """Let neuron ``n``'s threshold fall back, and rise by its last spike."""
    formats, population = program.formats[0], program.populations[p]
    if population.adapts != 0:
        a = share(state.a[n], population.adaptation_decay, extra_decay(formats, word, 1))
        state.a[n] = saturate(a + ONE * np.int64(state.spiked[n]))


@inlined
def _leak(program: Any, state: Any, p: int, n: int, word: Any) -> Any:
    """Return neuron ``n``'s membrane after reset and leak."""
    formats, population = program.formats[0], program.populations[p]
    v, spiked = np.int64(state.v[n]), state.spiked[n] != 0
    subtracts = spiked and population.reset == SUBTRACT
    if spiked and population.reset == ZERO:
        v = np.int64(0)
    if subtracts and population.before_leak != 0:
        v = saturate(v - population.threshold)
    v = share(v, population.decay, extra_decay(formats, word, 0))
    if subtracts and population.before_leak == 0:
        v -= population.threshold
    return v


@inlined
def update_neurons(
    program: Any, state: Any, p: int, first: int, count: int, tick: int, fired: Any, n: int
) -> int:
    """Do the timer task: update neurons ``first .. first+count-1`` of population ``p`` in ``tick``.

    Takes the tick's slot of the ring buffer and clears it.  Lists the neurons that fire in
    ``fired`` from place ``n`` on, ascending; returns the place after the last.
    """
    formats, population = program.formats[0], program.populations[p]
    slot = tick % formats.slots
    for j in range(first, first + count):
        word = np.uint64(0)
        if formats.stochastic != 0:
            word = noise(key(formats, tick, NEURON, j), 0)
        total = _leak(program, state, p, j, word) + np.int64(program.bias[j])
        total += _take_current(program, state, p, j, slot)
        v = saturate(total)
        state.saturated[p, MEMBRANE] += v != total
        state.v[j] = v
        _adapt(program, state, p, j, word)
        level = threshold(program, state, p, j, word)
        wait = max(state.waiting[j] - 1, 0)
        fires = wait == 0 and (v > level or (population.fires_at != 0 and v == level))
        state.spiked[j] = fires
        state.waiting[j] = population.refractory if fires else wait
        fired[n] = j
        n += fires
    return n


@inlined
def rest(state: Any) -> None:
    """Bring all neurons and ring buffers to rest, as at the start of a sample."""
    state.v[:] = 0
    state.a[:] = 0
    state.waiting[:] = 0
    state.spiked[:] = 0
    state.ring[:] = 0
