"""The compiled cores do, tick by tick, what the simpy ones do, cycle for cycle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.simulate.tick.records import (
    COUNTS,
    EMPTY_ROW,
    EVENTS,
    MISSES,
    OVERFLOWS,
    PACKETS_IN,
    ROW_BITS,
    ROW_CYCLES,
    SIGNAL,
    SPIKE_CYCLES,
    WEIGHTS,
    WEIGHTS_IN,
    Arrivals,
    Cores,
    Costs,
    Done,
    Rows,
    idle_cores,
)
from chipsim.simulate.tick.reference import Chip, Packet
from chipsim.simulate.tick.rows import run_rows
from chipsim.simulate.tick.timers import begin_timer, next_start


@dataclass(frozen=True)
class Scenario:
    costs: Costs
    rows: Rows
    packets: list[list[Packet]]
    timers: list[list[int]]

    @property
    def ticks(self) -> int:
        return len(self.timers[0])


def rows_of(size: list[int], cycles: int, events: list[int]) -> Rows:
    """Blocks of one row each; row i is i << ROW_BITS."""
    number = len(size)
    ones = np.ones(number, np.int32)
    return Rows(
        np.arange(number), ones, np.array(size, np.int32), ones * cycles, ones,
        -np.ones(number, int), -ones,
        np.zeros(number, np.int64), np.array(events, np.int32),
    )  # fmt: skip


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    costs = Costs(
        tick=draw(st.sampled_from([60, 200])),
        ticks=5,
        spike=draw(st.integers(1, 20)),
        signal=draw(st.integers(1, 6)),
        hold=draw(st.integers(1, 9)),
        latency=draw(st.integers(0, 12)),
        dma_scale=draw(st.sampled_from([1, 3])),
        dma_unit=draw(st.sampled_from([1, 2, 4])),
        queue=draw(st.integers(1, 6)),
        router_scale=1,
        router_unit=1,
        pair=1,
        rows_first=draw(st.integers(0, 1)),
        weight=draw(st.integers(1, 9)),
        weight_send=1,
        weights_a_packet=2,
        weights_a_tick=1,
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ticks, cores = 5, draw(st.integers(1, 4))
    number = 6
    events = rng.integers(0, 20, number).tolist()
    rows = rows_of(rng.integers(1, 40, number).tolist(), draw(st.integers(0, 3)), events)
    packets = []
    for _ in range(cores):
        count = draw(st.sampled_from([0, 5, 40]))
        cycles = np.sort(rng.integers(0, ticks * costs.tick, count))
        kinds = rng.integers(-5, number, count)
        kinds[kinds == -5] = WEIGHTS - 3
        kinds[kinds == -4] = SIGNAL - 1
        kinds[kinds == -3] = SIGNAL
        kinds[kinds == -2] = EMPTY_ROW
        packets.append(
            [
                Packet(int(at), int(row), int(at) // costs.tick)
                for at, row in zip(cycles, kinds, strict=True)
            ]
        )
    longest = draw(st.sampled_from([5, costs.tick // 2, 2 * costs.tick]))
    timers = rng.integers(1, longest + 1, (cores, ticks)).tolist()
    return Scenario(costs, rows, packets, timers)


def arrivals_between(scenario: Scenario, begin: int, end: int) -> Arrivals:
    chosen = [[p for p in one if begin <= p.cycle < end] for one in scenario.packets]
    flat = [p for one in chosen for p in one]
    return Arrivals(
        np.cumsum([0, *(len(one) for one in chosen)]),
        np.array([p.cycle for p in flat], np.int64),
        np.array([p.row << ROW_BITS if p.row >= 0 else p.row for p in flat], np.int64),
        np.array([p.tick for p in flat], np.int64),
    )


def stretches(scenario: Scenario, state: Cores) -> Iterator[tuple[int, int, int, bool]]:
    """Cut ticks as `Runner` does: tick, begin, end, whether timer tasks come before the rows."""
    costs = scenario.costs
    shortest = min(min(one) for one in scenario.timers)
    for tick in range(scenario.ticks):
        at, end = tick * costs.tick, (tick + 1) * costs.tick
        while at < end:
            some_wait = costs.rows_first and (state.begun <= tick).any()
            until = min(at + shortest, end) if some_wait else end
            yield tick, at, until, not costs.rows_first
            at = until


def run_compiled(scenario: Scenario) -> tuple[list[tuple[int, ...]], Cores, list[list[int]]]:
    costs, cores = scenario.costs, len(scenario.packets)
    state = idle_cores(cores, 1, costs.queue)
    memories = np.array([0, cores])
    found: list[tuple[int, ...]] = []
    late: list[list[int]] = [[] for _ in range(cores)]

    def begin_timers(tick: int, end: int) -> None:
        for slot in range(cores):
            while state.begun[slot] <= tick and next_start(costs, state, slot) < end:
                start = begin_timer(costs, state, slot)
                late[slot].append(start - (int(state.begun[slot]) - 1) * costs.tick)
                state.free_at[slot] += scenario.timers[slot][state.begun[slot] - 1]

    for tick, begin, end, timers_first in stretches(scenario, state):
        if timers_first:
            begin_timers(tick, end)
        arrivals = arrivals_between(scenario, begin, end)
        room = arrivals.cycle.size + int(state.held.sum()) + 2 * cores
        done = Done(
            np.zeros(room, np.int32), np.zeros(room, np.int64), np.zeros(room, np.int64),
            np.zeros(room, np.int64), np.zeros(1, np.int64),
        )  # fmt: skip
        run_rows(costs, state, scenario.rows, arrivals, memories, done, 0, 1, begin, end)
        count = int(done.filled[0])
        now = state.begun[done.slot[:count]] - 1
        row = np.where(done.row >= 0, done.row >> ROW_BITS, done.row)
        columns = (done.slot[:count], row[:count], done.tick[:count], now, done.cycle[:count])
        found += list(zip(*(c.tolist() for c in columns), strict=True))
        if not timers_first:
            begin_timers(tick, end)
    return found, state, late


@settings(derandomize=True, deadline=None, max_examples=150)
@given(scenarios())
def test_equals_the_reference(scenario: Scenario) -> None:
    found, state, late = run_compiled(scenario)
    chip = Chip(
        scenario.costs,
        scenario.rows.bytes.tolist(),
        (scenario.rows.cycles * scenario.rows.events).tolist(),
        scenario.packets,
        scenario.timers,
    )
    chip.run()
    assert sorted(found) == sorted((p.core, p.row, p.sent, p.tick, p.cycle) for p in chip.processed)
    assert late == [core.late_by for core in chip.cores]
    for slot, core in enumerate(chip.cores):
        counts = state.counts[slot]
        assert counts[OVERFLOWS] == core.overflows
        assert counts[MISSES] == sum(1 for late_by in core.late_by if late_by)
        assert state.held[slot] == len(core.queue)
        mine = [p for p in chip.processed if p.core == slot]
        events = [int(scenario.rows.events[p.row]) for p in mine if p.row >= 0]
        cycles = sum(events) * int(scenario.rows.cycles[0])
        assert counts[ROW_CYCLES] == cycles
        assert counts[EVENTS] == sum(events)
        waiting = len(core.queue) + (core.coming is not None) + len(core.there)
        assert counts[PACKETS_IN] == len(mine) + core.overflows + waiting
        spikes = sum(1 for p in mine if p.row > SIGNAL) + waiting - len(core.queue)
        assert counts[WEIGHTS_IN] == sum(1 for p in mine if p.row <= WEIGHTS)
        assert counts[SPIKE_CYCLES] == spikes * scenario.costs.spike


def test_the_next_row_comes_while_one_is_processed() -> None:
    costs = Costs(
        tick=10_000,
        ticks=1,
        spike=10,
        signal=5,
        hold=3,
        latency=0,
        dma_scale=1,
        dma_unit=1,
        queue=8,
        router_scale=1,
        router_unit=1,
        pair=1,
        rows_first=0,
        weight=9,
        weight_send=1,
        weights_a_packet=2,
        weights_a_tick=1,
    )
    rows = rows_of([100], 20, [5])
    packets = [Packet(100, 0, 0)] * 4
    found, state, _ = run_compiled(Scenario(costs, rows, [packets], [[1]]))
    # Only the first transfer of 100 cycles is waited for; the last row has no look-up before it.
    assert [row[4] for row in found] == [220, 330, 440, 540]
    assert state.counts[0, COUNTS.index("dma_wait_cycles")] == 100


def test_cores_share_the_memory() -> None:
    costs = Costs(
        tick=10_000,
        ticks=1,
        spike=10,
        signal=5,
        hold=3,
        latency=7,
        dma_scale=1,
        dma_unit=1,
        queue=8,
        router_scale=1,
        router_unit=1,
        pair=1,
        rows_first=0,
        weight=9,
        weight_send=1,
        weights_a_packet=2,
        weights_a_tick=1,
    )
    rows = rows_of([100], 2, [5])
    found, _, _ = run_compiled(Scenario(costs, rows, [[Packet(100, 0, 0)]] * 3, [[1]] * 3))
    assert sorted(row[4] for row in found) == [217, 317, 417]
