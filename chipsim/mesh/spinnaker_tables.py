"""SpiNNaker's routing tables: ordered key/mask entries, default routes, and where a key goes.

A chip looks a packet's key up in its table; the first entry with ``key & mask == entry key``
decides.  Its route has a bit for each link (0-5: E, NE, N, W, SW, S) and core (6-23).  A packet
that came in by a link and matches nothing leaves by the opposite link; one from a core is dropped
(SpiNNaker datasheet; facts, section 1.2).
"""

from __future__ import annotations

from dataclasses import dataclass

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
DEFAULT = np.uint32(1 << 30)
UNKNOWN = np.uint32(1 << 31)

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
    """Where keys go, found by following each from its source chip.

    For each key: ``source`` (int32), ``link_count``, ``deliveries``, ``longest`` (hops), ``broken``
    (0, or what went wrong: a link that is not there, a chip met twice, no entry for a core's
    packet), all int64 (keys,).  ``route`` (uint32, (keys, chips)) is what each chip met does:
    link and core bits, ``DEFAULT`` for straight through.  ``behind`` (int32, (keys, chips)) counts
    the deliveries at a chip and beyond it.
    """

    source: Int32
    link_count: Int64
    deliveries: Int64
    longest: Int64
    broken: Int64
    route: Words
    behind: Int32


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
    key: int, source: int, route_of: Words, behind: Int32, stack: Int32, order: Int32,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Follow one key; return links, deliveries, longest way, what is broken.

    ``stack`` (3 words a chip) and ``order`` (2 words a chip) are scratch.
    """
    stack[0], stack[1], stack[2] = source, FROM_CORE, 0
    depth, met, links, total, longest = 1, 0, 0, 0, 0
    order[1] = -1
    while depth:
        depth -= 1
        chip, came, hops = stack[3 * depth], stack[3 * depth + 1], stack[3 * depth + 2]
        entry = _first_match(ptr, keys, masks, chip, key)
        if entry < 0 and came == FROM_CORE:
            return links, total, longest, NO_ENTRY
        if entry < 0:
            route_of[chip] = DEFAULT
            outputs = 1 << ((came + 3) % LINKS)
        else:
            route_of[chip] = routes[entry]
            outputs = np.int64(routes[entry])
        order[2 * met] = chip
        order[2 * met + 1] = leads[chip, came] >> 3 if came != FROM_CORE else -1
        met += 1
        cores = 0
        for core in range(LINKS, LINKS + CORES):
            cores += (outputs >> core) & 1
        behind[chip] = cores
        total += cores
        if cores:
            longest = max(longest, hops)
        for link in range(LINKS):
            if (outputs >> link) & 1:
                target = leads[chip, link]
                if target < 0:
                    return links, total, longest, BROKEN_LINK
                if route_of[target >> 3] != UNKNOWN:
                    return links, total, longest, LOOP
                route_of[target >> 3] = DEFAULT  # taken, until it is looked at
                links += 1
                stack[3 * depth] = target >> 3
                stack[3 * depth + 1] = target & 7
                stack[3 * depth + 2] = hops + 1
                depth += 1
    for index in range(met - 1, 0, -1):
        behind[order[2 * index + 1]] += behind[order[2 * index]]
    return links, total, longest, 0


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
    route = np.full((key.size, chips), UNKNOWN, dtype=np.uint32)
    behind = np.zeros((key.size, chips), dtype=np.int32)
    sums = np.zeros((key.size, 4), dtype=np.int64)
    stack, order = np.zeros(3 * chips + 3, np.int32), np.zeros(2 * chips + 2, np.int32)
    for number in range(key.size):
        sums[number] = _follow(
            leads, tables.ptr, tables.key, tables.mask, tables.route,
            int(key[number]), int(source[number]), route[number], behind[number], stack, order,
        )  # fmt: skip
    links, deliveries, longest, broken = sums.T.copy()
    return KeyRoutes(source.astype(np.int32), links, deliveries, longest, broken, route, behind)
