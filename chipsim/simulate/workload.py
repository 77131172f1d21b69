"""When each task of each core starts and how long it takes, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Chip
from chipsim.cores import crossbar
from chipsim.cores.crossbar import Shape
from chipsim.mapping.model import Mapping, Slice, Task
from chipsim.mapping.shapes import shapes_of
from chipsim.network import Network
from chipsim.simulate.functional import Activity

_ORDER = {"integrate": 0, "soma": 1, "learn": 2}

Cycles = NDArray[np.int64]


@dataclass(frozen=True)
class TimedTask:
    """A task with its times: ``start`` and ``cycles`` within its phase, by step, ``(G,)``.

    G counts the steps of all samples one after the other.
    """

    task: Task
    slice: Slice
    shape: Shape
    start: Cycles
    cycles: Cycles

    @property
    def end(self) -> Cycles:
        """Cycle in which the task is done, by step."""
        return self.start + self.cycles


def timed_tasks(
    network: Network, chip: Chip, mapping: Mapping, activity: Activity
) -> tuple[TimedTask, ...]:
    """Return every task of the schedule with its actual cycles.

    Tasks of one slice that share a phase run one after the other: the older step first, then
    integrate before soma before learn.
    """
    shapes = shapes_of(network, mapping.slices, mapping.plasticity)
    work = _work(activity, len(mapping.slices))
    steps = work.active.shape[1]
    cycles = {
        (task.slice, task.kind): _cycles(chip, shapes[task.slice], task, work)
        for task in mapping.schedule.tasks
    }
    interval = mapping.schedule.interval
    timed = []
    for task in mapping.schedule.tasks:
        start = _constant(0, steps)
        for other in _before(task, mapping.schedule.tasks, interval):
            lead = (other.offset - task.offset) // interval
            start = start + _shifted(cycles[other.slice, other.kind], -lead)
        timed.append(
            TimedTask(
                task,
                mapping.slices[task.slice],
                shapes[task.slice],
                start,
                cycles[task.slice, task.kind],
            )
        )
    return tuple(timed)


def active_axons(activity: Activity, slices: int) -> Cycles:
    """Return the axons with input of every slice at every step, shape ``(slices, G)``."""
    return _by_slice(activity, activity.active, slices)


@dataclass(frozen=True)
class _Work:
    """Axons of every slice at every step, ``(slices, G)``, as in `Activity`; lazy decay's or None.

    ``changes`` are those whose traces change.
    """

    active: Cycles
    decays: Cycles | None
    changes: Cycles | None


def _work(activity: Activity, slices: int) -> _Work:
    active = active_axons(activity, slices)
    if activity.decays is None:
        return _Work(active, None, None)
    decays = _by_slice(activity, activity.decays, slices)
    return _Work(active, decays, _by_slice(activity, activity.learning, slices))


def _by_slice(activity: Activity, by_run: NDArray[Any], slices: int) -> Cycles:
    flat = by_run.reshape(-1, len(activity.runs))
    counts = np.zeros((slices, flat.shape[0]), np.int64)
    for index, run in enumerate(activity.runs):
        counts[run.slice.index] += flat[:, index]
    return counts


def _cycles(chip: Chip, shape: Shape, task: Task, work: _Work) -> Cycles:
    active = work.active[task.slice]
    if task.kind == "integrate":
        decays = None if work.decays is None else work.decays[task.slice]
        return _priced(
            lambda n, d: crossbar.integrate_task_cycles(chip.core, shape, n, d), active, decays
        )
    if task.kind == "learn" and work.changes is not None:
        return _priced(
            lambda n, _: crossbar.learn_cycles(chip.core, n, shape.count),
            work.changes[task.slice],
            None,
        )
    return _constant(task.cycles, len(active))


def _priced(price: Callable[[int, int], int], counts: Cycles, others: Cycles | None) -> Cycles:
    """Price each pair of counts once, since cycles depend on the activity only through them."""
    pairs = counts if others is None else counts << 32 | others
    found, place = np.unique(pairs, return_inverse=True)
    mask = (1 << 32) - 1
    if others is None:
        priced = [price(int(n), 0) for n in found]
    else:
        priced = [price(int(pair) >> 32, int(pair) & mask) for pair in found]
    return np.array(priced, np.int64)[place]


def _constant(cycles: int, steps: int) -> Cycles:
    """Return the same cycles at every step, in the memory of one."""
    return np.broadcast_to(np.int64(cycles), (steps,))


def _before(task: Task, tasks: Sequence[Task], interval: int) -> list[Task]:
    """Tasks of the same slice in the same phase slot that run before ``task``."""

    def order(t: Task) -> tuple[int, int]:
        return (-t.offset, _ORDER[t.kind])

    return [
        other
        for other in tasks
        if other.slice == task.slice
        and (other.offset - task.offset) % interval == 0
        and order(other) < order(task)
    ]


def _shifted(values: Cycles, by: int) -> Cycles:
    """``values[g + by]``, zero where there is no such step."""
    shifted = np.zeros_like(values)
    if by == 0:
        return values
    if by > 0:
        shifted[:-by] = values[by:]
    else:
        shifted[-by:] = values[:by]
    return shifted
