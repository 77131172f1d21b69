"""The generators of trials, and how answers are judged."""

import numpy as np
import pytest

from chipsim.train.eprop.recipes import RECIPES
from chipsim.train.eprop.settings import TASKS
from chipsim.train.eprop.tasks import cues, pattern, store_recall
from chipsim.train.eprop.trial import Question, Trial, judge, raster, spike_events


def rng(seed=0):
    return np.random.default_rng(seed)


def test_tasks_are_those_of_the_recipes():
    assert tuple(RECIPES) == TASKS


@pytest.mark.parametrize("name", TASKS)
def test_trials_are_a_function_of_the_seed(name):
    task = RECIPES[name].task
    one, same, other = (task.draw(rng(seed), task.stages - 1) for seed in (1, 1, 2))
    assert one.steps == len(one.inputs.first) - 1
    np.testing.assert_array_equal(one.inputs.neuron, same.inputs.neuron)
    np.testing.assert_array_equal(one.inputs.first, same.inputs.first)
    assert not np.array_equal(one.inputs.neuron, other.inputs.neuron)
    assert one.inputs.neuron.max() < task.inputs


def test_events_are_a_raster():
    flags = rng().random((50, 7)) < 0.2
    flags[3] = flags[49] = False
    events = spike_events(flags)
    np.testing.assert_array_equal(raster(events, 7), flags)
    assert all(np.all(np.diff(part) > 0) for part in np.split(events.neuron, events.first[1:-1]))


def test_pattern_is_a_curve_of_the_four_frequencies():
    trial = pattern.draw_pattern(rng(), 3)
    assert trial.target.shape == (1000, 3)
    assert np.all(trial.target[0] == 0.0)
    np.testing.assert_allclose(np.abs(trial.target).max(axis=0), 1.0, rtol=1e-6)
    power = np.abs(np.fft.rfft(trial.target, axis=0)) ** 2
    assert power[[0, 1, 2, 3, 5]].sum() > 0.999 * power.sum()
    assert np.all(power[[1, 2, 3, 5]] > 1.0)
    assert np.mean(raster(trial.inputs, 100)) == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("stage", range(len(cues.STAGES)))
def test_cues_say_which_side_has_more(stage):
    random = rng(stage)
    count = cues.STAGES[stage]
    labels, favoured = [], 0
    for _ in range(100):
        trial = cues.draw_cues(random, stage)
        assert trial.steps == count * 150 + 1050 + 150
        spikes = raster(trial.inputs, cues.INPUTS)
        (question,) = trial.target
        assert (question.first, question.stop) == (trial.steps - 150, trial.steps)
        left, right = spikes[:, :10].sum(axis=1), spikes[:, 10:20].sum(axis=1)
        slots = [slice(k * 150 + 50, k * 150 + 150) for k in range(count)]
        sides = [right[slot].sum() > left[slot].sum() for slot in slots]
        assert all(left[slot].sum() * right[slot].sum() == 0 for slot in slots)
        assert left.sum() + right.sum() == sum((left + right)[slot].sum() for slot in slots)
        assert question.label == int(2 * sum(sides) > count)
        assert not spikes[: question.first, 20:30].any()
        labels.append(question.label)
        favoured += max(sum(sides), count - sum(sides))
    assert 30 < sum(labels) < 70
    # Seven fair cues would give a majority of 4.6 on average, these give 5.0.
    assert count == 1 or favoured / 100 > {3: 2.2, 5: 3.5, 7: 4.8}[count]


def test_cue_rates_are_published_ones():
    trials = [raster(cues.draw_cues(rng(seed), 3).inputs, 40) for seed in range(30)]
    assert np.mean([spikes[:, 30:] for spikes in trials]) == pytest.approx(0.01, rel=0.05)
    assert np.mean([spikes[-150:, 20:30] for spikes in trials]) == pytest.approx(0.04, rel=0.05)
    shown = np.mean([spikes[50:150, :20].sum() / 1000 for spikes in trials])
    assert shown == pytest.approx(0.04, rel=0.06)


def test_commands_take_turns():
    random = rng()
    delays = []
    for _ in range(300):
        commands = [
            (place, command)
            for place, command in enumerate(store_recall.draw_commands(random))
            if command != store_recall.VALUE
        ]
        kinds = [command for _, command in commands]
        assert kinds == [store_recall.STORE, store_recall.RECALL] * (len(kinds) // 2)
        places = [place for place, _ in commands]
        delays += [b - a for a, b in zip(places[::2], places[1::2], strict=True)]
    assert min(delays) == 2
    assert max(delays) >= 8


def test_store_recall_asks_for_the_stored_bit():
    asked = 0
    for seed in range(30):
        trial = store_recall.draw_store_recall(rng(seed))
        spikes = raster(trial.inputs, store_recall.INPUTS)
        symbols = spikes.reshape(12, 200, 4, 25).sum(axis=(1, 3))
        questions = {question.first // 200: question.label for question in trial.target}
        kept = None
        for number, groups in enumerate(symbols):
            if groups[2]:
                kept = int(groups[1] > 0)
            assert (number in questions) == (groups[3] > 0)
            if number in questions:
                assert questions[number] == kept
                assert not groups[:3].any()
                asked += 1
            else:
                assert (groups[0] > 0) != (groups[1] > 0)
    assert asked >= 30


def test_a_curve_costs_half_its_squared_error():
    target = np.array([[0.0], [2.0]])
    output = np.array([[1.0], [0.0]])
    judgement = judge(Trial(2, spike_events(np.zeros((2, 1), np.bool_)), target), output)
    assert judgement.loss == pytest.approx(2.5)
    np.testing.assert_array_equal(judgement.error, [[1.0], [-2.0]])
    assert judgement.wrong == pytest.approx(5.0 / 2.0)


def test_the_error_is_the_derivative_of_the_loss():
    random = rng(4)
    output = random.normal(size=(12, 3))
    questions = (Question(2, 6, 0), Question(9, 12, 2))
    trial = Trial(12, spike_events(np.zeros((12, 1), np.bool_)), questions)
    judgement = judge(trial, output)
    slope = np.zeros_like(output)
    for place in np.ndindex(output.shape):
        for sign in (1, -1):
            moved = output.copy()
            moved[place] += sign * 1e-6
            slope[place] += sign * judge(trial, moved).loss / 2e-6
    np.testing.assert_allclose(judgement.error, slope, atol=1e-8)
    assert not judgement.error[[0, 1, 6, 7, 8]].any()


def test_an_answer_is_the_highest_mean_of_its_window():
    output = np.zeros((4, 2))
    output[:, 1] = [9.0, -1.0, -1.0, -1.0]
    steps = spike_events(np.zeros((4, 1), np.bool_))
    wrong = [judge(Trial(4, steps, (Question(first, 4, 1),)), output).wrong for first in (0, 1)]
    assert wrong == [0, 1]


def test_a_hopeless_answer_costs_a_finite_amount():
    output = np.array([[1e4, -1e4]], np.float32)
    steps = spike_events(np.zeros((1, 1), np.bool_))
    judgement = judge(Trial(1, steps, (Question(0, 1, 1),)), output)
    assert judgement.loss == pytest.approx(2e4)
    assert np.isfinite(judgement.error).all()
