"""Learning in a chip's arithmetic: the same trials, batches and rule, in S16.15."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.eprop_float import EpropWeights
from chipsim.kernels.processor.ideal import Lesson, Outcome, Samples, Tutors, new_tutors, run_ideal
from chipsim.kernels.processor.layout import LAYER, ONE, Program, State, new_state
from chipsim.load.chip_file import read_chip
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.processor.learning import quantise_learning, update_rate
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.quantise.processor.numbers import resolution
from chipsim.quantise.processor.quantise import quantise_for_processor
from chipsim.train.eprop.batch import Figures
from chipsim.train.eprop.network import HIDDEN, INPUT, READOUT, network_of
from chipsim.train.eprop.settings import Settings
from chipsim.train.eprop.trial import Trial, judge, target_curve

CHIP = "spinnaker1"

OFFSETS = {INPUT: 0, HIDDEN: 1, READOUT: 2}
"""Ticks by which the populations lag behind the input."""

SIGNAL_DELAY = OFFSETS[READOUT] + 1 - OFFSETS[HIDDEN]
"""Steps by which the readout's error comes late: it is sent in one tick and used in the next."""


@dataclass
class OnChip:
    """A network that learns on a chip; learning changes ``program.weight`` and ``tutors``.

    ``tick (1,)`` is the number of the next one.
    """

    network: ProcessorNetwork
    program: Program
    state: State
    tutors: Tutors
    tick: NDArray[np.int64]


def put_on_chip(weights: EpropWeights, settings: Settings, steps: int) -> OnChip:
    """Return the network of ``weights`` on a chip, for trials of ``steps`` steps."""
    chip = read_chip(CHIP)
    assert isinstance(chip, ProcessorChip)
    chip = replace(chip, core=replace(chip.core, rounding=settings.rounding))
    network = network_of(weights, settings, steps)
    processor = quantise_for_processor(network, chip, OFFSETS, settings.seed)
    learning = processor.learning
    assert learning is not None
    return OnChip(
        network=processor,
        program=processor.fresh_program(),
        state=new_state(processor.program),
        tutors=new_tutors(
            processor.program, processor.fanout, learning, processor.feedback, processor.stdp
        ),
        tick=np.zeros(1, np.int64),
    )


def run_on_chip(
    chip: OnChip, settings: Settings, trials: Iterable[Trial], number: int | None
) -> Figures:
    """Run a batch of trials of equal length; learn from it unless ``number`` is None.

    ``number`` is that of the update, counted from 0.
    """
    batch = list(trials)
    _set_steps(chip, batch[0].steps)
    samples = _samples(chip, batch)
    lesson = _lesson(chip, settings, len(batch), number)
    shape = (len(batch), batch[0].steps)
    neurons = len(chip.state.v)
    outcome = Outcome(
        counts=np.zeros((len(batch), neurons), np.int64),
        output=np.zeros((*shape, len(chip.tutors.plastic.output)), np.int32),
        potential=np.zeros((len(batch), neurons), np.int32),
        raster=np.zeros((0, 0, 0), np.uint8),
    )
    chip.tick[0] = run_ideal(
        chip.program, chip.state, chip.network.fanout, chip.tutors, samples, lesson,
        int(chip.tick[0]), outcome,
    )  # fmt: skip
    return _figures(chip, batch, outcome)


def weights_of(chip: OnChip) -> EpropWeights:
    """Return the chip's weights as reals; W_rec is 0 without recurrent synapses."""
    parts = {}
    for projection in chip.network.projections:
        target = chip.network.population(projection.target)
        count = len(projection.post)
        raw = chip.program.weight[projection.first_synapse :][:count].view(np.int16)
        values = raw * resolution(target.shifts[0])
        parts[projection.name] = values.reshape(-1, target.size).astype(np.float32)
    n = chip.network.population(HIDDEN).size
    feedback = chip.tutors.plastic.feedback.reshape(-1, n) / ONE
    return EpropWeights(
        inputs=parts["input_hidden"],
        recurrent=parts.get("hidden_hidden", np.zeros((n, n), np.float32)),
        readout=parts["hidden_readout"],
        feedback=feedback.astype(np.float32),
    )


def _set_steps(chip: OnChip, steps: int) -> None:
    """Let the rule's constants be those for trials of ``steps`` steps."""
    if steps == chip.network.network.steps:
        return
    network = replace(chip.network.network, steps=steps)
    learning, _ = quantise_learning(
        network, chip.network.populations, chip.network.projections, chip.program
    )
    assert learning is not None
    chip.network = replace(chip.network, network=network)
    chip.tutors = chip.tutors._replace(learning=learning)


def _samples(chip: OnChip, batch: list[Trial]) -> Samples:
    steps, outputs = batch[0].steps, len(chip.tutors.plastic.output)
    first = np.zeros((len(batch), steps + 1), np.int64)
    target = np.zeros((len(batch), steps, outputs), np.int32)
    asked = np.zeros((len(batch), steps), np.uint8)
    before = 0
    for number, trial in enumerate(batch):
        first[number] = trial.inputs.first + before
        before += len(trial.inputs.neuron)
        curve, asked[number] = target_curve(trial, outputs)
        target[number] = np.round(curve.astype(np.float64) * ONE)
    return Samples(first, np.concatenate([trial.inputs.neuron for trial in batch]), target, asked)


def _lesson(chip: OnChip, settings: Settings, count: int, number: int | None) -> Lesson:
    if number is None:
        return Lesson(0, 0, np.zeros(1, np.int64))
    if settings.continuous:
        return Lesson(1, 0, np.zeros(1, np.int64))
    rule = chip.network.rule
    rate = rule.learning_rate * settings.optimiser.rate_at(number) / settings.optimiser.rate
    rates = np.array([update_rate(rule, chip.network.network.steps, number, rate)], np.int64)
    return Lesson(1, count, rates)


def _figures(chip: OnChip, batch: list[Trial], outcome: Outcome) -> Figures:
    layer = chip.tutors.learning.learners[LAYER]
    hidden = slice(int(layer["first"]), int(layer["first"] + layer["size"]))
    judged = [
        judge(trial, (output / ONE).astype(np.float32))
        for trial, output in zip(batch, outcome.output, strict=True)
    ]
    return Figures(
        loss=float(np.mean([judgement.loss for judgement in judged])),
        wrong=float(sum(judgement.wrong for judgement in judged)),
        asked=sum(judgement.asked for judgement in judged),
        spikes=outcome.counts[:, hidden].sum(axis=0),
        steps=sum(trial.steps for trial in batch),
    )
