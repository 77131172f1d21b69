"""Lay a fixed-point network out over the cores of a mapping, as arrays for the kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels import layout
from chipsim.mapping.model import Axons, Mapping, Slice
from chipsim.quantise.fixed import FixedNetwork, FixedProjection

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
    offsets, at = {}, 0
    for population in (*fixed.inputs, *fixed.populations):
        offsets[population.name] = at
        at += population.size
    return offsets


def compile_program(fixed: FixedNetwork, mapping: Mapping, seed: int = 0) -> layout.Program:
    """Return the arrays the kernels run; ``seed`` is that of stochastic rounding."""
    runs = ordered_runs(fixed, mapping)
    channels, channel_of = _channels(fixed)
    weights, run_arrays, traces = _runs(fixed, runs, channel_of)
    arithmetic = fixed.arithmetic
    return layout.Program(
        populations=_populations(fixed, mapping),
        channels=channels,
        slices=_slices(ordered_slices(fixed, mapping)),
        projections=_projections(fixed),
        runs=run_arrays,
        rules=_rules(fixed),
        formats=layout.Formats(
            accumulator_bits=arithmetic.accumulator_bits,
            membrane_bits=arithmetic.membrane_bits,
            decay_bits=arithmetic.decay_bits,
            trace_decay_bits=arithmetic.trace_decay_bits,
            rounding=_ROUNDINGS[arithmetic.rounding],
            wrap=arithmetic.overflow == "wrap",
            seed=seed,
        ),
        weights=weights,
        inputs=sum(p.size for p in fixed.inputs),
        neurons=sum(p.size for p in fixed.populations),
        slots=1 + max((p.delay for p in fixed.projections), default=0),
        sums=sum(_size_of_channels(fixed)),
        axons=sum(p.weight.shape[0] for p in fixed.projections),
        traces=traces,
        readout=[p.name for p in fixed.populations].index(fixed.readout),
    )


def _stride(count: int) -> int:
    return -(-count // ROW_ALIGNMENT) * ROW_ALIGNMENT


def _pointers(counts: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def _ints(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _ordered_projections(fixed: FixedNetwork) -> list[FixedProjection]:
    return [p for population in fixed.populations for p in fixed.incoming(population.name)]


def _size_of_channels(fixed: FixedNetwork) -> list[int]:
    sizes = []
    for projection in _ordered_projections(fixed):
        size = fixed.population(projection.target).size
        sizes += [size] * (1 if projection.plasticity is None else 2)
    return sizes


def _channels(fixed: FixedNetwork) -> tuple[layout.Channels, dict[str, int]]:
    """One channel per projection for its weights, the next for its trace if it is plastic."""
    gains, channel_of = [], {}
    for projection in _ordered_projections(fixed):
        channel_of[projection.name] = len(gains)
        gains.append(projection.gain)
        if projection.plasticity is not None:
            gains.append(projection.plasticity.gain)
    factors = [gain.factor for gain in gains]
    arrays = layout.Channels(
        first=_pointers(_size_of_channels(fixed))[:-1],
        factor=np.array(factors, np.int64).reshape(len(gains), fixed.steps),
        shift=_ints([gain.shift for gain in gains]),
    )
    return arrays, channel_of


def _populations(fixed: FixedNetwork, mapping: Mapping) -> layout.Populations:
    pops = fixed.populations
    holding = ordered_slices(fixed, mapping)
    incoming = [fixed.incoming(p.name) for p in pops]
    plastic = [sum(j.plasticity is not None for j in projections) for projections in incoming]
    return layout.Populations(
        first=_pointers([p.size for p in pops])[:-1],
        size=_ints([p.size for p in pops]),
        threshold=_ints([p.threshold for p in pops]),
        decay=_ints([p.decay for p in pops]),
        reset=_ints([_RESETS[p.reset] for p in pops]),
        before_leak=np.array([p.reset_order == "before_leak" for p in pops]),
        fires_at=np.array([p.fires == "at" for p in pops]),
        bias=np.concatenate([p.bias for p in pops]).astype(np.int64),
        channel_ptr=_pointers([len(j) + n for j, n in zip(incoming, plastic, strict=True)]),
        slice_ptr=_pointers([sum(s.population == p.name for s in holding) for p in pops]),
        projection_ptr=_pointers([len(j) for j in incoming]),
        rule_ptr=_pointers(plastic),
    )


def _slices(holding: tuple[Slice, ...]) -> layout.Slices:
    return layout.Slices(
        first=_ints([s.first for s in holding]),
        count=_ints([s.count for s in holding]),
        stride=_ints([_stride(s.count) for s in holding]),
        run_ptr=_pointers([len(s.axons) for s in holding]),
    )


def _projections(fixed: FixedNetwork) -> layout.Projections:
    projections = _ordered_projections(fixed)
    offsets = neuron_offsets(fixed)
    plastic = [p.name for p in projections if p.plasticity is not None]
    sizes = [p.weight.shape[0] for p in projections]
    return layout.Projections(
        source=_ints([offsets[p.source] for p in projections]),
        size=_ints(sizes),
        delay=_ints([p.delay for p in projections]),
        first=_pointers(sizes)[:-1],
        rule=_ints([plastic.index(p.name) if p.plasticity else -1 for p in projections]),
    )


def _runs(
    fixed: FixedNetwork, runs: tuple[Run, ...], channel_of: dict[str, int]
) -> tuple[NDArray[np.int16], layout.Runs, int]:
    """Cut the weights into blocks, one per run; return (weights, runs, words of trace)."""
    names = [p.name for p in _ordered_projections(fixed)]
    sizes = [run.axons.count * _stride(run.slice.count) for run in runs]
    weight_at = _pointers(sizes)
    weights = _aligned_zeros(int(weight_at[-1]))
    for run, start, size in zip(runs, weight_at[:-1], sizes, strict=True):
        block = weights[start : start + size].reshape(run.axons.count, -1)
        pre = slice(run.axons.first, run.axons.first + run.axons.count)
        post = slice(run.slice.first, run.slice.first + run.slice.count)
        block[:, : run.slice.count] = run.projection.weight[pre, post]
    learns = [run.projection.plasticity is not None for run in runs]
    trace_at = _pointers([n if learn else 0 for n, learn in zip(sizes, learns, strict=True)])
    arrays = layout.Runs(
        projection=_ints([names.index(r.projection.name) for r in runs]),
        pre=_ints([r.axons.first for r in runs]),
        count=_ints([r.axons.count for r in runs]),
        weight=weight_at[:-1],
        channel=_ints([channel_of[r.projection.name] for r in runs]),
        trace=np.where(learns, trace_at[:-1], -1).astype(np.int64),
        trace_channel=_ints([channel_of[r.projection.name] + 1 for r in runs]),
    )
    return weights, arrays, int(trace_at[-1])


def _aligned_zeros(count: int) -> NDArray[np.int16]:
    """Zeros that start on a 64-byte boundary, which numpy does not promise."""
    raw = np.zeros(2 * count + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + 2 * count].view(np.int16)


def _rules(fixed: FixedNetwork) -> layout.Rules:
    plastic = [
        (p, p.plasticity) for p in _ordered_projections(fixed) if p.plasticity is not None
    ]
    rules = [rule for _, rule in plastic]
    sizes = [fixed.population(p.target).size for p, _ in plastic]
    entries = len(rules[0].table) if rules else 1
    names = [p.name for p in _ordered_projections(fixed)]
    return layout.Rules(
        projection=_ints([names.index(p.name) for p, _ in plastic]),
        rate=_joined([rule.rate for rule in rules]),
        rate_first=_pointers([len(rule.rate) for rule in rules])[:-1],
        rate_shift=_ints([rule.rate_shift for rule in rules]),
        attenuation=np.array([rule.attenuation for rule in rules], np.int64).reshape(
            len(rules), fixed.steps
        ),
        table=np.array([rule.table for rule in rules], np.int64).reshape(len(rules), entries),
        post_gain=_ints([rule.post_gain for rule in rules]),
        post_shift=_ints([rule.post_shift for rule in rules]),
        sliding=_joined([rule.sliding for rule in rules]),
        post_first=_pointers(sizes)[:-1],
        post_size=_ints(sizes),
        decay=_ints([rule.decay for rule in rules]),
        update_shift=_ints([rule.update_shift for rule in rules]),
        clamp=_ints([rule.clamp for rule in rules]),
    )


def _joined(arrays: list[NDArray[np.int16]] | list[NDArray[np.int32]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *arrays]).astype(np.int64)
