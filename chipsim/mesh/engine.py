"""Run the packets of many phases through the mesh: checked, in parallel, exact to the cycle.

The router is told in `chipsim.mesh.reference`; here is the same thing compiled
(`chipsim.mesh.kernel`), with phases spread over threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from chipsim.kernels.compiled import compiled
from chipsim.mesh import wormhole
from chipsim.mesh.checks import (
    NO_ARRIVALS,
    check_conservation,
    check_ejected,
    check_traffic,
    checked_arrays,
    room_for_arrivals,
)
from chipsim.mesh.fabric import (
    LOCAL,
    PORTS,
    Bytes,
    Fabric,
    Int64,
    Packets,
    PhaseResults,
    link_table,
    phase_results,
)
from chipsim.mesh.kernel import COUNT, PHASE_TAGS, TURNS, run_phase
from chipsim.mesh.layout import (
    Book,
    Net,
    Phase,
    Queues,
    Tables,
    Traffic,
    empty_queues,
    lay_memory,
    lay_tables,
)
from chipsim.mesh.phases import CHUNKS_PER_THREAD, by_cycle, chunks
from chipsim.mesh.topology import mesh
from chipsim.mesh.wormhole_layout import make_channels


@compiled
def _run_range(
    net: Net,
    tables: Tables,
    memory: Int64,
    queues: Queues,
    traffic: Traffic,
    book: Book,
    phase_ptr: Int64,
    expected: Int64,
    first: int,
    table: Int64,
) -> None:
    """Run the phases from ``first`` on, one after another, a row of ``table`` each.

    Stops at a phase whose packets block each other: the mesh is no longer empty.
    """
    order = np.empty(queues.following.size, np.int32)
    spare = np.empty(queues.following.size, np.int32)
    start = 0
    for row in range(table.shape[0]):
        base = phase_ptr[first + row]
        count = phase_ptr[first + row + 1] - base
        book.tally[:] = 0
        book.tally[0] = -1
        tag = row % PHASE_TAGS
        if tag == 0:
            memory[TURNS : 8 * net.routers : 8] = 0
        if count:
            listed = by_cycle(traffic.inject[base : base + count], order, spare)
            phase = Phase(base, count, tag, start)
            end = run_phase(net, tables, memory, queues, traffic, book, phase, listed)
            start = end + net.credit
        table[row] = book.tally
        if book.tally[COUNT] != expected[first + row]:
            return


def run_phases(
    fabric: Fabric, trees: Bytes, packets: Packets, threads: int = 1, detail: bool = False
) -> PhaseResults:
    """Send the packets of each phase through an empty mesh; see `PhaseResults` for what returns.

    ``trees`` (uint8, (trees, routers)) has a mask of output ports (bit 0 east .. 4 local) for each
    router a packet of the tree comes to.  ``detail`` also returns every arrival.  The result is
    the same for any number of ``threads``.

    InputError names a packet or tree that cannot be, or a phase whose packets wait for each other
    in a circle (impossible with XY trees), and that circle; ConservationError if a delivery is
    missing.
    """
    trees, packets = checked_arrays(fabric.routers, trees, packets, threads)
    leads, roots = link_table(fabric), fabric.injector_router
    cores, expected = check_traffic(leads, LOCAL, roots, trees, packets, threads)
    arrivals = NO_ARRIVALS
    if detail:
        arrivals = room_for_arrivals(leads, LOCAL, roots, trees, cores, packets)
    net, tables = lay_memory(fabric), lay_tables(fabric, leads, trees)
    traffic = Traffic(packets.injector, packets.inject, packets.tree)
    table = np.zeros((packets.phases, 4), dtype=np.int64)

    def work(chunk: tuple[int, int]) -> Int64:
        first, after = chunk
        memory = np.zeros(net.size, dtype=np.int64)
        largest = int(np.diff(packets.phase_ptr[first : after + 1]).max())
        queues = empty_queues(fabric.injectors, largest)
        book = Book(np.zeros(4, np.int64), arrivals.ptr, arrivals.router, arrivals.cycle)
        _run_range(
            net,
            tables,
            memory,
            queues,
            traffic,
            book,
            packets.phase_ptr,
            expected,
            first,
            table[first:after],
        )
        return memory[net.counts : net.counts + 8 * net.routers].reshape(-1, 8)[:, :PORTS]

    pieces = chunks(packets.phase_ptr, 1 if threads == 1 else threads * CHUNKS_PER_THREAD)
    link_flits = np.zeros((fabric.routers, PORTS), dtype=np.int64)
    if threads == 1:
        for chunk in pieces:
            link_flits += work(chunk)
    else:
        with ThreadPoolExecutor(threads) as pool:
            for part in pool.map(work, pieces):
                link_flits += part
    results = phase_results(table, link_flits, arrivals if detail else None)
    short = np.flatnonzero(table[:, COUNT] != expected)
    if short.size:
        _explain(fabric, trees, packets, int(short[0]))
    check_conservation(results, expected, {})
    check_ejected(results, LOCAL, int(expected.sum()))
    return results


def _explain(fabric: Fabric, trees: Bytes, packets: Packets, phase: int) -> None:
    """Raise the InputError of a phase that stands still, by the wormhole mesh, which does the same.

    That one knows who waits for whom.
    """
    channels = make_channels(
        mesh(fabric.width, fabric.height),
        buffer_flits=fabric.buffer_flits,
        hop_cycles=fabric.hop_cycles,
        credit_cycles=fabric.credit_cycles,
    )
    channels = replace(
        channels, injector_router=fabric.injector_router, injector_port=fabric.injector_port
    )
    ends = packets.phase_ptr[: phase + 2]
    count = int(ends[-1])
    alone = Packets(ends, packets.injector[:count], packets.inject[:count], packets.tree[:count])
    wormhole.run_phases(channels, trees, alone, np.ones(count, dtype=np.int32))
