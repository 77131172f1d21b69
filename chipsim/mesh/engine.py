"""Run the packets of many phases through the mesh: checked, in parallel, exact to the cycle.

The router is told in `chipsim.mesh.reference`; here is the same thing compiled
(`chipsim.mesh.kernel`), with phases spread over threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chipsim.mesh import wormhole
from chipsim.mesh.book import COUNT, new_book
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
from chipsim.mesh.kernel import run_phase
from chipsim.mesh.layout import OneFlitMesh, Traffic, empty_queues, lay_memory, lay_tables
from chipsim.mesh.phase_runs import new_runner, run_range, runs_by, side_by_side
from chipsim.mesh.topology import mesh
from chipsim.mesh.wormhole_layout import make_channels

runs_by(OneFlitMesh, run_phase)


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
    cores, expected = check_traffic(leads, LOCAL, roots, trees, packets, threads, detail)
    arrivals = NO_ARRIVALS
    if detail:
        arrivals = room_for_arrivals(leads, LOCAL, roots, trees, cores, packets)
    net, tables = lay_memory(fabric), lay_tables(fabric, leads, trees)
    table = np.zeros((packets.phases, 4), dtype=np.int64)

    largest = int(np.diff(packets.phase_ptr).max(initial=0))

    def work(pieces: Iterator[tuple[int, int]]) -> Int64:
        memory = np.zeros(net.size, dtype=np.int64)
        mesh = OneFlitMesh(net, tables, memory, empty_queues(fabric.injectors, largest))
        load = Traffic(packets.injector, packets.inject, packets.tree)
        book, runner = new_book(arrivals), new_runner(packets.phase_ptr)
        for first, after in pieces:
            rows = table[first:after]
            run_range(mesh, load, book, packets.phase_ptr, expected, first, runner, rows)
            if (rows[:, COUNT] != expected[first:after]).any():
                break
        return memory[net.counts : net.counts + 8 * net.routers].reshape(-1, 8)[:, :PORTS]

    link_flits = np.zeros((fabric.routers, PORTS), dtype=np.int64)
    link_flits += side_by_side(work, packets.phase_ptr, threads)
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
