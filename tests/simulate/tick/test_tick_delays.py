"""Delay extensions: cycle for cycle the simpy twin, bit for bit what longer ring buffers do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.connectivity import Sparse
from chipsim.mapping.processor.model import DELAY
from chipsim.network import Network, Projection, Trace
from chipsim.simulate.tick.delays import emptied, hold
from chipsim.simulate.tick.ideal import run_ideal_samples
from chipsim.simulate.tick.records import (
    COUNTS,
    LATE,
    OVERFLOWS,
    PACKETS_IN,
    PACKETS_OUT,
    RESENDS_DUE,
    RESENDS_LEFT,
    RESENDS_LOST,
    Arrivals,
    Costs,
    Input,
    Sent,
)
from chipsim.simulate.tick.reference import Chip, Extension, Packet
from chipsim.simulate.tick.run import run_on_processors
from chipsim.simulate.tick.runner import Runner
from chipsim.simulate.tick.timers import TAG_BITS
from tests.simulate.tick.networks import chip_with, laid_out, learner, recurrent, spikes, stdp
from tests.simulate.tick.test_tick_run import CONGESTED, accounted, nothing_but, same

STEPS = 30
LONG_RINGS = ("core.delay_slots=64", "core.ring_entries=1048576", "core.dtcm=16 MiB")


def with_delays(network: Network, seed: int, longest: int) -> Network:
    """The network with any delays: by synapse where they are listed."""
    rng = np.random.default_rng(seed)

    def changed(projection: Projection) -> Projection:
        form = projection.connectivity
        if isinstance(form, Sparse):
            delay = rng.integers(1, longest + 1, form.post.size).astype(np.uint8)
            return replace(projection, connectivity=replace(form, delay=delay))
        return replace(projection, delay=int(rng.integers(0, longest + 1)))

    return replace(network, projections=tuple(changed(p) for p in network.projections))


@settings(derandomize=True, deadline=None, max_examples=12)
@given(
    st.integers(0, 10_000),
    st.sampled_from([3, 5, 16]),
    st.sampled_from(["core.max_neurons=30", "core.max_neurons=7"]),
    st.sampled_from(["population", "slice"]),
)
def test_long_delays_are_those_of_longer_ring_buffers(
    seed: int, slots: int, limit: str, cores: str
) -> None:
    network = with_delays(recurrent(seed, strength=1.0), seed, 25)
    trace = spikes(seed, 2, STEPS, 20, 0.2)
    chip = chip_with(
        limit, "core.max_sources=9", f"core.delay_slots={slots}", f"core.delay_cores={cores}"
    )
    fixed, layout = laid_out(network, chip)
    real = run_on_processors(fixed, layout, trace)
    ideal = run_on_processors(fixed, layout, trace, mesh="ideal")
    rings = run_on_processors(*laid_out(network, chip_with(limit, *LONG_RINGS)), trace)
    assert real.in_time == real.traffic.due == ideal.traffic.due
    assert same(real, ideal)
    assert same(real, rings)
    pure = run_ideal_samples(fixed, trace, 2)
    for part in fixed.populations:
        if part.kind == "lif":
            raster = pure.outcome.raster[:, :, part.first : part.first + part.size]
            assert np.array_equal(raster, real.answers.of(part.name))
    extensions = layout.slots.extension >= 0
    assert np.array_equal(
        real.counts[extensions, RESENDS_DUE], ideal.counts[extensions, RESENDS_DUE]
    )
    assert (rings.counts[:, RESENDS_DUE] == 0).all()


def test_packets_are_sent_again_stage_by_stage() -> None:
    """The drawn networks above do use their extensions, at several stages, and leave some over."""
    network = with_delays(recurrent(2, strength=1.0), 2, 25)
    fixed, layout = laid_out(network, chip_with("core.delay_slots=5"))
    real = run_on_processors(fixed, layout, spikes(2, 2, STEPS, 20, 0.2))
    held = layout.held
    assert not layout.payload.any()
    assert real.traffic.payload_packets.sum() == 0
    assert sorted({p.stage for p in fixed.projections}) == [0, 1, 2, 3, 4]
    assert held.key.shape[1] == 5
    extensions = layout.slots.extension >= 0
    due, left, out = (
        real.counts[extensions, c].sum() for c in (RESENDS_DUE, RESENDS_LEFT, PACKETS_OUT)
    )
    assert due == left + out
    assert left > 0
    assert out > 200
    # A neuron is sent again only at the stages that it has synapses at.
    stages = {int(bits) for bits in held.stages}
    assert len(stages) > 3


class Recording(Runner):
    """A machine that keeps what reaches its cores and what they send."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.reached: list[Arrivals] = []
        self.left: list[Sent] = []
        self.ticks = 0
        carry = self.loop.carrier.carry

        def watched(sent: Sent, until: int) -> Arrivals:
            self.reached.append(carry(sent, until))
            return self.reached[-1]

        self.loop.carrier.carry = watched  # type: ignore[method-assign]

    def _timers(self, tick: int, until: int, given: Input) -> Sent:
        sent = super()._timers(tick, until, given)
        self.left.append(Sent(*(part.copy() for part in sent)))
        self.ticks = tick
        return sent


@settings(derandomize=True, deadline=None, max_examples=8)
@given(
    st.integers(0, 10_000),
    st.lists(st.sampled_from(CONGESTED), max_size=8, unique=True),
    st.sampled_from(["tick=5 us", "tick=2 us"]),
    st.sampled_from([0, 3, 60]),
    st.sampled_from(["timer", "rows"]),
)
def test_extensions_equal_the_reference(
    seed: int, changes: list[str], tick: str, neuron: int, first: str
) -> None:
    chip = chip_with(
        *changes, tick, "core.delay_slots=5", f"cycles.delay_neuron={neuron}",
        f"cycles.delay_spike={1 + seed % 300}", f"cycles.timer={seed % 100 + (first == 'rows')}",
        f"core.priority={first}",
    )  # fmt: skip
    fixed, layout = laid_out(with_delays(recurrent(seed), seed, 25), chip)
    runner = Recording(layout, fixed)
    runner.run_sample(nothing_but(spikes(seed, 1, STEPS, 20, 0.3)), 0)
    plan, held, costs = layout.slots, layout.held, layout.costs
    # One of them: simpy takes every cycle by itself.
    slot = int(np.where(plan.extension >= 0, runner.counts[:, PACKETS_IN], -1).argmax())
    d = int(plan.extension[slot])
    assert d >= 0
    bits = held.stages[held.first[d] : held.first[d + 1]].tolist()
    stages = [[s for s in range(1, 6) if word >> s & 1] for word in bits]
    twin = Extension(stages, int(held.slots[0]), int(plan.neuron[slot]), int(plan.send[slot]))
    timers = [int(plan.timer[slot])] * runner.ticks
    reference = Chip(costs, [], [], [packets_of(runner, slot)], [timers], {0: twin})
    reference.run()
    key = held.key[d].tolist()
    routed = sorted(
        (key[r.stage], r.tick << TAG_BITS | r.neuron, routers(costs, r.cycle + plan.hold[slot]))
        for r in twin.sent
    )
    assert sent_by(runner, set(key) - {-1}) == routed
    core, counts = reference.cores[0], runner.counts[slot]
    assert counts[OVERFLOWS] == core.overflows
    assert counts[LATE] == sum(p.tick > p.sent for p in reference.processed)
    assert counts[PACKETS_OUT] == len(twin.sent)


def routers(costs: Costs, cycle: int) -> int:
    """Return the router's cycle in which it has what a core sends in ``cycle``."""
    return -(-int(cycle) * costs.router_scale // costs.router_unit)


def packets_of(runner: Recording, slot: int) -> list[Packet]:
    found = []
    for part in runner.reached:
        own = slice(int(part.ptr[slot]), int(part.ptr[slot + 1]))
        columns = (part.cycle[own], part.row[own], part.tick[own])
        found += [Packet(*(int(x) for x in row)) for row in zip(*columns, strict=True)]
    return found


def sent_by(runner: Recording, keys: set[int]) -> list[tuple[int, int, int]]:
    rows = []
    for sent in runner.left:
        rows += [
            (int(k), int(tag), int(cycle))
            for k, tag, cycle in zip(sent.key, sent.tag, sent.cycle, strict=True)
            if int(k) in keys
        ]
    return sorted(rows)


@pytest.mark.parametrize("rewarded", [False, True])
def test_plastic_rows_come_late_too(rewarded: bool) -> None:
    network = stdp(3, rewarded)
    slow = replace(network.projections[0], delay=12)
    network = replace(network, projections=(slow, network.projections[1]))
    fixed, layout = laid_out(network, chip_with("core.delay_slots=5", "core.max_neurons=4"))
    trace = spikes(4, 3, 40, 13, 0.3)
    real = run_on_processors(fixed, layout, trace)
    pure = run_ideal_samples(fixed, trace, 3, learns=True)
    assert real.learned is not None
    assert np.array_equal(real.learned.weights, pure.program.weight)
    assert not np.array_equal(real.learned.weights, fixed.program.weight)
    fast, _ = laid_out(stdp(3, rewarded), chip_with())
    assert not np.array_equal(
        run_ideal_samples(fast, trace, 3, learns=True).program.weight, pure.program.weight
    )


@pytest.mark.parametrize("batch", [2, 0])
def test_eprop_with_long_delays(batch: int) -> None:
    network = with_delays(learner(5, batch), 7, 12)
    chip = chip_with("core.delay_slots=4", "core.eprop_synapses=0", "core.max_neurons=5")
    fixed, layout = laid_out(network, chip)
    assert any(p.stage for p in fixed.projections)
    drawn = spikes(5, 4, 25, 10, 0.3)
    trace = Trace("taught", spikes=drawn.spikes, labels=np.arange(4) % 2)
    real = run_on_processors(fixed, layout, trace)
    pure = run_ideal_samples(fixed, trace, 4, learns=True)
    assert real.learned is not None
    assert np.array_equal(real.learned.weights, pure.program.weight)
    assert not np.array_equal(real.learned.weights, fixed.program.weight)


def test_congestion_delays_and_loses_but_all_is_accounted_for() -> None:
    network = with_delays(recurrent(1, strength=0.8), 1, 25)
    slow = ("cycles.delay_spike=3000", "cycles.delay_neuron=10")
    chip = chip_with(*CONGESTED, "tick=20 us", "core.delay_slots=5", *slow)
    fixed, layout = laid_out(network, chip)
    real = run_on_processors(fixed, layout, spikes(1, 4, STEPS, 20, 0.3))
    assert accounted(real)
    extensions = layout.slots.extension >= 0
    fates = (LATE, OVERFLOWS, RESENDS_DUE, PACKETS_OUT, RESENDS_LEFT)
    assert all(real.counts[extensions, column].sum() > 0 for column in fates)
    threads = run_on_processors(fixed, layout, spikes(1, 4, STEPS, 20, 0.3), threads=2)
    assert same(real, threads)
    assert np.array_equal(real.counts[:, list(fates)], threads.counts[:, list(fates)])


def test_a_late_packet_is_sent_again_as_much_later() -> None:
    """A spike that its extension processes a tick late comes out a tick late."""
    network = with_delays(recurrent(1), 1, 25)
    _, layout = laid_out(network, chip_with("core.delay_slots=5"))
    assert layout.held.remembered[0] == 32
    held, counts = emptied(layout.held), np.zeros(len(COUNTS), np.int64)
    d = int(np.flatnonzero(np.diff(layout.held.first))[0])
    for tick in (7, 8, 8):
        hold(held, d, 0, tick, counts)
    assert held.waiting[d].tolist()[7:9] == [1, 2]
    for _ in range(300):
        hold(held, d, 0, 9, counts)
    stages = int(held.stages[held.first[d]]).bit_count()
    assert counts[RESENDS_LOST] == (300 - 255) * stages
    assert counts[RESENDS_DUE] == 303 * stages
    assert layout.held.waiting.sum() == 0


def test_reports_tell_extensions_from_neurons() -> None:
    network = with_delays(recurrent(1), 1, 25)
    chip = chip_with("core.delay_slots=5", "core.max_neurons=10", "core.max_sources=9")
    fixed, layout = laid_out(network, chip)
    numbers = layout.slots.extension
    assert sorted(numbers[numbers >= 0].tolist()) == list(range(int((numbers >= 0).sum())))
    assert (layout.slots.learner[numbers >= 0] == -1).all()
    assert (layout.slots.readout[numbers >= 0] == -1).all()
    assert DELAY == "delay extension"
    assert fixed.population("out").size == layout.slots.neurons[layout.slots.readout >= 0].sum()
