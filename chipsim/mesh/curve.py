"""Latency against load: what a mesh carries, and how long packets take under it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.mesh.adaptive import permitted_ways
from chipsim.mesh.dimension_order import tie_choices, unicast_trees
from chipsim.mesh.fabric import Bytes, Int32, Int64, Packets, PhaseResults
from chipsim.mesh.traffic import Stream, bernoulli, by_matrix
from chipsim.mesh.wormhole import run_phases
from chipsim.mesh.wormhole_layout import TREES, Channels

TREE_BYTES = 1 << 30
UNSTABLE_SHORTFALL = 0.05
TIES = 1
"""Keeps the draws of directions apart from those of the traffic."""


@dataclass(frozen=True, eq=False)
class Point:
    """One load: ``offered`` and ``accepted`` in flits a core and cycle, latencies in cycles.

    Latency is from the cycle a packet is ready at its source to the arrival of its tail, over the
    packets that are ready in the measured window (nan without any).  ``stable`` is False where the
    mesh delivers less than 95 % of what is offered; latency then grows with the time measured.
    ``link_load`` (routers, ports) is flits a cycle through each output over the whole run, and
    ``hottest_link`` the largest of those between routers.
    """

    offered: float
    accepted: float
    mean: float
    median: float
    p99: float
    longest: float
    stable: bool
    packets: int
    hottest_link: float
    link_load: NDArray[np.float64]


def ways_of(channels: Channels) -> Bytes:
    """Return the way (or permitted ways) to each core, InputError if the table is too large.

    On tori row ``e + c cores`` is the way to core e with choice c of `dimension_order.tie_choices`.
    """
    topology = channels.topology
    size = tie_choices(topology) * topology.cores * topology.routers
    if size > TREE_BYTES:
        raise InputError(
            f"mesh: {topology.width} x {topology.height} routers need a table of {size} bytes for "
            f"all ways, {TREE_BYTES} allowed; choose a smaller mesh"
        )
    if channels.routing != TREES:
        return permitted_ways(topology, channels.routing)
    return np.concatenate([unicast_trees(topology, c) for c in range(tie_choices(topology))])


def latency_curve(
    channels: Channels,
    pattern: str | Int64,
    loads: list[float],
    flits: int = 1,
    warm_up: int = 2_000,
    window: int = 10_000,
    seed: int = 1,
    threads: int = 1,
    working: Int64 | None = None,
) -> list[Point]:
    """Run each load for ``warm_up + window + warm_up`` cycles of injection, then until empty.

    ``pattern`` is a name in `chipsim.mesh.traffic.PATTERNS` or a matrix of packets from core to
    core.  Packets that are ready in the window count for latency, flits that arrive in it for the
    accepted load.  ``flits`` is the size of all packets, ``working`` (int64) the cores that take
    part, over which loads are means; all that are there by default.  A packet to a core exactly
    half-way around a ring takes either direction at random.  InputError for bad values.
    """
    for name, value in (("warm-up", warm_up), ("window", window), ("threads", threads)):
        if value < (0 if name == "warm-up" else 1):
            raise InputError(f"{name}: {value} given, it must be positive")
    ways = ways_of(channels)
    cycles = window + 2 * warm_up
    taking_part = channels.topology.working if working is None else working

    def measure(load: float) -> Point:
        if isinstance(pattern, str):
            stream = bernoulli(channels.topology, pattern, load, flits, cycles, seed, taking_part)
        else:
            stream = by_matrix(channels.topology, pattern, load, flits, cycles, seed)
        size = np.full(stream.cycle.size, flits, dtype=np.int32)
        packets = _on_some_way(stream, channels.topology.cores, len(ways), seed)
        cores = taking_part.size if isinstance(pattern, str) else channels.topology.cores
        return _measure(channels, ways, packets, size, load, (warm_up, warm_up + window), cores)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(measure, loads))


def _on_some_way(stream: Stream, cores: int, ways: int, seed: int) -> Packets:
    """Return the packets, each on one of the ``ways`` (rows of `ways_of`) to its target."""
    choice = np.random.default_rng((seed, TIES)).integers(ways // cores, size=stream.cycle.size)
    return Packets(
        np.array([0, stream.cycle.size], dtype=np.int64),
        stream.source.astype(np.int32),
        stream.cycle,
        (stream.target + choice * cores).astype(np.int32),
    )


def _measure(
    channels: Channels,
    ways: Bytes,
    packets: Packets,
    flits: Int32,
    offered: float,
    window: tuple[int, int],
    cores: int,
) -> Point:
    """Send packets and sum up those of the window of cycles."""
    topology = channels.topology
    results = run_phases(channels, ways, packets, flits, detail=True)
    assert results.arrivals is not None
    arrival = results.arrivals.cycle
    first, after = window
    ready_in = (packets.inject >= first) & (packets.inject < after)
    arrived_in = (arrival >= first) & (arrival < after)
    accepted = int(flits[arrived_in].sum()) / ((after - first) * cores)
    waits = (arrival - packets.inject)[ready_in]
    return _point(offered, accepted, waits, results, topology.links)


def _point(
    load: float,
    accepted: float,
    waits: Int64,
    results: PhaseResults,
    links: int,
) -> Point:
    """Sum up a run."""
    mean = median = p99 = longest = float("nan")
    if waits.size:
        mean, longest = float(waits.mean()), float(waits.max())
        median, p99 = (float(value) for value in np.percentile(waits, (50, 99)))
    link_load = results.link_flits / max(1, int(results.last_arrival[0]))
    return Point(
        offered=load,
        accepted=accepted,
        mean=mean,
        median=median,
        p99=p99,
        longest=longest,
        stable=accepted >= (1 - UNSTABLE_SHORTFALL) * load,
        packets=int(waits.size),
        hottest_link=float(link_load[:, :links].max()),
        link_load=link_load,
    )
