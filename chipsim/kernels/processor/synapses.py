"""One step of the e-prop state of the synapses onto one neuron, in S16.15.

The equations are those of `chipsim.train.eprop.rule` with zeta = 1; ``extra`` is what the chip's
rounding adds before a shift (`chipsim.kernels.processor.arithmetic`).  Arrays are slices over the
neuron's presynaptic columns.  Where psi is 0, so is e, exactly; a neuron without adaptation needs
no epsilon.  32-bit factors in 64-bit products make loops over vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.processor.arithmetic import (
    decay,
    noise,
    part,
    saturate,
    share,
    times,
)


@inlined
def step_alif(
    c: Any, psi: Any, beta: Any, trace: Any, epsilon: Any, smooth: Any, total: Any
) -> None:
    """Step of an adaptive neuron whose psi is not 0."""
    rho, kappa, gain = np.int32(c.rho), np.int32(c.kappa), np.int32(c.gain)
    half, half_decay, sum_shift, half_sum = c.half, c.half_decay, c.sum_shift, c.half_sum
    for i in range(np.uint64(len(trace))):
        adapted = np.int32(times(beta, epsilon[i], half))
        e = np.int32(times(psi, np.int32(trace[i] - adapted), half))
        epsilon[i] = decay(epsilon[i], rho, half_decay) + e
        smooth[i] = decay(smooth[i], kappa, half_decay) + share(e, gain, half_decay)
        total[i] = saturate(np.int64(total[i]) + ((e + half_sum) >> sum_shift))


@inlined
def step_lif(c: Any, psi: Any, trace: Any, smooth: Any, total: Any) -> None:
    """Step of a neuron without adaptation whose psi is not 0."""
    kappa, gain = np.int32(c.kappa), np.int32(c.gain)
    half, half_decay, sum_shift, half_sum = c.half, c.half_decay, c.sum_shift, c.half_sum
    for i in range(np.uint64(len(trace))):
        e = np.int32(times(psi, trace[i], half))
        smooth[i] = decay(smooth[i], kappa, half_decay) + share(e, gain, half_decay)
        total[i] = saturate(np.int64(total[i]) + ((e + half_sum) >> sum_shift))


@inlined
def step_quiet(values: Any, loss: Any, half_decay: Any) -> None:
    """Let epsilon or e-bar decay while psi is 0."""
    for i in range(np.uint64(len(values))):
        values[i] = decay(values[i], loss, half_decay)


@inlined
def step_noisy(
    c: Any, start: Any, psi: Any, beta: Any, trace: Any, epsilon: Any, smooth: Any, total: Any
) -> None:
    """Step of any neuron with stochastic rounding; ``start`` of the noise, synapse by synapse."""
    for i in range(len(trace)):
        word = noise(start, i)
        adapted = times(beta, epsilon[i], part(word, 0))
        e = times(psi, trace[i] - adapted, part(word, 1))
        if beta != 0:
            epsilon[i] = decay(epsilon[i], c.rho, part(word, 2) << np.int64(17)) + e
        kept = decay(smooth[i], c.kappa, part(word, 3) << np.int64(17))
        smooth[i] = kept + share(e, c.gain, part(word, 4) << np.int64(17))
        added = part(word, 5) >> (15 - c.sum_shift)
        total[i] = saturate(np.int64(total[i]) + ((e + added) >> c.sum_shift))


@inlined
def add_gradient(gradient: Any, factor: Any, smooth: Any, shift: Any, extra: Any) -> None:
    """Add ``factor * smooth / 2^shift`` to the gradient."""
    for i in range(np.uint64(len(gradient))):
        change = (np.int64(factor) * np.int64(smooth[i]) + extra) >> shift
        gradient[i] = saturate(np.int64(gradient[i]) + change)


@inlined
def add_noisy_gradient(gradient: Any, factor: Any, smooth: Any, shift: Any, start: Any) -> None:
    """As `add_gradient`, rounded stochastically."""
    for i in range(len(gradient)):
        extra = (part(noise(start, i), 0) << np.int64(5)) >> (20 - shift)
        change = (np.int64(factor) * np.int64(smooth[i]) + extra) >> shift
        gradient[i] = saturate(np.int64(gradient[i]) + change)
