"""e-prop while the network runs: what a core with plastic synapses does in each tick, in S16.15.

The equations and their order are those of `chipsim.train.eprop.rule`, online form.  The readout's
core sends its error, the layer's cores use it in their next step.  Presynaptic spikes enter the
traces when they act on the membrane.  ``tests/naive_processor.py`` holds the plain twin.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.processor.arithmetic import (
    NEURON,
    SYNAPSE,
    TRACE,
    decay,
    extra,
    extra_decay,
    key,
    noise,
    saturate,
    share,
    times,
)
from chipsim.kernels.processor.layout import LAYER, ONE
from chipsim.kernels.processor.neurons import threshold
from chipsim.kernels.processor.softmax import set_error
from chipsim.kernels.processor.synapses import (
    add_gradient,
    add_noisy_gradient,
    step_alif,
    step_lif,
    step_noisy,
    step_quiet,
)


@inlined
def arrive(
    program: Any, learning: Any, traces: Any, core: Any, tick: int, delay: int, i: int
) -> None:
    """Note that a spike of column ``i``, processed in ``tick``, acts ``delay`` ticks later."""
    slot = (tick + delay) % program.formats[0].slots
    traces.arrivals[core.arrivals + slot * learning.learners[core.learner].pre + i] += 1


@inlined
def receive(traces: Any, core: Any, k: int, payload: int) -> None:
    """Take the error of output ``k`` for the core's next step; late ones add up."""
    at = core.signal + k
    traces.signal[at] = saturate(np.int64(traces.signal[at]) + payload)


@inlined
def forget(plastic: Any, traces: Any) -> None:
    """Clear traces and eligibilities, as at the start of a sample; gradients stay."""
    plastic.epsilon[:] = 0
    plastic.smooth[:] = 0
    traces.arrivals[:] = 0
    traces.trace[:] = 0
    traces.signal[:] = 0


@inlined
def learn(
    program: Any, state: Any, learning: Any, plastic: Any, traces: Any, core: Any, tick: int,
    target: Any, asked: bool,
) -> int:  # fmt: skip
    """One learning step of a core, after its `update_neurons` of the same tick.

    ``target (outputs,)`` in s16.15 counts for the readout where ``asked``.  Returns the number of
    outputs if their errors (``plastic.error``) must be sent, else 0.
    """
    if core.learner == LAYER:
        _take_arrivals(program, learning, traces, core, tick)
        _learn_layer(program, state, learning, plastic, traces, core, tick)
        return 0
    _take_arrivals(program, learning, traces, core, tick)
    signals: int = _learn_readout(
        program, state, learning, plastic, traces, core, tick, target, asked
    )
    return signals


@inlined
def _take_arrivals(program: Any, learning: Any, traces: Any, core: Any, tick: int) -> None:
    """Let the presynaptic traces decay and add the spikes that act in this tick."""
    formats, c = program.formats[0], learning.constants[0]
    learner = learning.learners[core.learner]
    in_layer = core.learner == LAYER
    loss, gain = (c.alpha, np.int64(ONE)) if in_layer else (c.kappa, np.int64(c.gain_fixed))
    begin = core.arrivals + (tick % formats.slots) * learner.pre
    arrived = traces.arrivals[begin : begin + learner.pre]
    trace = traces.trace[core.trace : core.trace + learner.pre]
    start = key(formats, tick, TRACE, learner.first)
    for i in range(len(trace)):
        word = noise(start, i) if formats.stochastic != 0 else np.uint64(0)
        kept = decay(trace[i], loss, extra_decay(formats, word, 0))
        trace[i] = saturate(kept + gain * np.int64(arrived[i]))
        arrived[i] = 0


@inlined
def _slope(program: Any, state: Any, c: Any, p: int, j: int, tick: int) -> Any:
    """Return psi of neuron ``j``: how close its membrane is to its threshold."""
    formats = program.formats[0]
    if state.waiting[j] != 0 and state.spiked[j] == 0:
        return np.int64(0)
    word = other = np.uint64(0)
    if formats.stochastic != 0:
        start = key(formats, tick, NEURON, j)
        word, other = noise(start, 0), noise(start, 1)
    distance = abs(np.int64(state.v[j]) - threshold(program, state, p, j, word))
    near = ONE - times(distance, c.per_threshold, extra(formats, other, 0))
    return times(c.peak, max(near, np.int64(0)), extra(formats, other, 1))


@inlined
def _signal(
    program: Any, learning: Any, plastic: Any, traces: Any, core: Any, j: int, tick: int
) -> Any:
    """Return L of neuron ``j``: the errors that came, through its feedback weights."""
    formats, c = program.formats[0], learning.constants[0]
    learner = learning.learners[LAYER]
    start = key(formats, tick, NEURON, j)
    total = np.int64(0)
    for k in range(c.outputs):
        error = traces.signal[core.signal + k]
        if error != 0:
            word = noise(start, 2 + k) if formats.stochastic != 0 else np.uint64(0)
            weight = plastic.feedback[k * learner.size + j - learner.first]
            total += times(weight, error, extra(formats, word, 0))
    return saturate(total)


@inlined
def _learn_layer(
    program: Any, state: Any, learning: Any, plastic: Any, traces: Any, core: Any, tick: int
) -> None:
    formats, c = program.formats[0], learning.constants[0]
    learner = learning.learners[LAYER]
    trace = traces.trace[core.trace : core.trace + learner.pre]
    for j in range(core.first, core.first + core.count):
        n = j - learner.first
        plastic.spikes[n] += state.spiked[j]
        psi = np.int32(_slope(program, state, c, learner.population, j, tick))
        signal = _signal(program, learning, plastic, traces, core, j, tick)
        low = learner.state + n * learner.stride
        high = low + learner.pre
        epsilon, smooth = plastic.epsilon[low:high], plastic.smooth[low:high]
        total = plastic.total[low:high]
        beta = program.strength[j]
        if formats.stochastic != 0:
            start = key(formats, tick, SYNAPSE, j)
            step_noisy(c, start, psi, beta, trace, epsilon, smooth, total)
        elif psi == 0:
            if beta != 0:
                step_quiet(epsilon, np.int32(c.rho), formats.half_decay)
            step_quiet(smooth, np.int32(c.kappa), formats.half_decay)
        elif beta == 0:
            step_lif(c, psi, trace, smooth, total)
        else:
            step_alif(c, psi, beta, trace, epsilon, smooth, total)
        if signal != 0:
            _collect(program, c, c.step_layer, signal, plastic.gradient[low:high], smooth, j, tick)
    for k in range(c.outputs):
        traces.signal[core.signal + k] = 0


@inlined
def read_out(program: Any, state: Any, learning: Any, plastic: Any, core: Any, tick: int) -> None:
    """Set ``plastic.output`` to y: the readout's membrane times ``1 - kappa``."""
    formats, c = program.formats[0], learning.constants[0]
    for k in range(core.count):
        word = np.uint64(0)
        if formats.stochastic != 0:
            word = noise(key(formats, tick, NEURON, core.first + k), 1)
        plastic.output[k] = share(state.v[core.first + k], c.gain, extra_decay(formats, word, 0))


@inlined
def _learn_readout(
    program: Any, state: Any, learning: Any, plastic: Any, traces: Any, core: Any, tick: int,
    target: Any, asked: bool,
) -> int:  # fmt: skip
    c, learner = learning.constants[0], learning.learners[core.learner]
    read_out(program, state, learning, plastic, core, tick)
    if not asked:
        return 0
    set_error(c.classification, plastic.output, target, plastic.error)
    trace = traces.trace[core.trace : core.trace + learner.pre]
    for k in range(core.count):
        low = learner.state + k * learner.stride
        gradient = plastic.gradient[low : low + learner.pre]
        error = np.int64(plastic.error[k])
        _collect(program, c, c.step_readout, error, gradient, trace, core.first + k, tick)
    sent: int = c.outputs
    return sent


@inlined
def _collect(
    program: Any, c: Any, step: int, signal: Any, gradient: Any, trace: Any, j: int, tick: int
) -> None:
    """Add the step's gradient, or, where weights follow at once, what the weights shall lose."""
    formats = program.formats[0]
    shift, factor = np.int64(c.gradient_shift), signal
    if c.continuous != 0:
        shift, factor = np.int64(16), saturate((signal * step) >> np.int64(16))
    if formats.stochastic != 0:
        start = key(formats, tick, SYNAPSE, j) + np.uint64(1)
        add_noisy_gradient(gradient, factor, trace, shift, start)
    else:
        half = (np.int64(1) << shift) >> np.int64(1) if formats.half != 0 else np.int64(0)
        add_gradient(gradient, np.int32(factor), trace, shift, half)
