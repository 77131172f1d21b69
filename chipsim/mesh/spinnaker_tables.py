"""SpiNNaker's routing tables: ordered key/mask entries, default routes, and where a key goes.

A chip looks a packet's key up in its table; the first entry with ``key & mask == entry key``
decides.  Its route has a bit for each link (0-5: E, NE, N, W, SW, S) and core (6-23).  A packet
that came in by a link and matches nothing leaves by the opposite link; one from a core is dropped
(SpiNNaker datasheet; facts, section 1.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.kernels.compiled import compiled
from chipsim.mesh.fabric import Int32, Int64

Words = NDArray[np.uint32]

LINKS = 6
CORES = 18
FROM_CORE = 6
"""Stands for the input of the chip's own cores where an input link is named."""
USABLE_ENTRIES = 1023

BROKEN_LINK, LOOP, NO_ENTRY = 1, 2, 3


@dataclass(frozen=True, eq=False)
class KeyTables:
    """The tables of all chips, entries in order: chip r has ``ptr[r] .. ptr[r+1]-1``.

    ``ptr`` is int64 (chips + 1,), ``key``, ``mask`` and ``route`` uint32 (entries,).
    """

    ptr: Int64
    key: Words
    mask: Words
    route: Words

    def too_long(self, usable: int = USABLE_ENTRIES) -> Int64:
        """Return the chips whose tables have more than ``usable`` entries."""
        return np.flatnonzero(np.diff(self.ptr) > usable)


@dataclass(frozen=True, eq=False)
class KeyRoutes:
    """Where keys go on a machine of ``chips``, found by following each from its source chip.

    For each key: ``source`` (int32), ``link_count``, ``deliveries``, ``longest`` (hops), ``broken``
    (0, or what went wrong: a link that is not there, a chip met twice, no entry for a core's
    packet), all int64 (keys,).

    The chips a key comes to are the nodes ``ptr[k] .. ptr[k+1]-1`` (int64, (keys + 1,)) of a tree,
    the source first; none if it is broken.  Of each node: ``chip`` and ``child`` (int32), the node
    by its lowest link, those by its other links right behind it; ``route`` (uint32), its link and
    core bits, default routes resolved; ``behind`` (int32), the deliveries at it and beyond it.
    """

    chips: int
    source: Int32
    link_count: Int64
    deliveries: Int64
    longest: Int64
    broken: Int64
    ptr: Int64
    chip: Int32
    child: Int32
    route: Words
    behind: Int32


class Nodes(NamedTuple):
    """Room for the nodes of one key, a chip at most once: see `KeyRoutes`.

    ``child`` counts from the key's first node; ``parent``, ``came`` and ``hops`` say how a node is
    reached; ``seen`` (int64, by chip) is the number of the key that came to a chip last.
    """

    chip: Int32
    child: Int32
    route: Words
    behind: Int32
    parent: Int32
    came: Int32
    hops: Int32
    seen: Int64


@compiled
def _first_match(ptr: Int64, keys: Words, masks: Words, chip: int, key: int) -> int:
    """Return the number of the first entry of ``chip`` that matches ``key``, -1 if none."""
    for entry in range(ptr[chip], ptr[chip + 1]):
        if key & masks[entry] == keys[entry]:
            return entry
    return -1


@compiled
def _follow(
    leads: Int32, ptr: Int64, keys: Words, masks: Words, routes: Words,
    number: int, key: int, source: int, nodes: Nodes,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Follow key ``number``, breadth first; return its nodes, deliveries, longest way, what broke.

    The source counts as node 0.
    """
    nodes.chip[0], nodes.parent[0], nodes.came[0], nodes.hops[0] = source, -1, FROM_CORE, 0
    nodes.seen[source] = number
    met, total, longest = 1, 0, 0
    at = 0
    while at < met:
        chip, came = nodes.chip[at], nodes.came[at]
        entry = _first_match(ptr, keys, masks, chip, key)
        if entry < 0 and came == FROM_CORE:
            return met, total, longest, NO_ENTRY
        outputs = np.int64(1 << ((came + 3) % LINKS))
        if entry >= 0:
            outputs = np.int64(routes[entry])
        nodes.route[at] = outputs
        nodes.child[at] = met
        cores = 0
        for core in range(LINKS, LINKS + CORES):
            cores += (outputs >> core) & 1
        nodes.behind[at] = cores
        total += cores
        if cores:
            longest = max(longest, nodes.hops[at])
        for link in range(LINKS):
            if (outputs >> link) & 1:
                target = leads[chip, link]
                if target < 0:
                    return met, total, longest, BROKEN_LINK
                if nodes.seen[target >> 3] == number:
                    return met, total, longest, LOOP
                nodes.seen[target >> 3] = number
                nodes.chip[met], nodes.parent[met] = target >> 3, at
                nodes.came[met], nodes.hops[met] = target & 7, nodes.hops[at] + 1
                met += 1
        at += 1
    for node in range(met - 1, 0, -1):
        nodes.behind[nodes.parent[node]] += nodes.behind[node]
    return met, total, longest, 0


def follow_keys(leads: Int32, tables: KeyTables, key: Words, source: Int32) -> KeyRoutes:
    """Follow each ``key`` (uint32) from its ``source`` chip (int32) through the tables.

    ``leads`` (int32, (chips, 6 or more)) is where links lead, as in
    `chipsim.mesh.topology.Topology`.  InputError if the arrays do not fit together.
    """
    chips = len(leads)
    if tables.ptr.size != chips + 1:
        raise InputError(f"tables: {tables.ptr.size - 1} chips given, the machine has {chips}")
    if key.shape != source.shape or (source < 0).any() or (source >= chips).any():
        raise InputError(f"keys: each needs a source chip of 0 to {chips - 1}")
    if np.unique(key).size != key.size:
        raise InputError("keys: a key is given twice")
    by_chip = [np.zeros(chips, np.int32) for _ in range(6)]
    route_of, seen = np.zeros(chips, np.uint32), np.full(chips, -1, np.int64)
    nodes = Nodes(
        by_chip[0], by_chip[1], route_of, by_chip[2], by_chip[3], by_chip[4], by_chip[5], seen
    )
    sums = np.zeros((key.size, 4), dtype=np.int64)
    ptr = np.zeros(key.size + 1, dtype=np.int64)
    parts: list[tuple[Int32, Int32, Words, Int32]] = []
    for number in range(key.size):
        sums[number] = _follow(
            leads, tables.ptr, tables.key, tables.mask, tables.route,
            number, int(key[number]), int(source[number]), nodes,
        )  # fmt: skip
        met = 0 if sums[number, 3] else int(sums[number, 0])
        ptr[number + 1] = ptr[number] + met
        child = nodes.child[:met] + np.int32(ptr[number])
        kept = (nodes.chip[:met], nodes.route[:met], nodes.behind[:met])
        parts.append((kept[0].copy(), child, kept[1].copy(), kept[2].copy()))
    met, deliveries, longest, broken = sums.T.copy()
    empty = (np.zeros(0, np.int32),) * 2 + (np.zeros(0, np.uint32), np.zeros(0, np.int32))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else empty
    return KeyRoutes(
        chips, source.astype(np.int32), met - 1, deliveries, longest, broken, ptr, *joined
    )
