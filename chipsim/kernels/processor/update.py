"""How plastic weights change: after a batch by SGD or Adam, or whenever their row is fetched."""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.processor.arithmetic import (
    FEEDBACK,
    UPDATE,
    key,
    noise,
    part,
    saturate,
    share,
)
from chipsim.kernels.processor.layout import LAYER, READOUT, WEIGHT

ADAPTIVE = 2


@inlined
def _change(x: Any, shift: Any, word: Any) -> Any:
    """Return ``x / 2^shift`` (shift at least 10), rounded stochastically on every chip.

    Small gradients move 16-bit weights too, then: to nearest, a change below half a step is none,
    and truncation raises every weight by half a step at each update.
    """
    return (x + (part(word, 0) >> np.int64(5) << (shift - np.int64(10)))) >> shift


@inlined
def root(x: Any) -> Any:
    """Return the integer square root of ``0 <= x < 2^62``."""
    guess = np.int64(np.sqrt(np.float64(x)))
    if guess * guess > x:
        guess -= 1
    if (guess + 1) * (guess + 1) <= x:
        guess += 1
    return guess


@inlined
def _step(c: Any, plastic: Any, at: int, g: Any, rate: Any, shift: Any, word: Any) -> Any:
    """Return what synapse ``at`` with gradient ``g`` shall lose, in steps of its weight."""
    if c.adam == 0:
        return _change(g * rate, 47 - c.gradient_shift + shift, word)
    taken = (np.int64(1) << np.int64(32)) - c.decay1
    plastic.first[at] = share(plastic.first[at], c.decay1, 0) + share(g, taken, 0)
    square, second = g * g, plastic.second[at]
    plastic.second[at] = _product(second, c.decay2) + square - _product(square, c.decay2)
    ratio = np.int64(plastic.first[at]) * rate // (root(plastic.second[at]) + c.epsilon)
    return _change(ratio, 16 + shift, word)


@inlined
def _product(x: Any, fraction: Any) -> Any:
    """``x`` below 2^62 times a U0.32, truncated."""
    high, low = x >> np.int64(32), x & np.int64(0xFFFFFFFF)
    lower = (np.uint64(low) * np.uint64(fraction)) >> np.uint64(32)
    return high * fraction + np.int64(lower)


@inlined
def _move(program: Any, state: Any, c: Any, p: int, place: int, change: Any) -> Any:
    """Take ``change`` off the weight at ``place``, within its limits; return what it lost."""
    old = np.int64(np.int16(program.weight[place]))
    wanted = old - change
    new = min(max(wanted, -c.limit), c.limit)
    state.saturated[p, WEIGHT] += new != wanted
    program.weight[place] = np.uint16(new)
    return old - new


@inlined
def update(
    program: Any, state: Any, learning: Any, plastic: Any, core: Any, tick: int, rate: int
) -> None:
    """End of a batch on one core: its weights follow the gradient, by ``rate`` (`schedule`)."""
    formats, c = program.formats[0], learning.constants[0]
    plastic.updated[0] = tick
    learner = learning.learners[core.learner]
    in_layer = core.learner == LAYER
    shift = program.populations[learner.population].shift
    rate_shift = 17 - c.sum_shift + c.gradient_shift
    for j in range(core.first, core.first + core.count):
        n = j - learner.first
        excess = np.int64(0)
        if in_layer:
            excess = plastic.spikes[n] * c.rate_per_spike - c.rate_target
            excess = saturate(excess)
        start = key(formats, tick, UPDATE, j)
        low = learner.state + n * learner.stride
        for i in range(learner.pre):
            if learning.own[learner.column + i] == n:
                continue
            regular = (excess * np.int64(plastic.total[low + i])) >> rate_shift
            g = saturate(np.int64(plastic.gradient[low + i]) + regular)
            word = noise(start, i)
            change = _step(c, plastic, low + i, g, np.int64(rate), shift, word)
            place = learning.column[learner.column + i] + n
            change = _move(program, state, c, learner.population, place, change)
            # The readout's changes are what adaptive feedback follows.
            plastic.gradient[low + i] = saturate(change)


@inlined
def told(program: Any, state: Any, learning: Any, plastic: Any, k: int, i: int) -> Any:
    """After `update`, on the readout's core: what the layer is told of its weight from i onto k.

    That is 16 bits: the weight, or, where feedback is adaptive, what it has lost.  There the weight
    decays, too.
    """
    c, learner = learning.constants[0], learning.learners[READOUT]
    column = c.layer_column + i
    place = learning.column[learner.column + column] + k
    weight = np.int64(np.int16(program.weight[place]))
    if c.feedback != ADAPTIVE:
        return weight
    _move(
        program,
        state,
        c,
        learner.population,
        place,
        _lost(program, learning, plastic, i, k, 0, weight),
    )
    change = np.int64(plastic.gradient[learner.state + k * learner.stride + column])
    return min(max(change, np.int64(-32768)), np.int64(32767))


@inlined
def follow(program: Any, learning: Any, plastic: Any, i: int, k: int, value: Any) -> None:
    """On a core of the layer: let neuron i's feedback from output k follow what was `told`."""
    c = learning.constants[0]
    shift = program.populations[learning.learners[READOUT].population].shift
    at = k * learning.learners[LAYER].size + i
    if c.feedback != ADAPTIVE:
        plastic.feedback[at] = value << shift
        return
    moved = saturate(np.int64(plastic.feedback[at]) - (value << shift))
    plastic.feedback[at] = moved - _lost(program, learning, plastic, i, k, 1, moved)


@inlined
def _lost(program: Any, learning: Any, plastic: Any, i: int, k: int, number: int, x: Any) -> Any:
    """Return what adaptive ``x``, of neuron i and output k, loses at an update.

    Rounded stochastically: truncation would take a step off every positive weight.
    """
    first = learning.learners[READOUT].first
    word = noise(key(program.formats[0], plastic.updated[0], FEEDBACK, first + k), i)
    taken = (np.int64(1) << np.int64(32)) - learning.constants[0].feedback_decay
    return share(x, taken, part(word, number) << np.int64(17))


@inlined
def update_feedback(program: Any, state: Any, learning: Any, plastic: Any) -> None:
    """After `update` of all cores: feedback becomes the readout, or follows its changes."""
    if learning.constants[0].feedback == 0:
        return
    for k in range(learning.learners[READOUT].size):
        for i in range(learning.learners[LAYER].size):
            value = told(program, state, learning, plastic, k, i)
            follow(program, learning, plastic, i, k, value)


@inlined
def next_batch(plastic: Any) -> None:
    """Forget the gradients of the last batch."""
    plastic.gradient[:] = 0
    plastic.total[:] = 0
    plastic.spikes[:] = 0


@inlined
def fetch(program: Any, state: Any, learning: Any, plastic: Any, core: Any, column: int) -> int:
    """Move the core's weights of a row by whole steps that have come up since it was fetched last.

    For the rule that learns at every step (`EPROP`, ``continuous``): what a weight shall lose is
    kept in steps of 2^-15 of its own.  Returns how many weights moved.
    """
    c, learner = learning.constants[0], learning.learners[core.learner]
    moved = 0
    for j in range(core.first, core.first + core.count):
        n = j - learner.first
        at = learner.state + n * learner.stride + column
        whole = np.int64(plastic.gradient[at]) >> np.int64(15)
        if whole != 0 and learning.own[learner.column + column] != n:
            place = learning.column[learner.column + column] + n
            plastic.gradient[at] -= whole << np.int64(15)
            _move(program, state, c, learner.population, place, whole)
            moved += 1
    return moved
