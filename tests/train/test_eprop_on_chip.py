"""Learning in S16.15: the regression task within a band of float, tasks learnt, runs resumed."""

from dataclasses import replace

import numpy as np
import pytest

from chipsim.kernels.eprop_float import EpropWeights
from chipsim.kernels.processor.layout import ONE
from chipsim.load.chip_file import read_chip
from chipsim.load.description import read_model
from chipsim.load.traces import read_trace
from chipsim.quantise.processor.quantise import quantise_for_processor
from chipsim.simulate.tick.ideal import run_ideal_samples
from chipsim.train.eprop import batch
from chipsim.train.eprop.description import save_description
from chipsim.train.eprop.network import network_of
from chipsim.train.eprop.on_chip import OFFSETS, SIGNAL_DELAY, put_on_chip, run_on_chip, weights_of
from chipsim.train.eprop.recipes import RECIPES
from chipsim.train.eprop.rule import Rule
from chipsim.train.eprop.save import save_trials, save_weights
from chipsim.train.eprop.settings import RATE_TARGET, Settings
from chipsim.train.eprop.training import evaluate, finished, iterate, start, test_trials
from chipsim.train.eprop.weights import new_moments, update
from tests.train.test_eprop_nest import NEURONS, OPTIMISER, RULE, recipe

test_trials.__test__ = False


def settings_of(task, feedback="random", **changes) -> Settings:
    own = RECIPES[task]
    rule = Rule(
        feedback, own.rate_cost, RATE_TARGET, own.feedback_spread[feedback], 1e-4,
        signal_delay=SIGNAL_DELAY,
    )  # fmt: skip
    settings = Settings(
        task, own.neurons, rule, own.optimiser, 0, own.iterations, own.batch,
        curriculum=own.curriculum, arithmetic="s16.15", continuous=own.continuous,
    )  # fmt: skip
    return replace(settings, **changes)


def regression(rounding, iterations):
    """Return the losses of NEST's regression task on the chip."""
    weights, trial = recipe()
    single = EpropWeights(*(part.astype(np.float32) for part in weights))
    rule = replace(RULE, signal_delay=SIGNAL_DELAY)
    settings = Settings(
        "pattern", NEURONS, rule, OPTIMISER, 0, iterations, 1, arithmetic="s16.15",
        rounding=rounding,
    )  # fmt: skip
    chip = put_on_chip(single, settings, 1000)
    return [run_on_chip(chip, settings, [trial], number).loss for number in range(iterations)]


def regression_in_float(iterations, delay):
    weights, trial = recipe()
    constants, moments = batch.constants_of(NEURONS, np.float64), new_moments(weights)
    rule = replace(RULE, signal_delay=delay)
    losses = []
    for number in range(iterations):
        result = batch.run_batch(constants, weights, [trial], rule)
        losses.append(result.loss)
        update(weights, moments, result.gradients, number, OPTIMISER, rule)
    return losses


@pytest.mark.parametrize("rounding", ["truncate", "nearest"])
def test_the_regression_task_is_learnt_as_in_float(rounding):
    """Single spikes flip, so losses of single iterations differ by more than their mean does."""
    chip = regression(rounding, 206)
    float_ = regression_in_float(206, SIGNAL_DELAY)
    assert chip[0] == pytest.approx(float_[0], rel=0.01)
    assert chip[200] == pytest.approx(float_[200], rel=0.03)
    assert np.mean(chip[195:]) == pytest.approx(np.mean(float_[195:]), rel=0.03)
    assert np.mean(chip[195:]) < 0.66 * chip[0]


def test_a_late_error_hardly_matters_to_the_regression_task():
    losses = [np.mean(regression_in_float(206, delay)[195:]) for delay in (0, SIGNAL_DELAY)]
    assert losses[1] == pytest.approx(losses[0], rel=0.03)


def test_stochastic_rounding_begins_as_float_does():
    assert regression("stochastic", 2)[0] == pytest.approx(101.96, rel=0.01)


@pytest.mark.parametrize(("feedback", "bar"), [("random", 0.25), ("symmetric", 0.12)])
def test_a_pattern_is_learnt_on_the_chip(feedback, bar):
    """The bars of float: test_eprop_training.test_learns_to_generate_a_pattern."""
    settings = settings_of("pattern", feedback, iterations=400)
    training = start(settings)
    while not finished(training, settings):
        iterate(training, settings)
    assert training.records[0].score > 1.0
    assert np.mean([record.score for record in training.records[-20:]]) < bar


def test_perretts_network_learns_a_cue_at_every_step():
    settings = settings_of("cues-perrett", iterations=8)
    training = start(settings)
    while training.stage == 0 and not finished(training, settings):
        iterate(training, settings)
    assert training.stage == 1
    assert not weights_of(training.chip).recurrent.any()
    # Trials of another length: the rule's constants follow.
    assert iterate(training, settings).stage == 1


def test_weights_come_back_as_they_were_put_on_the_chip():
    settings = settings_of("cues", "symmetric")
    training = start(settings)
    back = weights_of(training.chip)
    for name in ("inputs", "recurrent", "readout"):
        put, got = getattr(training.weights, name), getattr(back, name)
        np.testing.assert_allclose(got, put, atol=2.0**-13)
    np.testing.assert_array_equal(back.feedback, back.readout.T)


def test_evaluation_changes_nothing():
    settings = settings_of("cues", batch=2)
    training = start(settings)
    before = training.chip.program.weight.copy()
    summary = evaluate(training, settings, test_trials(settings, 2))
    assert summary.asked == 2
    np.testing.assert_array_equal(training.chip.program.weight, before)


@pytest.mark.parametrize("task", ["pattern", "cues", "store-recall"])
def test_a_described_network_learns_as_the_trainer_does(tmp_path, task):
    """Weights, rule and targets go through files; the first update is the same to the bit."""
    settings = settings_of(task, batch=1 if task == "pattern" else 2)
    training = start(settings)
    trials = list(test_trials(settings, settings.batch))
    # Three tensors more than the chip's: as a user's checkpoint has them.
    save_weights(tmp_path / "net.pt", training.weights, settings.neurons)
    save_trials(tmp_path / "trials.npz", trials, RECIPES[task].task)
    network = network_of(training.weights, settings, trials[0].steps)
    save_description(tmp_path / "net.yaml", network, tmp_path / "trials.npz")
    model = read_model(tmp_path / "net.pt")
    assert model.notes == ()
    processor = quantise_for_processor(model.network, read_chip("spinnaker1"), OFFSETS)
    done = run_ideal_samples(processor, read_trace(model.trace), len(trials), learns=True)
    chip = training.chip
    figures = run_on_chip(chip, settings, trials, 0)
    np.testing.assert_array_equal(done.program.weight, chip.program.weight)
    assert (done.program.weight != processor.program.weight).any()
    hidden = processor.population("hidden")
    part = slice(hidden.first, hidden.first + hidden.size)
    np.testing.assert_array_equal(done.outcome.counts[:, part].sum(axis=0), figures.spikes)
    assert np.abs(done.outcome.output).max() < 8 * ONE
