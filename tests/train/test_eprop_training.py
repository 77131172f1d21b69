"""The training loop: gradients at full size, feedback, optimisers, learning, curriculum."""

from dataclasses import replace

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.kernels.eprop_float import EpropGradients, EpropWeights
from chipsim.train.eprop import batch, weights
from chipsim.train.eprop.recipes import RECIPES
from chipsim.train.eprop.rule import Optimiser, Rule
from chipsim.train.eprop.settings import FEEDBACK_DECAY, RATE_TARGET, Settings
from chipsim.train.eprop.training import (
    evaluate,
    finished,
    iterate,
    start,
    test_trials,
    training_trials,
)

test_trials.__test__ = False


def settings_of(task, feedback="random", **changes) -> Settings:
    recipe = RECIPES[task]
    spread = recipe.feedback_spread[feedback]
    rule = Rule(feedback, recipe.rate_cost, RATE_TARGET, spread, FEEDBACK_DECAY)
    settings = Settings(
        task, recipe.neurons, rule, recipe.optimiser, 0, recipe.iterations, recipe.batch
    )
    return replace(settings, **changes)


def gradients_of(settings, real, form, trials=2):
    recipe = RECIPES[settings.task]
    training = start(settings)
    values = EpropWeights(*(part.astype(real) for part in training.weights))
    rule = replace(settings.rule, gradient=form)
    drawn = list(training_trials(recipe.task, settings, 0, recipe.task.stages - 1))[:trials]
    constants = batch.constants_of(settings.neurons, real)
    return batch.run_batch(constants, values, drawn, rule).gradients


@pytest.mark.parametrize("task", RECIPES)
def test_both_forms_agree_in_every_weight_of_a_full_network(task):
    settings = settings_of(task, batch=2)
    adjoint, online = (gradients_of(settings, np.float64, form) for form in batch.GRADIENTS)
    for one, other in zip(adjoint, online, strict=True):
        assert np.count_nonzero(one) > 0.7 * one.size
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-14 * np.abs(one).max())


@pytest.mark.parametrize("task", RECIPES)
def test_both_forms_agree_in_single_precision(task):
    """To 1e-5 of the largest gradient of the matrix: sums of either sign lose digits."""
    settings = settings_of(task, batch=2)
    adjoint, online = (gradients_of(settings, np.float32, form) for form in batch.GRADIENTS)
    for one, other in zip(adjoint, online, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * np.abs(one).max())


def test_readout_gradient_is_the_slope_of_the_loss():
    """Spikes do not depend on the readout's weights, so there e-prop is exact."""
    settings = settings_of("cues", batch=2)
    recipe = RECIPES["cues"]
    training = start(settings)
    values = EpropWeights(*(part.astype(np.float64) for part in training.weights))
    trials = list(training_trials(recipe.task, settings, 0, 0))
    constants = batch.constants_of(settings.neurons, np.float64)
    gradients = batch.run_batch(constants, values, trials, settings.rule).gradients
    for place in ((0, 0), (60, 1), (99, 0)):
        losses = []
        for change in (1e-4, -1e-4):
            moved = values.readout.copy()
            moved[place] += change
            result = batch.run_batch(constants, values._replace(readout=moved), trials, None)
            losses.append(result.loss)
        slope = (losses[0] - losses[1]) / 2e-4
        assert gradients.readout[place] == pytest.approx(slope, rel=1e-5, abs=1e-12)


def test_the_rate_term_moves_rates_to_their_target():
    settings = settings_of("pattern")
    quiet = replace(settings, rule=replace(settings.rule, rate_cost=0.0, feedback_spread=0.0))
    strong = replace(settings, rule=replace(settings.rule, feedback_spread=0.0))
    rates = []
    for chosen in (quiet, strong):
        training = start(chosen)
        for _ in range(300):
            record = iterate(training, chosen)
        rates.append(record.rate)
    assert rates[0] > 40.0
    assert rates[1] == pytest.approx(10.0, abs=2.0)


def small_update(feedback, optimiser, numbers=(0,)):
    rule = Rule(feedback, 0.0, RATE_TARGET, feedback_spread=1.0, feedback_decay=0.01)
    neurons = replace(RECIPES["cues"].neurons, lif=2, alif=1)
    values = weights.new_weights(np.random.default_rng(0), 4, neurons, 2, rule, "glorot")
    before = EpropWeights(*(part.copy() for part in values))
    moments = weights.new_moments(values)
    random = np.random.default_rng(1)
    history = []
    for number in numbers:
        parts = (random.normal(size=part.shape).astype(np.float32) for part in values[:3])
        gradients = EpropGradients(*parts)
        history.append([part.astype(np.float64) for part in gradients])
        weights.update(values, moments, gradients, number, optimiser, rule)
    return before, values, history


def test_sgd_subtracts_the_gradient():
    before, after, ((g_in, g_rec, g_out),) = small_update("random", Optimiser("sgd", 0.1))
    np.fill_diagonal(g_rec, 0.0)
    for old, new, gradient in zip(before, after, (g_in, g_rec, g_out), strict=False):
        np.testing.assert_allclose(new, old - 0.1 * gradient, rtol=1e-5, atol=1e-7)
    assert not np.diag(after.recurrent).any()
    np.testing.assert_array_equal(before.feedback, after.feedback)


def test_adam_is_adam():
    optimiser = Optimiser("adam", 0.01, fall=0.5, fall_every=2)
    before, after, history = small_update("random", optimiser, range(5))
    value = before.inputs.astype(np.float64)
    m = v = 0.0
    for number, (gradient, _, _) in enumerate(history, start=1):
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        rate = 0.01 * 0.5 ** ((number - 1) // 2) * np.sqrt(1 - 0.999**number) / (1 - 0.9**number)
        value = value - rate * m / (np.sqrt(v) + 1e-8)
    np.testing.assert_allclose(after.inputs, value, rtol=1e-5, atol=1e-7)


def test_symmetric_feedback_is_the_readout():
    before, after, _ = small_update("symmetric", Optimiser("adam", 0.1), range(3))
    for values in (before, after):
        np.testing.assert_array_equal(values.feedback, values.readout.T)
    assert not np.array_equal(before.readout, after.readout)


def test_adaptive_feedback_approaches_the_readout():
    """Equal updates and decay: what is different at the start fades by the decay alone."""
    before, after, _ = small_update("adaptive", Optimiser("adam", 0.1), range(4))
    gap = before.feedback - before.readout.T
    assert np.abs(gap).max() > 0.5
    np.testing.assert_allclose(
        after.feedback - after.readout.T, 0.99**4 * gap, rtol=1e-4, atol=1e-6
    )
    assert not np.array_equal(before.feedback, after.feedback)


@pytest.mark.parametrize(("feedback", "bar"), [("random", 0.25), ("symmetric", 0.12)])
def test_learns_to_generate_a_pattern(feedback, bar):
    settings = settings_of("pattern", feedback, iterations=400)
    training = start(settings)
    while not finished(training, settings):
        iterate(training, settings)
    assert training.records[0].score > 1.0
    assert np.mean([record.score for record in training.records[-20:]]) < bar


def test_learns_one_cue_and_moves_to_three():
    settings = settings_of("cues", "symmetric", curriculum=True, seed=1)
    training = start(settings)
    while training.stage == 0 and len(training.records) < 80:
        iterate(training, settings)
    assert training.stage == 1
    assert training.records[-1].score <= 0.1
    assert np.mean([record.score for record in training.records[:5]]) > 0.3
    assert iterate(training, settings).stage == 1


def test_without_a_curriculum_the_task_is_the_last_stage():
    training = start(settings_of("cues"))
    assert training.stage == 3


def test_stops_when_it_is_good_enough():
    settings = settings_of("pattern", "symmetric", stop_score=0.5, iterations=300)
    training = start(settings)
    while not finished(training, settings):
        iterate(training, settings)
    scores = [record.score for record in training.records]
    assert 8 <= len(scores) < 300
    assert np.mean(scores[-8:]) <= 0.5 < np.mean(scores[-9:-1])


def test_what_diverges_says_so():
    settings = settings_of("pattern", optimiser=Optimiser("sgd", 1e30))
    training = start(settings)
    with np.errstate(all="ignore"):
        iterate(training, settings)
        with pytest.raises(InputError, match="lower --rate"):
            iterate(training, settings)


def test_test_trials_are_not_training_trials():
    settings = settings_of("cues", batch=3)
    task = RECIPES["cues"].task
    tested = [trial.inputs.neuron.tobytes() for trial in test_trials(settings, 3)]
    trained = [trial.inputs.neuron.tobytes() for trial in training_trials(task, settings, 0, 3)]
    assert len({*tested, *trained}) == 6


def test_rates_are_told_by_kind_of_neuron():
    settings = settings_of("cues")
    training = start(settings)
    summary = evaluate(training, settings, test_trials(settings, 8))
    assert summary.asked == 8
    assert summary.lif_rate > 0
    assert summary.alif_rate > 0
    lif_only = replace(settings, neurons=replace(settings.neurons, lif=100, alif=0))
    assert evaluate(start(lif_only), lif_only, test_trials(lif_only, 8)).alif_rate == 0.0
