"""The training loop: draw trials, run them, sum their gradients, update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from chipsim.errors import InputError
from chipsim.kernels.eprop_float import EpropWeights
from chipsim.train.eprop.batch import Figures, constants_of, run_batch
from chipsim.train.eprop.on_chip import OnChip, put_on_chip, run_on_chip, weights_of
from chipsim.train.eprop.recipes import RECIPES, Task
from chipsim.train.eprop.settings import CURRICULUM_SCORE, IterationRecord, Settings, Summary
from chipsim.train.eprop.trial import Trial
from chipsim.train.eprop.weights import Moments, new_moments, new_weights, shift_mean, update

WEIGHTS, FROZEN, TRAIN, TEST = range(4)
"""What a random stream is for: part of its key, beside the seed."""


@dataclass
class Training:
    """A run after ``len(records)`` iterations; training changes all of it in place.

    With ``chip`` the weights are there and ``weights`` those it began with.
    """

    weights: EpropWeights
    moments: Moments
    stage: int
    chip: OnChip | None = None
    records: list[IterationRecord] = field(default_factory=list)


def start(settings: Settings) -> Training:
    """Return a fresh run with seeded weights."""
    recipe = RECIPES[settings.task]
    task = recipe.task
    random = np.random.default_rng([settings.seed, WEIGHTS])
    weights = new_weights(
        random, task.inputs, settings.neurons, task.outputs, settings.rule, recipe.readout
    )
    shift_mean(weights, settings.neurons, recipe.mean_weight)
    stage = 0 if settings.curriculum else task.stages - 1
    training = Training(weights, new_moments(weights), stage)
    if settings.arithmetic == "s16.15":
        steps = task.draw(np.random.default_rng(0), stage).steps
        training.chip = put_on_chip(weights, settings, steps)
    return training


def iterate(training: Training, settings: Settings) -> IterationRecord:
    """Do one iteration: a batch of trials, one update, one record.  InputError if it diverges."""
    task = RECIPES[settings.task].task
    number = len(training.records)
    trials = training_trials(task, settings, number, training.stage)
    result = _learn(training, settings, trials, number)
    if not np.isfinite(result.loss):
        raise InputError(
            f"training: the loss is {result.loss} in iteration {number + 1}; lower --rate"
        )
    rate = result.rate(slice(None))
    record = IterationRecord(training.stage, result.loss, result.score, rate)
    training.records.append(record)
    if record.score <= CURRICULUM_SCORE and training.stage < task.stages - 1:
        training.stage += 1
    return record


def _learn(training: Training, settings: Settings, trials: Iterable[Trial], number: int) -> Figures:
    if training.chip is not None:
        return run_on_chip(training.chip, settings, trials, number)
    constants = constants_of(settings.neurons, np.float32)
    result = run_batch(constants, training.weights, trials, settings.rule)
    if not settings.neurons.recurrent:
        result.gradients.recurrent[:] = 0.0
    if np.isfinite(result.loss):
        weights, moments, gradients = training.weights, training.moments, result.gradients
        update(weights, moments, gradients, number, settings.optimiser, settings.rule)
    return result


def trained_weights(training: Training) -> EpropWeights:
    """Return the weights as they are now, a chip's as reals."""
    return training.weights if training.chip is None else weights_of(training.chip)


def finished(training: Training, settings: Settings) -> bool:
    """Tell whether all iterations are done, or the score to stop at is reached."""
    if len(training.records) >= settings.iterations:
        return True
    last = training.records[-settings.stop_after :]
    if settings.stop_score is None or len(last) < settings.stop_after:
        return False
    at_end = last[0].stage == RECIPES[settings.task].task.stages - 1
    return at_end and float(np.mean([record.score for record in last])) <= settings.stop_score


def training_trials(task: Task, settings: Settings, number: int, stage: int) -> Iterator[Trial]:
    """Draw the batch of iteration ``number``: a function of the seed alone."""
    if task.frozen:
        yield task.draw(np.random.default_rng([settings.seed, FROZEN]), stage)
        return
    random = np.random.default_rng([settings.seed, TRAIN, number])
    for _ in range(settings.batch):
        yield task.draw(random, stage)


def test_trials(settings: Settings, count: int) -> Iterator[Trial]:
    """Draw ``count`` trials of the last stage that no training run sees (or the frozen one)."""
    task = RECIPES[settings.task].task
    stream = FROZEN if task.frozen else TEST
    random = np.random.default_rng([settings.seed, stream])
    for _ in range(1 if task.frozen else count):
        yield task.draw(random, task.stages - 1)


def _run(training: Training, settings: Settings, trials: Iterable[Trial]) -> Figures:
    if training.chip is not None:
        return run_on_chip(training.chip, settings, trials, None)
    constants = constants_of(settings.neurons, np.float32)
    return run_batch(constants, training.weights, trials, None)


def evaluate(training: Training, settings: Settings, trials: Iterable[Trial]) -> Summary:
    """Run ``trials`` without learning."""
    neurons = settings.neurons
    result = _run(training, settings, trials)
    return Summary(
        score=result.score,
        asked=result.asked,
        loss=result.loss,
        lif_rate=result.rate(slice(neurons.lif)),
        alif_rate=result.rate(slice(neurons.lif, None)),
    )
