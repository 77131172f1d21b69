"""Where the rows of synapses and traces lie: runs of axons of slices, in the kernel's order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from chipsim.kernels import layout
from chipsim.kernels.lanes import LANES
from chipsim.kernels.soma import SOMAS
from chipsim.mapping.model import Axons, Mapping, Slice
from chipsim.quantise.fixed import FixedNetwork, FixedProjection

N = TypeVar("N", bound=np.generic)

ROW_ALIGNMENT = LANES
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
    weights = _aligned(sum(sizes), np.int16)
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
    whole = _aligned(traces if factored else 0, np.int16)
    for run, record, factor in factored:
        block = _trace_block(whole, run, record)
        block[:, : run.slice.count] = factor.value[_pre(run), _post(run)]
    return whole


def fresh_memory(fixed: FixedNetwork, mapping: Mapping, program: layout.Program) -> layout.Memory:
    """Return the traces as a run finds them: zero, or stored ones where they are carried."""
    formats, runs = program.formats[0], ordered_runs(fixed, mapping)
    trace = _aligned(int(formats["traces"]), np.int16)
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


def state_at_rest(program: layout.Program, memory: layout.Memory) -> layout.State:
    """Return the state of a network at rest, with the traces of ``memory``."""
    formats, faults = program.formats[0], program.faults[0]
    neurons, sums, axons = (int(formats[name]) for name in ("neurons", "sums", "axons"))
    sending = int(formats["inputs"]) + neurons + int(formats["sent"])
    # Vectors may reach beyond the last factor.
    posts, drops = len(program.sliding) + LANES, int(faults["drop"]) != 0
    place = axons + len(program.projections)
    return layout.State(
        u=_aligned(neurons, np.int64),
        spikes=_aligned(neurons, np.uint8),
        risen=_aligned(neurons, np.int64),
        waiting=_aligned(neurons, np.int64),
        activity=np.zeros((int(formats["slots"]), sending), np.int32),
        sums=_aligned(sums, np.int64),
        current=_aligned(SOMAS, np.int64),
        scratch=_aligned(max(axons, SOMAS), np.int64),
        buffer=_aligned(int(formats["stride"]), np.int32),
        trace=memory.trace,
        live=memory.live,
        decayed=memory.decayed,
        fresh=np.zeros(axons, np.bool_),
        largest=np.zeros(len(program.rules), np.int64),
        news=np.zeros(len(program.rules), np.bool_),
        post=_aligned(posts, np.int16),
        drive=_aligned(neurons, np.int64),
        active=_no_axons(axons, place),
        plastic=_no_axons(axons, place),
        learning=_no_axons(axons, place),
        before=np.zeros(sums if drops else 0, np.int64),
        heard=np.zeros(posts if drops else 0, np.int16),
    )


def _no_axons(axons: int, places: int) -> layout.Axons:
    axon, value = _aligned(axons, np.int64), _aligned(axons, np.int32)
    return layout.Axons(axon, value, np.zeros(places, np.int64))


def _aligned(count: int, kind: type[N]) -> NDArray[N]:
    """Zeros that start on a 64-byte boundary, which numpy does not promise."""
    size = count * np.dtype(kind).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(kind)
