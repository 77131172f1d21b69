"""Send packets of several flits over any topology with virtual channels: exact to the cycle.

`chipsim.mesh.engine` does the same, about twice as fast, for packets of one flit on a mesh with one
channel a link.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chipsim.errors import InputError
from chipsim.mesh.adaptive import check_ways, one_way
from chipsim.mesh.book import COUNT, new_book
from chipsim.mesh.checks import (
    NO_ARRIVALS,
    check_conservation,
    check_ejected,
    check_traffic,
    checked_arrays,
    room_for_arrivals,
)
from chipsim.mesh.deadlock import who_waits
from chipsim.mesh.fabric import Bytes, Int32, Int64, Packets, PhaseResults, phase_results
from chipsim.mesh.phase_runs import new_runner, run_range, runs_by, side_by_side
from chipsim.mesh.wormhole_buffers import PACKETS
from chipsim.mesh.wormhole_kernel import run_phase
from chipsim.mesh.wormhole_layout import TREES, Channels
from chipsim.mesh.wormhole_records import (
    Load,
    WormholeMesh,
    empty_sources,
    empty_state,
    lay_sizes,
    lay_ways,
    passed,
)

MAX_PACKET_FLITS = 1 << 16

runs_by(WormholeMesh, run_phase)


def _check_flits(channels: Channels, flits: Int32, packets: Packets) -> None:
    """Raise InputError unless there is a size for each packet that can be sent."""
    most = channels.buffer_flits if channels.cut_through else MAX_PACKET_FLITS
    largest = int(np.diff(packets.phase_ptr).max(initial=0))
    if largest > PACKETS:
        raise InputError(f"packets: a phase has {largest}, at most {PACKETS} allowed")
    if flits.shape != packets.tree.shape:
        raise InputError(f"packets: {flits.size} sizes given for {packets.tree.size} packets")
    bad = np.flatnonzero((flits < 1) | (flits > most))
    if bad.size:
        why = " (cut-through needs room for a whole packet)" if channels.cut_through else ""
        raise InputError(
            f"packets: packet {bad[0]} has {flits[bad[0]]} flits, 1 to {most} allowed{why}"
        )


def run_phases(
    channels: Channels,
    trees: Bytes,
    packets: Packets,
    flits: Int32,
    threads: int = 1,
    detail: bool = False,
) -> PhaseResults:
    """Send the packets of each phase through an empty mesh of ``channels``.

    As `chipsim.mesh.engine.run_phases`, but ``flits`` (int32, (packets,)) is the size of each
    packet, ``trees`` is uint8 (trees, routers) with link ports first and local ports after them,
    ``link_flits`` has the topology's ports, and arrivals name cores and the cycle of the tail.
    With an adaptive routing of the channels ``trees`` are `chipsim.mesh.adaptive.permitted_ways`.

    With trees in dimension order (`chipsim.mesh.dimension_order.multicast_tree` on undamaged
    topologies) packets can block each other for good only if one that leaves a router by two or
    more links has more flits than a channel has slots (`chipsim.mesh.deadlock` says why);
    cut-through excludes that.  With other trees they may in any case.  If they do, InputError
    names the circle.
    """
    topology = channels.topology
    trees, packets = checked_arrays(topology.routers, trees, packets, threads)
    flits = np.ascontiguousarray(flits, dtype=np.int32)
    _check_flits(channels, flits, packets)
    leads, links, roots = topology.leads, topology.links, channels.injector_router
    followed = trees
    if channels.routing != TREES:
        check_ways(topology, channels.routing, trees)
        followed = one_way(trees)
    cores, expected = check_traffic(leads, links, roots, followed, packets, threads, True)
    arrivals = NO_ARRIVALS
    if detail:
        arrivals = room_for_arrivals(leads, links, roots, followed, cores, packets)
    sizes, ways = lay_sizes(channels), lay_ways(channels, trees)
    table = np.zeros((packets.phases, 4), dtype=np.int64)
    waiting: dict[int, str] = {}

    largest = int(np.diff(packets.phase_ptr).max(initial=0))

    def work(pieces: Iterator[tuple[int, int]]) -> Int64:
        state = empty_state(sizes)
        mesh = WormholeMesh(sizes, ways, state, empty_sources(roots.size, largest))
        load = Load(packets.injector, packets.inject, packets.tree, flits)
        book, runner = new_book(arrivals), new_runner(packets.phase_ptr)
        for first, after in pieces:
            rows = table[first:after]
            run_range(mesh, load, book, packets.phase_ptr, expected, first, runner, rows)
            short = np.flatnonzero(rows[:, COUNT] != expected[first:after])
            if short.size:
                phase = first + int(short[0])
                base = int(packets.phase_ptr[phase])
                waiting[phase] = who_waits(channels, sizes, ways, state, packets.tree, base)
                break
        return passed(sizes, state)[:, : topology.ports]

    link_flits = np.zeros((topology.routers, topology.ports), dtype=np.int64)
    link_flits += side_by_side(work, packets.phase_ptr, threads)
    results = phase_results(table, link_flits, arrivals if detail else None)
    check_conservation(results, expected, waiting)
    check_ejected(results, links, int(np.dot(cores.astype(np.int64), flits)))
    return results
