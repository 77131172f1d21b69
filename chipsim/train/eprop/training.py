"""The training loop: draw trials, run them, sum their gradients, update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from chipsim.errors import InputError
from chipsim.kernels.eprop_float import EpropWeights
from chipsim.train.eprop.batch import constants_of, run_batch
from chipsim.train.eprop.recipes import RECIPES, Task
from chipsim.train.eprop.settings import CURRICULUM_SCORE, IterationRecord, Settings, Summary
from chipsim.train.eprop.trial import Trial
from chipsim.train.eprop.weights import Moments, new_moments, new_weights, update

WEIGHTS, FROZEN, TRAIN, TEST = range(4)
"""What a random stream is for: part of its key, beside the seed."""


@dataclass
class Training:
    """A run after ``len(records)`` iterations; training changes all of it in place."""

    weights: EpropWeights
    moments: Moments
    stage: int
    records: list[IterationRecord] = field(default_factory=list)


def start(settings: Settings) -> Training:
    """Return a fresh run with seeded weights."""
    recipe = RECIPES[settings.task]
    task = recipe.task
    random = np.random.default_rng([settings.seed, WEIGHTS])
    weights = new_weights(
        random, task.inputs, settings.neurons, task.outputs, settings.rule, recipe.readout
    )
    stage = 0 if settings.curriculum else task.stages - 1
    return Training(weights, new_moments(weights), stage)


def iterate(training: Training, settings: Settings) -> IterationRecord:
    """Do one iteration: a batch of trials, one update, one record.  InputError if it diverges."""
    task = RECIPES[settings.task].task
    number = len(training.records)
    trials = training_trials(task, settings, number, training.stage)
    constants = constants_of(settings.neurons, np.float32)
    result = run_batch(constants, training.weights, trials, settings.rule)
    if not np.isfinite(result.loss):
        raise InputError(
            f"training: the loss is {result.loss} in iteration {number + 1}; lower --rate"
        )
    update(
        training.weights,
        training.moments,
        result.gradients,
        number,
        settings.optimiser,
        settings.rule,
    )
    rate = result.rate(slice(None))
    record = IterationRecord(training.stage, result.loss, result.score, rate)
    training.records.append(record)
    if record.score <= CURRICULUM_SCORE and training.stage < task.stages - 1:
        training.stage += 1
    return record


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


def evaluate(training: Training, settings: Settings, trials: Iterable[Trial]) -> Summary:
    """Run ``trials`` without learning."""
    neurons = settings.neurons
    result = run_batch(constants_of(neurons, np.float32), training.weights, trials, None)
    return Summary(
        score=result.score,
        asked=result.asked,
        loss=result.loss,
        lif_rate=result.rate(slice(neurons.lif)),
        alif_rate=result.rate(slice(neurons.lif, None)),
    )
