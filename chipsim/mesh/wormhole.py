"""Send packets of several flits over any topology with virtual channels: exact to the cycle.

`chipsim.mesh.engine` does the same, three to five times faster, for packets of one flit on a mesh
with one channel a link.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chipsim.errors import InputError
from chipsim.kernels.compiled import compiled
from chipsim.mesh.adaptive import check_ways, one_way
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
from chipsim.mesh.kernel import COUNT
from chipsim.mesh.layout import Book, Phase
from chipsim.mesh.phases import CHUNKS_PER_THREAD, by_cycle, chunks
from chipsim.mesh.wormhole_kernel import run_phase
from chipsim.mesh.wormhole_layout import TREES, Channels
from chipsim.mesh.wormhole_records import (
    Load,
    Routers,
    Sizes,
    Sources,
    Ways,
    Wheel,
    empty_routers,
    empty_sources,
    empty_wheel,
    lay_sizes,
    lay_ways,
)

MAX_PACKET_FLITS = 1 << 16


@compiled
def _run_range(
    sizes: Sizes,
    ways: Ways,
    wheel: Wheel,
    routers: Routers,
    sources: Sources,
    load: Load,
    book: Book,
    phase_ptr: Int64,
    expected: Int64,
    first: int,
    table: Int64,
) -> None:
    """Run the phases from ``first`` on, one after another, a row of ``table`` each.

    Stops at a phase whose packets block each other: the mesh is no longer empty.
    """
    order = np.empty(sources.following.size, np.int32)
    spare = np.empty(sources.following.size, np.int32)
    start = 0
    for row in range(table.shape[0]):
        base = phase_ptr[first + row]
        count = phase_ptr[first + row + 1] - base
        book.tally[:] = 0
        book.tally[0] = -1
        if count:
            routers.turns[:] = 0
            sources.turn[:] = 0
            listed = by_cycle(load.inject[base : base + count], order, spare)
            phase = Phase(base, count, 0, start)
            end = run_phase(sizes, ways, wheel, routers, sources, load, book, phase, listed)
            start = end + sizes.wheel_mask + 1
        table[row] = book.tally
        if book.tally[COUNT] != expected[first + row]:
            return


def _check_flits(channels: Channels, flits: Int32, packets: Packets) -> None:
    """Raise InputError unless there is a size for each packet that can be sent."""
    most = channels.buffer_flits if channels.cut_through else MAX_PACKET_FLITS
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
    Packets of several flits can block each other for good when they fork (or where trees are not
    in dimension order); that is reported as InputError.
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
    cores, expected = check_traffic(leads, links, roots, followed, packets, threads)
    arrivals = NO_ARRIVALS
    if detail:
        arrivals = room_for_arrivals(leads, links, roots, followed, cores, packets)
    sizes, ways = lay_sizes(channels), lay_ways(channels, trees)
    load = Load(packets.injector, packets.inject, packets.tree, flits)
    table = np.zeros((packets.phases, 4), dtype=np.int64)
    waiting: dict[int, str] = {}

    def work(chunk: tuple[int, int]) -> Int64:
        first, after = chunk
        largest = int(np.diff(packets.phase_ptr[first : after + 1]).max())
        routers = empty_routers(sizes, channels.buffer_flits)
        _run_range(
            sizes,
            ways,
            empty_wheel(sizes),
            routers,
            empty_sources(sizes, channels.buffer_flits, largest),
            load,
            Book(np.zeros(4, np.int64), arrivals.ptr, arrivals.router, arrivals.cycle),
            packets.phase_ptr,
            expected,
            first,
            table[first:after],
        )
        short = np.flatnonzero(table[first:after, COUNT] != expected[first:after])
        if short.size:
            phase = first + int(short[0])
            base = int(packets.phase_ptr[phase])
            waiting[phase] = who_waits(channels, sizes, ways, routers, base)
        return routers.passed.reshape(-1, 8)[:, : topology.ports]

    link_flits = np.zeros((topology.routers, topology.ports), dtype=np.int64)
    pieces = chunks(packets.phase_ptr, 1 if threads == 1 else threads * CHUNKS_PER_THREAD)
    with ThreadPoolExecutor(threads) as pool:
        for part in pool.map(work, pieces):
            link_flits += part
    results = phase_results(table, link_flits, arrivals if detail else None)
    check_conservation(results, expected, waiting)
    pair = packets.tree.astype(np.int64) * roots.size + packets.injector
    check_ejected(results, links, int((cores[pair] * flits.astype(np.int64)).sum()))
    return results
