"""Where the rows of synapses and traces lie: runs of axons of slices, in the kernel's order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels import layout
from chipsim.mapping.model import Axons, Mapping, Slice
from chipsim.quantise.fixed import FixedNetwork, FixedProjection

ROW_ALIGNMENT = 32
"""Synapse rows are padded to 32 weights of 16 bit: 64 bytes, one vector register and cache line."""


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


def starts(sizes: Sequence[int]) -> list[int]:
    """Return where each of things of these sizes begins, one after the other."""
    return [sum(sizes[:i]) for i in range(len(sizes))]


def records(kind: np.dtype[np.void], rows: Iterable[tuple[int, ...]]) -> layout.Records:
    """Return rows of numbers as records of a kind."""
    return np.array(list(rows), kind)


def stride(count: int) -> int:
    """Return the length of a row of ``count`` synapses, padded."""
    return -(-count // ROW_ALIGNMENT) * ROW_ALIGNMENT


def ordered_projections(fixed: FixedNetwork) -> list[FixedProjection]:
    """Return all projections in kernel order: by target, in order of evaluation."""
    return [p for population in fixed.populations for p in fixed.incoming(population.name)]


def run_records(
    projections: list[FixedProjection], runs: tuple[Run, ...], channels: Sequence[int]
) -> tuple[layout.Records, NDArray[np.int16], int]:
    """Cut the weights into blocks, one per run; return (runs, weights, words of trace)."""
    names = [p.name for p in projections]
    sizes = [run.axons.count * stride(run.slice.count) for run in runs]
    weights = _aligned_zeros(sum(sizes))
    rows, at, trace = [], 0, 0
    for run, size in zip(runs, sizes, strict=True):
        _fill(weights[at : at + size].reshape(run.axons.count, -1), run)
        j = names.index(run.projection.name)
        learns = run.projection.plasticity is not None
        axons = (j, run.axons.first, run.axons.count)
        rows.append((*axons, at, channels[j], trace if learns else -1, channels[j] + 1))
        at += size
        trace += size if learns else 0
    return records(layout.RUN, rows), weights, trace


def _fill(block: NDArray[np.int16], run: Run) -> None:
    block[:, : run.slice.count] = run.projection.block(_pre(run), _post(run))


def _pre(run: Run) -> slice:
    return slice(run.axons.first, run.axons.first + run.axons.count)


def _post(run: Run) -> slice:
    return slice(run.slice.first, run.slice.first + run.slice.count)


def _trace_block(whole: NDArray[np.int16], run: Run, record: np.void) -> NDArray[np.int16]:
    """Return the rows of a run in an array laid out as the traces are."""
    at, size = int(record["trace"]), run.axons.count * stride(run.slice.count)
    return whole[at : at + size].reshape(run.axons.count, -1)


def factors(runs: tuple[Run, ...], places: layout.Records, traces: int) -> NDArray[np.int16]:
    """Return the factors of all ``traces`` in their places; nothing if no trace has one."""
    factored = [
        (run, record, rule.factor)
        for run, record in zip(runs, places, strict=True)
        if (rule := run.projection.plasticity) is not None and rule.factor is not None
    ]
    whole = _aligned_zeros(traces if factored else 0)
    for run, record, factor in factored:
        block = _trace_block(whole, run, record)
        block[:, : run.slice.count] = factor.value[_pre(run), _post(run)]
    return whole


def fresh_memory(fixed: FixedNetwork, mapping: Mapping, program: layout.Program) -> layout.Memory:
    """Return the traces as a run finds them: zero, or stored ones where they are carried."""
    formats, runs = program.formats[0], ordered_runs(fixed, mapping)
    trace = _aligned_zeros(int(formats["traces"]))
    live = np.zeros(int(formats["axons"]), np.bool_)
    first = {
        p.name: int(r["first"])
        for p, r in zip(ordered_projections(fixed), program.projections, strict=True)
    }
    for run, record in zip(runs, program.runs, strict=True):
        rule = run.projection.plasticity
        if rule is not None and rule.initial is not None:
            block = _trace_block(trace, run, record)
            block[:, : run.slice.count] = rule.initial[_pre(run), _post(run)]
            at = first[run.projection.name] + run.axons.first
            live[at : at + run.axons.count] |= block.any(axis=1)
    return layout.Memory(trace, live, np.full(len(live), -1, np.int64))


def _aligned_zeros(count: int) -> NDArray[np.int16]:
    """Zeros that start on a 64-byte boundary, which numpy does not promise."""
    raw = np.zeros(2 * count + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + 2 * count].view(np.int16)
