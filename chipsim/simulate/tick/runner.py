"""One machine that runs samples tick after tick: neurons, packets, mesh, rows, ring buffers.

Within a tick nothing a core does with a packet can change what is sent (packets leave from timer
tasks only, and those are settled at the tick's start), so timer tasks, mesh and rows follow each
other, each a compiled call, and still agree to the cycle with all of them going on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol, TypeVar

import numpy as np

from chipsim.kernels.processor.layout import (
    Program,
    new_state,
)
from chipsim.mesh.spinnaker_flight import Flight, Visits
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.simulate.tick.delays import emptied, leave
from chipsim.simulate.tick.lanes import Lane, make_lanes
from chipsim.simulate.tick.learning import finish_batch, start_sample, tutors_of
from chipsim.simulate.tick.packets import (
    by_slot,
    count_copies,
    deliver,
    gather,
    take_at_once,
)
from chipsim.simulate.tick.program import Layout
from chipsim.simulate.tick.records import (
    EVENTS,
    NO_ROW,
    Arrivals,
    Cores,
    Done,
    Input,
    Int64,
    Now,
    Sent,
    Waiting,
    Written,
    idle_cores,
)
from chipsim.simulate.tick.rows import run_rows
from chipsim.simulate.tick.timers import run_timers

T = TypeVar("T")

MeshKind = Literal["real", "ideal"]
"""``ideal``: packets arrive at once, and cores have all the time they need."""


class Watcher(Protocol):
    """Is shown every tick of a sample."""

    def after_timers(self, runner: Runner, tick: int) -> None:
        """Look at the cores when a tick's timer tasks have been settled."""

    def after_tick(self, runner: Runner, tick: int, sent: Sent, found: Sequence[Done]) -> None:
        """Look at a tick that has ended: what was sent, and what was processed."""


class Runner:
    """A machine with its own state; ``program.weight`` is its own too if it learns.

    ``threads`` share the cores of a tick, which changes no result.  ``outputs`` is the size of the
    readout if its membranes are to be written down, else 0.  ``counts (slots, COUNTS)`` add
    up over samples; see `chipsim.simulate.tick.records`.
    """

    def __init__(
        self,
        layout: Layout,
        fixed: ProcessorNetwork,
        mesh: MeshKind = "real",
        threads: int = 1,
        outputs: int = 0,
    ) -> None:
        self.layout, self.mesh = layout, mesh
        self.membranes = outputs
        self.steps = fixed.network.steps
        self.learns = fixed.learning is not None or len(fixed.stdp.rules) > 0
        self.program: Program = fixed.fresh_program() if self.learns else fixed.program
        self.state = new_state(self.program)
        self.tutors = tutors_of(layout, fixed)
        self.outputs = self.tutors.plastic.output.size
        self.held = emptied(layout.held)
        slots = layout.core_of.size
        self.cores = idle_cores(slots, layout.memories.size - 1, layout.costs.queue)
        self.flight = Flight(layout.machine, layout.routes, layout.payload)
        self.lanes = make_lanes(layout, self.state, self.outputs, 1 if self.learns else threads)
        self._pool = ThreadPoolExecutor(len(self.lanes)) if len(self.lanes) > 1 else None
        self.waiting, self.waits = _waiting(0), 0
        self.drain_ticks = 0
        self.sent_by_key = np.zeros(layout.payload.size, np.int64)
        self._now, self.written = Now(0, self.steps, 0), self._blank()

    @property
    def sent_copies(self) -> int:
        """Deliveries due of all packets sent so far."""
        return int((self.sent_by_key * self.layout.routes.deliveries).sum())

    @property
    def counts(self) -> Int64:
        """What has happened on each slot so far."""
        return self.cores.counts

    @property
    def saturated(self) -> Int64:
        """What left its range so far, (populations, 3)."""
        total: Int64 = np.sum([lane.state.saturated for lane in self.lanes], axis=0)
        return total + self.state.saturated

    def run_sample(
        self, given: Input, number: int, updates: bool = False, watcher: Watcher | None = None
    ) -> Written:
        """Run sample ``number`` from rest; ``updates`` says that weights move after it.

        Goes on after the last tick until every packet is accounted for.  ConservationError if one
        is not.
        """
        ticks = self.layout.ticks
        self.begin_sample(number, updates)
        self.run_ticks(given, 0, ticks, watcher)
        tick = ticks
        while self._pending():
            self._tick(tick, given, watcher)
            tick += 1
        # The timer task after the last tick tells whether that tick was long enough.
        self._timers(tick, given)
        self.drain_ticks += tick - ticks
        extension, begun = self.layout.slots.extension, self.cores.begun
        leave(self.held, extension, begun, ticks, self.cores.counts)
        self.flight.check()
        return self.written

    def begin_sample(self, number: int, updates: bool = False) -> None:
        """Bring everything to rest; see `run_sample`."""
        self._now = Now(number * self.layout.ticks, self.steps, int(updates and self.learns))
        self.written = self._blank()
        start_sample(self.state, self.tutors)
        self.held = emptied(self.layout.held)
        counts, layout = self.cores.counts, self.layout
        self.cores = idle_cores(
            layout.core_of.size, layout.memories.size - 1, layout.costs.queue
        )._replace(counts=counts, events_before=counts[:, EVENTS].copy())
        self.flight.restart()

    def run_ticks(
        self, given: Input, first: int, last: int, watcher: Watcher | None = None
    ) -> None:
        """Run ticks ``first .. last-1`` of the sample that has begun."""
        for tick in range(first, last):
            self._tick(tick, given, watcher)

    def update_weights(self, tick: int, rate: int) -> None:
        """Let all weights follow the batch's gradient."""
        finish_batch(self.program, self.state, self.tutors, tick, rate)

    def _blank(self) -> Written:
        neurons = int(self.program.formats[0]["neurons"])
        return Written(
            np.zeros((self.steps, neurons), np.uint8),
            np.zeros((self.steps, self.membranes), np.int32),
            np.zeros((self.layout.ticks, self.outputs), np.int32),
        )

    def _pending(self) -> bool:
        cores = self.cores
        if self.mesh == "ideal":
            return False
        behind = bool((cores.begun < self.layout.ticks).any())
        return behind or self.waits > 0 or not self.flight.empty or _busy(cores)

    def _each(self, work: Callable[[Lane], T]) -> list[T]:
        """Let all lanes do ``work``, side by side."""
        if self._pool is None:
            return [work(lane) for lane in self.lanes]
        return list(self._pool.map(work, self.lanes))

    def _timers(self, tick: int, given: Input) -> Sent:
        """Do the timer tasks that begin in ``tick``; return what they send."""

        def work(lane: Lane) -> Sent:
            sent = lane.room_for(self.held)
            run_timers(
                self.layout.costs, self.layout.slots, self.cores, self._now, given, self.program,
                lane.state, self.tutors, self.held, sent, self.written,
                lane.fired, lane.first_slot, lane.last_slot, tick,
            )  # fmt: skip
            count = int(sent.filled[0])
            return Sent(sent.cycle[:count], sent.key[:count], sent.tag[:count], sent.filled)

        parts = self._each(work)
        sent = parts[0]
        if len(parts) > 1:
            key = np.concatenate([part.key for part in parts])
            sent = Sent(
                np.concatenate([part.cycle for part in parts]),
                key,
                np.concatenate([part.tag for part in parts]),
                np.array([key.size]),
            )
        self.sent_by_key += np.bincount(sent.key, minlength=self.sent_by_key.size)
        return sent

    def _tick(self, tick: int, given: Input, watcher: Watcher | None) -> None:
        sent = self._timers(tick, given)
        if watcher:
            watcher.after_timers(self, tick)
        if self.mesh == "ideal":
            found = [self._at_once(sent)]
        else:
            found = self._through_the_mesh(tick, sent)
        if watcher:
            watcher.after_tick(self, tick, sent, found)

    def _deliver(self, lane: Lane, done: Done) -> None:
        order = by_slot(done, self.layout.core_of.size)
        deliver(
            self.layout.costs, self.layout.slots, self.cores, self.layout.rows, self._now,
            self.program, lane.state, self.tutors, self.held, self.written, done, order,
        )  # fmt: skip

    def _at_once(self, sent: Sent) -> Done:
        layout = self.layout
        done = _done(int(layout.routes.deliveries[sent.key].sum()))
        take_at_once(
            layout.costs, self.cores, layout.rows, layout.entries, layout.routes.ptr, sent, done
        )
        self._deliver(self.lanes[0], done)
        return done

    def _through_the_mesh(self, tick: int, sent: Sent) -> list[Done]:
        layout, costs = self.layout, self.layout.costs
        until = (tick + 1) * costs.tick
        last = -(-until * costs.router_scale // costs.router_unit)
        arrivals = self._gather(self.flight.run(sent.cycle, sent.key, sent.tag, last), until)

        def work(lane: Lane) -> Done:
            part = slice(lane.first_slot, lane.last_slot)
            come = int(arrivals.ptr[lane.last_slot] - arrivals.ptr[lane.first_slot])
            held = int(self.cores.held[part].sum())
            done = _done(come + held + 2 * (lane.last_slot - lane.first_slot))
            run_rows(
                costs, self.cores, layout.rows, arrivals, layout.memories, done, lane.first,
                lane.last, until,
            )  # fmt: skip
            self._deliver(lane, done)
            return done

        return self._each(work)

    def _gather(self, visits: Visits, until: int) -> Arrivals:
        layout = self.layout
        room = count_copies(layout.entries, visits.node) + self.waits
        arrivals = Arrivals(
            np.zeros(layout.core_of.size + 1, np.int64), np.empty(room, np.int64),
            np.empty(room, np.int64), np.empty(room, np.int64),
        )  # fmt: skip
        later = _waiting(room)
        left = gather(
            layout.costs, layout.entries, visits.tag, visits.node, visits.cycle, until,
            self.waiting, self.waits, later, arrivals,
        )  # fmt: skip
        self.waiting, self.waits = later, left
        return Arrivals(arrivals.ptr, *(a[: room - left] for a in arrivals[1:]))


def _busy(cores: Cores) -> bool:
    """Whether a core still has a packet or row to process."""
    return bool(
        cores.held.any() or (cores.dma_row != NO_ROW).any() or (cores.ready_row != NO_ROW).any()
    )


def _waiting(room: int) -> Waiting:
    return Waiting(*(np.empty(room, np.int64) for _ in range(4)))


def _done(room: int) -> Done:
    return Done(
        np.empty(room, np.int32), np.empty(room, np.int64), np.empty(room, np.int64),
        np.empty(room, np.int64), np.zeros(1, np.int64),
    )  # fmt: skip
