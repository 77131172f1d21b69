"""Input values that wait on a core longer than its double buffer holds them.

A skip connection or a delay makes a value arrive several phases before it is used; each step
that is under way at once takes a copy of the axon's buffer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chipsim.cores.crossbar import Shape, ceil_div
from chipsim.mapping.model import Schedule, Slice, TaskKind
from chipsim.mapping.shapes import is_plastic, projections_by_name, shapes_of
from chipsim.network import Network, PlasticityMode

INPUT_OFFSET = -1
"""Input of a step is sent in the phase before offset 0."""

DOUBLE_BUFFER = 2


def scheduled_shapes(
    network: Network, slices: Sequence[Slice], plasticity: PlasticityMode, schedule: Schedule
) -> tuple[Shape, ...]:
    """Return the shape of every slice with the input values that wait under this schedule."""
    offsets = population_offsets(slices, schedule)
    shapes = shapes_of(network, slices, plasticity)
    return tuple(
        replace(shape, waiting=_waiting(network, piece, plasticity, schedule.interval, offsets))
        for piece, shape in zip(slices, shapes, strict=True)
    )


def population_offsets(
    slices: Sequence[Slice], schedule: Schedule
) -> dict[tuple[str, TaskKind], int]:
    """Return the phase offset of each task of each population."""
    return {(slices[task.slice].population, task.kind): task.offset for task in schedule.tasks}


def _waiting(
    network: Network,
    piece: Slice,
    plasticity: PlasticityMode,
    interval: int,
    offsets: Mapping[tuple[str, TaskKind], int],
) -> int:
    projections = projections_by_name(network)
    waiting = 0
    for run in piece.axons:
        projection = projections[run.projection]
        arrival = offsets.get((projection.source, "soma"), INPUT_OFFSET)
        last: TaskKind = "learn" if is_plastic(projection, plasticity) else "integrate"
        used = offsets[piece.population, last] + interval * projection.delay
        copies = ceil_div(used - arrival + 1, interval)
        waiting += max(0, copies - DOUBLE_BUFFER) * run.count
    return waiting
