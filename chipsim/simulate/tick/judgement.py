"""How far the readout is from what a learning rule asks of it, on the chip and in float.

The readout of a network with e-prop says ``y = (1 - kappa) v``, ``v`` its membrane and ``kappa =
exp(-1 / tau_readout)`` (`chipsim.train.eprop.rule`), in every step that the rule asks for.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.processor.layout import ONE
from chipsim.network import Input, Network, Trace
from chipsim.quantise.processor.targets import targets_of
from chipsim.simulate.samples import Answers

Reals = NDArray[np.float64]


def has_targets(network: Network, trace: Trace) -> bool:
    """Whether ``network`` has a rule that asks something, and ``trace`` says what is right."""
    rule = network.learning
    if rule is None:
        return False
    return trace.targets is not None or (trace.labels is not None and rule.task == "classification")


def error_of(
    task: str, output: Reals, target: NDArray[np.int32], asked: NDArray[np.uint8]
) -> float:
    """Return how wrong ``output (steps, outputs)`` is in the steps that are asked.

    Classification: the share of questions (steps in a row with the same target) in which the
    sum of the output is highest elsewhere than the target.  Regression: the sum of squared errors
    over that of the targets.  ``target`` is in s16.15.  0 where nothing is asked.
    """
    steps = np.flatnonzero(asked)
    if not steps.size:
        return 0.0
    said, right = output[steps], target[steps] / ONE
    if task == "regression":
        return float(((said - right) ** 2).sum() / max((right**2).sum(), 1.0 / ONE))
    changes = (np.diff(steps) > 1) | (np.diff(right.argmax(axis=1)) != 0)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    answers = np.add.reduceat(said, starts).argmax(axis=1)
    return float(np.mean(answers != right[starts].argmax(axis=1)))


def output_of(network: Network, membrane: Reals) -> Reals:
    """Return what a readout with that ``membrane`` says."""
    rule = network.learning
    assert rule is not None, "has_targets() found a rule"
    return membrane * -math.expm1(-1.0 / rule.tau_readout)


def float_errors(network: Network, trace: Trace, answers: Answers) -> Reals:
    """Return the errors (samples,) of a float run of ``network``, whose weights did not move."""
    rule = network.learning
    assert rule is not None, "has_targets() found a rule"
    errors = np.zeros(trace.samples)
    for sample in range(trace.samples):
        target, asked = targets_of(network, trace, sample)
        output = output_of(network, readout_membrane(network, trace, answers, sample))
        errors[sample] = error_of(rule.task, output, target, asked)
    return errors


def readout_membrane(network: Network, trace: Trace, answers: Answers, sample: int) -> Reals:
    """Return the membranes (steps, outputs) of a leaky readout from the spikes it was sent."""
    readout = network.population(network.readout)
    decay = getattr(readout.model, "decay", 0.0)
    current = np.zeros((network.steps, readout.size))
    for projection in network.incoming(readout.name):
        spikes = _spikes(network, trace, answers, projection.source, sample)
        weights = projection.weight.astype(np.float64)
        late = projection.delay
        current[late:] += spikes[: network.steps - late] @ weights.T
        if projection.bias is not None:
            current += projection.bias
    membrane = np.zeros(readout.size)
    for step in range(network.steps):
        membrane = decay * membrane + current[step]
        current[step] = membrane
    return current


def _spikes(
    network: Network, trace: Trace, answers: Answers, population: str, sample: int
) -> Reals:
    """Return the spikes (steps, neurons) that one population sent."""
    if population in answers.populations:
        sent: Reals = answers.of(population)[sample].astype(np.float64)
        return sent
    first = 0
    for source in network.populations:
        if source.name == population:
            given: Reals = trace.values[sample][:, first : first + source.size].astype(np.float64)
            return given
        first += source.size if isinstance(source.model, Input) else 0
    raise KeyError(population)
