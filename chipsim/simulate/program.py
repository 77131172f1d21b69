"""Lay a fixed-point network out over the cores of a mapping, as arrays for the kernels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels import layout
from chipsim.mapping.model import Axons, Mapping, Slice
from chipsim.quantise.fixed import FixedNetwork, FixedPopulation, FixedProjection, Gain

ROW_ALIGNMENT = 32
"""Synapse rows are padded to 32 weights of 16 bit: 64 bytes, one vector register and cache line."""

_RESETS = {"subtract": layout.SUBTRACT, "zero": layout.ZERO, "none": layout.NONE}
_ROUNDINGS = {
    "truncate": layout.TRUNCATE,
    "nearest": layout.NEAREST,
    "stochastic": layout.STOCHASTIC,
}


@dataclass(frozen=True)
class Run:
    """One run of axons of one slice, in the order of the kernel's run arrays."""

    slice: Slice
    axons: Axons
    projection: FixedProjection


def ordered_slices(fixed: FixedNetwork, mapping: Mapping) -> tuple[Slice, ...]:
    """Return the slices that hold synapses, population by population in evaluation order."""
    return tuple(
        part
        for population in fixed.populations
        for part in mapping.slices
        if part.population == population.name and part.axons
    )


def ordered_runs(fixed: FixedNetwork, mapping: Mapping) -> tuple[Run, ...]:
    """Return all runs of axons in kernel order."""
    projections = {p.name: p for p in fixed.projections}
    return tuple(
        Run(part, axons, projections[axons.projection])
        for part in ordered_slices(fixed, mapping)
        for axons in part.axons
    )


def neuron_offsets(fixed: FixedNetwork) -> dict[str, int]:
    """Return where each population starts in the activity vector: inputs first."""
    sizes = {p.name: p.size for p in fixed.inputs} | {p.name: p.size for p in fixed.populations}
    return dict(zip(sizes, _starts(list(sizes.values())), strict=True))


def compile_program(fixed: FixedNetwork, mapping: Mapping, seed: int = 0) -> layout.Program:
    """Return the arrays the kernels run; ``seed`` is that of stochastic rounding."""
    projections = _ordered_projections(fixed)
    rules = [p.plasticity for p in projections if p.plasticity is not None]
    gains = [gain for p in projections for gain in _gains(p)]
    runs = ordered_runs(fixed, mapping)
    steps, entries = fixed.steps, len(rules[0].table) if rules else 1
    run_records, weights, traces = _runs(projections, runs)
    slices = _slices(ordered_slices(fixed, mapping))
    return layout.Program(
        populations=_populations(fixed, mapping),
        channels=_records(
            layout.CHANNEL,
            zip(_starts(_channel_sizes(fixed)), (gain.shift for gain in gains), strict=True),
        ),
        slices=slices,
        projections=_projections(fixed, projections),
        runs=run_records,
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
        weights=weights,
    )


def _stride(count: int) -> int:
    return -(-count // ROW_ALIGNMENT) * ROW_ALIGNMENT


def _starts(sizes: Sequence[int]) -> list[int]:
    return [sum(sizes[:i]) for i in range(len(sizes))]


def _ranges(counts: Sequence[int]) -> list[tuple[int, int]]:
    return [(start, start + n) for start, n in zip(_starts(counts), counts, strict=True)]


def _records(kind: np.dtype[np.void], rows: Iterable[tuple[int, ...]]) -> layout.Records:
    return np.array(list(rows), kind)


def _joined(arrays: list[NDArray[np.int16]] | list[NDArray[np.int32]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *arrays]).astype(np.int64)


def _ordered_projections(fixed: FixedNetwork) -> list[FixedProjection]:
    return [p for population in fixed.populations for p in fixed.incoming(population.name)]


def _gains(projection: FixedProjection) -> list[Gain]:
    """One channel for the weights, the next for the trace if the projection is plastic."""
    rule = projection.plasticity
    return [projection.gain] if rule is None else [projection.gain, rule.gain]


def _channel_sizes(fixed: FixedNetwork) -> list[int]:
    return [fixed.population(p.target).size for p in _ordered_projections(fixed) for _ in _gains(p)]


def _populations(fixed: FixedNetwork, mapping: Mapping) -> layout.Records:
    pops = fixed.populations
    incoming = [fixed.incoming(p.name) for p in pops]
    holding = [s.population for s in ordered_slices(fixed, mapping)]
    columns = zip(
        pops,
        _starts([p.size for p in pops]),
        _ranges([sum(len(_gains(j)) for j in group) for group in incoming]),
        _ranges([holding.count(p.name) for p in pops]),
        _ranges([len(group) for group in incoming]),
        _ranges([sum(j.plasticity is not None for j in group) for group in incoming]),
        strict=True,
    )
    return _records(
        layout.POPULATION,
        (
            (first, *_neuron(p), *channels, *slices, *projections, *rules, *_slow_state(p))
            for p, first, channels, slices, projections, rules in columns
        ),
    )


def _neuron(p: FixedPopulation) -> tuple[int, ...]:
    before_leak, at = p.reset_order == "before_leak", p.fires == "at"
    return p.size, p.threshold, p.decay, _RESETS[p.reset], int(before_leak), int(at)


def _slow_state(p: FixedPopulation) -> tuple[int, ...]:
    slow = p.adaptation
    if slow is None:
        return p.refractory, 0, 0, 0
    return p.refractory, slow.decay, slow.decay_bits, slow.fraction_bits


def _strengths(fixed: FixedNetwork) -> NDArray[np.int64]:
    return np.concatenate(
        [
            p.adaptation.strength if p.adaptation else np.zeros(p.size, np.int64)
            for p in fixed.populations
        ]
    )


def _slices(holding: tuple[Slice, ...]) -> layout.Records:
    ranges = _ranges([len(s.axons) for s in holding])
    return _records(
        layout.SLICE,
        (
            (s.first, s.count, _stride(s.count), *runs)
            for s, runs in zip(holding, ranges, strict=True)
        ),
    )


def _projections(fixed: FixedNetwork, projections: list[FixedProjection]) -> layout.Records:
    offsets = neuron_offsets(fixed)
    plastic = [p.name for p in projections if p.plasticity is not None]
    starts = _starts([p.weight.shape[0] for p in projections])
    return _records(
        layout.PROJECTION,
        (
            (
                offsets[p.source],
                p.weight.shape[0],
                p.delay,
                first,
                plastic.index(p.name) if p.plasticity else -1,
            )
            for p, first in zip(projections, starts, strict=True)
        ),
    )


def _runs(
    projections: list[FixedProjection], runs: tuple[Run, ...]
) -> tuple[layout.Records, NDArray[np.int16], int]:
    """Cut the weights into blocks, one per run; return (runs, weights, words of trace)."""
    names = [p.name for p in projections]
    channels = _starts([len(_gains(p)) for p in projections])
    sizes = [run.axons.count * _stride(run.slice.count) for run in runs]
    weights = _aligned_zeros(sum(sizes))
    records, at, trace = [], 0, 0
    for run, size in zip(runs, sizes, strict=True):
        _fill(weights[at : at + size].reshape(run.axons.count, -1), run)
        j = names.index(run.projection.name)
        learns = run.projection.plasticity is not None
        axons = (j, run.axons.first, run.axons.count)
        records.append((*axons, at, channels[j], trace if learns else -1, channels[j] + 1))
        at += size
        trace += size if learns else 0
    return _records(layout.RUN, records), weights, trace


def _fill(block: NDArray[np.int16], run: Run) -> None:
    pre = slice(run.axons.first, run.axons.first + run.axons.count)
    post = slice(run.slice.first, run.slice.first + run.slice.count)
    block[:, : run.slice.count] = run.projection.weight[pre, post]


def _rules(fixed: FixedNetwork, projections: list[FixedProjection]) -> layout.Records:
    plastic = [(j, p, p.plasticity) for j, p in enumerate(projections) if p.plasticity is not None]
    sizes = [fixed.population(p.target).size for _, p, _ in plastic]
    rates = _starts([len(rule.rate) for _, _, rule in plastic])
    return _records(
        layout.RULE,
        (
            (
                j, rate, rule.rate_shift, sliding, size, rule.post_gain, rule.post_shift,
                rule.decay, rule.update_shift, rule.clamp,
            )
            for (j, _, rule), rate, sliding, size in zip(
                plastic, rates, _starts(sizes), sizes, strict=True
            )
        ),
    )  # fmt: skip


def _formats(fixed: FixedNetwork, seed: int, traces: int, stride: int) -> layout.Records:
    arithmetic = fixed.arithmetic
    return _records(
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
                sum(p.weight.shape[0] for p in fixed.projections),
                traces,
                [p.name for p in fixed.populations].index(fixed.readout),
                stride,
            )
        ],
    )


def _aligned_zeros(count: int) -> NDArray[np.int16]:
    """Zeros that start on a 64-byte boundary, which numpy does not promise."""
    raw = np.zeros(2 * count + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + 2 * count].view(np.int16)
