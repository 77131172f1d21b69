"""The pure function of a network on processors: what a machine computes that is never late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.kernels.processor.ideal import Lesson, Outcome, Samples, Tutors, new_tutors, run_ideal
from chipsim.kernels.processor.layout import Program, State, new_state, no_learning
from chipsim.network import Trace
from chipsim.quantise.processor.learning import schedule
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.quantise.processor.targets import targets_of


@dataclass(frozen=True, eq=False)
class IdealRun:
    """What a run of ``ticks`` ticks leaves.

    ``outcome`` by sample, the weights in ``program``, what learnt them in ``tutors``, and in
    ``state`` what saturated.
    """

    outcome: Outcome
    program: Program
    tutors: Tutors
    state: State
    ticks: int


def run_ideal_samples(
    network: ProcessorNetwork, trace: Trace, samples: int, *, learns: bool = False
) -> IdealRun:
    """Run the first ``samples`` of ``trace``, each from rest, as if no packet took any time.

    With ``learns`` the network's own rules change its weights, after each whole batch of samples.
    The arrays of ``outcome`` are small networks' size: its raster holds every neuron and step.
    InputError if the trace does not fit the network or has no targets to learn from.
    """
    learning = network.learning or no_learning()
    program = network.fresh_program()
    tutors = new_tutors(program, network.fanout, learning, network.feedback, network.stdp)
    state = new_state(program)
    outcome = _outcome(network, tutors, samples)
    ticks = run_ideal(
        program, state, network.fanout, tutors, _samples(network, trace, samples, learns),
        _lesson(network, samples, learns), 0, outcome,
    )  # fmt: skip
    return IdealRun(outcome, program, tutors, state, ticks)


def _outcome(network: ProcessorNetwork, tutors: Tutors, samples: int) -> Outcome:
    steps, neurons = network.network.steps, int(network.program.formats[0]["neurons"])
    return Outcome(
        counts=np.zeros((samples, neurons), np.int64),
        output=np.zeros((samples, steps, len(tutors.plastic.output)), np.int32),
        potential=np.zeros((samples, neurons), np.int32),
        raster=np.zeros((samples, steps, neurons), np.uint8),
    )


def _samples(network: ProcessorNetwork, trace: Trace, samples: int, learns: bool) -> Samples:
    steps = network.network.steps
    spikes = _input_spikes(network, trace, samples)
    outputs = 0 if network.learning is None else int(network.learning.constants[0]["outputs"])
    target = np.zeros((samples, steps, outputs), np.int32)
    asked = np.zeros((samples, steps), np.uint8)
    if learns and network.learning is not None:
        for sample in range(samples):
            target[sample], asked[sample] = targets_of(network.network, trace, sample)
    numbers = _input_numbers(network)
    ends = np.concatenate([[0], np.cumsum(spikes.sum(axis=2).reshape(-1))]).astype(np.int64)
    places = np.arange(samples)[:, None] * steps + np.arange(steps + 1)
    return Samples(ends[places], numbers[np.nonzero(spikes)[2]], target, asked)


def _input_numbers(network: ProcessorNetwork) -> NDArray[np.uint32]:
    """Return the global number of each input neuron of a trace."""
    parts = [
        np.arange(p.first, p.first + p.size, dtype=np.uint32)
        for p in network.populations
        if p.kind == "source"
    ]
    return np.concatenate(parts)


def _input_spikes(network: ProcessorNetwork, trace: Trace, samples: int) -> NDArray[np.bool_]:
    wanted = (network.network.steps, len(_input_numbers(network)))
    if trace.spikes is None or trace.spikes.shape[1:] != wanted:
        given = "no spikes" if trace.spikes is None else f"spikes {trace.spikes.shape[1:]}"
        raise InputError(
            f"trace {trace.name}: has {given}; the network needs spikes {wanted}: steps x inputs"
        )
    if samples > trace.samples:
        raise InputError(f"trace {trace.name}: has {trace.samples} samples, asked are {samples}")
    flags: NDArray[np.bool_] = trace.spikes[:samples].astype(np.bool_)
    return flags


def _lesson(network: ProcessorNetwork, samples: int, learns: bool) -> Lesson:
    rule = network.network.learning
    if rule is None or rule.batch == 0 or not learns:
        return Lesson(int(learns), 0, np.zeros(1, np.int64))
    updates = samples // rule.batch
    rates = schedule(rule, network.network.steps, 0, max(updates, 1))
    return Lesson(1, rule.batch, rates)
