"""Run a trace on processors in real time: every sample, every tick, everything counted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ConservationError, InputError
from chipsim.kernels.processor.layout import ONE
from chipsim.network import Input as InputModel
from chipsim.network import Network, Trace, evaluation_order
from chipsim.quantise.processor.learning import schedule
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.quantise.processor.targets import targets_of
from chipsim.simulate.samples import Answers
from chipsim.simulate.tick.judgement import error_of, has_targets, output_of
from chipsim.simulate.tick.loop import MeshKind
from chipsim.simulate.tick.program import Layout
from chipsim.simulate.tick.records import (
    EARLY,
    LATE,
    OVERFLOWS,
    PACKETS_IN,
    PACKETS_OUT,
    RESENDS_DUE,
    RESENDS_LEFT,
    RESENDS_LOST,
    Input,
    Int64,
    Written,
)
from chipsim.simulate.tick.runner import Runner
from chipsim.simulate.tick.watch import Course, FirstSample

Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Traffic:
    """What the mesh did: packets over links (chips, 6), drops, waits, and how deliveries fared.

    Of the copies that routers dropped, monitor cores sent ``reinjected`` again; with monitors the
    others were lost at full registers or at full queues.
    ``due`` deliveries are ``delivered`` by routers or ``lost`` with copies that routers dropped;
    of those delivered, cores' full queues lost some (`OVERFLOWS`), and some acted late.  Latencies
    are router cycles from ready to arrived.  ``sent (keys,)`` counts packets.
    """

    link_packets: Int64
    payload_packets: Int64
    emergencies: Int64
    drops: Int64
    waits: Int64
    waiting_cycles: Int64
    sent: Int64
    due: int
    delivered: int
    lost: int
    latency_sum: int
    latency_max: int
    reinjected: int
    lost_at_registers: int
    lost_at_monitors: int


@dataclass(frozen=True, eq=False)
class Learned:
    """What learning on chip came to.

    ``updates`` counts how often weights moved at the end of a batch; ``weights`` are all synapses'
    at the end.
    """

    updates: int
    weights: NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class TickActivity:
    """What happened: answers, counts by slot (`records.COUNTS`), traffic, the first sample.

    ``saturated (populations, 3)`` counts what left its range: ring buffers, membranes, weights.
    ``drain_ticks`` passed after the ends of samples until everything was accounted for,
    ``pause_ticks`` between samples while weights were sent.  ``error
    (samples,)`` is that of the readout (`judgement.error_of`), None where nothing is asked of it.
    """

    layout: Layout
    answers: Answers
    counts: Int64
    traffic: Traffic
    course: Course
    saturated: Int64
    drain_ticks: int
    pause_ticks: int
    learned: Learned | None
    error: NDArray[np.float64] | None
    mesh: MeshKind

    @property
    def in_time(self) -> int:
        """Deliveries that acted in the tick they were meant to."""
        lost, late, early = (int(self.counts[:, c].sum()) for c in (OVERFLOWS, LATE, EARLY))
        return int(self.counts[:, PACKETS_IN].sum()) - lost - late - early

    @property
    def routed(self) -> tuple[int, int]:
        """Packets without and with payload, each counted at every router it passed."""
        traffic, wide = self.traffic, self.layout.payload
        sent, sent_wide = int(traffic.sent.sum()), int(traffic.sent[wide].sum())
        crossed, crossed_wide = int(traffic.link_packets.sum()), int(traffic.payload_packets.sum())
        return sent - sent_wide + crossed - crossed_wide, sent_wide + crossed_wide


def run_on_processors(
    fixed: ProcessorNetwork,
    layout: Layout,
    trace: Trace,
    *,
    mesh: MeshKind = "real",
    threads: int = 1,
    advance: Advance = lambda count: None,
    judge: Network | None = None,
) -> TickActivity:
    """Run every sample of ``trace``, from rest each.

    Where the network learns, its weights move as its rule says, sample after sample; without,
    samples are independent and spread over ``threads``, which changes no result.  ``judge`` is the
    network with the rule that says what is asked of the readout (default: the one that runs), which
    counts where the trace has targets.  InputError for a
    trace that cannot be replayed or taught; ConservationError if a packet is not accounted for.
    """
    job = _Job(fixed, layout, trace, mesh, advance, judge or fixed.network)
    if fixed.learning is not None or len(fixed.stdp.rules):
        runners, learned = job.learn()
    else:
        runners, learned = job.infer(min(threads, trace.samples)), None
    counts = np.sum([runner.counts for runner in runners], axis=0)
    traffic = _traffic(runners, mesh)
    _check(layout, counts, traffic)
    return TickActivity(
        layout=layout,
        answers=job.answers(),
        counts=counts,
        traffic=traffic,
        course=job.course.course(),
        saturated=np.sum([runner.saturated for runner in runners], axis=0),
        drain_ticks=sum(runner.loop.drain_ticks for runner in runners),
        pause_ticks=sum(runner.pause_ticks for runner in runners),
        learned=learned,
        error=job.error if job.judged else None,
        mesh=mesh,
    )


class _Job:
    """The samples of a run, and room for their results."""

    def __init__(
        self,
        fixed: ProcessorNetwork,
        layout: Layout,
        trace: Trace,
        mesh: MeshKind,
        advance: Advance,
        judge: Network,
    ) -> None:
        if trace.spikes is None:
            raise InputError(f"trace {trace.name}: processors replay spikes; it holds values")
        network = fixed.network
        self.fixed, self.layout, self.trace, self.mesh = fixed, layout, trace, mesh
        self.advance, self.judge = advance, judge
        self.judged = has_targets(judge, trace)
        self.error = np.zeros(trace.samples)
        self.course = FirstSample(layout.ticks)
        self.inputs = _input_numbers(fixed)
        names = evaluation_order(network)
        self.parts = [fixed.population(name) for name in names]
        size = sum(part.size for part in self.parts)
        self.spikes = np.zeros((trace.samples, network.steps, size), np.uint8)
        readout = fixed.population(network.readout)
        self.readout = slice(readout.first, readout.first + readout.size)
        self.potential = np.zeros((trace.samples, readout.size))

    def answers(self) -> Answers:
        """Return what the neurons did."""
        names, sizes = zip(*((part.name, part.size) for part in self.parts), strict=True)
        return Answers(names, sizes, self.spikes, self.potential)

    def infer(self, threads: int) -> list[Runner]:
        """Run all samples, on ``threads`` machines."""
        runners = [self.runner() for _ in range(threads)]

        def some(number: int) -> None:
            for sample in range(number, self.trace.samples, threads):
                self.run(runners[number], sample, False)

        with ThreadPoolExecutor(threads) as pool:
            for future in [pool.submit(some, number) for number in range(threads)]:
                future.result()
        return runners

    def learn(self) -> tuple[list[Runner], Learned]:
        """Run all samples one after the other, weights moving as the rule says."""
        runner, rule = self.runner(), self.fixed.network.learning
        samples, steps = self.trace.samples, self.fixed.network.steps
        batch = rule.batch if rule else 0
        updates = samples // batch if batch else 0
        rates = schedule(rule, steps, 0, updates) if rule else np.zeros(0, np.int64)
        done = 0
        for sample in range(samples):
            last = bool(batch) and (sample + 1) % batch == 0
            self.run(runner, sample, last)
            if last:
                runner.update_weights((sample + 1) * self.layout.ticks, int(rates[done]))
                done += 1
        return [runner], Learned(done, runner.program.weight.copy())

    def runner(self) -> Runner:
        """Return a machine at rest."""
        watched = self.judged or self.fixed.network.readout_kind == "first_spike"
        outputs = self.readout.stop - self.readout.start if watched else 0
        return Runner(self.layout, self.fixed, self.mesh, outputs=outputs)

    def run(self, runner: Runner, sample: int, updates: bool) -> None:
        """Run one sample and keep its answers."""
        given = self.given(sample)
        watcher = self.course if sample == 0 else None
        written = runner.run_sample(given, sample, updates, watcher)
        first = 0
        for part in self.parts:
            columns = written.raster[:, part.first : part.first + part.size]
            self.spikes[sample, :, first : first + part.size] = columns
            first += part.size
        self.potential[sample] = self._potential(runner, written)
        rule = self.judge.learning
        if self.judged and rule is not None:
            output = output_of(self.judge, written.membrane / ONE)
            self.error[sample] = error_of(rule.task, output, given.target, given.asked)
        self.advance(1)

    def _potential(self, runner: Runner, written: Written) -> NDArray[np.float64]:
        """Return the readout's membranes that count (`Answers.potential`)."""
        if self.fixed.network.readout_kind != "first_spike":
            return np.asarray(runner.state.v[self.readout] / ONE)
        fired = written.raster[:, self.readout].any(axis=1)
        step = int(fired.argmax()) if fired.any() else -1
        return np.asarray(written.membrane[step] / ONE)

    def given(self, sample: int) -> Input:
        """Return a sample's input spikes and what the readout shall say."""
        assert self.trace.spikes is not None
        steps = self.fixed.network.steps
        step, column = np.nonzero(self.trace.spikes[sample])
        neuron = self.inputs[column]
        order = np.lexsort((neuron, step))
        first = np.searchsorted(step, np.arange(steps + 1)).astype(np.int64)
        target, asked = np.zeros((steps, 0), np.int32), np.zeros(steps, np.uint8)
        if self.judged or self.fixed.learning is not None:
            target, asked = targets_of(self.judge, self.trace, sample)
        return Input(first, neuron[order].astype(np.uint32), target, asked)


def _input_numbers(fixed: ProcessorNetwork) -> Int64:
    """Return the neuron that each column of a trace drives."""
    network: Network = fixed.network
    names = [p.name for p in network.populations if isinstance(p.model, InputModel)]
    inputs = [fixed.population(name) for name in names]
    return np.concatenate([np.arange(p.first, p.first + p.size) for p in inputs])


def _traffic(runners: list[Runner], mesh: MeshKind) -> Traffic:
    flights = [runner.flight for runner in runners]
    due = sum(runner.loop.sent_copies for runner in runners)
    delivered = due if mesh == "ideal" else sum(flight.delivered for flight in flights)
    return Traffic(
        link_packets=np.sum([flight.link_packets for flight in flights], axis=0),
        payload_packets=np.sum([flight.payload_packets for flight in flights], axis=0),
        emergencies=np.sum([flight.emergencies for flight in flights], axis=0),
        drops=np.sum([flight.drops for flight in flights], axis=0),
        waits=np.sum([flight.waits for flight in flights], axis=0),
        waiting_cycles=np.sum([flight.waiting_cycles for flight in flights], axis=0),
        sent=np.sum([runner.loop.sent_by_key for runner in runners], axis=0),
        due=due,
        delivered=delivered,
        lost=sum(flight.lost for flight in flights),
        latency_sum=sum(flight.latency_sum for flight in flights),
        latency_max=max(flight.latency_max for flight in flights),
        reinjected=sum(int(flight.reinjected.sum()) for flight in flights),
        lost_at_registers=sum(int(flight.overflows.sum()) for flight in flights),
        lost_at_monitors=sum(int(flight.crowded.sum()) for flight in flights),
    )


def _check(layout: Layout, counts: Int64, traffic: Traffic) -> None:
    """Raise ConservationError unless all deliveries, and all a delay extension owes, are found."""
    handed = int(counts[:, PACKETS_IN].sum())
    if traffic.delivered + traffic.lost != traffic.due or handed != traffic.delivered:
        raise ConservationError(
            f"processors: {traffic.due} deliveries were due, {traffic.delivered} were made and "
            f"{traffic.lost} lost; cores were handed {handed}"
        )
    extensions = counts[layout.slots.extension >= 0]
    paid = extensions[:, [PACKETS_OUT, RESENDS_LEFT, RESENDS_LOST]].sum(axis=1)
    if (paid != extensions[:, RESENDS_DUE]).any():
        raise ConservationError(
            f"delay extensions: {extensions[:, RESENDS_DUE].sum()} packets were due, "
            f"{paid.sum()} were sent, left or lost"
        )
