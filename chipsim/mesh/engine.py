"""Run the packets of many phases through the mesh: checked, in parallel, exact to the cycle.

The router is told in `chipsim.mesh.reference`; here is the same thing compiled
(`chipsim.mesh.kernel`), with phases spread over threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from chipsim.mesh.checks import (
    check_conservation,
    check_traffic,
    checked_arrays,
    destinations,
)
from chipsim.mesh.compiled import compiled
from chipsim.mesh.fabric import (
    PORTS,
    Arrivals,
    Bytes,
    Fabric,
    Int32,
    Int64,
    Packets,
    PhaseResults,
    link_table,
    phase_results,
)
from chipsim.mesh.kernel import (
    PHASE_TAGS,
    TURNS,
    Book,
    Net,
    Phase,
    Queues,
    Tables,
    Traffic,
    run_phase,
)

CHUNKS_PER_THREAD = 4


def _power_of_two(least: int) -> int:
    """Return the smallest power of two that is ``>= least``."""
    return 1 << max(least - 1, 0).bit_length()


def _tables(fabric: Fabric, leads: Int32, trees: Bytes) -> Tables:
    """Lay out what the kernel only reads."""
    routers = fabric.routers
    wide = np.full((routers, 8), -1, dtype=np.int32)
    wide[:, :PORTS] = leads
    upstream = np.zeros(routers * 8, dtype=np.int32)
    router, port = np.nonzero(leads >= 0)
    upstream[leads[router, port]] = router
    entry = (8 * fabric.injector_router + fabric.injector_port).astype(np.int32)
    upstream[entry] = -1 - np.arange(entry.size, dtype=np.int32)
    return Tables(wide.reshape(-1), upstream, entry, trees.reshape(-1))


def _net(fabric: Fabric) -> Net:
    """Lay out the memory of the kernel: routers, counts, wheels, buffers."""
    routers = fabric.routers
    ring = _power_of_two(fabric.buffer_flits)
    cycles = _power_of_two(max(fabric.hop_cycles, fabric.credit_cycles) + 1)
    words = -(-routers // 8)
    summary_words = -(-words // 64)
    source_words = -(-fabric.injectors // 64)
    counts = 8 * routers
    summary = 2 * counts
    sources = summary + cycles * summary_words
    wheel = sources + cycles * source_words
    slots = wheel + cycles * words
    return Net(
        routers=routers,
        hop=fabric.hop_cycles,
        credit=fabric.credit_cycles,
        buffer=fabric.buffer_flits,
        ring=ring,
        wheel_mask=cycles - 1,
        words=words,
        summary_words=summary_words,
        source_words=source_words,
        slots=slots,
        wheel=wheel,
        summary=summary,
        sources=sources,
        counts=counts,
        size=slots + 8 * routers * ring,
    )


def _queues(sources: int, largest: int) -> Queues:
    """Make empty source queues for phases of at most ``largest`` packets."""
    return Queues(
        first=np.full(sources, -1, dtype=np.int32),
        last=np.full(sources, -1, dtype=np.int32),
        following=np.empty(largest, dtype=np.int32),
    )


@compiled
def _by_cycle(inject: Int64, order: Int32, spare: Int32) -> Int32:
    """Fill ``order`` with the packets sorted by inject cycle, ties in given order (radix sort)."""
    count = inject.size
    latest = np.int64(0)
    ascending = True
    for packet in range(count):
        order[packet] = packet
        ascending &= inject[packet] >= latest
        latest = max(latest, inject[packet])
    if ascending:
        return order
    places = np.empty(257, np.int64)
    shift = 0
    while latest >> shift:
        places[:] = 0
        for packet in range(count):
            places[((inject[packet] >> shift) & 255) + 1] += 1
        for digit in range(256):
            places[digit + 1] += places[digit]
        for index in range(count):
            packet = order[index]
            digit = (inject[packet] >> shift) & 255
            spare[places[digit]] = packet
            places[digit] += 1
        order, spare = spare, order
        shift += 8
    return order


@compiled
def _run_range(
    net: Net,
    tables: Tables,
    memory: Int64,
    queues: Queues,
    traffic: Traffic,
    book: Book,
    phase_ptr: Int64,
    first: int,
    table: Int64,
) -> None:
    """Run the phases from ``first`` on, one after another, a row of ``table`` each."""
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
            listed = _by_cycle(traffic.inject[base : base + count], order, spare)
            phase = Phase(base, count, tag, start)
            end = run_phase(net, tables, memory, queues, traffic, book, phase, listed)
            start = end + net.credit
        table[row] = book.tally


def _chunks(phase_ptr: Int64, wanted: int) -> list[tuple[int, int]]:
    """Cut the phases into at most ``wanted`` runs of about as many packets each."""
    phases = phase_ptr.size - 1
    aims = np.linspace(0, phase_ptr[-1], wanted + 1)[1:-1]
    cuts = np.searchsorted(phase_ptr, aims).clip(0, phases)
    edges = [0, *(int(cut) for cut in cuts), phases]
    return [(a, b) for a, b in pairwise(edges) if a < b]


def run_phases(
    fabric: Fabric, trees: Bytes, packets: Packets, threads: int = 1, detail: bool = False
) -> PhaseResults:
    """Send the packets of each phase through an empty mesh; see `PhaseResults` for what returns.

    ``trees`` (uint8, (trees, routers)) has a mask of output ports (bit 0 east .. 4 local) for each
    router a packet of the tree comes to.  ``detail`` also returns every arrival.  The result is
    the same for any number of ``threads``.

    InputError names a packet or tree that cannot be, or a phase whose packets wait for each other
    in a circle (impossible with XY trees); ConservationError if a delivery is missing.
    """
    trees, packets = checked_arrays(fabric, trees, packets)
    leads = link_table(fabric)
    cores, expected = check_traffic(fabric, leads, trees, packets)
    arrivals = _arrivals(fabric, leads, trees, cores, packets) if detail else _NOWHERE
    net, tables = _net(fabric), _tables(fabric, leads, trees)
    traffic = Traffic(packets.injector, packets.inject, packets.tree)
    table = np.zeros((packets.phases, 4), dtype=np.int64)

    def work(chunk: tuple[int, int]) -> Int64:
        first, after = chunk
        memory = np.zeros(net.size, dtype=np.int64)
        largest = int(np.diff(packets.phase_ptr[first : after + 1]).max())
        queues = _queues(fabric.injectors, largest)
        book = Book(np.zeros(4, np.int64), arrivals.ptr, arrivals.router, arrivals.cycle)
        _run_range(
            net,
            tables,
            memory,
            queues,
            traffic,
            book,
            packets.phase_ptr,
            first,
            table[first:after],
        )
        return memory[net.counts : net.counts + 8 * net.routers].reshape(-1, 8)[:, :PORTS]

    chunks = _chunks(packets.phase_ptr, 1 if threads == 1 else threads * CHUNKS_PER_THREAD)
    link_flits = np.zeros((fabric.routers, PORTS), dtype=np.int64)
    if threads == 1:
        for chunk in chunks:
            link_flits += work(chunk)
    else:
        with ThreadPoolExecutor(threads) as pool:
            for part in pool.map(work, chunks):
                link_flits += part
    results = phase_results(table, link_flits, arrivals if detail else None)
    check_conservation(results, expected)
    return results


_NOWHERE = Arrivals(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))


def _arrivals(
    fabric: Fabric, leads: Int32, trees: Bytes, cores: Int32, packets: Packets
) -> Arrivals:
    """Make room for every arrival, its routers filled in."""
    pair = packets.tree.astype(np.int64) * fabric.injectors + packets.injector
    ptr = np.zeros(packets.tree.size + 1, dtype=np.int64)
    np.cumsum(cores[pair], out=ptr[1:])
    router = destinations(leads, trees, fabric.injector_router, packets.tree, packets.injector, ptr)
    return Arrivals(ptr, router, np.full(router.size, -1, dtype=np.int64))
