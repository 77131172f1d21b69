"""The event-driven half of a tick, compiled: packets, look-ups, DMA, rows; told in `reference`."""

from __future__ import annotations

import numpy as np

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.prefetch import prefetch
from chipsim.simulate.tick.records import (
    DMA_BYTES,
    DMA_WAIT,
    EARLY,
    EVENTS,
    FAR,
    HELD,
    LATE,
    LATE_TICKS,
    MOST_ROWS,
    NO_ROW,
    OVERFLOWS,
    PACKETS_IN,
    QUEUE_MAX,
    ROW_BITS,
    ROW_CYCLES,
    SIGNAL,
    SIGNAL_CYCLES,
    SIGNALS_IN,
    SPIKE_CYCLES,
    WEIGHT_CYCLES,
    WEIGHTS,
    WEIGHTS_IN,
    Arrivals,
    Cores,
    Costs,
    Done,
    Int64,
    Rows,
)

SLOT_BITS = 20
"""Bits of a heap word below the cycle: slots of one shared memory."""


@inlined
def absorb(
    costs: Costs, cores: Cores, rows: Rows, arrivals: Arrivals, cursor: Int64, slot: int,
    until: int,
) -> None:  # fmt: skip
    """Put what has arrived up to cycle ``until`` into the spike queue, while it has room."""
    at = cursor[slot]
    end = arrivals.ptr[slot + 1]
    while at < end and arrivals.cycle[at] <= until:
        cores.counts[slot, PACKETS_IN] += 1
        if cores.held[slot] == costs.queue:
            cores.counts[slot, OVERFLOWS] += 1
        else:
            place = cores.head[slot] + cores.held[slot]
            place -= costs.queue if place >= costs.queue else 0
            cores.queue_row[slot * costs.queue + place] = arrivals.row[at]
            cores.queue_tick[slot * costs.queue + place] = arrivals.tick[at]
            row = arrivals.row[at]
            if row >= 0:
                # Its length is asked for while the packet waits: the table is a large one.
                of = rows.first[row >> ROW_BITS] + (row & (MOST_ROWS - 1))
                prefetch(rows.events, np.uint64(of))
            cores.held[slot] += 1
            cores.counts[slot, QUEUE_MAX] = max(cores.counts[slot, QUEUE_MAX], cores.held[slot])
        at += 1
    cursor[slot] = at


@inlined
def process(cores: Cores, done: Done, slot: int, row: int, tick: int, cycle: int) -> None:
    """Write down that ``slot`` processes what a packet of ``tick`` brought."""
    place = done.filled[0]
    done.slot[place] = slot
    done.row[place] = row
    done.tick[place] = tick
    done.cycle[place] = cycle
    done.filled[0] = place + 1
    behind = cores.begun[slot] - 1 - tick
    if behind > 0:
        cores.counts[slot, LATE] += 1
        cores.counts[slot, LATE_TICKS] += behind
    elif behind < 0:
        cores.counts[slot, EARLY] += 1


@inlined
def spend(cores: Cores, slot: int, action: int, cycles: int, cycle: int) -> int:
    """Let the processor work from ``cycle`` on; return when it is done."""
    cores.counts[slot, action] += cycles
    cores.busy[slot] += cycles
    cores.free_at[slot] = cycle + cycles
    return cycle + cycles


@inlined
def row_cycles(cores: Cores, rows: Rows, slot: int, row: int) -> int:
    """Return the cycles that a row's synapses take, counting them as events."""
    first, i = row >> ROW_BITS, row & (MOST_ROWS - 1)
    cycles = 0
    for block in range(first, first + rows.parts[first]):
        events = int(rows.events[rows.first[block] + i])
        cores.counts[slot, EVENTS] += events
        cycles += events * rows.cycles[block]
    return cycles


@inlined
def look_up(
    costs: Costs, cores: Cores, rows: Rows, done: Done, slot: int, memory: int, cycle: int
) -> int:
    """Take the first packet of the queue and have its row fetched; return when that is set up."""
    place = slot * costs.queue + cores.head[slot]
    row, tick = cores.queue_row[place], cores.queue_tick[place]
    cores.head[slot] = cores.head[slot] + 1 if cores.head[slot] + 1 < costs.queue else 0
    cores.held[slot] -= 1
    if row <= WEIGHTS:
        cores.counts[slot, WEIGHTS_IN] += 1
        process(cores, done, slot, row, tick, cycle)
        return spend(cores, slot, WEIGHT_CYCLES, costs.weight, cycle)
    if row <= HELD:
        process(cores, done, slot, row, tick, cycle)
        return spend(cores, slot, SPIKE_CYCLES, costs.hold, cycle)
    if row <= SIGNAL:
        cores.counts[slot, SIGNALS_IN] += 1
        process(cores, done, slot, row, tick, cycle)
        return spend(cores, slot, SIGNAL_CYCLES, costs.signal, cycle)
    ready = spend(cores, slot, SPIKE_CYCLES, costs.spike, cycle)
    if row < 0:
        process(cores, done, slot, row, tick, cycle)
        return ready
    begin = max(ready, int(cores.memory_free_at[memory]))
    size = rows.bytes[row >> ROW_BITS]
    end = begin + (size * costs.dma_scale + costs.dma_unit - 1) // costs.dma_unit
    cores.memory_free_at[memory] = end
    cores.dma_row[slot], cores.dma_tick[slot] = row, tick
    cores.dma_until[slot] = end + costs.latency
    cores.counts[slot, DMA_BYTES] += size
    return ready


@inlined
def decide(
    costs: Costs, cores: Cores, rows: Rows, arrivals: Arrivals, done: Done, cursor: Int64,
    slot: int, memory: int, cycle: int, until: int,
) -> int:  # fmt: skip
    """Let a free processor do the next thing in ``cycle``; return when to ask again."""
    absorb(costs, cores, rows, arrivals, cursor, slot, cycle)
    cores.timer_at[slot] = FAR
    there = cores.dma_row[slot] != NO_ROW and cores.dma_until[slot] <= cycle
    if there and cores.ready_row[slot] == NO_ROW:
        cores.ready_row[slot], cores.ready_tick[slot] = cores.dma_row[slot], cores.dma_tick[slot]
        cores.dma_row[slot] = NO_ROW
    if cores.dma_row[slot] == NO_ROW and cores.held[slot] > 0:
        return look_up(costs, cores, rows, done, slot, memory, cycle)
    row = cores.ready_row[slot]
    if row != NO_ROW:
        process(cores, done, slot, row, cores.ready_tick[slot], cycle)
        cores.ready_row[slot] = NO_ROW
        return spend(cores, slot, ROW_CYCLES, row_cycles(cores, rows, slot, row), cycle)
    if cores.dma_row[slot] != NO_ROW:
        cores.counts[slot, DMA_WAIT] += min(cores.dma_until[slot], until) - cycle
        return int(cores.dma_until[slot])
    if costs.rows_first and cores.begun[slot] * costs.tick <= cycle:
        # The caller does the timer task; the core does nothing else until then.
        cores.timer_at[slot] = cycle
        return FAR
    return int(arrivals.cycle[cursor[slot]]) if cursor[slot] < arrivals.ptr[slot + 1] else FAR


@inlined
def sift_down(heap: Int64, size: int, place: int, word: int) -> None:
    """Put ``word`` into the heap at ``place``, moving smaller ones up."""
    child = 2 * place + 1
    while child < size:
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if word <= heap[child]:
            break
        heap[place] = heap[child]
        place = child
        child = 2 * place + 1
    heap[place] = word


@compiled
def run_rows(
    costs: Costs, cores: Cores, rows: Rows, arrivals: Arrivals, memories: Int64, done: Done,
    first: int, last: int, since: int, until: int,
) -> None:  # fmt: skip
    """Do what the cores of memories ``first .. last-1`` begin in cycles ``since .. until-1``.

    Shared memory m serves slots ``memories[m] .. memories[m+1]-1``.  All ``arrivals`` are of these
    cycles; what is not processed by then stays in the queues.
    """
    low, high = memories[first], memories[last]
    cursor = arrivals.ptr[: high + 1].copy()
    widest = 0
    for memory in range(first, last):
        widest = max(widest, memories[memory + 1] - memories[memory])
    heap = cores.free_at[:0].copy() if widest == 0 else cores.free_at[:widest].copy()
    for memory in range(first, last):
        begin = memories[memory]
        size = memories[memory + 1] - begin
        for index in range(size):
            heap[index] = (max(cores.free_at[begin + index], since) << SLOT_BITS) | index
        for place in range(size // 2 - 1, -1, -1):
            sift_down(heap, size, place, heap[place])
        while size and heap[0] >> SLOT_BITS < until:
            cycle = heap[0] >> SLOT_BITS
            index = heap[0] & ((1 << SLOT_BITS) - 1)
            slot = begin + index
            again = decide(costs, cores, rows, arrivals, done, cursor, slot, memory, cycle, until)
            sift_down(heap, size, 0, (again << SLOT_BITS) | index)
    for slot in range(low, high):
        absorb(costs, cores, rows, arrivals, cursor, slot, until)
