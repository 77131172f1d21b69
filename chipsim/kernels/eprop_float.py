"""e-prop in floating point: one trial forward, and its weight gradients in two equal forms.

The equations are those of `chipsim.train.eprop.rule`, whose symbols name the constants here.  All
reals of one call are of one type (float32 to train, float64 to compare with other programs).
``T`` steps, ``n`` recurrent neurons, rows of synapses by presynaptic neuron.
``tests/naive_eprop.py`` holds the plain twin.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels.compiled import compiled, inlined

Reals = NDArray[np.floating[Any]]


class EpropConstants(NamedTuple):
    """Constants of a network, as scalars of the arrays' type; ``beta (n,)`` is 0 for LIF."""

    alpha: Any
    zeta: Any
    rho: Any
    kappa: Any
    readout_gain: Any
    threshold: Any
    per_threshold: Any
    peak: Any
    zero: Any
    one: Any
    negligible: Any
    refractory: Any
    beta: Reals


class EpropWeights(NamedTuple):
    """Rows by presynaptic neuron: (n_in, n), (n, n), (n, n_out) and, of the error, (n_out, n)."""

    inputs: Reals
    recurrent: Reals
    readout: Reals
    feedback: Reals


class Events(NamedTuple):
    """Spikes by step: those of step t are ``neuron[first[t] : first[t + 1]]``, ascending."""

    first: NDArray[np.int64]
    neuron: NDArray[np.uint32]


class Tape(NamedTuple):
    """What a trial leaves: psi ``(T, n)``, its spikes and the readout ``(T, n_out)``.

    `run_trial` needs room for ``T * n + 1`` spikes; ``spikes.first[T]`` tells how many there are.
    """

    psi: Reals
    spikes: Events
    output: Reals


class EpropGradients(NamedTuple):
    """dE/dW of the three learning matrices, shaped like them."""

    inputs: Reals
    recurrent: Reals
    readout: Reals


@inlined
def _kept(c: Any, value: Any) -> Any:
    """Return ``value``, or 0 where it decayed to nothing: subnormal numbers cost ten times more."""
    return value if abs(value) > c.negligible else c.zero


@inlined
def _add_rows(total: Any, rows: Any, events: Any, t: int) -> None:
    for k in range(events.first[t], events.first[t + 1]):
        row = rows[events.neuron[k]]
        for j in range(len(total)):
            total[j] += row[j]


@inlined
def _add_to_rows(rows: Any, events: Any, t: int, change: Any) -> None:
    for k in range(events.first[t], events.first[t + 1]):
        row = rows[events.neuron[k]]
        for j in range(len(change)):
            row[j] += change[j]


@inlined
def _neurons(c: Any, current: Any, v: Any, a: Any, z: Any, waits: Any, psi: Any) -> None:
    """One step of all neurons, all alike."""
    for j in range(len(v)):
        v[j] = c.alpha * v[j] + c.zeta * current[j] - c.threshold * z[j]
        a[j] = c.rho * a[j] + z[j]
        above = v[j] - (c.threshold + c.beta[j] * a[j])
        wait = max(waits[j] - c.one, c.zero)
        ready = wait == c.zero
        near = max(c.one - abs(above) * c.per_threshold, c.zero)
        psi[j] = c.peak * near if ready else c.zero
        fired = ready and above >= c.zero
        z[j] = c.one if fired else c.zero
        waits[j] = c.refractory if fired else wait


@inlined
def _record(z: Any, spikes: Any, t: int) -> None:
    count = spikes.first[t]
    for j in range(len(z)):
        spikes.neuron[count] = j
        count += z[j] != 0
    spikes.first[t + 1] = count


@compiled
def run_trial(constants: Any, weights: Any, inputs: Any, tape: Any) -> None:
    """Run one trial from rest on the spikes ``inputs``; fill ``tape``."""
    n = weights.recurrent.shape[0]
    current, v, a, z, waits = np.zeros((5, n), tape.psi.dtype)
    y = np.zeros(weights.readout.shape[1], tape.psi.dtype)
    arriving = np.zeros_like(y)
    tape.spikes.first[0] = 0
    for t in range(tape.psi.shape[0]):
        current[:] = constants.zero
        _add_rows(current, weights.inputs, inputs, t)
        if t > 0:
            _add_rows(current, weights.recurrent, tape.spikes, t - 1)
        _neurons(constants, current, v, a, z, waits, tape.psi[t])
        _record(z, tape.spikes, t)
        arriving[:] = constants.zero
        _add_rows(arriving, weights.readout, tape.spikes, t)
        for k in range(len(y)):
            y[k] = constants.kappa * y[k] + constants.readout_gain * arriving[k]
            tape.output[t, k] = y[k]


@inlined
def _learning_signal(feedback: Any, error: Any, signal: Any) -> None:
    for k in range(len(error)):
        for j in range(len(signal)):
            signal[j] += feedback[k, j] * error[k]


@compiled
def adjoint_gradient(
    constants: Any,
    weights: Any,
    inputs: Any,
    tape: Any,
    error: Any,
    late: Any,
    rate: Any,
    gradients: Any,
) -> None:
    """Add the trial's e-prop gradient to ``gradients``, running time backwards.

    ``error (T, n_out)`` is E of every step (0 outside the learning window), ``late`` the same as
    the layer gets it, ``rate (n,)`` the
    factor of the summed eligibility traces (firing-rate regularisation).  Costs a few passes over
    the neurons a step instead of one over the synapses; equal to `online_gradient`.
    """
    c = constants
    n = weights.recurrent.shape[0]
    signal, adaptation, membrane, scaled = np.zeros((4, n), tape.psi.dtype)
    filtered, fed_back = np.zeros((2, error.shape[1]), tape.psi.dtype)
    for t in range(tape.psi.shape[0] - 1, -1, -1):
        psi = tape.psi[t]
        for k in range(len(filtered)):
            filtered[k] = _kept(c, c.kappa * filtered[k] + c.readout_gain * error[t, k])
            fed_back[k] = _kept(c, c.kappa * fed_back[k] + c.readout_gain * late[t, k])
        signal[:] = rate
        _learning_signal(weights.feedback, fed_back, signal)
        for j in range(n):
            d = psi[j] * (signal[j] + adaptation[j])
            adaptation[j] = _kept(c, c.rho * adaptation[j] - c.beta[j] * d)
            membrane[j] = _kept(c, c.alpha * membrane[j] + d)
            scaled[j] = c.zeta * membrane[j]
        _add_to_rows(gradients.inputs, inputs, t, scaled)
        if t > 0:
            _add_to_rows(gradients.recurrent, tape.spikes, t - 1, scaled)
        _add_to_rows(gradients.readout, tape.spikes, t, filtered)


@inlined
def _decay_and_add(c: Any, trace: Any, decay: Any, gain: Any, events: Any, t: int) -> None:
    for i in range(len(trace)):
        trace[i] = _kept(c, decay * trace[i])
    for k in range(events.first[t], events.first[t + 1]):
        trace[events.neuron[k]] += gain


@inlined
def _synapses(c: Any, psi: Any, signal: Any, pre: Any, state: Any, gradient: Any) -> None:
    """One step of every synapse: ``state (3, n_pre, n)`` is epsilon, e-bar and the sum of e."""
    for i in range(len(pre)):
        epsilon, smooth, total = state[0, i], state[1, i], state[2, i]
        row = gradient[i]
        for j in range(len(psi)):
            e = psi[j] * (pre[i] - c.beta[j] * epsilon[j])
            epsilon[j] = c.rho * epsilon[j] + e
            smooth[j] = _kept(c, c.kappa * smooth[j] + c.readout_gain * e)
            total[j] += e
            row[j] += signal[j] * smooth[j]


@inlined
def _regularise(state: Any, rate: Any, gradient: Any) -> None:
    for i in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            gradient[i, j] += rate[j] * state[2, i, j]


@compiled
def online_gradient(
    constants: Any,
    weights: Any,
    inputs: Any,
    tape: Any,
    error: Any,
    late: Any,
    rate: Any,
    gradients: Any,
) -> None:
    """Add the trial's e-prop gradient to ``gradients``, forwards in time with traces per synapse.

    What a chip computes that learns while it runs; arguments as of `adjoint_gradient`.
    """
    real = tape.psi.dtype
    n_in, n = weights.inputs.shape
    from_input, from_neuron = np.zeros(n_in, real), np.zeros(n, real)
    to_readout, signal = np.zeros(n, real), np.zeros(n, real)
    input_state, neuron_state = np.zeros((3, n_in, n), real), np.zeros((3, n, n), real)
    for t in range(tape.psi.shape[0]):
        _decay_and_add(constants, from_input, constants.alpha, constants.zeta, inputs, t)
        if t > 0:
            _decay_and_add(
                constants, from_neuron, constants.alpha, constants.zeta, tape.spikes, t - 1
            )
        _decay_and_add(
            constants, to_readout, constants.kappa, constants.readout_gain, tape.spikes, t
        )
        signal[:] = constants.zero
        _learning_signal(weights.feedback, late[t], signal)
        psi = tape.psi[t]
        _synapses(constants, psi, signal, from_input, input_state, gradients.inputs)
        _synapses(constants, psi, signal, from_neuron, neuron_state, gradients.recurrent)
        for i in range(n):
            for k in range(error.shape[1]):
                gradients.readout[i, k] += to_readout[i] * error[t, k]
    _regularise(input_state, rate, gradients.inputs)
    _regularise(neuron_state, rate, gradients.recurrent)
