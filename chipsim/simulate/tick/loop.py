"""Cores and mesh of a machine in one loop, tick after tick, whatever the cores' programs compute.

Within a stretch of cycles nothing a core does with a packet can change what is sent, so timer
tasks, mesh and rows follow each other, each a compiled call, and still agree to the cycle with all
of them going on at once.  Where timer tasks come first, that stretch is a tick.  Where rows come
first, a timer task begins when the rows before it are done: until all of a tick have begun, a
stretch goes from the first cycle in which one could begin to ``cycles.timer`` later, up to when it
sends nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from chipsim.kernels.processor.layout import State
from chipsim.simulate.tick.carrier import NOTHING, Carrier
from chipsim.simulate.tick.lanes import Lane, make_lanes
from chipsim.simulate.tick.packets import take_at_once
from chipsim.simulate.tick.program import Layout
from chipsim.simulate.tick.records import (
    EVENTS,
    NO_ROW,
    Cores,
    Done,
    Int64,
    Sent,
    idle_cores,
)
from chipsim.simulate.tick.rows import run_rows

T = TypeVar("T")

MeshKind = Literal["real", "ideal"]
"""``ideal``: packets arrive at once, and cores have all the time they need."""

Timers = Callable[[int, int], Sent]
"""Does the timer tasks that begin in a tick before a cycle; returns what they send."""

Deliver = Callable[[Lane, Done], None]
"""Lets what was processed act."""


class Ticked(NamedTuple):
    """What a tick came to: packets sent, and what was processed."""

    sent: int
    found: list[Done]


class TickLoop:
    """Cores that run ticks and the mesh between them; ``counts`` of `Cores` add up.

    ``sent_by_key (keys,)`` counts packets, ``drain_ticks`` the ticks after the ends of runs until
    all was accounted for.
    """

    def __init__(
        self, layout: Layout, mesh: MeshKind, state: State, outputs: int, threads: int
    ) -> None:
        self.layout, self.mesh = layout, mesh
        # Where work takes no time there is nothing for a timer task to wait for.
        self.costs = layout.costs if mesh == "real" else layout.costs._replace(rows_first=0)
        slots = layout.core_of.size
        self.cores = idle_cores(slots, layout.memories.size - 1, layout.costs.queue)
        self.carrier = Carrier(layout)
        self.lanes = make_lanes(layout, state, outputs, threads)
        self._pool = ThreadPoolExecutor(len(self.lanes)) if len(self.lanes) > 1 else None
        self._silent = max(1, int(layout.slots.timer.min()))
        costs = self.costs
        self._least = min(costs.spike, costs.signal, costs.weight, costs.hold)
        self.drain_ticks = 0
        self.sent_by_key: Int64 = np.zeros(layout.payload.size, np.int64)

    @property
    def sent_copies(self) -> int:
        """Deliveries due of all packets sent so far."""
        return int((self.sent_by_key * self.layout.routes.deliveries).sum())

    def each(self, work: Callable[[Lane], T]) -> list[T]:
        """Let all lanes do ``work``, side by side."""
        if self._pool is None:
            return [work(lane) for lane in self.lanes]
        return list(self._pool.map(work, self.lanes))

    def begin(self) -> None:
        """Go back to cycle 0 with cores and mesh at rest; what was counted stays."""
        counts, layout = self.cores.counts, self.layout
        self.cores = idle_cores(
            layout.core_of.size, layout.memories.size - 1, layout.costs.queue
        )._replace(counts=counts, events_before=counts[:, EVENTS].copy())
        self.carrier.flight.restart()

    def tick(self, tick: int, timers: Timers, deliver: Deliver) -> Ticked:
        """Run the next tick."""
        begin, end = tick * self.costs.tick, (tick + 1) * self.costs.tick
        if self.costs.rows_first:
            return self._rows_first(tick, timers, deliver)
        if self.mesh == "ideal":
            np.minimum(self.cores.free_at, begin, out=self.cores.free_at)
        sent = self._send(timers, tick, end)
        if self.mesh == "ideal":
            return Ticked(sent.key.size, [self._at_once(sent, deliver)])
        return Ticked(sent.key.size, self._through_the_mesh(sent, begin, end, deliver))

    def pending(self, ticks: int) -> bool:
        """Whether after ``ticks`` a timer task of them, a packet or a row is left."""
        if self.mesh == "ideal":
            return False
        behind = bool((self.cores.begun < ticks).any())
        return behind or not self.carrier.empty or _busy(self.cores)

    def finish(self, tick: int, ticks: int, timers: Timers) -> None:
        """End a run of ``ticks`` before ``tick``, when nothing is pending.

        The timer task after the last tick tells whether that tick was long enough.
        ConservationError if a packet is not accounted for.
        """
        self._all_can_begin()
        self._send(timers, tick, (tick + 1) * self.costs.tick)
        self.drain_ticks += tick - ticks
        self.carrier.flight.check()

    def _send(self, timers: Timers, tick: int, until: int) -> Sent:
        sent = timers(tick, until)
        self.sent_by_key += np.bincount(sent.key, minlength=self.sent_by_key.size)
        return sent

    def _rows_first(self, tick: int, timers: Timers, deliver: Deliver) -> Ticked:
        """Run a tick whose timer tasks wait for rows.

        Where nothing is under way they all begin when they are due.
        """
        at, end = tick * self.costs.tick, (tick + 1) * self.costs.tick
        found: list[Done] = []
        sent, packets = NOTHING, 0
        if self.carrier.empty and not _busy(self.cores) and int(self.cores.free_at.max()) <= at:
            self._all_can_begin()
            sent = self._send(timers, tick, end)
            packets = sent.key.size
        while at < end:
            some_wait = bool((self.cores.begun <= tick).any())
            until = min(self._silent_until(tick, at), end) if some_wait else end
            found += self._through_the_mesh(sent, at, until, deliver)
            sent = self._send(timers, tick, until) if some_wait else NOTHING
            packets += sent.key.size
            at = until
        self.carrier.take(sent, end)
        return Ticked(packets, found)

    def _silent_until(self, tick: int, at: int) -> int:
        """Return up to when no timer task of ``tick`` sends that has not begun before ``at``.

        A core has to take all packets that are in its queue first, and the row that is coming.
        """
        cores, waits = self.cores, self.cores.begun <= tick
        free = np.maximum(cores.free_at[waits], at) + cores.held[waits] * self._least
        coming = np.where(cores.dma_row[waits] != NO_ROW, cores.dma_until[waits], 0)
        return int(np.maximum(free, coming).min()) + self._silent

    def _all_can_begin(self) -> None:
        """Let the cores begin their timer tasks when these are due: no rows are left."""
        cores = self.cores
        np.maximum(cores.free_at, cores.begun * self.costs.tick, out=cores.timer_at)

    def _at_once(self, sent: Sent, deliver: Deliver) -> Done:
        layout = self.layout
        done = _done(int(layout.routes.deliveries[sent.key].sum()))
        take_at_once(
            self.costs, self.cores, layout.rows, layout.entries, layout.routes.ptr, sent, done
        )
        deliver(self.lanes[0], done)
        return done

    def _through_the_mesh(self, sent: Sent, since: int, until: int, deliver: Deliver) -> list[Done]:
        """Run mesh and rows in cycles ``since .. until-1``; return what was processed."""
        arrivals = self.carrier.carry(sent, until)

        def work(lane: Lane) -> Done:
            part = slice(lane.first_slot, lane.last_slot)
            come = int(arrivals.ptr[lane.last_slot] - arrivals.ptr[lane.first_slot])
            held = int(self.cores.held[part].sum())
            done = _done(come + held + 2 * (lane.last_slot - lane.first_slot))
            run_rows(
                self.costs, self.cores, self.layout.rows, arrivals, self.layout.memories, done,
                lane.first, lane.last, since, until,
            )  # fmt: skip
            deliver(lane, done)
            return done

        return self.each(work)


def _busy(cores: Cores) -> bool:
    """Whether a core still has a packet or row to process."""
    return bool(
        cores.held.any() or (cores.dma_row != NO_ROW).any() or (cores.ready_row != NO_ROW).any()
    )


def _done(room: int) -> Done:
    return Done(
        np.empty(room, np.int32), np.empty(room, np.int64), np.empty(room, np.int64),
        np.empty(room, np.int64), np.zeros(1, np.int64),
    )  # fmt: skip
