"""From the mesh to the cores and into the ring buffers, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.prefetch import prefetch
from chipsim.kernels.processor.eprop import arrive, receive
from chipsim.kernels.processor.neurons import add_row
from chipsim.kernels.processor.stdp import stdp_row
from chipsim.kernels.processor.update import fetch
from chipsim.simulate.tick.delays import Held, hold
from chipsim.simulate.tick.records import (
    DMA_BYTES,
    EMPTY_ROW,
    HELD,
    MOST_ROWS,
    PACKETS_IN,
    REWARD,
    ROW_BITS,
    ROW_CYCLES,
    SIGNAL,
    SIGNAL_CYCLES,
    SIGNALS_IN,
    SPIKE_CYCLES,
    SPIKE_PAIRS,
    WEIGHT_CYCLES,
    WEIGHTS,
    WEIGHTS_IN,
    Arrivals,
    Cores,
    Costs,
    Done,
    Entries,
    Int64,
    Now,
    Rows,
    Sent,
    Slots,
    Waiting,
    Written,
)
from chipsim.simulate.tick.rows import process, row_cycles, spend
from chipsim.simulate.tick.timers import TAG_BITS
from chipsim.simulate.tick.transport import take_weights

U = np.uint64
ROWS_AHEAD, SYNAPSES_AHEAD = 24, 12
"""How many rows before they are processed their numbers, and their synapses, are asked for."""
PLACES_A_LINE = 16


@inlined
def _row_of(base: int, tag: int) -> int:
    """Return the row that neuron or output ``tag`` of a sender is to a core of `Entries`."""
    i = tag & ((1 << TAG_BITS) - 1)
    if base >= 0:
        return base + i
    if base in (SIGNAL, HELD, WEIGHTS):
        return base - i
    return EMPTY_ROW if base == REWARD and i > 0 else base


@compiled
def count_copies(entries: Entries, node: Any) -> int:
    """Return how many cores the visits to ``node`` reach."""
    copies = 0
    for visit in range(node.size):
        copies += entries.ptr[node[visit] + 1] - entries.ptr[node[visit]]
    return copies


@compiled
def gather(
    costs: Costs, entries: Entries, tag: Int64, node: Any, cycle: Int64, until: int,
    waiting: Waiting, waits: int, later: Waiting, arrivals: Arrivals,
) -> int:  # fmt: skip
    """Sort what reaches cores before core cycle ``until`` by core, in order of time.

    That is the first ``waits`` packets of ``waiting`` and the visits (``cycle`` is the router's)
    after them.  The others are written to ``later``; return how many.
    """
    left = 0
    for k in range(waits):
        if waiting.cycle[k] < until:
            arrivals.ptr[waiting.slot[k] + 1] += 1
    for visit in range(node.size):
        at = (cycle[visit] * costs.router_unit + costs.router_scale - 1) // costs.router_scale
        cycle[visit] = at
        if at < until:
            for entry in range(entries.ptr[node[visit]], entries.ptr[node[visit] + 1]):
                arrivals.ptr[entries.slot[entry] + 1] += 1
    for slot in range(arrivals.ptr.size - 1):
        arrivals.ptr[slot + 1] += arrivals.ptr[slot]
    place = arrivals.ptr.copy()
    for k in range(waits):
        slot = waiting.slot[k]
        if waiting.cycle[k] < until:
            put(arrivals, place, slot, waiting.cycle[k], waiting.row[k], waiting.tick[k])
        else:
            put_off(later, left, slot, waiting.cycle[k], waiting.row[k], waiting.tick[k])
            left += 1
    for visit in range(node.size):
        for entry in range(entries.ptr[node[visit]], entries.ptr[node[visit] + 1]):
            slot, row = entries.slot[entry], _row_of(entries.row[entry], tag[visit])
            if cycle[visit] < until:
                put(arrivals, place, slot, cycle[visit], row, tag[visit] >> TAG_BITS)
            else:
                put_off(later, left, slot, cycle[visit], row, tag[visit] >> TAG_BITS)
                left += 1
    return left


@inlined
def put(arrivals: Arrivals, place: Int64, slot: int, cycle: int, row: int, tick: int) -> None:
    """Append an arrival to those of its slot."""
    arrivals.cycle[place[slot]] = cycle
    arrivals.row[place[slot]] = row
    arrivals.tick[place[slot]] = tick
    place[slot] += 1


@inlined
def put_off(later: Waiting, at: int, slot: int, cycle: int, row: int, tick: int) -> None:
    """Keep a packet that is handed over after the end of the tick."""
    later.slot[at] = slot
    later.cycle[at] = cycle
    later.row[at] = row
    later.tick[at] = tick


@compiled
def take_at_once(
    costs: Costs, cores: Cores, rows: Rows, entries: Entries, ptr: Int64, sent: Sent, done: Done
) -> None:
    """Let every packet reach every core at once, and be processed there in no time.

    The work is counted all the same.  Key k comes to nodes ``ptr[k] .. ptr[k+1]-1``.
    """
    for packet in range(sent.filled[0]):
        key, tag = sent.key[packet], sent.tag[packet]
        for entry in range(entries.ptr[ptr[key]], entries.ptr[ptr[key + 1]]):
            slot, row = entries.slot[entry], _row_of(entries.row[entry], tag)
            counts = cores.counts[slot]
            counts[PACKETS_IN] += 1
            if row <= WEIGHTS:
                counts[WEIGHTS_IN] += 1
                counts[WEIGHT_CYCLES] += costs.weight
                cores.busy[slot] += costs.weight
            elif row <= HELD:
                counts[SPIKE_CYCLES] += costs.hold
                cores.busy[slot] += costs.hold
            elif row <= SIGNAL:
                counts[SIGNALS_IN] += 1
                counts[SIGNAL_CYCLES] += costs.signal
                cores.busy[slot] += costs.signal
            else:
                cycles = 0
                if row >= 0:
                    cycles = row_cycles(cores, rows, slot, row)
                    counts[DMA_BYTES] += rows.bytes[row >> ROW_BITS]
                counts[SPIKE_CYCLES] += costs.spike
                counts[ROW_CYCLES] += cycles
                cores.busy[slot] += costs.spike + cycles
            process(cores, done, slot, row, tag >> TAG_BITS, 0)


@compiled
def by_slot(done: Done, slots: int) -> Int64:
    """Return the places of what was processed, slot by slot, each in its own order."""
    start = np.zeros(slots + 1, np.int64)
    for k in range(done.filled[0]):
        start[done.slot[k] + 1] += 1
    for slot in range(slots):
        start[slot + 1] += start[slot]
    order = np.empty(done.filled[0], np.int64)
    for k in range(done.filled[0]):
        order[start[done.slot[k]]] = k
        start[done.slot[k]] += 1
    return order


@inlined
def _learn_row(
    rows: Rows, program: Any, state: Any, tutors: Any, learner: int, block: int, i: int, tick: int
) -> int:
    """Let a row's weights learn before they act; return the pairs of spikes STDP found."""
    at = rows.first[block] + i
    if learner >= 0 and rows.column[block] >= 0:
        core, column = tutors.cores[learner], rows.column[block] + i
        if tutors.learning.constants[0].continuous != 0:
            fetch(program, state, tutors.learning, tutors.plastic, core, column)
        arrive(program, tutors.learning, tutors.traces, core, tick, rows.delay[block], column)
    if rows.teacher[block] < 0:
        return 0
    core = tutors.stdp_cores[rows.teacher[block]]
    low, high = rows.low[at], rows.low[at] + rows.events[at]
    return int(stdp_row(program, state, tutors.stdp, tutors.pairs, core, at, low, high, tick))


@inlined
def _act(
    plan: Slots, rows: Rows, program: Any, state: Any, tutors: Any, slot: int, row: int, tick: int
) -> int:
    """Let the synapses of ``row`` act, as processed in ``tick``; return the pairs of spikes."""
    first, i = row >> ROW_BITS, row & (MOST_ROWS - 1)
    signed = program.populations[plan.population[slot]].types == 1
    pairs = 0
    for block in range(first, first + rows.parts[first]):
        at = rows.first[block] + i
        pairs += _learn_row(rows, program, state, tutors, plan.learner[slot], block, i, tick)
        add_row(program, state, tick, rows.low[at], rows.low[at] + rows.events[at], signed)
    return pairs


@inlined
def _fetch_ahead(rows: Rows, program: Any, done: Done, order: Int64, index: int) -> None:
    """Ask for what the rows to come need: most of them lie anywhere in memory."""
    if index + ROWS_AHEAD < order.size:
        row = done.row[order[index + ROWS_AHEAD]]
        if row >= 0:
            at = rows.first[row >> ROW_BITS] + (row & (MOST_ROWS - 1))
            prefetch(rows.low, U(at))
            prefetch(rows.events, U(at))
    if index + SYNAPSES_AHEAD < order.size:
        row = done.row[order[index + SYNAPSES_AHEAD]]
        if row >= 0:
            at = rows.first[row >> ROW_BITS] + (row & (MOST_ROWS - 1))
            low, events = rows.low[at], rows.events[at]
            for k in range(0, events, PLACES_A_LINE):
                prefetch(program.place, U(low + k))
            for k in range(0, events, 2 * PLACES_A_LINE):
                prefetch(program.weight, U(low + k))


@compiled
def deliver(
    costs: Costs, plan: Slots, cores: Cores, rows: Rows, now: Now, program: Any, state: Any,
    tutors: Any, held: Held, written: Written, done: Done, order: Int64,
) -> None:  # fmt: skip
    """Let what was processed act on the ring buffers, in ``order``.

    What pairs of spikes take is known only now: it is put on at the end of the core's work.
    """
    for index in range(order.size):
        _fetch_ahead(rows, program, done, order, index)
        place = order[index]
        slot, row = done.slot[place], done.row[place]
        if row <= WEIGHTS:
            core = tutors.cores[plan.learner[slot]]
            take_weights(costs, program, tutors, core, written.weights, WEIGHTS - row)
        elif row <= HELD:
            tick = cores.begun[slot] - 1
            hold(held, plan.extension[slot], HELD - row, tick, cores.counts[slot])
        elif row <= SIGNAL:
            k = SIGNAL - row
            if plan.learner[slot] >= 0:
                core = tutors.cores[plan.learner[slot]]
                receive(tutors.traces, core, k, written.signal[done.tick[place], k])
        elif row == REWARD:
            for number in range(plan.teacher[slot], plan.teacher[slot] + plan.teachers[slot]):
                tutors.rewards[number] += 1
        elif row >= 0:
            tick = now.tick0 + cores.begun[slot] - 1
            pairs = _act(plan, rows, program, state, tutors, slot, row, tick)
            if pairs > 0:
                cores.counts[slot, SPIKE_PAIRS] += pairs
                spend(cores, slot, ROW_CYCLES, pairs * costs.pair, cores.free_at[slot])
