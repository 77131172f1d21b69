"""From a hybrid plasticity rule to integers, see `chipsim.quantise.fixed.FixedPlasticity`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Arithmetic
from chipsim.errors import InputError
from chipsim.network import Projection, attenuation
from chipsim.plasticity import HybridPlasticity
from chipsim.quantise.fixed import (
    FixedPlasticity,
    FixedPopulation,
    Int16Array,
    Levels,
    QuantisationLoss,
    TraceFactor,
)
from chipsim.quantise.formats import FixedFormat, covering_format, quantise
from chipsim.quantise.gain import make_gain
from chipsim.quantise.loss import measure_loss
from chipsim.quantise.tables import (
    SOFTMAX_ENTRIES,
    SOFTMAX_REACH,
    TABLE_ENTRIES,
    TANH_REACH,
    softmax_table,
    tanh_table,
)

ATTENUATION_BITS = 15
MOST_UPDATE_SHIFT = 31
MOST_SLIDING = 2**31 - 1

LINEAR_COVER = 4.0
"""A trace's format covers linear factors of up to 4 thresholds; beyond, it may saturate."""

MOST_CARRIED = 64.0
"""A carried trace that (nearly) never decays gets the range of so many samples, then saturates."""


@dataclass(frozen=True)
class _Post:
    """The postsynaptic factor: its format, its table and steps of ``z`` for one of ``u / unit``."""

    fmt: FixedFormat
    table: Int16Array
    steps: float
    unit: float


def trace_reach(
    projection: Projection, rule: HybridPlasticity, maximum: float, steps: int
) -> NDArray[np.float64]:
    """Bound |H_ij| for each presynaptic neuron i; shape ``(n_pre,)``.

    The postsynaptic factor is within +-1, or taken to be within ``LINEAR_COVER`` if it is linear.
    """
    # Where the attenuation falls faster than the trace decays, its peak is not at the end.
    total = peak = 0.0
    factors = attenuation(projection, steps).tolist()
    for factor in factors if rule.state == "carried" else factors[:-1]:
        total = rule.rho * total + factor
        peak = max(peak, total)
    post = LINEAR_COVER if rule.post == "linear" else 1.0
    stored = 0.0
    if rule.state == "carried":
        peak *= min(MOST_CARRIED, 1.0 / max(1.0 - rule.rho**steps, 1.0 / MOST_CARRIED))
        if rule.stored_trace is not None:
            stored = float(np.abs(rule.stored_trace).max(initial=0.0))
    reach = np.abs(rule.beta.astype(np.float64)) * maximum * peak * post + stored
    return reach if rule.clamp is None else np.minimum(rule.clamp, reach)


def quantise_rule(
    projection: Projection,
    rule: HybridPlasticity,
    source: Levels,
    target: FixedPopulation,
    arithmetic: Arithmetic,
    steps: int,
) -> tuple[FixedPlasticity, list[QuantisationLoss]]:
    """Convert the rule of ``projection`` from ``source`` onto ``target``.

    InputError if the clamp is less than the traces' least change.
    """
    rates = rule.sign * rule.beta.astype(np.float64)
    rate_format = covering_format(float(np.abs(rates).max(initial=0.0)), arithmetic.trace_bits)
    rate = quantise(rates, rate_format)
    # A graded input's bits leave the product at the trace's width; a spike adds none.
    rate_shift = source.maximum.bit_length() if source.maximum > 1 else 0
    pre_lsb = source.lsb * rate_format.lsb * 2.0**rate_shift
    post = _post(rule, target, arithmetic)
    reach = float(trace_reach(projection, rule, source.lsb * source.maximum, steps).max())
    high = (1 << (arithmetic.trace_bits - 1)) - 1
    product_lsb = pre_lsb * post.fmt.lsb
    update_shift = _covering_shift(reach / (high * product_lsb))
    trace_format = FixedFormat(arithmetic.trace_bits, product_lsb * 2.0**update_shift)
    clamp = _clamp(projection.name, rule, trace_format)
    factor, unit, losses = _factor(projection.name, rule, arithmetic)
    losses.insert(0, measure_loss(projection.name, "learning rate", rates, rate, rate_format))
    initial = _initial(rule, trace_format, clamp)
    if initial is not None and rule.stored_trace is not None:
        stored = rule.stored_trace.astype(np.float64)
        whole = initial.astype(np.int64)
        losses.append(measure_loss(projection.name, "stored trace", stored, whole, trace_format))
    factors = attenuation(projection, steps)
    scale = trace_format.lsb * unit if rate.any() or initial is not None else 0.0
    post_gain = make_gain(np.array([post.steps / post.unit]), arithmetic.gain_bits, projection.name)
    sliding = np.round(rule.eta.astype(np.float64) * post.steps)
    fixed = FixedPlasticity(
        trace_format=trace_format,
        gain=make_gain(
            rule.alpha * scale * source.lsb / target.membrane_format.lsb * factors,
            arithmetic.gain_bits,
            projection.name,
        ),
        rate=rate.astype(np.int16),
        rate_shift=rate_shift,
        attenuation=np.round(factors * (1 << ATTENUATION_BITS)).astype(np.int32),
        post=rule.post,
        post_high=post.fmt.high,
        table=post.table,
        post_gain=int(post_gain.factor[0]),
        post_shift=post_gain.shift,
        sliding=np.clip(sliding, -MOST_SLIDING, MOST_SLIDING).astype(np.int32),
        decay=round(rule.rho * (1 << arithmetic.trace_decay_bits)),
        decay_bits=arithmetic.trace_decay_bits,
        update_shift=update_shift,
        clamp=clamp,
        factor=factor,
        carried=rule.state == "carried",
        initial=initial,
    )
    return fixed, losses


def _post(rule: HybridPlasticity, target: FixedPopulation, arithmetic: Arithmetic) -> _Post:
    bits = arithmetic.post_bits
    share = FixedFormat(bits, 2.0 ** -(bits - 1))
    if rule.post == "tanh":
        steps = TABLE_ENTRIES / (2 * TANH_REACH)
        return _Post(share, tanh_table(share), steps, target.threshold)
    if rule.post == "softmax":
        steps = SOFTMAX_ENTRIES / SOFTMAX_REACH
        return _Post(share, softmax_table(share), steps, 1.0 / target.membrane_format.lsb)
    # Half of the bits for the range, half below a threshold: of 16 bits, +-64 in steps of 1/512.
    linear = FixedFormat(bits, 2.0 ** (bits // 2 - 2 - (bits - 1)))
    nothing = np.zeros(TABLE_ENTRIES, np.int16)
    return _Post(linear, nothing, 1.0 / linear.lsb, target.threshold)


def _clamp(name: str, rule: HybridPlasticity, fmt: FixedFormat) -> int:
    if rule.clamp is None:
        return fmt.high
    clamp = int(min(fmt.high, round(min(rule.clamp / fmt.lsb, fmt.high))))
    if clamp == 0:
        raise InputError(
            f"projection {name!r}: its traces are clamped at {rule.clamp:.3g}, less "
            f"than half of {fmt.lsb:.3g}, the least they can change by at its learning "
            f"rates (beta up to {np.abs(rule.beta).max(initial=0.0):.3g}); rescale beta, alpha "
            "and clamp"
        )
    return clamp


def _factor(
    name: str, rule: HybridPlasticity, arithmetic: Arithmetic
) -> tuple[TraceFactor | None, float, list[QuantisationLoss]]:
    """Return the factors of the traces, what an integer ``factor * H`` is worth in H, the loss."""
    if rule.factor is None:
        return None, 1.0, []
    values = rule.factor.astype(np.float64)
    if is_mask(rule.factor):
        return TraceFactor(values.astype(np.int16), 0), 1.0, []
    bits = arithmetic.trace_bits
    largest = float(np.abs(values).max())
    fmt = FixedFormat(bits, largest / ((1 << (bits - 1)) - 1))
    integers = quantise(values, fmt)
    lost = measure_loss(name, "trace factor", values, integers, fmt)
    unit = fmt.lsb * (1 << (bits - 1))
    return TraceFactor(integers.astype(np.int16), bits - 1), unit, [lost]


def is_mask(factor: NDArray[np.float32]) -> bool:
    """Whether all factors are 0 or 1, so that a bit holds each."""
    return bool(((factor == 0) | (factor == 1)).all())


def _initial(rule: HybridPlasticity, fmt: FixedFormat, clamp: int) -> Int16Array | None:
    if rule.state != "carried" or rule.stored_trace is None:
        return None
    integers = quantise(rule.stored_trace.astype(np.float64), fmt)
    return np.clip(integers, -clamp, clamp).astype(np.int16)


def _covering_shift(ratio: float) -> int:
    """Return the least shift that divides by ``ratio`` or more, as far as 32 bits allow."""
    if ratio <= 1.0:
        return 0
    # Only rates that never decay over more than 2**15 steps reach further: their traces saturate.
    return min(MOST_UPDATE_SHIFT, math.ceil(math.log2(ratio)))
