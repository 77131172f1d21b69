"""What the first sample looked like, tick by tick: series for figures, tasks for a timeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chipsim.simulate.tick.records import (
    LATE,
    MOST_ROWS,
    ROW_BITS,
    TIMER_CYCLES,
    Done,
    Int64,
)
from chipsim.simulate.tick.runner import Runner

TIMER, ROW = 3, 4
"""Task codes of a timeline (`chipsim.report.schema.TASKS`)."""
TICKS_DRAWN = 20
MOST_TASKS = 20_000


@dataclass(frozen=True, eq=False)
class Course:
    """Ticks of one sample: the work of the busiest core in cycles, packets sent, late packets.

    ``timeline`` rows are (core, task code, tick, start cycle, cycles), of the first ticks.
    """

    busiest: Int64
    packets: Int64
    late: Int64
    timeline: Int64


class FirstSample:
    """Watches a sample and writes down its `Course`."""

    def __init__(self, ticks: int) -> None:
        self._series = np.zeros((3, ticks), np.int64)
        self._tasks: list[tuple[int, int, int, int, int]] = []
        self._timer_cycles = np.zeros(0, np.int64)
        self._late = 0

    def after_timers(self, runner: Runner, tick: int) -> None:
        """Note the timer tasks of a tick."""
        now = runner.counts[:, TIMER_CYCLES].copy()
        spent = now - self._timer_cycles if self._timer_cycles.size else now
        self._timer_cycles = now
        if tick < TICKS_DRAWN and len(self._tasks) < MOST_TASKS:
            end = runner.cores.free_at
            for slot in np.flatnonzero(spent).tolist():
                start, cycles = int(end[slot] - spent[slot]), int(spent[slot])
                core = int(runner.layout.core_of[slot])
                self._tasks.append((core, TIMER, tick, start, cycles))

    def after_tick(self, runner: Runner, tick: int, sent: int, found: Sequence[Done]) -> None:
        """Note what the tick amounted to."""
        if tick >= self._series.shape[1]:
            return
        late = int(runner.counts[:, LATE].sum())
        self._series[:, tick] = (
            runner.cores.busy.max(initial=0),
            sent,
            late - self._late,
        )
        self._late = late
        if tick < TICKS_DRAWN and len(self._tasks) < MOST_TASKS and runner.mesh == "real":
            for done in found:
                self._rows(runner, tick, done)

    def _rows(self, runner: Runner, tick: int, done: Done) -> None:
        rows = runner.layout.rows
        for at in range(int(done.filled[0])):
            row = int(done.row[at])
            if row >= 0:
                block, i = row >> ROW_BITS, row & (MOST_ROWS - 1)
                events = int(rows.events[rows.first[block] + i])
                core = int(runner.layout.core_of[done.slot[at]])
                cycles = events * int(rows.cycles[block])
                self._tasks.append((core, ROW, tick, int(done.cycle[at]), cycles))

    def course(self) -> Course:
        """Return what was written down."""
        busiest, packets, late = self._series
        timeline = np.array(sorted(self._tasks), np.int64).reshape(-1, 5)
        return Course(busiest, packets, late, timeline)
