"""From a hybrid plasticity rule to integers, see `chipsim.quantise.fixed.FixedPlasticity`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Arithmetic
from chipsim.errors import InputError
from chipsim.network import Projection, attenuation
from chipsim.plasticity import HybridPlasticity
from chipsim.quantise.fixed import FixedInput, FixedPlasticity, FixedPopulation, QuantisationLoss
from chipsim.quantise.formats import FixedFormat, covering_format, quantise
from chipsim.quantise.gain import make_gain
from chipsim.quantise.loss import measure_loss

TABLE_ENTRIES = 512
TABLE_REACH = 4.0
"""The post-factor table spans [-4, 4): beyond it tanh is within 7e-4 of +-1."""

ATTENUATION_BITS = 15
MOST_UPDATE_SHIFT = 31
MOST_SLIDING = 2**31 - 1


def trace_reach(
    projection: Projection, rule: HybridPlasticity, maximum: float, steps: int
) -> NDArray[np.float64]:
    """Bound |H_ij| for each presynaptic neuron i, since |tanh| <= 1; shape ``(n_pre,)``."""
    # Where the attenuation falls faster than the trace decays, its peak is not at the end.
    total = peak = 0.0
    for factor in attenuation(projection, steps)[:-1].tolist():
        total = rule.rho * total + factor
        peak = max(peak, total)
    return np.minimum(rule.clamp, np.abs(rule.beta.astype(np.float64)) * maximum * peak)


def quantise_rule(
    projection: Projection,
    rule: HybridPlasticity,
    source: FixedInput | None,
    target: FixedPopulation,
    arithmetic: Arithmetic,
    steps: int,
) -> tuple[FixedPlasticity, list[QuantisationLoss]]:
    """Convert the rule of ``projection`` from ``source`` (None: spikes) onto ``target``.

    InputError if the clamp is less than the traces' least change.
    """
    maximum = source.maximum if source else 1
    input_lsb = source.lsb if source else 1.0
    rate_format = covering_format(float(np.abs(rule.beta).max(initial=0.0)), arithmetic.trace_bits)
    rate = quantise(rule.beta.astype(np.float64), rate_format)
    # A graded input's bits leave the product at the trace's width; a spike adds none.
    rate_shift = maximum.bit_length() if maximum > 1 else 0
    pre_lsb = input_lsb * rate_format.lsb * 2.0**rate_shift
    post_format = FixedFormat(arithmetic.post_bits, 2.0 ** -(arithmetic.post_bits - 1))
    reach = float(trace_reach(projection, rule, input_lsb * maximum, steps).max())
    high = (1 << (arithmetic.trace_bits - 1)) - 1
    product_lsb = pre_lsb * post_format.lsb
    update_shift = _covering_shift(reach / (high * product_lsb))
    trace_format = FixedFormat(arithmetic.trace_bits, product_lsb * 2.0**update_shift)
    factors = attenuation(projection, steps)
    per_threshold = TABLE_ENTRIES / (2 * TABLE_REACH) / target.threshold
    post = make_gain(np.array([per_threshold]), arithmetic.gain_bits, projection.name)
    sliding = np.round(rule.eta.astype(np.float64) * TABLE_ENTRIES / (2 * TABLE_REACH))
    clamp = int(min(high, round(min(rule.clamp / trace_format.lsb, high))))
    if clamp == 0:
        raise InputError(
            f"projection {projection.name!r}: its traces are clamped at {rule.clamp:.3g}, less "
            f"than half of {trace_format.lsb:.3g}, the least they can change by at its learning "
            f"rates (beta up to {np.abs(rule.beta).max(initial=0.0):.3g}); rescale beta, alpha "
            "and clamp"
        )
    scale = trace_format.lsb if rate.any() else 0.0
    losses = [
        measure_loss(
            projection.name, "learning rate", rule.beta.astype(np.float64), rate, rate_format
        )
    ]
    fixed = FixedPlasticity(
        trace_format=trace_format,
        gain=make_gain(
            rule.alpha * scale * input_lsb / target.membrane_format.lsb * factors,
            arithmetic.gain_bits,
            projection.name,
        ),
        rate=rate.astype(np.int16),
        rate_shift=rate_shift,
        attenuation=np.round(factors * (1 << ATTENUATION_BITS)).astype(np.int32),
        table=_tanh_table(post_format),
        post_gain=int(post.factor[0]),
        post_shift=post.shift,
        sliding=np.clip(sliding, -MOST_SLIDING, MOST_SLIDING).astype(np.int32),
        decay=round(rule.rho * (1 << arithmetic.trace_decay_bits)),
        decay_bits=arithmetic.trace_decay_bits,
        update_shift=update_shift,
        clamp=clamp,
    )
    return fixed, losses


def _covering_shift(ratio: float) -> int:
    """Return the least shift that divides by ``ratio`` or more, as far as 32 bits allow."""
    if ratio <= 1.0:
        return 0
    # Only rates that never decay over more than 2**15 steps reach further: their traces saturate.
    return min(MOST_UPDATE_SHIFT, math.ceil(math.log2(ratio)))


def _tanh_table(fmt: FixedFormat) -> NDArray[np.int16]:
    arguments = (np.arange(TABLE_ENTRIES) / TABLE_ENTRIES * 2 - 1) * TABLE_REACH
    return quantise(np.tanh(arguments), fmt).astype(np.int16)
