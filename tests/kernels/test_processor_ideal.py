"""The compiled pieces of a processor's program equal their plain twin bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.kernels.processor import layout
from chipsim.kernels.processor.ideal import Lesson, Outcome, Samples, new_tutors, run_ideal
from chipsim.kernels.processor.update import update
from chipsim.quantise.processor.learning import schedule
from chipsim.quantise.processor.quantise import quantise_for_processor
from tests import naive_processor
from tests.quantise import processor_cases as cases

ROUNDINGS = ("truncate", "nearest", "stochastic")
SLOTS = (16, 2, 1)
seeds = st.integers(0, 2**32 - 1)


class Run:
    """A random network and samples, run by the kernels.

    With few ``slots`` delays need delay stages.
    """

    def __init__(
        self, network, rounding, rng, samples=4, batch=2, learns=True, extreme=False, slots=16
    ):
        steps = network.steps
        chip = cases.chip_with(rounding, delay_slots=slots)
        self.network = quantise_for_processor(network, chip, cases.OFFSETS, 7)
        if extreme:
            program = self.network.program
            program.weight[:] = rng.integers(0, 2**16, len(program.weight))
            program.bias[:] = rng.integers(-(2**27), 2**27, len(program.bias))
        outputs = self.network.population("readout").size
        inputs = sum(p.size for p in self.network.populations if p.kind == "source")
        flags = rng.random((samples, steps, inputs)) < 0.4
        counts = flags.reshape(samples * steps, -1).sum(axis=1)
        ends = np.concatenate([[0], np.cumsum(counts)])
        at = np.arange(samples)[:, None] * steps + np.arange(steps + 1)
        asked = (rng.random((samples, steps)) < 0.7).astype(np.uint8)
        target = (rng.random((samples, steps, outputs)) * layout.ONE).astype(np.int32)
        neuron = np.nonzero(flags)[2].astype(np.uint32)
        self.samples = Samples(ends[at].astype(np.int64), neuron, target, asked)
        rates = np.zeros(samples, np.int64)
        self.learning = self.network.learning
        if self.learning is not None and batch:
            rates = schedule(network.learning, steps, 0, samples)
        self.lesson = Lesson(int(learns), batch, rates)
        self.run(samples, steps, outputs)

    def run(self, samples, steps, outputs):
        program = self.program = self.network.fresh_program()
        neurons = int(program.formats[0]["neurons"])
        learning = self.learning or layout.no_learning()
        network = self.network
        self.tutors = new_tutors(program, network.fanout, learning, network.feedback, network.stdp)
        self.plastic = self.tutors.plastic
        self.state = layout.new_state(program)
        self.outcome = Outcome(
            counts=np.zeros((samples, neurons), np.int64),
            output=np.zeros((samples, steps, outputs), np.int32),
            potential=np.zeros((samples, neurons), np.int32),
            raster=np.zeros((samples, steps, neurons), np.uint8),
        )
        self.ticks = run_ideal(
            program, self.state, network.fanout, self.tutors, self.samples, self.lesson, 100,
            self.outcome,
        )  # fmt: skip

    def twin(self):
        plain = naive_processor.Processor(self.network, self.network.program.weight)
        assert plain.run(self.samples, self.lesson, 100) == self.ticks
        return plain

    def assert_equal(self, plain):
        raster = np.zeros_like(self.outcome.raster)
        for s, rows in enumerate(plain.raster):
            for t, row in enumerate(rows):
                raster[s, t, row] = 1
        np.testing.assert_array_equal(self.outcome.raster, raster)
        np.testing.assert_array_equal(self.outcome.counts, raster.sum(axis=1))
        np.testing.assert_array_equal(self.outcome.potential[-1], [n.v for n in plain.neurons])
        np.testing.assert_array_equal(self.state.saturated, plain.saturated)
        np.testing.assert_array_equal(self.program.weight, plain.weight)

    def assert_same_learning(self, plain):
        np.testing.assert_array_equal(self.outcome.output, np.array(plain.output))
        np.testing.assert_array_equal(self.plastic.feedback, np.ravel(plain.feedback))
        for name in ("epsilon", "smooth", "total", "gradient", "first", "second"):
            values = getattr(self.plastic, name)
            for record, learner in zip(self.learning.learners, plain.learners, strict=True):
                for j, row in enumerate(learner.synapses):
                    at = int(record["state"] + j * record["stride"])
                    wanted = [getattr(synapse, name) for synapse in row]
                    np.testing.assert_array_equal(values[at : at + len(row)], wanted, name)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@settings(derandomize=True, deadline=None, max_examples=25)
@given(seed=seeds)
def test_a_static_network_equals_its_twin(rounding, seed):
    rng = np.random.default_rng(seed)
    run = Run(cases.static_network(rng), rounding, rng, slots=SLOTS[seed % 3])
    run.assert_equal(run.twin())


@pytest.mark.parametrize("rounding", ROUNDINGS)
@settings(derandomize=True, deadline=None, max_examples=20)
@given(seed=seeds)
def test_learning_in_batches_equals_its_twin(rounding, seed):
    rng = np.random.default_rng(seed)
    run = Run(cases.learning_network(rng), rounding, rng, slots=SLOTS[seed % 3])
    plain = run.twin()
    run.assert_equal(plain)
    run.assert_same_learning(plain)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_changes_below_a_step_move_weights_in_the_mean(rounding):
    """A change of a quarter of a step, 200 times: 50 steps, whatever rounds the products."""
    network = cases.learning_network(np.random.default_rng(10))
    network = replace(network, learning=replace(network.learning, optimiser="sgd"))
    run = Run(network, rounding, np.random.default_rng(10), learns=False)
    program, learning = run.program, run.learning
    shift = program.populations[learning.learners[layout.LAYER]["population"]]["shift"]
    program.weight[:] = 0
    rate = 2 ** int(25 - learning.constants[0]["gradient_shift"] + shift)
    for tick in range(200):
        run.plastic.gradient[:] = 2**20
        update(program, run.state, learning, run.plastic, run.tutors.cores[0], tick, rate)
    moved = program.weight.view(np.int16)
    moved = moved[moved != 0]
    assert len(moved) > 20
    # A weight's count is binomial: 50 +- 6.
    assert moved.mean() == pytest.approx(-50, abs=24 / np.sqrt(len(moved)))
    assert np.abs(moved + 50).max() < 40


@pytest.mark.parametrize("rounding", ROUNDINGS)
@settings(derandomize=True, deadline=None, max_examples=10)
@given(seed=seeds)
def test_learning_at_every_step_equals_its_twin(rounding, seed):
    rng = np.random.default_rng(seed)
    network = cases.learning_network(rng)
    shape = (network.population("readout").size, network.population("hidden").size)
    feedback = rng.normal(size=shape).astype(np.float32)
    rule = replace(
        network.learning, kind="random", feedback=feedback, optimiser="sgd", batch=0,
        rate_cost=0.0, learning_rate=0.2,
    )  # fmt: skip
    network = replace(network, learning=rule)
    run = Run(network, rounding, rng, batch=0, slots=SLOTS[seed % 3])
    plain = run.twin()
    run.assert_equal(plain)
    run.assert_same_learning(plain)


@pytest.mark.parametrize("learns", [False, True])
@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=seeds)
def test_the_edges_of_all_ranges_equal_their_twin(learns, seed):
    rng = np.random.default_rng(seed)
    network = cases.learning_network(rng) if learns else cases.static_network(rng)
    run = Run(network, "truncate", rng, extreme=True)
    plain = run.twin()
    run.assert_equal(plain)
    if learns:
        run.assert_same_learning(plain)


@pytest.mark.parametrize("rewarded", [False, True])
@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds)
def test_stdp_equals_its_twin(rewarded, seed):
    rng = np.random.default_rng(seed)
    run = Run(cases.stdp_network(rng, rewarded), "truncate", rng, slots=SLOTS[seed % 3])
    plain = run.twin()
    run.assert_equal(plain)
    assert (run.program.weight != run.network.program.weight).any()
    assert sum(rule.pairs for rule in plain.rules) > 0


def test_the_random_cases_are_worth_it():
    """They fire, adapt, wait, saturate and move weights: a twin of silence would prove nothing."""
    spikes = moved = adapts = 0
    saturated = np.zeros(3, np.int64)
    for seed in range(25):
        rng = np.random.default_rng(seed)
        run = Run(cases.learning_network(rng), "truncate", rng)
        hidden = run.network.population("hidden")
        part = slice(hidden.first, hidden.first + hidden.size)
        spikes += int(run.outcome.counts[:, part].sum())
        moved += int((run.program.weight != run.network.program.weight).sum())
        adapts += int(run.plastic.epsilon.any())
        edge = Run(cases.learning_network(rng), "truncate", rng, extreme=True)
        saturated += edge.state.saturated.sum(axis=0)
    assert spikes > 2000
    assert moved > 500
    assert adapts > 12
    assert saturated.min() > 0


def test_without_a_lesson_nothing_moves():
    rng = np.random.default_rng(3)
    run = Run(cases.learning_network(rng), "truncate", rng, learns=False)
    np.testing.assert_array_equal(run.program.weight, run.network.program.weight)
    run.assert_equal(run.twin())
    assert run.outcome.output.any()
