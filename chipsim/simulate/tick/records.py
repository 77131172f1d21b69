"""The records of the core model: plain arrays, one entry a core in use (a *slot*).

Slots are numbered by the shared memory (SDRAM) that serves them, then by core, so those of one
memory lie side by side.  Times are core cycles from the start of the sample.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Bytes = NDArray[np.uint8]

EMPTY_ROW = -1
REWARD = -2
SIGNAL = -3
HELD = -(1 << 30)
WEIGHTS = -(1 << 32)
NO_ROW = -(1 << 40)
"""What stands for a row where there is none: no synapses, a reward, the payload of a learning
signal, a spike that a delay extension keeps, the payload of weights, nothing at all."""

FAR = 1 << 42
"""Later than any cycle."""

COUNTS = (
    "timer_cycles",
    "spike_cycles",
    "row_cycles",
    "signal_cycles",
    "dma_wait_cycles",
    "dma_bytes",
    "packets_in",
    "packets_out",
    "synaptic_events",
    "overflows",
    "late",
    "late_ticks",
    "early",
    "deadline_misses",
    "over_cycles_sum",
    "over_cycles_max",
    "busy_cycles_max",
    "events_in_busiest",
    "queue_max",
    "ticks",
    "neuron_updates",
    "signals_in",
    "spike_pairs",
    "resends_due",
    "resends_left",
    "resends_lost",
    "weights_in",
    "weight_cycles",
)
"""What is counted of each slot, in this order; cycles are core cycles.

``spike_cycles`` go to interrupts, look-ups and DMA set-up, ``row_cycles`` to synapses,
``dma_wait_cycles`` pass idle while a row comes.  ``late`` and ``early`` are packets processed in
another tick than the sender's, ``late_ticks`` by how many in all.  ``over_cycles`` is by how much
a deadline was missed; ``busy_cycles_max`` the most work of a tick, ``events_in_busiest`` the
synaptic events of that tick.  A delay extension owes ``resends_due`` packets for what it received:
those it sent, those ``left`` when the sample was over, those ``lost`` to counters at their limit.
"""

(
    TIMER_CYCLES, SPIKE_CYCLES, ROW_CYCLES, SIGNAL_CYCLES, DMA_WAIT, DMA_BYTES, PACKETS_IN,
    PACKETS_OUT, EVENTS, OVERFLOWS, LATE, LATE_TICKS, EARLY, MISSES, OVER_SUM, OVER_MAX, BUSY_MAX,
    BUSIEST_EVENTS, QUEUE_MAX, TICKS, NEURON_UPDATES, SIGNALS_IN, SPIKE_PAIRS,
    RESENDS_DUE, RESENDS_LEFT, RESENDS_LOST, WEIGHTS_IN, WEIGHT_CYCLES,
) = range(len(COUNTS))  # fmt: skip


class Costs(NamedTuple):
    """What work takes: core cycles, the fraction ``scale / unit`` of them a DMA byte, queue places.

    ``spike`` is per packet, ``signal`` per learning signal, ``hold`` per packet a delay extension
    keeps, ``pair`` per pair of spikes in STDP, ``weight`` per packet of weights that arrives,
    ``weight_send`` per one sent beside `Slots`'s ``send``; a payload holds ``weights_a_packet``,
    and ``weights_a_tick`` packets leave in a tick.
    ``latency`` passes between a DMA request and its first byte.  A tick is ``tick`` cycles; after
    ``ticks`` of them the sample is over, and what comes later misses no deadline.  A core cycle is
    ``router_scale / router_unit`` router cycles.  With ``rows_first`` a timer task
    that is due waits until no packet and no row is left (`chipsim.simulate.tick.reference`).
    """

    tick: int
    ticks: int
    spike: int
    signal: int
    hold: int
    latency: int
    dma_scale: int
    dma_unit: int
    queue: int
    router_scale: int
    router_unit: int
    pair: int
    rows_first: int
    weight: int
    weight_send: int
    weights_a_packet: int
    weights_a_tick: int


class Cores(NamedTuple):
    """What changes of cores and shared memories from one tick to the next.

    Per slot: ``free_at``, when the processor is free; ``begun``, the timer tasks begun, so that a
    core's tick is ``begun - 1``; ``timer_at``, with rows first, from when the next can begin, `FAR`
    while that is not known; ``busy``, the work of its present tick, which began after so many
    synaptic events as ``events_before``; the row that a DMA brings (``dma_row``, `NO_ROW` if none,
    ``dma_tick`` in which its packet was sent, ``dma_until`` when it is there) and the row that is
    there (``ready_row``, ``ready_tick``).  The spike queue is ``queue_row``, ``queue_tick`` (slots
    * places) from ``head``, ``held`` of them.

    ``memory_free_at`` is per shared memory, ``counts`` (slots, `COUNTS`).
    """

    free_at: Int64
    begun: Int64
    timer_at: Int64
    busy: Int64
    events_before: Int64
    dma_row: Int64
    dma_tick: Int64
    dma_until: Int64
    ready_row: Int64
    ready_tick: Int64
    queue_row: Int64
    queue_tick: Int64
    head: Int64
    held: Int64
    memory_free_at: Int64
    counts: Int64


class Arrivals(NamedTuple):
    """Packets that reach cores before the end of a tick: slot s has ``ptr[s] .. ptr[s+1]-1``.

    Each has its ``cycle`` (ascending within a slot), its ``row``, the ``tick`` it was sent in.
    A ``row`` is a number of `Rows`, `EMPTY_ROW` if the core has no synapses for the packet,
    `REWARD` if it is a reward for the core's STDP, ``SIGNAL - k`` for value k of a learning signal,
    ``HELD - i`` for a spike of neuron i that a delay extension keeps, or ``WEIGHTS - p`` for packet
    p of the weights for this core.
    """

    ptr: Int64
    cycle: Int64
    row: Int64
    tick: Int64


ROW_BITS = 16
"""A row is block << ROW_BITS | i: the synapses of a sender's neuron i onto one core."""
MOST_ROWS = 1 << ROW_BITS


class Rows(NamedTuple):
    """Rows in blocks: the neurons of one sender, the synapses of one projection, one core.

    Row i of block b holds the synapses ``low[first[b] + i]`` and the ``events[first[b] + i] - 1``
    after it.  Where several projections join the two, their ``parts[b]`` blocks lie side by side,
    the first standing for all: its ``bytes`` are what a DMA fetches for all of them.  ``cycles`` is
    what one synapse takes to process, ``delay`` the block's D in ticks, ``column`` the plastic
    column of row 0, or -1, ``teacher`` the number of the STDP core that moves its weights, or -1.
    """

    first: Int64
    parts: Int32
    bytes: Int32
    cycles: Int32
    delay: Int32
    column: Int64
    teacher: Int32
    low: Int64
    events: Int32


class Slots(NamedTuple):
    """What each slot runs: neurons ``first .. first+neurons-1`` (global) of ``population``.

    ``offset`` is in which tick of a sample it computes step 0.  ``source`` says that it replays
    input.  ``learner`` is its number among the cores that learn by e-prop, or -1; those with STDP
    are ``teacher .. teacher+teachers-1``, one a rule.  ``extension`` is its number among the delay
    extensions, or -1.  ``readout`` is the place of its first neuron
    in the readout, or -1.  ``key`` and ``signal_key``
    are what it sends with, -1 if nobody listens.  Cycles: ``timer`` for a timer task as such,
    ``neuron`` for each neuron (source: each spike), ``send`` for each packet, ``update`` for the
    weights at the end of a batch.  Packets are held back for ``hold`` cycles before they leave.
    """

    population: Int64
    first: Int64
    neurons: Int64
    offset: Int64
    source: Int64
    learner: Int64
    teacher: Int64
    teachers: Int64
    extension: Int64
    readout: Int64
    key: Int64
    signal_key: Int64
    timer: Int64
    neuron: Int64
    send: Int64
    update: Int64
    hold: Int64


class Entries(NamedTuple):
    """Who is behind a node of `KeyRoutes`: cores in use ``ptr[n] .. ptr[n+1]-1``, and what it gets.

    ``row`` is the sender's row 0 on that slot, `EMPTY_ROW`, `REWARD` if its neuron 0 rewards that
    core, `SIGNAL` of a learning signal, `HELD` on a delay extension, or `WEIGHTS`.
    """

    ptr: Int64
    slot: Int32
    row: Int64


class Done(NamedTuple):
    """Rows processed in a tick, in the order of each slot.

    Each has its ``slot``, the ``row``, the sender's ``tick`` and the ``cycle`` in which processing
    began.  ``filled (1,)`` is how many there are.
    """

    slot: Int32
    row: Int64
    tick: Int64
    cycle: Int64
    filled: Int64


def idle_cores(slots: int, memories: int, places: int) -> Cores:
    """Return cores at rest before the first tick, with ``places`` in each spike queue."""
    (
        free_at, begun, timer_at, busy, events, dma_row, dma_tick, dma_until, ready_row,
        ready_tick, head, held,
    ) = (np.zeros(slots, np.int64) for _ in range(12))  # fmt: skip
    timer_at[:] = FAR
    dma_row[:] = NO_ROW
    ready_row[:] = NO_ROW
    queue = np.zeros((2, slots * places), np.int64)
    return Cores(
        free_at, begun, timer_at, busy, events, dma_row, dma_tick, dma_until, ready_row, ready_tick,
        queue[0], queue[1], head, held, np.zeros(memories, np.int64),
        np.zeros((slots, len(COUNTS)), np.int64),
    )  # fmt: skip


class Now(NamedTuple):
    """The sample that runs: its first tick ``tick0``, its ``steps``, whether weights follow it."""

    tick0: int
    steps: int
    updates: int


class Input(NamedTuple):
    """What a sample is given.

    Neurons ``neuron[first[t] : first[t+1]]`` fire in step t (global numbers, ascending); ``target
    (steps, outputs)`` in s16.15 counts where ``asked (steps,)``.
    """

    first: Int64
    neuron: NDArray[np.uint32]
    target: Int32
    asked: Bytes


class Written(NamedTuple):
    """What a sample gives.

    Spikes are ``raster (steps, neurons)``.  In s16.15, ``membrane (steps, outputs)`` is the
    readout's (no outputs if nobody asks), ``signal (ticks, outputs)`` the learning signals sent in
    each tick.  In the pause after an update, ``weights (layer * outputs,)`` is what the readout's
    core tells of its weights.
    """

    raster: Bytes
    membrane: Int32
    signal: Int32
    weights: Int32


class Sent(NamedTuple):
    """Packets sent in a tick: router ``cycle``, ``key`` number, ``tag``; ``filled (1,)`` in all."""

    cycle: Int64
    key: Int32
    tag: Int64
    filled: Int64


class Waiting(NamedTuple):
    """Packets that cores are handed after the tick in which their router took them."""

    slot: Int64
    cycle: Int64
    row: Int64
    tick: Int64
