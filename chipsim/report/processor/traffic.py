"""The traffic keys of a run on processors, and its arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import STEP_NAMES, TRIANGLE_STEPS
from chipsim.simulate.tick.records import COUNTS, EARLY, LATE, OVERFLOWS
from chipsim.tick_results import TickResults

Int64 = NDArray[np.int64]
BLOCKING_LISTED = 50
"""Links of `traffic.blocking_links`; the arrays have all."""


def traffic(results: TickResults) -> dict[str, Any]:
    """Return packets, hops, loads, and what became of every delivery."""
    activity = results.activity
    found, layout, counts = activity.traffic, activity.layout, activity.counts
    wide = layout.payload
    crossed, crossed_wide = found.link_packets.sum(), found.payload_packets.sum()
    packets, signals = int(found.sent.sum()), int(found.sent[wide].sum())
    delayed = int(found.sent[[s.stage > 0 for s in results.mapping.keys]].sum())
    by_kind = {"spike": (packets - signals, int(crossed - crossed_wide) + packets - signals)}
    if wide.any():
        by_kind["signal"] = (signals, int(crossed_wide) + signals)
    hops = sum(passed for _, passed in by_kind.values())
    loads = _loads(results)
    used = np.count_nonzero(loads)
    return {
        "packets": packets,
        "deliveries": found.delivered,
        "hops": hops,
        "packets_per_inference": results.per_inference(packets),
        "hops_per_inference": results.per_inference(hops),
        "by_kind": {name: {"packets": p, "hops": h} for name, (p, h) in by_kind.items()},
        "max_link_load": float(loads.max(initial=0.0)),
        "mean_link_load": float(loads.sum()) / used if used else 0.0,
        "hottest_link": _hottest(results, loads),
        "mean_latency_cycles": found.latency_sum / found.delivered if found.delivered else None,
        "max_latency_cycles": found.latency_max if found.delivered else None,
        "delayed_packets": delayed,
        "overruns": int((counts[:, COUNTS.index("deadline_misses")]).sum()),
        "simulated_phases": results.ticks,
        "due": found.due,
        "in_time": activity.in_time,
        "late": int(counts[:, LATE].sum()),
        "early": int(counts[:, EARLY].sum()),
        "dropped_in_mesh": found.lost,
        "dropped_in_queues": int(counts[:, OVERFLOWS].sum()),
        "emergencies": int(found.emergencies.sum()),
        "reinjected": found.reinjected,
        "lost_at_registers": found.lost_at_registers,
        "lost_at_monitors": found.lost_at_monitors,
        "drops": _drops(results),
        "waits": int(found.waits.sum()),
        "waiting_cycles": int(found.waiting_cycles.sum()),
        "blocking_links": _blocking(results),
    }


def arrays_of(results: TickResults) -> dict[str, NDArray[Any]]:
    """Return the arrays that go with a report."""
    activity = results.activity
    layout, course = activity.layout, activity.course
    arrays: dict[str, NDArray[Any]] = {
        "link_flits": np.column_stack([activity.traffic.link_packets, _handed(results)]),
        "core_numbers": layout.core_of,
        "core_counts": activity.counts,
        "count_names": np.array(COUNTS),
        "drops": activity.traffic.drops,
        "waits": activity.traffic.waits,
        "waiting_cycles": activity.traffic.waiting_cycles,
        "tick_busiest": course.busiest,
        "tick_packets": course.packets,
        "tick_late": course.late,
        "timeline": course.timeline,
    }
    for name in activity.answers.populations:
        arrays[f"raster_{name}"] = activity.answers.of(name)[0].astype(np.bool_)
    return arrays


def _handed(results: TickResults) -> Int64:
    """Return the packets handed to the cores of each router."""
    activity, machine = results.activity, results.chip.machine
    handed = np.zeros(machine.columns * machine.rows, np.int64)
    received = activity.counts[:, COUNTS.index("packets_in")]
    np.add.at(handed, activity.layout.core_of // machine.cores, received)
    return handed


def _loads(results: TickResults) -> NDArray[np.float64]:
    """Return the share of time each link is taken, (routers, 6)."""
    found, router = results.activity.traffic, results.chip.router
    plain = found.link_packets - found.payload_packets
    busy = plain * router.link_interval + found.payload_packets * router.payload_interval
    loads: NDArray[np.float64] = busy / (results.seconds * router.clock_hz)
    return loads


def _hottest(results: TickResults, loads: NDArray[np.float64]) -> str | None:
    if not loads.any():
        return None
    router, port = divmod(int(np.argmax(loads)), loads.shape[1])
    columns = results.chip.machine.columns
    there = int(results.activity.layout.machine.leads[router, port]) >> 3
    here = f"({router % columns},{router // columns})"
    return f"{here}->({there % columns},{there // columns})"


def _drops(results: TickResults) -> list[dict[str, Any]]:
    """Return where routers dropped copies, the most first."""
    drops = results.activity.traffic.drops
    return [
        {**_place(results, router, link), "copies": int(drops[router, link])}
        for router, link in _most(drops)
    ]


def _blocking(results: TickResults) -> list[dict[str, Any]]:
    """Return the links that copies waited for longest in all, the worst first."""
    waits, cycles = results.activity.traffic.waits, results.activity.traffic.waiting_cycles
    return [
        {
            **_place(results, router, link),
            "copies": int(waits[router, link]),
            "cycles": int(cycles[router, link]),
        }
        for router, link in _most(cycles)[:BLOCKING_LISTED]
    ]


def _most(table: Int64) -> list[list[int]]:
    """Return the (router, link) that are not zero, the most first."""
    return sorted(np.argwhere(table).tolist(), key=lambda at: (-table[at[0], at[1]], at))


def _place(results: TickResults, router: int, link: int) -> dict[str, Any]:
    columns = results.chip.machine.columns
    name = STEP_NAMES[TRIANGLE_STEPS[link]]
    return {"x": router % columns, "y": router // columns, "link": name}
