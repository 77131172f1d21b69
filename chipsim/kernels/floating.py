"""The network's own equations in single precision: the reference the chip is compared with.

No chip, no slices: the definitions of `chipsim.network`, one synapse row at a time.
``tests/naive.py`` holds the plain twin.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.layout import SUBTRACT, ZERO

Reals = NDArray[np.float32]
Integers = NDArray[np.int64]


class FloatPopulations(NamedTuple):
    """Neurons by population; ``bias`` and ``adaptation`` (its strength) by neuron.

    ``incoming`` points into the projections.
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


class FloatProjections(NamedTuple):
    """Synapses; ``weight`` and ``trace`` rows are by presynaptic neuron, ``trace`` -1 if static."""

    source: Integers
    pre_size: Integers
    delay: Integers
    weight: Integers
    attenuation: Reals
    trace: Integers
    alpha: Reals
    beta: Integers
    eta: Integers
    rho: Reals
    clamp: Reals


class FloatProgram(NamedTuple):
    """A network ready to run in single precision."""

    populations: FloatPopulations
    projections: FloatProjections
    weights: Reals
    beta: Reals
    eta: Reals
    inputs: int
    neurons: int
    slots: int
    traces: int
    readout: int


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
            for n in range(size):
                current[n] += x * plastic[n]


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


@compiled
def run_float(program: Any, values: Any, all_spikes: Any, potential: Any) -> None:
    """Run every sample from rest.

    ``values (S, T or 1, inputs)`` float32; fills ``all_spikes (S, T, neurons)`` uint8 and the final
    membrane of the readout population, ``potential (S, readout neurons)``.
    """
    pops, projections = program.populations, program.projections
    current = np.zeros(pops.size.max(), np.float32)
    post = np.zeros(pops.size.max(), np.float32)
    trace = np.zeros(program.traces, np.float32)
    live = np.zeros(len(program.beta), np.bool_)
    u = np.zeros(program.neurons, np.float32)
    spikes = np.zeros(program.neurons, np.uint8)
    slow = (np.zeros(program.neurons, np.float32), np.zeros(program.neurons, np.int64))
    activity = np.zeros((program.slots, program.inputs + program.neurons), np.float32)
    for n in range(values.shape[0]):
        u[:] = 0.0
        spikes[:] = 0
        slow[0][:] = 0.0
        slow[1][:] = 0
        activity[:] = 0.0
        trace[:] = 0.0
        live[:] = False
        for t in range(all_spikes.shape[1]):
            now = activity[t % program.slots]
            now[: program.inputs] = values[n, min(t, values.shape[1] - 1)]
            for p in range(len(pops.size)):
                first, size = pops.first[p], pops.size[p]
                current[:size] = 0.0
                for j in range(pops.incoming[p], pops.incoming[p + 1]):
                    source = activity[(t - projections.delay[j]) % program.slots]
                    _current(program, j, t, size, source, trace, current)
                _fire(program, p, current, u, spikes, slow)
                for j in range(pops.incoming[p], pops.incoming[p + 1]):
                    if projections.trace[j] < 0:
                        continue
                    source = activity[(t - projections.delay[j]) % program.slots]
                    for i in range(size):
                        scaled = u[first + i] / pops.threshold[p]
                        post[i] = np.tanh(scaled - program.eta[projections.eta[j] + i])
                    _learn(program, j, t, size, source, trace, live, post)
                for i in range(size):
                    now[program.inputs + first + i] = spikes[first + i]
            all_spikes[n, t] = spikes
        start, size = pops.first[program.readout], pops.size[program.readout]
        potential[n] = u[start : start + size]
