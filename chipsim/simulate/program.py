"""Lay a fixed-point network out over the cores of a mapping, as arrays for the kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Arithmetic
from chipsim.faults.model import NO_FAULTS, Faults
from chipsim.kernels import layout
from chipsim.mapping.model import Mapping, Slice
from chipsim.quantise.fixed import (
    FixedNetwork,
    FixedPlasticity,
    FixedPopulation,
    FixedProjection,
    Gain,
)
from chipsim.simulate.faulty import fault_arrays
from chipsim.simulate.program_rows import (
    factors,
    ordered_projections,
    ordered_runs,
    ordered_slices,
    records,
    run_records,
    starts,
    stride,
)

FULL_TRACE = 32767

_RESETS = {"subtract": layout.SUBTRACT, "zero": layout.ZERO, "none": layout.NONE}
_POSTS = {"tanh": layout.TANH, "linear": layout.LINEAR, "softmax": layout.SOFTMAX}
_ROUNDINGS = {
    "truncate": layout.TRUNCATE,
    "nearest": layout.NEAREST,
    "stochastic": layout.STOCHASTIC,
}


def neuron_offsets(fixed: FixedNetwork) -> dict[str, int]:
    """Return where each population starts in the activity vector: inputs first."""
    sizes = {p.name: p.size for p in fixed.inputs} | {p.name: p.size for p in fixed.populations}
    return dict(zip(sizes, starts(list(sizes.values())), strict=True))


def sent_offsets(fixed: FixedNetwork) -> dict[str, int]:
    """Return where the membranes that populations send start in the activity: after all neurons."""
    sending = [p for p in fixed.populations if p.sent_membrane]
    first = sum(p.size for p in fixed.inputs) + sum(p.size for p in fixed.populations)
    places = starts([p.size for p in sending])
    return {p.name: first + place for p, place in zip(sending, places, strict=True)}


def compile_program(
    fixed: FixedNetwork,
    mapping: Mapping,
    seed: int = 0,
    faults: Faults = NO_FAULTS,
    held: bool = False,
) -> layout.Program:
    """Return the arrays the kernels run; ``seed`` is that of stochastic rounding and of faults.

    ``held`` says that input values are held for all steps; only faults depend on it.
    """
    projections = ordered_projections(fixed)
    rules = [p.plasticity for p in projections if p.plasticity is not None]
    gains = [gain for p in projections for gain in _gains(p)]
    runs = ordered_runs(fixed, mapping)
    steps, entries = fixed.steps, len(rules[0].table) if rules else 1
    channels = starts([len(_gains(p)) for p in projections])
    placed, weights, traces = run_records(projections, runs, channels)
    outputs = [p.activation.table for p in fixed.populations if p.activation]
    slices = _slices(ordered_slices(fixed, mapping))
    wrong = fault_arrays(fixed, mapping, faults, held, neuron_offsets(fixed))
    return layout.Program(
        populations=_populations(fixed, mapping),
        channels=records(
            layout.CHANNEL,
            zip(starts(_channel_sizes(fixed)), (gain.shift for gain in gains), strict=True),
        ),
        slices=slices,
        projections=_projections(fixed, projections),
        runs=placed,
        rules=_rules(fixed, projections),
        formats=_formats(fixed, seed, traces, int(slices["stride"].max())),
        bias=np.concatenate([p.bias for p in fixed.populations]).astype(np.int64),
        adaptation=_strengths(fixed),
        factor=np.array([gain.factor for gain in gains], np.int64).reshape(len(gains), steps),
        rate=_joined([rule.rate for rule in rules]),
        sliding=_joined([rule.sliding for rule in rules]),
        attenuation=np.array([rule.attenuation for rule in rules], np.int64).reshape(
            len(rules), steps
        ),
        table=np.array([rule.table for rule in rules], np.int64).reshape(len(rules), entries),
        outputs=np.array(outputs, np.int64).reshape(len(outputs), -1 if outputs else 1),
        weights=weights,
        factors=factors(runs, placed, traces),
        faults=wrong.rates,
        packets=wrong.packets,
        sends=wrong.sends,
    )


def _ranges(counts: Sequence[int]) -> list[tuple[int, int]]:
    return [(start, start + n) for start, n in zip(starts(counts), counts, strict=True)]


def _joined(arrays: list[NDArray[np.int16]] | list[NDArray[np.int32]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *arrays]).astype(np.int64)


def _gains(projection: FixedProjection) -> list[Gain]:
    """One channel for the weights, the next for the trace if the projection is plastic."""
    rule = projection.plasticity
    return [projection.gain] if rule is None else [projection.gain, rule.gain]


def _channel_sizes(fixed: FixedNetwork) -> list[int]:
    return [fixed.population(p.target).size for p in ordered_projections(fixed) for _ in _gains(p)]


def _populations(fixed: FixedNetwork, mapping: Mapping) -> layout.Records:
    pops = fixed.populations
    graded, sent = [p.name for p in pops if p.activation], sent_offsets(fixed)
    incoming = [fixed.incoming(p.name) for p in pops]
    holding = [s.population for s in ordered_slices(fixed, mapping)]
    columns = zip(
        pops,
        starts([p.size for p in pops]),
        _ranges([sum(len(_gains(j)) for j in group) for group in incoming]),
        _ranges([holding.count(p.name) for p in pops]),
        _ranges([len(group) for group in incoming]),
        _ranges([sum(j.plasticity is not None for j in group) for group in incoming]),
        strict=True,
    )
    return records(
        layout.POPULATION,
        (
            (
                first, *_neuron(p), *channels, *slices, *projections, *rules, *_slow_state(p),
                *_output(p, graded), *_sent(p, sent),
            )
            for p, first, channels, slices, projections, rules in columns
        ),
    )  # fmt: skip


def _neuron(p: FixedPopulation) -> tuple[int, ...]:
    before_leak, at = p.reset_order == "before_leak", p.fires == "at"
    return p.size, p.threshold, p.decay, _RESETS[p.reset], int(before_leak), int(at)


def _slow_state(p: FixedPopulation) -> tuple[int, ...]:
    slow = p.adaptation
    if slow is None:
        return p.refractory, 0, 0, 0
    return p.refractory, slow.decay, slow.decay_bits, slow.fraction_bits


def _output(p: FixedPopulation, graded: Sequence[str]) -> tuple[int, ...]:
    if p.activation is None:
        return -1, 0, 0
    return graded.index(p.name), p.activation.gain, p.activation.shift


def _sent(p: FixedPopulation, places: dict[str, int]) -> tuple[int, ...]:
    membrane = p.sent_membrane
    if membrane is None:
        return -1, 0, 0, 0, 0
    gain = membrane.gain, membrane.shift, membrane.levels.maximum
    return places[p.name], *gain, int(membrane.last)


def _strengths(fixed: FixedNetwork) -> NDArray[np.int64]:
    return np.concatenate(
        [
            p.adaptation.strength if p.adaptation else np.zeros(p.size, np.int64)
            for p in fixed.populations
        ]
    )


def _slices(holding: tuple[Slice, ...]) -> layout.Records:
    ranges = _ranges([len(s.axons) for s in holding])
    return records(
        layout.SLICE,
        (
            (s.first, s.count, stride(s.count), *runs)
            for s, runs in zip(holding, ranges, strict=True)
        ),
    )


def _projections(fixed: FixedNetwork, projections: list[FixedProjection]) -> layout.Records:
    offsets, sent = neuron_offsets(fixed), sent_offsets(fixed)
    plastic = [p.name for p in projections if p.plasticity is not None]
    firsts = starts([p.n_pre for p in projections])
    return records(
        layout.PROJECTION,
        (
            (
                sent[p.source] if p.membrane else offsets[p.source],
                p.n_pre,
                p.delay,
                first,
                plastic.index(p.name) if p.plasticity else -1,
            )
            for p, first in zip(projections, firsts, strict=True)
        ),
    )


def _rules(fixed: FixedNetwork, projections: list[FixedProjection]) -> layout.Records:
    plastic = [(j, p, p.plasticity) for j, p in enumerate(projections) if p.plasticity is not None]
    sizes = [fixed.population(p.target).size for _, p, _ in plastic]
    rates = starts([len(rule.rate) for _, _, rule in plastic])
    return records(
        layout.RULE,
        (
            (
                j, rate, rule.rate_shift, sliding, size, rule.post_gain, rule.post_shift,
                rule.decay, rule.update_shift, rule.clamp, int(_can_clamp(rule)),
                _POSTS[rule.post], rule.post_high, int(rule.factor is not None),
                rule.factor.shift if rule.factor else 0, int(rule.carried),
            )
            for (j, _, rule), rate, sliding, size in zip(
                plastic, rates, starts(sizes), sizes, strict=True
            )
        ),
    )  # fmt: skip


def _can_clamp(rule: FixedPlasticity) -> bool:
    """Whether a trace can meet the clamp: the format covers a trace in [-1, 1] of one sample."""
    return rule.clamp < FULL_TRACE or rule.post == "linear" or rule.carried


def _trace_rounding(arithmetic: Arithmetic) -> str:
    same = arithmetic.trace_rounding == "same"
    return arithmetic.rounding if same else arithmetic.trace_rounding


def _formats(fixed: FixedNetwork, seed: int, traces: int, stride: int) -> layout.Records:
    arithmetic = fixed.arithmetic
    return records(
        layout.FORMATS,
        [
            (
                arithmetic.accumulator_bits,
                arithmetic.membrane_bits,
                arithmetic.decay_bits,
                arithmetic.trace_decay_bits,
                _ROUNDINGS[arithmetic.rounding],
                int(arithmetic.overflow == "wrap"),
                seed,
                sum(p.size for p in fixed.inputs),
                sum(p.size for p in fixed.populations),
                1 + max((p.delay for p in fixed.projections), default=0),
                sum(_channel_sizes(fixed)),
                sum(p.n_pre for p in fixed.projections),
                traces,
                [p.name for p in fixed.populations].index(fixed.readout),
                stride,
                _ROUNDINGS[_trace_rounding(arithmetic)],
                int(arithmetic.trace_decay == "lazy"),
                int(fixed.readout_kind == "first_spike"),
                sum(p.size for p in fixed.populations if p.sent_membrane),
            )
        ],
    )
