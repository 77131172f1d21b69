"""What must hold of trees and packets before the mesh runs, and of the results after it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from chipsim.errors import ConservationError, InputError
from chipsim.kernels.compiled import compiled
from chipsim.mesh.fabric import Arrivals, Bytes, Int32, Int64, Packets, PhaseResults
from chipsim.mesh.phases import chunks
from chipsim.mesh.walks import (
    DEAD_END,
    INJECTOR,
    LOOP,
    NEGATIVE,
    OFF_EDGE,
    ORDER,
    TREE,
    check_packets,
    nothing_known,
)

MAX_TREES = 1 << 26


@compiled
def destinations(
    leads: Int32, links: int, trees: Bytes, roots: Int32, tree: Int32, injector: Int32, ptr: Int64
) -> Int32:
    """Return the cores each packet is for, ascending, packet p at ``ptr[p] .. ptr[p+1]-1``.

    ``links`` is the number of link ports; core ``e`` is at local port ``e % locals`` of router
    ``e // locals``.
    """
    local_ports = leads.shape[1] - links
    routers = leads.shape[0]
    stack = np.empty(routers, np.int32)
    result = np.empty(ptr[-1], np.int32)
    for packet in range(tree.size):
        place = ptr[packet]
        stack[0] = roots[injector[packet]]
        depth = 1
        while depth:
            depth -= 1
            router = stack[depth]
            ports = trees[tree[packet], router]
            for local in range(local_ports):
                if (ports >> (links + local)) & 1:
                    result[place] = router * local_ports + local
                    place += 1
            for port in range(links):
                if (ports >> port) & 1:
                    stack[depth] = leads[router, port] >> 3
                    depth += 1
        result[ptr[packet] : place].sort()
    return result


def complain(code: int, packet: int, injectors: int, trees: Bytes, packets: Packets) -> InputError:
    """Return the error for what `check_packets` found."""
    phase = int(np.searchsorted(packets.phase_ptr, packet, side="right")) - 1
    where = f"packets: packet {packet} (phase {phase})"
    injector, tree = int(packets.injector[packet]), int(packets.tree[packet])
    cycle = int(packets.inject[packet])
    tail = f"{where}: tree {tree} from injector {injector}"
    reasons = {
        OFF_EDGE: f"{tail} leaves by a port where there is no link",
        DEAD_END: f"{tail} reaches a router whose mask has no output port (or none that is)",
        LOOP: f"{tail} reaches a router twice; a tree has one path to each router",
        INJECTOR: f"{where}: injector {injector} given, 0 to {injectors - 1} allowed",
        TREE: f"{where}: tree {tree} given, 0 to {len(trees) - 1} allowed",
        NEGATIVE: f"{where}: inject cycle {cycle} given, 0 to 2^40 allowed",
        ORDER: f"{where}: inject cycle {cycle} is before that of an earlier packet of injector "
        f"{injector} in the same phase; sort each injector's packets by cycle",
    }
    return InputError(reasons[code])


def checked_arrays(
    routers: int, trees: Bytes, packets: Packets, threads: int
) -> tuple[Bytes, Packets]:
    """Return trees and packets contiguous and of the documented types.

    InputError unless they have the shapes their classes document and ``threads`` is positive.
    """
    if threads < 1:
        raise InputError(f"threads: {threads} given, at least 1 needed")
    trees = np.ascontiguousarray(trees, dtype=np.uint8)
    if trees.ndim != 2 or trees.shape[1] != routers:
        raise InputError(
            f"trees: shape {trees.shape} given, (trees, {routers}) needed: one port mask a router"
        )
    if len(trees) > MAX_TREES:
        raise InputError(f"trees: {len(trees)} given, at most {MAX_TREES} allowed")
    packets = Packets(
        np.ascontiguousarray(packets.phase_ptr, dtype=np.int64),
        np.ascontiguousarray(packets.injector, dtype=np.int32),
        np.ascontiguousarray(packets.inject, dtype=np.int64),
        np.ascontiguousarray(packets.tree, dtype=np.int32),
    )
    pointer = packets.phase_ptr
    count = packets.injector.size
    if pointer.ndim != 1 or pointer.size < 1 or pointer[0] != 0 or pointer[-1] != count:
        raise InputError(f"packets: phase_ptr must run from 0 to the number of packets, {count}")
    if (np.diff(pointer) < 0).any():
        raise InputError("packets: phase_ptr decreases; it must not")
    if packets.inject.size != count or packets.tree.size != count:
        raise InputError(
            f"packets: {count} injectors, {packets.inject.size} inject cycles and "
            f"{packets.tree.size} trees given; all three need one a packet"
        )
    return trees, packets


def check_traffic(
    leads: Int32, links: int, roots: Int32, trees: Bytes, packets: Packets, threads: int,
    each: bool,
) -> tuple[Int32, Int64]:  # fmt: skip
    """Return how many deliveries are due: of each packet, int32, and in each phase, int64.

    ``leads`` and ``links`` are the link table and the number of link ports, ``roots`` the
    injectors' routers.  The first array is empty unless ``each``.  InputError names the first
    packet that cannot be.
    """
    cores = np.empty(packets.tree.size if each else 0, dtype=np.int32)
    expected = np.zeros(packets.phases, dtype=np.int64)
    known = nothing_known(*trees.shape)

    def work(chunk: tuple[int, int]) -> tuple[int, int]:
        first, after = chunk
        return check_packets(
            leads,
            links,
            trees,
            roots,
            packets.phase_ptr[first : after + 1],
            packets.injector,
            packets.inject,
            packets.tree,
            known,
            cores,
            expected[first:after],
        )

    with ThreadPoolExecutor(threads) as pool:
        for code, packet in pool.map(work, chunks(packets.phase_ptr, threads)):
            if code:
                raise complain(code, packet, roots.size, trees, packets)
    return cores, expected


def check_conservation(results: PhaseResults, expected: Int64, waiting: Mapping[int, str]) -> None:
    """Raise unless every packet reached all of its destinations.

    ``waiting`` says of phases that stand still who waits for whom.
    """
    short = np.flatnonzero(results.deliveries != expected)
    if short.size:
        phase = int(short[0])
        got, due = int(results.deliveries[phase]), int(expected[phase])
        if got < due:
            raise InputError(
                f"trees: the packets of phase {phase} block each other for good (deadlock): "
                f"{got} of {due} deliveries made. {waiting.get(phase, '')}. Route x first, then y; "
                "give channels room for the whole of a packet that forks"
            )
        raise ConservationError(f"mesh: phase {phase} made {got} deliveries where {due} were due")


def check_ejected(results: PhaseResults, links: int, due: int) -> None:
    """Raise ConservationError unless ``due`` flits left by the ports from ``links`` on."""
    ejected = int(results.link_flits[:, links:].sum())
    if ejected != due:
        raise ConservationError(f"mesh: {ejected} flits left by local ports, {due} were due")


def results_equal(one: PhaseResults, other: PhaseResults) -> bool:
    """Tell whether two runs agree in every number (arrivals too, where both have them)."""
    names = ("last_arrival", "deliveries", "latency_sum", "latency_max", "link_flits")
    same = all(np.array_equal(getattr(one, n), getattr(other, n)) for n in names)
    if one.arrivals is None or other.arrivals is None:
        return same
    return same and all(
        np.array_equal(getattr(one.arrivals, n), getattr(other.arrivals, n))
        for n in ("ptr", "router", "cycle")
    )


def room_for_arrivals(
    leads: Int32, links: int, roots: Int32, trees: Bytes, cores: Int32, packets: Packets
) -> Arrivals:
    """Return an entry for every arrival, its core filled in, its cycle -1.

    ``cores`` is what `check_traffic` returned.
    """
    ptr = np.zeros(packets.tree.size + 1, dtype=np.int64)
    np.cumsum(cores, out=ptr[1:])
    core = destinations(leads, links, trees, roots, packets.tree, packets.injector, ptr)
    return Arrivals(ptr, core, np.full(core.size, -1, dtype=np.int64))


NO_ARRIVALS = Arrivals(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
"""Stands for "nobody asked"."""
