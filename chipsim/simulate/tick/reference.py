"""A core's tick in simpy, written to be read: timer task, spike queue, DMA, rows.

Cycles have halves.  In the first, packets land and rows come in; in the second, processors act; in
between nothing changes, so the order of evaluation does not matter.

- A **tick** begins every ``costs.tick`` cycles, and with it a timer task is due.  A free processor
  first does timer tasks that are due, then looks for packets and rows; with ``costs.rows_first`` it
  does a timer task only when no packet waits and no row is there or on its way.  It never leaves a
  task before its end, so a timer task can begin late: the deadline of the tick before was missed.
- Packets go into the **spike queue** as they arrive; one that finds it full is lost.
- While no row is on its way, the first packet of the queue is **looked up**: ``costs.spike``
  cycles for its interrupt, the look-up and the DMA's set-up.  Then its row is asked for.  A packet
  that carries a learning signal takes ``costs.signal`` cycles and no row, one that carries weights
  ``costs.weight``.
- A shared **memory** serves one row at a time, in the order in which they were asked for, the
  lower core first.  A row takes its bytes' time, and is there ``costs.latency`` cycles after.
- A row that is there is **processed**, but the next packet is looked up before that, so that its
  row comes meanwhile; there is room for two rows.  Its synapses act from the
  tick whose timer task the core began last.
- A **delay extension** takes ``costs.hold`` cycles for a packet and no row: it counts the spike in
  the tick whose timer task it began last.  Its timer task looks at every neuron and sends, for
  each delay stage, a packet for every spike of the tick so many slots ago.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import simpy

from chipsim.simulate.tick.records import EMPTY_ROW, HELD, SIGNAL, WEIGHTS, Costs

Process = Generator[simpy.Event, Any, None]
QUARTER = 0.25
ROW_BUFFERS = 2


@dataclass(frozen=True)
class Packet:
    """A packet that reaches a core in ``cycle``; ``row`` and ``tick`` as in `records.Arrivals`."""

    cycle: int
    row: int
    tick: int


@dataclass(frozen=True)
class Processed:
    """What a core processed: which row, in which of its ticks, from which cycle on."""

    core: int
    row: int
    sent: int
    tick: int
    cycle: int


@dataclass(frozen=True)
class Resent:
    """A packet that a delay extension sends in its ``tick``, in core cycle ``cycle``."""

    stage: int
    neuron: int
    tick: int
    cycle: int


@dataclass
class Extension:
    """A delay extension's program, and what it has counted.

    ``stages`` are those of each neuron, ascending; a stage is ``slots`` ticks.  ``neuron`` and
    ``send`` are the cycles of looking at a neuron and of sending a packet.
    """

    stages: Sequence[Sequence[int]]
    slots: int
    neuron: int
    send: int
    spikes: Counter[tuple[int, int]] = field(default_factory=Counter)
    sent: list[Resent] = field(default_factory=list)

    def timer(self, tick: int, cycle: int) -> int:
        """Send what is due in ``tick``, from ``cycle`` on; return the cycles that takes."""
        begun = cycle
        for neuron, stages in enumerate(self.stages):
            cycle += self.neuron
            for stage in stages:
                for _ in range(self.spikes[neuron, tick - stage * self.slots]):
                    cycle += self.send
                    self.sent.append(Resent(stage, neuron, tick, cycle))
        return cycle - begun


@dataclass
class Core:
    """One processor: what it waits for, and what it did.

    ``timers`` are its timer tasks' cycles, to which a delay extension adds its own.
    """

    packets: Sequence[Packet]
    timers: Sequence[int]
    extension: Extension | None = None
    begun: int = 0
    queue: deque[Packet] = field(default_factory=deque)
    coming: Packet | None = None
    there: deque[Packet] = field(default_factory=deque)
    overflows: int = 0
    late_by: list[int] = field(default_factory=list)


class Chip:
    """Cores that share a memory, given the packets that reach each and its timer tasks' cycles.

    ``row_bytes`` and ``row_cycles`` are by row number.  A run lasts as many ticks as timers are
    given.  Cores numbered in ``extensions`` are delay extensions.
    """

    def __init__(
        self,
        costs: Costs,
        row_bytes: Sequence[int],
        row_cycles: Sequence[int],
        packets: Sequence[Sequence[Packet]],
        timers: Sequence[Sequence[int]],
        extensions: Mapping[int, Extension] = MappingProxyType({}),
    ) -> None:
        self.costs, self.row_bytes, self.row_cycles = costs, row_bytes, row_cycles
        self.environment = simpy.Environment()
        self.cores = [
            Core(p, t, extensions.get(number))
            for number, (p, t) in enumerate(zip(packets, timers, strict=True))
        ]
        self.asked: list[tuple[float, int, Packet]] = []
        self.processed: list[Processed] = []
        for number in range(len(self.cores)):
            self.environment.process(self.receive(number))
            self.environment.process(self.work(number))
        self.environment.process(self.serve())

    def run(self) -> None:
        """Run all ticks."""
        self.environment.run(len(self.cores[0].timers) * self.costs.tick)

    def receive(self, number: int) -> Process:
        """Put packets into the queue as they land."""
        core = self.cores[number]
        for packet in core.packets:
            yield self.environment.timeout(packet.cycle - self.environment.now)
            if len(core.queue) == self.costs.queue:
                core.overflows += 1
            else:
                core.queue.append(packet)

    def work(self, number: int) -> Process:
        """Do one thing after the other."""
        yield self.environment.timeout(2 * QUARTER)
        while True:
            yield self.environment.timeout(self.act(number))

    def act(self, number: int) -> int:
        """Begin the next thing to do; return the cycles until the processor is free again."""
        core, now = self.cores[number], int(self.environment.now)
        due = core.begun * self.costs.tick <= now
        if due and not self.costs.rows_first:
            return self.begin_timer(number, now)
        if core.coming is None and len(core.there) < ROW_BUFFERS and core.queue:
            return self.look_up(number, core.queue.popleft(), now)
        if core.there:
            packet = core.there.popleft()
            self.note(number, packet, now)
            return self.row_cycles[packet.row] or self.act(number)
        if due and core.coming is None:
            return self.begin_timer(number, now)
        return 1

    def begin_timer(self, number: int, now: int) -> int:
        """Begin the next timer task, perhaps late; return the cycles it takes."""
        core = self.cores[number]
        core.late_by.append(now - core.begun * self.costs.tick)
        core.begun += 1
        cycles = core.timers[core.begun - 1]
        if core.extension and core.begun <= self.costs.ticks:
            cycles += core.extension.timer(core.begun - 1, now + cycles)
        # A task of no cycles: look again in the same cycle.
        return cycles or self.act(number)

    def look_up(self, number: int, packet: Packet, now: int) -> int:
        """Handle a packet's interrupt and ask for its row."""
        if packet.row <= WEIGHTS:
            self.note(number, packet, now)
            return self.costs.weight
        extension = self.cores[number].extension
        if extension:
            extension.spikes[HELD - packet.row, self.cores[number].begun - 1] += 1
            self.note(number, packet, now)
            return self.costs.hold or self.act(number)
        if packet.row <= SIGNAL:
            self.note(number, packet, now)
            return self.costs.signal
        if packet.row == EMPTY_ROW:
            self.note(number, packet, now)
        else:
            self.cores[number].coming = packet
            self.environment.process(self.ask(number, packet))
        return self.costs.spike

    def note(self, number: int, packet: Packet, now: int) -> None:
        """Write down what is processed."""
        tick = self.cores[number].begun - 1
        self.processed.append(Processed(number, packet.row, packet.tick, tick, now))

    def ask(self, number: int, packet: Packet) -> Process:
        """Ask the memory for a row once the DMA is set up."""
        yield self.environment.timeout(self.costs.spike - 2 * QUARTER)
        self.asked.append((self.environment.now, number, packet))

    def serve(self) -> Process:
        """Bring rows one after the other."""
        yield self.environment.timeout(QUARTER)
        while True:
            if not self.asked:
                yield self.environment.timeout(1)
                continue
            first = min(self.asked, key=lambda request: request[:2])
            self.asked.remove(first)
            _, number, packet = first
            size = self.row_bytes[packet.row] * self.costs.dma_scale
            cycles = -(-size // self.costs.dma_unit)
            self.environment.process(self.bring(number, packet, cycles + self.costs.latency))
            yield self.environment.timeout(cycles)

    def bring(self, number: int, packet: Packet, cycles: int) -> Process:
        """Let a row come in."""
        core = self.cores[number]
        yield self.environment.timeout(cycles - QUARTER)
        core.coming = None
        core.there.append(packet)
