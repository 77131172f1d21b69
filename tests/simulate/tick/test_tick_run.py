"""Function and mesh in one loop: the ideal where nothing is late, less where packets are lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.kernels.processor.layout import READOUT
from chipsim.network import Trace
from chipsim.quantise.processor.learning import schedule
from chipsim.simulate.tick.records import (
    COUNTS,
    EARLY,
    EVENTS,
    LATE,
    MISSES,
    OVERFLOWS,
    PACKETS_IN,
    SIGNALS_IN,
    WEIGHTS_IN,
    Input,
)
from chipsim.simulate.tick.run import TickActivity, _Job, run_on_processors
from chipsim.simulate.tick.runner import Runner
from tests.simulate.tick.networks import chip_with, laid_out, learner, recurrent, spikes


def accounted(activity: TickActivity) -> bool:
    """Every delivery due was in time, late, early, or lost at a place that is known."""
    counts, traffic = activity.counts, activity.traffic
    fates = [int(counts[:, column].sum()) for column in (LATE, EARLY, OVERFLOWS)]
    return traffic.due == activity.in_time + sum(fates) + traffic.lost


def same(one: TickActivity, other: TickActivity) -> bool:
    return np.array_equal(one.answers.spikes, other.answers.spikes) and np.array_equal(
        one.answers.potential, other.answers.potential
    )


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["core.max_neurons=30", "core.max_neurons=7", "core.max_neurons=3"]),
    st.sampled_from(["truncate", "stochastic"]),
    st.sampled_from([0, 0.5]),
)
def test_an_uncongested_run_is_the_ideal_one(
    seed: int, limit: str, rounding: str, spread: float
) -> None:
    chip = chip_with(
        limit, "core.max_sources=9", f"core.rounding={rounding}", f"core.send_spread={spread}"
    )
    fixed, layout = laid_out(recurrent(seed), chip)
    trace = spikes(seed, 3, 30, 20)
    real = run_on_processors(fixed, layout, trace)
    ideal = run_on_processors(fixed, layout, trace, mesh="ideal")
    assert real.in_time == real.traffic.due == ideal.traffic.due > 0
    assert same(real, ideal)
    assert accounted(real)
    work = [COUNTS.index(name) for name in COUNTS if name.endswith(("_cycles", "_bytes", "_out"))]
    work.remove(COUNTS.index("dma_wait_cycles"))
    assert np.array_equal(real.counts[:, work], ideal.counts[:, work])


def test_cuts_and_threads_change_nothing() -> None:
    network, trace = recurrent(3), spikes(3, 5, 30, 20)
    fixed, layout = laid_out(network, chip_with())
    whole = run_on_processors(fixed, layout, trace)
    chip = chip_with("core.max_neurons=5", "core.max_sources=6")
    pieces = laid_out(network, chip)
    assert same(whole, run_on_processors(*pieces, trace))
    again = run_on_processors(fixed, layout, trace, threads=3)
    assert same(whole, again)
    assert np.array_equal(whole.counts[:, EVENTS], again.counts[:, EVENTS])


CONGESTED = (
    "router.wait1=1",
    "router.link_interval=1000",
    "router.payload_interval=1024",
    "router.buffer_packets=1",
    "core.spike_queue=2",
    "core.max_neurons=2",
    "core.max_sources=4",
    "sdram.bytes_per_second=2 MiB",
)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(
    st.integers(0, 10_000),
    st.lists(st.sampled_from(CONGESTED), max_size=8, unique=True),
    st.sampled_from(["tick=1 ms", "tick=0.1 ms", "tick=20 us"]),
)
def test_every_packet_is_accounted_for(seed: int, changes: list[str], tick: str) -> None:
    fixed, layout = laid_out(recurrent(seed), chip_with(*changes, tick))
    real = run_on_processors(fixed, layout, spikes(seed, 2, 30, 20, 0.3))
    assert accounted(real)
    assert real.counts[:, PACKETS_IN].sum() == real.traffic.delivered
    traffic = real.traffic
    gone = traffic.lost_at_registers + traffic.lost_at_monitors
    assert traffic.drops.sum() == traffic.reinjected + gone
    assert (traffic.lost > 0) == (gone > 0)


def test_congestion_loses_packets_and_changes_answers() -> None:
    network, trace = recurrent(1, strength=0.8), spikes(1, 6, 30, 20, 0.3)
    fixed, layout = laid_out(network, chip_with(*CONGESTED, "tick=20 us"))
    real = run_on_processors(fixed, layout, trace)
    ideal = run_on_processors(fixed, layout, trace, mesh="ideal")
    assert real.traffic.lost > 0
    assert real.counts[:, OVERFLOWS].sum() > 0
    assert real.counts[:, LATE].sum() > 0
    assert accounted(real)
    assert accounted(ideal)
    assert not same(real, ideal)
    assert ideal.traffic.due == ideal.in_time


def test_cores_that_spread_their_sending_lose_fewer_packets() -> None:
    network, trace = recurrent(1, strength=0.8), spikes(1, 6, 30, 20, 0.3)
    tight = ("router.wait1=1", "router.link_interval=1000", "router.buffer_packets=1")
    cut = ("core.max_neurons=2", "core.max_sources=4", "tick=5 ms")
    lost = []
    for spread in (0, 0.8):
        fixed, layout = laid_out(network, chip_with(*tight, *cut, f"core.send_spread={spread}"))
        real = run_on_processors(fixed, layout, trace)
        assert accounted(real)
        assert int(layout.slots.hold.max()) <= spread * layout.costs.tick
        lost.append(real.traffic.lost / real.traffic.due)
    assert lost[1] < 0.5 * lost[0]


def test_work_that_does_not_fit_into_a_tick_is_a_missed_deadline() -> None:
    fixed, layout = laid_out(recurrent(1), chip_with("cycles.neuron_lif=8000"))
    real = run_on_processors(fixed, layout, spikes(1, 1, 30, 20))
    late = COUNTS.index("over_cycles_max")
    hidden = int(real.counts[:, MISSES].argmax())
    assert layout.slots.neurons[hidden] == 30
    # 30 ticks have 240,000 cycles of neurons for 200,000 cycles of time, from tick 1 on: lateness
    # adds up, and the empty tick 31 cannot make it good.
    assert real.counts[hidden, MISSES] == 31
    assert real.counts[hidden, late] >= 30 * 40_000
    assert accounted(real)


def test_a_trace_of_values_is_refused() -> None:
    fixed, layout = laid_out(recurrent(1), chip_with())
    values = Trace("grey", graded=np.zeros((1, 30, 20), np.float32))
    with pytest.raises(InputError, match="replay spikes"):
        run_on_processors(fixed, layout, values)


@pytest.mark.parametrize(
    ("kind", "batch"), [("random", 2), ("symmetric", 2), ("adaptive", 2), ("random", 0)]
)
def test_learning_on_chip_is_learning_in_the_ideal(kind: str, batch: int) -> None:
    chip = chip_with("core.max_neurons=5")
    fixed, layout = laid_out(learner(5, batch, kind), chip)
    trace = spikes(5, 6, 25, 10, 0.2)
    trace = Trace("taught", spikes=trace.spikes, labels=np.arange(6) % 2)
    before = fixed.program.weight.copy()
    real = run_on_processors(fixed, layout, trace)
    ideal = run_on_processors(fixed, layout, trace, mesh="ideal")
    assert real.learned is not None
    assert ideal.learned is not None
    assert same(real, ideal)
    assert np.array_equal(real.learned.weights, ideal.learned.weights)
    assert real.error is not None
    assert np.array_equal(real.error, ideal.error)
    assert np.array_equal(fixed.program.weight, before)
    assert not np.array_equal(real.learned.weights, before)
    assert real.learned.updates == (3 if batch else 0)
    layer_cores = int((layout.slots.learner >= 0).sum()) - 1
    assert real.counts[:, SIGNALS_IN].sum() == 6 * 15 * 2 * layer_cores
    # Cores of 5, 5 and 2 neurons with 2 outputs, two weights a packet, after each of 3 updates.
    packets = 0 if kind == "random" else 3 * (5 + 5 + 2)
    assert real.counts[:, WEIGHTS_IN].sum() == ideal.counts[:, WEIGHTS_IN].sum() == packets
    assert real.pause_ticks == (3 if packets else 0)
    assert accounted(real)


def after_one_batch(kind: str, *overrides: str, **costs_of_pause: int) -> tuple[Runner, np.ndarray]:
    """Run two samples and move the weights; return the machine, and B as it was before."""
    fixed, layout = laid_out(learner(5, 2, kind), chip_with("core.max_neurons=5", *overrides))
    trace = spikes(5, 2, 25, 10, 0.6)
    job = _Job(fixed, layout, Trace("taught", spikes=trace.spikes, labels=np.arange(2)), "real",
               lambda count: None, fixed.network)  # fmt: skip
    runner = job.runner()
    before = runner.tutors.plastic.feedback.copy()
    for sample in range(2):
        job.run(runner, sample, sample == 1)
    runner.loop.costs = runner.loop.costs._replace(**costs_of_pause)
    runner.update_weights(2 * layout.ticks, int(schedule(fixed.network.learning, 25, 0, 1)[0]))
    return runner, before


@pytest.mark.parametrize("kind", ["symmetric", "adaptive"])
def test_weights_come_as_packets_at_a_rate(kind: str) -> None:
    runner, before = after_one_batch(kind)
    slow, _ = after_one_batch(kind, "core.weights_per_tick=5")
    assert (runner.pause_ticks, slow.pause_ticks) == (1, 3)
    now = runner.tutors.plastic.feedback
    assert np.array_equal(now, slow.tutors.plastic.feedback)
    assert (now != before).sum() >= now.size // 2
    if kind == "symmetric":
        learning = runner.tutors.learning
        at = int(learning.learners[READOUT]["column"] + learning.constants[0]["layer_column"])
        first = learning.column[at : at + 12]
        shift = int(runner.program.populations[2]["shift"])
        readout = [runner.program.weight[first + k].view(np.int16) for k in range(2)]
        assert np.array_equal(now, np.concatenate(readout).astype(np.int32) << shift)


@pytest.mark.parametrize("kind", ["symmetric", "adaptive"])
def test_a_core_that_is_not_told_goes_on_with_its_old_feedback(kind: str) -> None:
    whole, before = after_one_batch(kind)
    # 12 packets come 45 cycles apart to queues of one place, each taken for 150 cycles.
    some, _ = after_one_batch(kind, queue=1, weight=150)
    lost = int(some.counts[:, OVERFLOWS].sum())
    told = some.tutors.plastic.feedback != before
    assert np.array_equal(some.tutors.plastic.feedback[told], whole.tutors.plastic.feedback[told])
    assert lost > 0
    assert 0 < told.sum() < (whole.tutors.plastic.feedback != before).sum()


def test_a_payload_without_room_for_a_weight_is_refused() -> None:
    with pytest.raises(InputError, match="payload_packet_bits: 55 given"):
        laid_out(learner(5, 2, "symmetric"), chip_with("router.payload_packet_bits=55"))


def test_lanes_change_nothing() -> None:
    fixed, layout = laid_out(recurrent(6, strength=0.8), chip_with(*CONGESTED, "tick=20 us"))
    given = nothing_but(spikes(6, 1, 30, 20, 0.3))
    runners = [Runner(layout, fixed, threads=threads) for threads in (1, 2)]
    one, two = (runner.run_sample(given, 0) for runner in runners)
    assert [len(runner.loop.lanes) for runner in runners] == [1, 2]
    assert np.array_equal(one.raster, two.raster)
    assert np.array_equal(runners[0].counts, runners[1].counts)
    assert np.array_equal(runners[0].saturated, runners[1].saturated)


def nothing_but(trace: Trace) -> Input:
    """Return a trace's one sample as a runner is given it; input neurons come first."""
    assert trace.spikes is not None
    step, neuron = np.nonzero(trace.spikes[0])
    steps = trace.spikes.shape[1]
    first = np.searchsorted(step, np.arange(steps + 1)).astype(np.int64)
    blank = np.zeros((steps, 0), np.int32)
    return Input(first, neuron.astype(np.uint32), blank, np.zeros(steps, np.uint8))
