"""Every packet and the way it takes, checked before the mesh runs; each router of a tree once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.fabric import Bytes, Int32, Int64

OFF_EDGE, DEAD_END, LOOP, INJECTOR, TREE, NEGATIVE, ORDER = range(-1, -8, -1)
LAST_CYCLE = 1 << 40
MANY = 255
"""Stands for so many cores or more in the memory of walks."""

U = np.uint64


class Known(NamedTuple):
    """What earlier walks found, for all threads: whoever fills in an entry fills in the same.

    ``cores`` (trees * routers,) has the number of cores the tree reaches from a router, at most
    MANY, and 0 where nobody walked; ``last`` (trees,) the router of the last walk that found MANY
    or more, in its high half, and how many it found.
    """

    cores: Bytes
    last: Int64


class Walk(NamedTuple):
    """Scratch of walks: routers still to visit or passed, the number of the walk that saw each."""

    stack: Int32
    seen: Int64


def nothing_known(trees: int, routers: int) -> Known:
    """Return the memory of walks before the first."""
    return Known(np.zeros(trees * routers, np.uint8), np.full(trees, -1))


@inlined
def cores_beyond(
    leads: Int32, links: int, trees: Bytes, tree: int, root: int, number: int, scratch: Walk,
    bottom: int,
) -> int:  # fmt: skip
    """Return how many cores ``tree`` reaches from router ``root``, or what is wrong with it.

    ``number`` is that of this walk; the stack is used from ``bottom`` on.
    """
    scratch.stack[bottom] = root
    scratch.seen[root] = number
    depth = bottom + 1
    cores = 0
    while depth > bottom:
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


@inlined
def cores_from(
    leads: Int32, links: int, trees: Bytes, tree: int, root: int, known: Known, number: int,
    scratch: Walk,
) -> int:  # fmt: skip
    """Return what `cores_beyond` does, walking only as far as a router that is known.

    As long as a way does not fork, all routers on it reach the same cores.
    """
    row = tree * leads.shape[0]
    router = root
    passed = 0
    while True:
        found = int(known.cores[U(row + router)])
        if found and found < MANY:
            break
        if found and known.last[U(tree)] >> 32 == router:
            found = known.last[U(tree)] & 0xFFFFFFFF
            break
        scratch.stack[U(passed)] = router
        passed += 1
        if passed > leads.shape[0]:
            return LOOP
        ports = int(trees[U(tree), U(router)])
        if ports & (ports - 1) or ports == 0 or ports >> links:
            found = cores_beyond(leads, links, trees, tree, router, number, scratch, passed)
            if found < 0:
                return found
            break
        target = int(leads[U(router), U(lowest_bit(ports))])
        if target < 0:
            return OFF_EDGE
        router = target >> 3
    for step in range(passed):
        known.cores[U(row + scratch.stack[U(step)])] = min(found, MANY)
    if found >= MANY:
        known.last[U(tree)] = root << 32 | found
    return found


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
    known: Known,
    cores: Int32,
    expected: Int64,
) -> tuple[int, int]:
    """Check every packet; return (0, 0), or what is wrong and the packet it is wrong with.

    Fills ``cores`` (packets,), the destinations of each, unless it is empty, and ``expected``
    (phases,), the deliveries.
    """
    routers = leads.shape[0]
    scratch = Walk(np.empty(2 * routers + 1, np.int32), np.zeros(routers, np.int64))
    latest = np.zeros(roots.size, np.int64)
    phase_of = np.full(roots.size, -1)
    number = 0
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
            if cycle < 0 or cycle > LAST_CYCLE:
                return NEGATIVE, packet
            if phase_of[source] == phase and cycle < latest[source]:
                return ORDER, packet
            phase_of[source] = phase
            latest[source] = cycle
            number += 1
            found = cores_from(leads, links, trees, row, roots[source], known, number, scratch)
            if found < 0:
                return found, packet
            if cores.size:
                cores[packet] = found
            total += found
        expected[phase] = total
    return 0, 0
