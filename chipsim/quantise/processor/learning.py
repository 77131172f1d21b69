"""The e-prop rule in integers: constants, columns of presynaptic neurons, rates of updates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.kernels.processor.layout import (
    EPROP,
    LEARNER,
    ONE,
    Learning,
    Program,
)
from chipsim.network import LIF, Network
from chipsim.plasticity import Eprop
from chipsim.quantise.processor.model import ProcessorPopulation, ProcessorProjection
from chipsim.quantise.processor.numbers import fixed, fixed_array, fraction, loss

KINDS = ("random", "symmetric", "adaptive")

BUSY = 0.1
"""Spikes a step (100 Hz) of a presynaptic neuron that the sum of e has room for (assumed)."""

TYPICAL = 0.1
"""A step's gradient ``L ebar`` that the sum of a batch has room for; and the part of a state's step
that Adam takes each step's rounding for (assumed)."""

STRIDE = 16
"""Rows of synapse state are padded to as many (64 bytes)."""


def learners_of(network: Network) -> tuple[str, ...]:
    """Return the names of the populations whose synapses learn: the layer, then the readout."""
    rule = network.learning
    if rule is None:
        return ()
    return (rule.layer, next(p.target for p in network.projections if p.name == rule.readout))


def normaliser(rule: Eprop, steps: int) -> int:
    """Return the number of steps that the loss of a sample is a mean over (1: it is a sum)."""
    return (rule.window or steps) if rule.task == "classification" else 1


def update_rate(rule: Eprop, steps: int, number: int, learning_rate: float | None = None) -> int:
    """Return the integer rate of update ``number`` (from 0) for `kernels.processor.update`.

    ``learning_rate`` takes the place of the rule's own.  SGD: in 2^-32 of the raw gradient, which
    is summed over the batch and times `normaliser`; Adam: in 2^-31, its bias corrections included.
    """
    rate = rule.learning_rate if learning_rate is None else learning_rate
    if rule.optimiser == "sgd":
        scaled = rate / (max(rule.batch, 1) * normaliser(rule, steps)) * 2.0**32
    else:
        corrected = math.sqrt(1.0 - rule.decay2 ** (number + 1)) / (
            1.0 - rule.decay1 ** (number + 1)
        )
        scaled = rate * corrected * 2.0**31
    return _checked(scaled, "learning rate", rate)


def schedule(rule: Eprop, steps: int, first: int, count: int) -> NDArray[np.int64]:
    """Return the rates of ``count`` updates from number ``first`` on."""
    return np.array([update_rate(rule, steps, first + n) for n in range(count)], np.int64)


def quantise_learning(
    network: Network,
    populations: Sequence[ProcessorPopulation],
    projections: Sequence[ProcessorProjection],
    program: Program,
) -> tuple[Learning | None, NDArray[np.int32]]:
    """Return the rule in integers and B ``(outputs, n)`` in s16.15.

    None and B of no size if there is none.  InputError where its constants do not fit.
    """
    rule = network.learning
    if rule is None:
        return None, np.zeros((0, 0), np.int32)
    names = learners_of(network)
    learners = np.zeros(2, LEARNER)
    columns: list[NDArray[np.int64]] = []
    own: list[NDArray[np.int64]] = []
    state = column = 0
    for number, name in enumerate(names):
        population = next(p for p in populations if p.name == name)
        first, self_number = _columns(population, populations, projections)
        pre = len(first)
        stride = -(-pre // STRIDE) * STRIDE
        place = populations.index(population)
        size = population.size
        learners[number] = (place, population.first, size, pre, stride, state, column)
        columns.append(first)
        own.append(self_number)
        state += size * stride
        column += pre
    readout = next(p for p in projections if p.name == rule.readout)
    shifts = [populations[learner["population"]].shifts[0] for learner in learners]
    constants = np.zeros(1, EPROP)
    constants[0] = _constants(network, rule, program, shifts, readout.first_column or 0)
    learning = Learning(constants, learners, np.concatenate(columns), np.concatenate(own))
    return learning, _feedback(network, rule, learning, readout, program, shifts[1])


def _columns(
    population: ProcessorPopulation,
    populations: Sequence[ProcessorPopulation],
    projections: Sequence[ProcessorProjection],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each presynaptic column's synapses begin, and which neuron it is itself."""
    places, own = [], []
    for projection in projections:
        if projection.target != population.name:
            continue
        size = len(projection.starts) - 1
        places.append(projection.first_synapse + projection.starts[:-1])
        itself = projection.source == population.name
        own.append(np.arange(size) if itself else np.full(size, -1))
    return np.concatenate(places), np.concatenate(own).astype(np.int64)


def _constants(
    network: Network, rule: Eprop, program: Program, shifts: Sequence[int], layer_column: int
) -> tuple[int, ...]:
    names = learners_of(network)
    layer, readout = (network.population(name) for name in names)
    model, out = layer.model, readout.model
    assert isinstance(model, LIF)
    assert isinstance(out, LIF)
    kappa = math.exp(-1.0 / rule.tau_readout)
    if abs(kappa - out.decay) > 1e-6:
        raise InputError(
            f"learning: tau_readout {rule.tau_readout:g} is a decay of {kappa:.6f} a step, but "
            f"population {readout.name} has {out.decay:.6f}; they must agree"
        )
    steps, mean_over = network.steps, normaliser(rule, network.steps)
    batch = max(rule.batch, 1)
    peak = rule.dampening / model.threshold
    busiest = batch * steps * peak * BUSY / (1.0 - model.decay) / 65536.0
    sum_shift = max(0, math.ceil(math.log2(busiest)))
    asked = rule.window or steps
    gradient_shift = min(15, max(0, math.ceil(math.log2(batch * asked * TYPICAL))) - 1)
    gradient_step = 2.0 ** (30 - gradient_shift)
    lost = asked * TYPICAL / ONE
    half = int(program.formats[0]["half"])
    rate = rule.rate_cost * mean_over / steps
    return (
        readout.size,
        rule.task == "classification",
        rule.batch == 0,
        *(_continuous_step(rule, steps, shift) for shift in shifts),
        rule.optimiser == "adam",
        loss(model.decay, f"population {layer.name}"),
        0
        if model.adaptation is None
        else loss(model.adaptation.decay, f"adaptation of {layer.name}"),
        loss(kappa, "tau_readout"),
        fraction(1.0 - kappa),
        fixed(1.0 - kappa, "tau_readout"),
        fixed(peak, "dampening / threshold"),
        fixed(1.0 / model.threshold, "1 / threshold"),
        half,
        int(program.formats[0]["half_decay"]),
        sum_shift,
        (1 << sum_shift) // 2 if half else 0,
        gradient_shift,
        round(rate / (batch * steps) * 2.0**32),
        round(rate * rule.rate_target * 2.0**32),
        fraction(rule.decay1),
        fraction(rule.decay2),
        max(1, round(max(rule.epsilon * mean_over, lost) * batch * gradient_step)),
        32767,
        layer_column,
        KINDS.index(rule.kind),
        fraction(1.0 - rule.feedback_decay),
    )


def _continuous_step(rule: Eprop, steps: int, shift: int) -> int:
    if rule.batch != 0:
        return 0
    rate = rule.learning_rate / normaliser(rule, steps)
    return _checked(rate * 2.0 ** (32 - shift), "learning rate", rule.learning_rate)


def _checked(scaled: float, what: str, given: float) -> int:
    if scaled >= 2.0**31:
        raise InputError(f"learning: a {what} of {given:g} is too large for 32 bit; lower it")
    if scaled < 0.5:
        raise InputError(f"learning: a {what} of {given:g} is 0 in 32 bit; raise it")
    return round(scaled)


def _feedback(
    network: Network,
    rule: Eprop,
    learning: Learning,
    readout: ProcessorProjection,
    program: Program,
    shift: int,
) -> NDArray[np.int32]:
    n = int(learning.learners[0]["size"])
    outputs = int(learning.learners[1]["size"])
    if rule.kind == "symmetric":
        part = program.weight[readout.first_synapse :][: n * outputs]
        weight = part.view(np.int16).astype(np.int32).reshape(n, outputs)
        return np.ascontiguousarray((weight << shift).T)
    if rule.feedback is None or rule.feedback.shape != (outputs, n):
        given = None if rule.feedback is None else rule.feedback.shape
        raise InputError(
            f"learning: {rule.kind} feedback needs weights ({outputs}, {n}), not {given}"
        )
    return fixed_array(rule.feedback, "feedback weights")
