"""One machine that runs samples and learns from them: neurons, ring buffers, weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from chipsim.kernels.processor.layout import (
    Program,
    new_state,
)
from chipsim.mesh.spinnaker_flight import Flight
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.simulate.tick.carrier import sent_packets
from chipsim.simulate.tick.delays import emptied, leave
from chipsim.simulate.tick.lanes import Lane
from chipsim.simulate.tick.learning import finish_batch, start_sample, tutors_of
from chipsim.simulate.tick.loop import MeshKind, TickLoop, Timers
from chipsim.simulate.tick.packets import by_slot, deliver
from chipsim.simulate.tick.program import Layout
from chipsim.simulate.tick.records import (
    Cores,
    Costs,
    Done,
    Input,
    Int32,
    Int64,
    Now,
    Sent,
    Written,
)
from chipsim.simulate.tick.timers import run_timers
from chipsim.simulate.tick.transport import new_sent, run_pause


class Watcher(Protocol):
    """Is shown every tick of a sample."""

    def after_timers(self, runner: Runner, tick: int) -> None:
        """Look at the cores when timer tasks of a tick have been settled, perhaps not yet all."""

    def after_tick(self, runner: Runner, tick: int, sent: int, found: Sequence[Done]) -> None:
        """Look at a tick that has ended: packets sent, and what was processed."""


class Runner:
    """A machine with its own state; ``program.weight`` is its own too if it learns.

    ``threads`` share the cores of a tick, which changes no result.  ``outputs`` is the size of the
    readout if its membranes are to be written down, else 0.  ``counts (slots, COUNTS)`` add
    up over samples; see `chipsim.simulate.tick.records`.  ``pause_ticks`` passed between samples
    while weights were sent.
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
        lanes = 1 if self.learns else threads
        self.loop = TickLoop(layout, mesh, self.state, self.outputs, lanes)
        self.pause_ticks = 0
        self._now, self.written = Now(0, self.steps, 0), self._blank()

    @property
    def costs(self) -> Costs:
        """What work takes."""
        return self.loop.costs

    @property
    def cores(self) -> Cores:
        """The cores as they are now."""
        return self.loop.cores

    @property
    def flight(self) -> Flight:
        """The packets in the mesh."""
        return self.loop.carrier.flight

    @property
    def counts(self) -> Int64:
        """What has happened on each slot so far."""
        return self.loop.cores.counts

    @property
    def saturated(self) -> Int64:
        """What left its range so far, (populations, 3)."""
        total: Int64 = np.sum([lane.state.saturated for lane in self.loop.lanes], axis=0)
        return total + self.state.saturated

    def run_sample(
        self, given: Input, number: int, updates: bool = False, watcher: Watcher | None = None
    ) -> Written:
        """Run sample ``number`` from rest; ``updates`` says that weights move after it.

        Goes on after the last tick until every packet is accounted for.  ConservationError if one
        is not.
        """
        self.begin_sample(number, updates)
        ticks = tick = self.layout.ticks
        self.run_ticks(given, 0, ticks, watcher)
        while self.loop.pending(ticks):
            self.run_ticks(given, tick, tick + 1, watcher)
            tick += 1
        self.loop.finish(tick, ticks, self._timers_of(given, None))
        extension, begun = self.layout.slots.extension, self.cores.begun
        leave(self.held, extension, begun, ticks, self.counts)
        return self.written

    def begin_sample(self, number: int, updates: bool = False) -> None:
        """Bring everything to rest; see `run_sample`."""
        self._now = Now(number * self.layout.ticks, self.steps, int(updates and self.learns))
        self.written = self._blank()
        start_sample(self.state, self.tutors)
        self.held = emptied(self.layout.held)
        self.loop.begin()

    def run_ticks(
        self, given: Input, first: int, last: int, watcher: Watcher | None = None
    ) -> None:
        """Run ticks ``first .. last-1`` of the sample that has begun."""
        timers = self._timers_of(given, watcher)
        for tick in range(first, last):
            sent, found = self.loop.tick(tick, timers, self._deliver)
            if watcher:
                watcher.after_tick(self, tick, sent, found)

    def update_weights(self, tick: int, rate: int) -> None:
        """Let all weights follow the batch's gradient; B follows as the readout's core tells it."""
        weights = np.zeros(self.layout.transport.weights, np.int32)
        finish_batch(self.program, self.state, self.tutors, tick, rate, weights)
        if weights.size:
            self._send_weights(weights)

    def _send_weights(self, weights: Int32) -> None:
        """Pause: run ticks in which no neuron steps and the readout's core sends its weights."""
        transport = self.layout.transport
        ticks, tick = -(-transport.key.size // self.costs.weights_a_tick), 0
        costs = self.costs._replace(ticks=ticks)
        sent, progress = new_sent(transport.key.size), np.zeros(1, np.int64)
        self._now, self.written = Now(0, 0, 0), self._blank()._replace(weights=weights)
        self.loop.begin()

        def timers(tick: int, until: int) -> Sent:
            run_pause(costs, self.layout.slots, self.cores, transport, sent, progress, tick, until)
            count = int(sent.filled[0])
            return Sent(sent.cycle[:count], sent.key[:count], sent.tag[:count], sent.filled)

        while tick < ticks or progress[0] < transport.key.size or self.loop.pending(ticks):
            self.loop.tick(tick, timers, self._deliver)
            tick += 1
        self.loop.finish(tick, ticks, timers)
        self.pause_ticks += ticks

    def _blank(self) -> Written:
        neurons = int(self.program.formats[0]["neurons"])
        return Written(
            np.zeros((self.steps, neurons), np.uint8),
            np.zeros((self.steps, self.membranes), np.int32),
            np.zeros((self.layout.ticks, self.outputs), np.int32),
            np.zeros(0, np.int32),
        )

    def _timers_of(self, given: Input, watcher: Watcher | None) -> Timers:
        """Return what does the timer tasks of a sample."""

        def timers(tick: int, until: int) -> Sent:
            sent = self._timers(tick, until, given)
            if watcher:
                watcher.after_timers(self, tick)
            return sent

        return timers

    def _timers(self, tick: int, until: int, given: Input) -> Sent:
        def work(lane: Lane) -> Sent:
            sent = lane.room_for(self.held)
            run_timers(
                self.costs, self.layout.slots, self.cores, self._now, given, self.program,
                lane.state, self.tutors, self.held, sent, self.written,
                lane.fired, lane.first_slot, lane.last_slot, tick, until,
            )  # fmt: skip
            count = int(sent.filled[0])
            return Sent(sent.cycle[:count], sent.key[:count], sent.tag[:count], sent.filled)

        parts = self.loop.each(work)
        if len(parts) == 1:
            return parts[0]
        columns = ([getattr(part, name) for part in parts] for name in ("cycle", "key", "tag"))
        return sent_packets(*(np.concatenate(column) for column in columns))

    def _deliver(self, lane: Lane, done: Done) -> None:
        order = by_slot(done, self.layout.core_of.size)
        deliver(
            self.costs, self.layout.slots, self.cores, self.layout.rows, self._now,
            self.program, lane.state, self.tutors, self.held, self.written, done, order,
        )  # fmt: skip
