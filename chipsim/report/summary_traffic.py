"""The report's traffic: packets, hops, link loads, and who sends to whom."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Mesh
from chipsim.mapping.model import INPUT_PORT
from chipsim.results import Results


def traffic(results: Results) -> dict[str, Any]:
    """Return packets, hops and loads of the whole run, and latencies of what was timed."""
    mesh, counters = results.mesh, results.counters
    places = _bits(mesh.trees)
    hops_by_flow = mesh.packets * mesh.flits * places.sum(axis=1)
    to_cores = (mesh.trees >> results.chip.mesh.links).astype(np.uint8)
    deliveries = mesh.packets * _bits(to_cores).sum(axis=1)
    by_kind: dict[str, dict[str, int]] = {}
    for flow, packets, hops in zip(results.mapping.flows, mesh.packets, hops_by_flow, strict=True):
        kind = by_kind.setdefault(flow.kind, {"packets": 0, "hops": 0})
        kind["packets"] += int(packets)
        kind["hops"] += int(hops)
    cycles = float(counters.phase_cycles.mean()) * mesh.phases
    links = mesh.flits_through()[:, : results.chip.mesh.links]
    used = np.count_nonzero(links)
    return {
        "packets": int(mesh.packets.sum()),
        "deliveries": int(deliveries.sum()),
        "hops": int(hops_by_flow.sum()),
        "packets_per_inference": results.per_inference(int(mesh.packets.sum())),
        "hops_per_inference": results.per_inference(int(hops_by_flow.sum())),
        "by_kind": by_kind,
        "max_link_load": float(links.max(initial=0)) / cycles,
        "mean_link_load": float(links.sum()) / used / cycles if used else 0.0,
        "hottest_link": _hottest(links, results.chip.mesh),
        "mean_latency_cycles": mesh.latency_sum / mesh.deliveries if mesh.deliveries else None,
        "max_latency_cycles": mesh.latency_max if mesh.deliveries else None,
        "overruns": counters.overruns,
        "simulated_phases": mesh.simulated,
    }


def traffic_matrix(results: Results) -> NDArray[np.int64]:
    """Packets from core to core; what enters by the input port counts as its router's."""
    mesh, placement = results.chip.mesh, results.mapping.placement
    io = (mesh.io[1] * mesh.width + mesh.io[0]) * mesh.cores_per_router
    matrix = np.zeros((results.chip.cores, results.chip.cores), np.int64)
    for flow, packets in zip(results.mapping.flows, results.mesh.packets, strict=True):
        source = io if flow.source == INPUT_PORT else placement[flow.source]
        for target in flow.targets:
            matrix[source, placement[target]] += packets
    return matrix


def _bits(trees: NDArray[np.uint8]) -> NDArray[np.int64]:
    return sum(((trees >> port) & 1).astype(np.int64) for port in range(8))  # type: ignore[return-value]


def _hottest(links: NDArray[np.int64], mesh: Mesh) -> str | None:
    if not links.any():
        return None
    router, port = divmod(int(np.argmax(links)), mesh.links)
    x, y = router % mesh.width, router // mesh.width
    to_x, to_y = (x + mesh.steps[port][0]) % mesh.width, (y + mesh.steps[port][1]) % mesh.height
    return f"({x},{y})->({to_x},{to_y})"
