"""What delay extensions keep: spikes of the last ticks, and which to send again at which stage.

A delay extension is a core that counts the packets of one sender by neuron and by its own tick.
``stage * slots`` ticks later, for each delay stage the neuron has synapses at, its timer task sends
a packet for each spike counted, with a key of that stage; ring buffers do the rest of the delay
(sPyNNaker's ``delay_extension.c`` keeps the same counters).  A plain twin is in `reference`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.compiled import compiled, inlined
from chipsim.mapping.processor.model import DELAY, ProcessorMapping
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.simulate.tick.records import RESENDS_DUE, RESENDS_LEFT, RESENDS_LOST, Int64

COUNTER_LIMIT = 255
"""Spikes of a neuron and tick that a counter of 8 bits holds."""


class Held(NamedTuple):
    """All delay extensions, side by side.

    Extension d has neurons ``first[d] .. first[d+1]-1`` of ``stages``, whose bit s says that the
    neuron's spikes are sent again at stage s, with key ``key[d, s]`` (-1: nobody listens).  Spikes
    of the last ``remembered (1,)`` ticks, a power of two, are in ``counter``: extension d's from
    ``first[d] * remembered`` on, tick by tick; ``waiting[d, tick % remembered]`` counts them all.
    A stage is ``slots (1,)`` ticks.
    """

    first: Int64
    stages: NDArray[np.uint32]
    key: Int64
    remembered: Int64
    slots: Int64
    counter: NDArray[np.uint8]
    waiting: Int64


def make_held(
    chip: ProcessorChip, mapping: ProcessorMapping, fixed: ProcessorNetwork, order: list[int]
) -> Held:
    """Return the delay extensions of ``mapping``, empty, in the ``order`` of its slices."""
    pieces = [mapping.slices[index] for index in order if mapping.slices[index].program == DELAY]
    stages = {p.name: np.zeros(p.size, np.uint32) for p in fixed.populations}
    for p in fixed.projections:
        if p.stage:
            stages[p.source] |= (np.diff(p.starts) > 0).astype(np.uint32) << np.uint32(p.stage)
    most = max((p.stage for p in fixed.projections), default=0)
    key = np.full((len(pieces), most + 1), -1, np.int64)
    number = {piece.index: d for d, piece in enumerate(pieces)}
    for k, space in enumerate(mapping.keys):
        if space.stage:
            key[number[space.slice], space.stage] = k
    own = [stages[piece.population][piece.first : piece.first + piece.count] for piece in pieces]
    first = np.concatenate([[0], np.cumsum([part.size for part in own])]).astype(np.int64)
    remembered = chip.core.ticks_remembered(most) if pieces else 1
    return Held(
        first=first,
        stages=np.concatenate([np.zeros(0, np.uint32), *own]),
        key=key,
        remembered=np.array([remembered]),
        slots=np.array([chip.core.delay_slots]),
        counter=np.zeros(int(first[-1]) * remembered, np.uint8),
        waiting=np.zeros((len(pieces), remembered), np.int64),
    )


def emptied(held: Held) -> Held:
    """Return the same delay extensions with counters of their own that hold nothing."""
    counter, waiting = np.zeros_like(held.counter), np.zeros_like(held.waiting)
    return held._replace(counter=counter, waiting=waiting)


@inlined
def place_of(held: Held, d: int, tick: int) -> int:
    """Return where extension ``d`` counts the spikes of ``tick``, neuron by neuron."""
    remembered, count = held.remembered[0], held.first[d + 1] - held.first[d]
    return int(held.first[d] * remembered + (tick % remembered) * count)


@inlined
def resends(stages: int) -> int:
    """Return at how many stages a neuron's spikes are sent again."""
    count = 0
    while stages:
        count += stages & 1
        stages >>= 1
    return count


@inlined
def hold(held: Held, d: int, i: int, tick: int, counts: Int64) -> None:
    """Count a spike of neuron ``i`` that extension ``d`` processes in its ``tick``."""
    place = place_of(held, d, tick) + i
    due = resends(np.int64(held.stages[held.first[d] + i]))
    counts[RESENDS_DUE] += due
    if held.counter[place] == COUNTER_LIMIT:
        counts[RESENDS_LOST] += due
    else:
        held.counter[place] += 1
        held.waiting[d, tick % held.remembered[0]] += 1


@inlined
def count_left(held: Held, d: int, tick: int, ticks: int, counts: Int64) -> None:
    """Count what is held of ``tick`` for ticks after the sample's ``ticks``."""
    for i in range(held.first[d + 1] - held.first[d] if tick >= 0 else 0):
        spikes = np.int64(held.counter[place_of(held, d, tick) + i])
        for stage in range(1, held.key.shape[1]):
            asked = held.stages[held.first[d] + i] >> np.uint32(stage) & np.uint32(1)
            if asked and tick + stage * held.slots[0] >= ticks:
                counts[RESENDS_LEFT] += spikes


@inlined
def begin_tick(held: Held, d: int, tick: int, ticks: int, counts: Int64) -> int:
    """Make room for the spikes of ``tick``; return how many of earlier ones may be due in it.

    After the sample's ``ticks`` spikes may be forgotten that were never sent: those are counted.
    """
    remembered = held.remembered[0]
    if tick >= ticks:
        count_left(held, d, tick - remembered, ticks, counts)
    place, count = place_of(held, d, tick), held.first[d + 1] - held.first[d]
    held.counter[place : place + count] = 0
    held.waiting[d, tick % remembered] = 0
    due = 0
    for stage in range(1, held.key.shape[1]):
        before = tick - stage * held.slots[0]
        if before >= 0:
            due += held.waiting[d, before % remembered]
    return int(due)


@compiled
def leave(held: Held, extension: Int64, begun: Int64, ticks: int, counts: Int64) -> None:
    """Count what extensions still hold when a sample of ``ticks`` is over.

    ``extension`` is by slot (-1: none), ``begun`` as in `records.Cores`.
    """
    for slot in range(extension.size):
        d = extension[slot]
        for back in range(held.remembered[0] if d >= 0 else 0):
            count_left(held, d, begun[slot] - 1 - back, ticks, counts[slot])
