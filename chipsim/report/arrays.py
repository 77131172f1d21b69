"""The arrays that go with a report: counters by core and link, rasters, timeline."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.report.summary_traffic import traffic_matrix
from chipsim.results import Results
from chipsim.simulate.counters import actions_of

_TASK_CODES = {"integrate": 0, "soma": 1, "learn": 2}


def arrays_of(results: Results) -> dict[str, NDArray[Any]]:
    """Return the arrays that go with a report: counters by core and link, rasters, timeline."""
    answers = results.activity.answers
    arrays: dict[str, NDArray[Any]] = {
        "link_flits": _link_flits(results),
        "traffic_matrix": traffic_matrix(results),
        "core_actions": results.counters.by_core,
        "action_names": np.array(actions_of(results.chip)),
        "core_busy_cycles": core_busy_cycles(results),
        "core_energy_j": results.bill.by_core,
        "phase_drain_cycles": results.mesh.last_arrival,
        "timeline": _timeline(results),
    }
    for name in answers.populations:
        arrays[f"raster_{name}"] = answers.of(name)[0].astype(np.bool_)
    return arrays


def _link_flits(results: Results) -> NDArray[np.int64]:
    """Return the flits through each router's links, and to its cores, ``(routers, links + 1)``."""
    through, links = results.mesh.flits_through(), results.chip.mesh.links
    return np.column_stack([through[:, :links], through[:, links:].sum(axis=1)])


def core_busy_cycles(results: Results) -> NDArray[np.int64]:
    """Return the cycles each core worked in the whole run, shape ``(cores,)``."""
    busy = np.zeros(results.chip.cores, np.int64)
    for timed in results.tasks:
        busy[results.mapping.placement[timed.slice.index]] += int(timed.cycles.sum())
    return busy


def _timeline(results: Results) -> NDArray[np.int64]:
    """Rows (core, task, phase, start cycle since the inference began, cycles) of sample 0."""
    interval, steps = results.mapping.schedule.interval, results.network.steps
    begins = np.concatenate([[0], np.cumsum(results.counters.phase_cycles)])
    rows = []
    for timed in results.tasks:
        core = results.mapping.placement[timed.slice.index]
        for t in range(steps):
            phase = 1 + timed.task.offset + t * interval
            if phase >= len(begins):
                continue
            start = int(begins[phase] + timed.start[t])
            rows.append((core, _TASK_CODES[timed.task.kind], phase, start, int(timed.cycles[t])))
    return np.array(sorted(rows), np.int64).reshape(-1, 5)
