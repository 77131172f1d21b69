"""What must hold of trees and packets before the mesh runs: compiled, each pair walked once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from chipsim.errors import ConservationError, InputError
from chipsim.kernels.compiled import compiled, inlined
from chipsim.mesh.fabric import Arrivals, Bytes, Int32, Int64, Packets, PhaseResults
from chipsim.mesh.phases import chunks

OFF_EDGE, DEAD_END, LOOP, INJECTOR, TREE, NEGATIVE, ORDER = range(-1, -8, -1)
MAX_TREES = 1 << 26


class Walk(NamedTuple):
    """Scratch of a walk: routers still to visit, and the number of the walk that saw each."""

    stack: Int32
    seen: Int64


@inlined
def walk(
    leads: Int32, links: int, trees: Bytes, tree: int, root: int, number: int, scratch: Walk
) -> int:
    """Return how many cores ``tree`` reaches from router ``root``, or what is wrong with it."""
    scratch.stack[0] = root
    scratch.seen[root] = number
    depth = 1
    cores = 0
    while depth:
        depth -= 1
        router = scratch.stack[depth]
        ports = trees[tree, router]
        if ports == 0 or ports >> leads.shape[1]:
            return DEAD_END
        for port in range(links, leads.shape[1]):
            cores += (ports >> port) & 1
        for port in range(links):
            if (ports >> port) & 1:
                target = leads[router, port]
                if target < 0:
                    return OFF_EDGE
                after = target >> 3
                if scratch.seen[after] == number:
                    return LOOP
                scratch.seen[after] = number
                scratch.stack[depth] = after
                depth += 1
    return cores


@compiled
def check_packets(
    leads: Int32,
    links: int,
    trees: Bytes,
    roots: Int32,
    phase_ptr: Int64,
    injector: Int32,
    inject: Int64,
    tree: Int32,
    cores: Int32,
    expected: Int64,
) -> tuple[int, int]:
    """Check every packet; return (0, 0), or what is wrong and the packet it is wrong with.

    Fills ``cores`` (trees * injectors, zeros), the destinations of each pair that occurs, and
    ``expected`` (phases,), the deliveries.
    """
    routers = leads.shape[0]
    scratch = Walk(np.empty(routers, np.int32), np.zeros(routers, np.int64))
    number = 0
    latest = np.zeros(roots.size, np.int64)
    phase_of = np.full(roots.size, -1)
    for phase in range(phase_ptr.size - 1):
        total = 0
        for packet in range(phase_ptr[phase], phase_ptr[phase + 1]):
            source = injector[packet]
            if source < 0 or source >= roots.size:
                return INJECTOR, packet
            row = tree[packet]
            if row < 0 or row >= trees.shape[0]:
                return TREE, packet
            cycle = inject[packet]
            if cycle < 0 or cycle > 1 << 40:
                return NEGATIVE, packet
            if phase_of[source] == phase and cycle < latest[source]:
                return ORDER, packet
            phase_of[source] = phase
            latest[source] = cycle
            pair = np.uint64(row) * np.uint64(roots.size) + np.uint64(source)
            reached = cores[pair]
            if reached == 0:
                number += 1
                reached = walk(leads, links, trees, row, roots[source], number, scratch)
                if reached < 0:
                    return reached, packet
                cores[pair] = reached
            total += reached
        expected[phase] = total
    return 0, 0


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
    leads: Int32, links: int, roots: Int32, trees: Bytes, packets: Packets, threads: int
) -> tuple[Int32, Int64]:
    """Return how many deliveries are due.

    For each pair (tree, injector) that occurs, flat int32 (trees * injectors,), and for each
    phase, int64 (phases,).  ``leads`` and ``links`` are the link table and the number of link
    ports, ``roots`` the injectors' routers.  InputError names the first packet that cannot be.
    """
    expected = np.zeros(packets.phases, dtype=np.int64)

    def work(chunk: tuple[int, int]) -> tuple[int, int, Int32]:
        first, after = chunk
        cores = np.zeros(len(trees) * roots.size, dtype=np.int32)
        code, packet = check_packets(
            leads,
            links,
            trees,
            roots,
            packets.phase_ptr[first : after + 1],
            packets.injector,
            packets.inject,
            packets.tree,
            cores,
            expected[first:after],
        )
        return code, packet, cores

    merged = np.zeros(len(trees) * roots.size, dtype=np.int32)
    with ThreadPoolExecutor(threads) as pool:
        for code, packet, cores in pool.map(work, chunks(packets.phase_ptr, threads)):
            if code:
                raise complain(code, packet, roots.size, trees, packets)
            merged = cores if threads == 1 else np.maximum(merged, cores)
    return merged, expected


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
    pair = packets.tree.astype(np.int64) * roots.size + packets.injector
    ptr = np.zeros(packets.tree.size + 1, dtype=np.int64)
    np.cumsum(cores[pair], out=ptr[1:])
    core = destinations(leads, links, trees, roots, packets.tree, packets.injector, ptr)
    return Arrivals(ptr, core, np.full(core.size, -1, dtype=np.int64))


NO_ARRIVALS = Arrivals(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
"""Stands for "nobody asked"."""
