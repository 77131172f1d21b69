"""The network's own equations in single precision: the reference the chip is compared with.

No chip, no slices: the definitions of `chipsim.network`, one synapse row at a time.
``tests/naive.py`` holds the plain twin.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.layout import LINEAR, SOFTMAX, SUBTRACT, ZERO
from chipsim.kernels.readout import keep_potential

SPIKING, TANH_OUTPUT, RELU_OUTPUT, LINEAR_OUTPUT = 0, 1, 2, 3

CONVOLUTION = np.dtype(
    [
        (name, np.int64)
        for name in (
            "channels_in", "height_in", "width_in", "channels_out", "height_out", "width_out",
            "height", "width", "stride", "padding", "last",
        )
    ]
)  # fmt: skip
"""As in `chipsim.connectivity.Convolution`; ``height`` and ``width`` are the kernel's."""

Reals = NDArray[np.float32]
Integers = NDArray[np.int64]


class FloatPopulations(NamedTuple):
    """Neurons by population; ``bias`` and ``adaptation`` (its strength) by neuron.

    ``incoming`` points into the projections.  ``output`` is one of ``SPIKING``, ``TANH_OUTPUT``,
    ``RELU_OUTPUT``, ``LINEAR_OUTPUT``, which end at ``maximum``.  ``sent`` is the first place in
    the activity of the membranes that are sent (see `chipsim.network.SentMembrane`), or -1.
    """

    first: Integers
    size: Integers
    threshold: Reals
    decay: Reals
    reset: Integers
    before_leak: NDArray[np.bool_]
    fires_at: NDArray[np.bool_]
    bias: Reals
    incoming: Integers
    refractory: Integers
    adaptation_decay: Reals
    adaptation: Reals
    output: Integers
    maximum: Reals
    sent: Integers
    sent_maximum: Reals
    sent_last: NDArray[np.bool_]


class FloatProjections(NamedTuple):
    """Synapses; ``weight`` and ``trace`` rows are by presynaptic neuron, ``trace`` -1 if static.

    ``beta`` has the sign of the update.  ``convolution`` points into those of the program, -1 if
    dense; its weights are laid out by source channel, row, column and target channel.
    """

    source: Integers
    pre_size: Integers
    post_size: Integers
    delay: Integers
    weight: Integers
    attenuation: Reals
    trace: Integers
    alpha: Reals
    beta: Integers
    eta: Integers
    rho: Reals
    clamp: Reals
    post: Integers
    factored: NDArray[np.bool_]
    carried: NDArray[np.bool_]
    convolution: Integers


class FloatProgram(NamedTuple):
    """A network ready to run in single precision.

    ``factor`` is that of each trace, in its place, or empty if none has one; ``first_spike`` says
    that the first spike of the readout decides.
    """

    populations: FloatPopulations
    projections: FloatProjections
    convolutions: NDArray[np.void]
    weights: Reals
    factor: Reals
    beta: Reals
    eta: Reals
    inputs: int
    neurons: int
    sent: int
    slots: int
    traces: int
    readout: int
    first_spike: bool


@inlined
def _current(
    program: Any, j: int, t: int, size: int, source: Any, trace: Any, current: Any
) -> None:
    projections = program.projections
    for i in range(projections.pre_size[j]):
        x = source[projections.source[j] + i] * projections.attenuation[j, t]
        if x == 0.0:
            continue
        at = projections.weight[j] + i * size
        row = program.weights[at : at + size]
        for n in range(size):
            current[n] += x * row[n]
        if projections.trace[j] >= 0:
            x *= projections.alpha[j]
            at = projections.trace[j] + i * size
            plastic = trace[at : at + size]
            if projections.factored[j]:
                factor = program.factor[at : at + size]
                for n in range(size):
                    current[n] += x * (factor[n] * plastic[n])
            else:
                for n in range(size):
                    current[n] += x * plastic[n]


@inlined
def _convolve(program: Any, j: int, t: int, source: Any, current: Any) -> None:
    """Spread every source neuron's activity over the targets that its kernel taps reach."""
    projections = program.projections
    c = program.convolutions[projections.convolution[j]]
    area_in, area_out = c.height_in * c.width_in, c.height_out * c.width_out
    for i in range(projections.pre_size[j]):
        x = source[projections.source[j] + i] * projections.attenuation[j, t]
        if x == 0.0:
            continue
        channel, position = i // area_in, i % area_in
        if c.last != 0:
            channel, position = i % c.channels_in, i // c.channels_in
        row, column = position // c.width_in + c.padding, position % c.width_in + c.padding
        for dy in range(row % c.stride, c.height, c.stride):
            y = (row - dy) // c.stride
            if not 0 <= y < c.height_out:
                continue
            for dx in range(column % c.stride, c.width, c.stride):
                z = (column - dx) // c.stride
                if not 0 <= z < c.width_out:
                    continue
                tap = (channel * c.height + dy) * c.width + dx
                at, to = projections.weight[j] + tap * c.channels_out, y * c.width_out + z
                if c.last != 0:
                    for o in range(c.channels_out):
                        current[to * c.channels_out + o] += x * program.weights[at + o]
                else:
                    for o in range(c.channels_out):
                        current[to + o * area_out] += x * program.weights[at + o]


@inlined
def _post_factors(program: Any, p: int, j: int, u: Any, post: Any) -> None:
    pops, kind = program.populations, program.projections.post[j]
    first, size, eta = pops.first[p], pops.size[p], program.projections.eta[j]
    if kind == SOFTMAX:
        most = u[first] - program.eta[eta]
        for i in range(size):
            post[i] = u[first + i] - program.eta[eta + i]
            most = max(most, post[i])
        total = np.float32(0.0)
        for i in range(size):
            post[i] = np.exp(post[i] - most)
            total += post[i]
        for i in range(size):
            post[i] /= total
        return
    for i in range(size):
        post[i] = u[first + i] / pops.threshold[p] - program.eta[eta + i]
        if kind != LINEAR:
            post[i] = np.tanh(post[i])


@inlined
def _output(program: Any, p: int, u: Any, spikes: Any, sent: Any) -> None:
    """Put what population ``p`` sends into ``sent``; graded neurons mark non-zero as a spike."""
    pops = program.populations
    kind, most = pops.output[p], pops.maximum[p]
    for i in range(pops.first[p], pops.first[p] + pops.size[p]):
        if kind == SPIKING:
            sent[program.inputs + i] = spikes[i]
            continue
        value = u[i]
        if kind == TANH_OUTPUT:
            value = np.tanh(value)
        elif kind == RELU_OUTPUT:
            value = max(value, np.float32(0.0))
        value = min(max(value, -most), most)
        sent[program.inputs + i] = value
        spikes[i] = value != 0.0


@inlined
def _send_membranes(program: Any, p: int, t: int, steps: int, u: Any, sent: Any) -> None:
    """Put the membranes of population ``p`` into ``sent``, zeros in steps in which none goes."""
    pops = program.populations
    most, silent = pops.sent_maximum[p], pops.sent_last[p] and t != steps - 1
    for i in range(pops.size[p]):
        value = np.float32(0.0) if silent else u[pops.first[p] + i]
        sent[pops.sent[p] + i] = min(max(value, -most), most)


@inlined
def _learn(
    program: Any, j: int, t: int, size: int, source: Any, trace: Any, live: Any, post: Any
) -> None:
    projections = program.projections
    limit, rho = projections.clamp[j], projections.rho[j]
    for i in range(projections.pre_size[j]):
        x = source[projections.source[j] + i] * projections.attenuation[j, t]
        pre = x * program.beta[projections.beta[j] + i]
        if pre == 0.0 and not live[projections.beta[j] + i]:
            continue  # a trace of zero stays zero
        live[projections.beta[j] + i] = True
        at = projections.trace[j] + i * size
        row = trace[at : at + size]
        for n in range(size):
            row[n] = min(max(rho * row[n] + pre * post[n], -limit), limit)


@inlined
def _fire(program: Any, p: int, current: Any, u: Any, spikes: Any, slow: Any) -> None:
    pops = program.populations
    risen, waiting = slow
    threshold = pops.threshold[p]
    for j in range(pops.size[p]):
        n = pops.first[p] + j
        v = u[n]
        fired = spikes[n] != 0
        if fired and pops.reset[p] == ZERO:
            v = np.float32(0.0)
        if fired and pops.reset[p] == SUBTRACT and pops.before_leak[p]:
            v -= threshold
        v *= pops.decay[p]
        if fired and pops.reset[p] == SUBTRACT and not pops.before_leak[p]:
            v -= threshold
        v += current[j] + pops.bias[n]
        u[n] = v
        risen[n] = risen[n] * pops.adaptation_decay[p] + np.float32(fired)
        level = threshold + pops.adaptation[n] * risen[n]
        waiting[n] = max(waiting[n] - 1, 0)
        spikes[n] = waiting[n] == 0 and (v > level or (pops.fires_at[p] and v == level))
        if spikes[n] != 0:
            waiting[n] = pops.refractory[p]


@inlined
def _forget(program: Any, trace: Any, live: Any) -> None:
    """Zero the traces that no sample leaves to the next."""
    projections = program.projections
    for j in range(len(projections.trace)):
        first, beta, pre = projections.trace[j], projections.beta[j], projections.pre_size[j]
        if first < 0 or projections.carried[j]:
            continue
        size = projections.post_size[j]
        trace[first : first + pre * size] = 0.0
        live[beta : beta + pre] = False


@compiled
def run_float(
    program: Any, values: Any, trace: Any, live: Any, all_spikes: Any, potential: Any
) -> None:
    """Run every sample from rest.

    ``values (S, T or 1, inputs)`` float32; fills ``all_spikes (S, T, neurons)`` uint8 and the
    membrane of the readout at the end or its first spike, ``potential (S, readout neurons)``.
    ``trace`` and ``live`` (by axon: not all zero) are the plastic state; what is carried comes
    from and stays in them.
    """
    pops, projections = program.populations, program.projections
    current = np.zeros(pops.size.max(), np.float32)
    post = np.zeros(pops.size.max(), np.float32)
    u = np.zeros(program.neurons, np.float32)
    spikes = np.zeros(program.neurons, np.uint8)
    slow = (np.zeros(program.neurons, np.float32), np.zeros(program.neurons, np.int64))
    sending = program.inputs + program.neurons + program.sent
    activity = np.zeros((program.slots, sending), np.float32)
    start = pops.first[program.readout]
    for n in range(values.shape[0]):
        u[:] = 0.0
        spikes[:] = 0
        slow[0][:] = 0.0
        slow[1][:] = 0
        activity[:] = 0.0
        _forget(program, trace, live)
        decided = False
        for t in range(all_spikes.shape[1]):
            now = activity[t % program.slots]
            now[: program.inputs] = values[n, min(t, values.shape[1] - 1)]
            for p in range(len(pops.size)):
                size = pops.size[p]
                current[:size] = 0.0
                for j in range(pops.incoming[p], pops.incoming[p + 1]):
                    source = activity[(t - projections.delay[j]) % program.slots]
                    if projections.convolution[j] >= 0:
                        _convolve(program, j, t, source, current)
                    else:
                        _current(program, j, t, size, source, trace, current)
                _fire(program, p, current, u, spikes, slow)
                for j in range(pops.incoming[p], pops.incoming[p + 1]):
                    if projections.trace[j] >= 0:
                        source = activity[(t - projections.delay[j]) % program.slots]
                        _post_factors(program, p, j, u, post)
                        _learn(program, j, t, size, source, trace, live, post)
                _output(program, p, u, spikes, now)
                if pops.sent[p] >= 0:
                    _send_membranes(program, p, t, all_spikes.shape[1], u, now)
            all_spikes[n, t] = spikes
            decided = keep_potential(program.first_spike, decided, start, u, spikes, potential[n])
