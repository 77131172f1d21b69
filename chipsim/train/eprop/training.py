"""The training loop: draw trials, run them, sum their gradients, update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.kernels.eprop_float import (
    EpropConstants,
    EpropGradients,
    EpropWeights,
    Events,
    Tape,
    run_trial,
)
from chipsim.train.eprop.recipes import RECIPES, Task
from chipsim.train.eprop.rule import GRADIENTS, Rule
from chipsim.train.eprop.settings import CURRICULUM_SCORE, IterationRecord, Settings, Summary
from chipsim.train.eprop.trial import Judgement, Trial, judge
from chipsim.train.eprop.weights import (
    Moments,
    new_moments,
    new_weights,
    no_gradients,
    update,
)

WEIGHTS, FROZEN, TRAIN, TEST = range(4)
"""What a random stream is for: part of its key, beside the seed."""


@dataclass
class Training:
    """A run after ``len(records)`` iterations; training changes all of it in place."""

    weights: EpropWeights
    moments: Moments
    stage: int
    records: list[IterationRecord] = field(default_factory=list)


@dataclass(frozen=True)
class BatchResult:
    """Gradients (mean over the trials), loss (mean), score, spikes per neuron and step.

    ``spikes (n,)`` counts over ``steps`` steps of all trials.
    """

    gradients: EpropGradients
    loss: float
    wrong: float
    asked: int
    spikes: NDArray[np.int64]
    steps: int

    @property
    def score(self) -> float:
        """Share of wrong answers, or mean normalised MSE."""
        return self.wrong / self.asked

    def rate(self, part: slice) -> float:
        """Return the mean rate in Hz of the neurons in ``part``, 0 if there are none."""
        spikes = self.spikes[part]
        return 1000.0 * float(spikes.mean()) / self.steps if len(spikes) else 0.0


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
    constants = settings.neurons.constants(np.float32)
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
    result = run_batch(neurons.constants(np.float32), training.weights, trials, None)
    return Summary(
        score=result.score,
        asked=result.asked,
        loss=result.loss,
        lif_rate=result.rate(slice(neurons.lif)),
        alif_rate=result.rate(slice(neurons.lif, None)),
    )


def run_batch(
    constants: EpropConstants,
    weights: EpropWeights,
    trials: Iterable[Trial],
    rule: Rule | None,
) -> BatchResult:
    """Run ``trials`` (at least one) and, with a ``rule``, take the mean of their gradients.

    All reals in the type of ``weights``.
    """
    gradients = no_gradients(weights)
    spikes = np.zeros(weights.recurrent.shape[0], np.int64)
    count = asked = steps = 0
    loss = wrong = 0.0
    for trial in trials:
        tape = run(constants, weights, trial)
        judgement = judge(trial, tape.output)
        fired = np.bincount(tape.spikes.index, minlength=len(spikes))
        if rule is not None:
            _add_gradient(constants, weights, trial, tape, judgement, fired, rule, gradients)
        spikes += fired
        count += 1
        steps += trial.steps
        loss += judgement.loss
        wrong += judgement.wrong
        asked += judgement.asked
    for gradient in gradients:
        gradient /= gradient.dtype.type(count)
    return BatchResult(gradients, loss / count, wrong, asked, spikes, steps)


def run(constants: EpropConstants, weights: EpropWeights, trial: Trial) -> Tape:
    """Run one trial from rest; return its tape, with no more room than spikes."""
    real = weights.recurrent.dtype
    neurons, outputs = weights.readout.shape
    spikes = Events(
        np.zeros(trial.steps + 1, np.int64), np.empty(trial.steps * neurons + 1, np.uint32)
    )
    psi = np.empty((trial.steps, neurons), real)
    tape = Tape(psi, spikes, np.empty((trial.steps, outputs), real))
    run_trial(constants, weights, trial.inputs, tape)
    held = Events(spikes.first, spikes.index[: spikes.first[-1]])
    return Tape(psi, held, tape.output)


def _add_gradient(
    constants: EpropConstants,
    weights: EpropWeights,
    trial: Trial,
    tape: Tape,
    judgement: Judgement,
    fired: NDArray[np.int64],
    rule: Rule,
    gradients: EpropGradients,
) -> None:
    real = weights.recurrent.dtype
    excess = fired / trial.steps - rule.rate_target
    rate = (rule.rate_cost / trial.steps * excess).astype(real)
    error = np.ascontiguousarray(judgement.error, dtype=real)
    gradient = GRADIENTS[rule.gradient]
    gradient(constants, weights, trial.inputs, tape, error, rate, gradients)
