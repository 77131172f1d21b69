"""Fewer routing entries for the same packets.

The keys that come to a chip are known, so an entry may match any others.  Entries are put in groups
of one route, the largest at the bottom of the table.  From the bottom up each group is covered by
few key/mask cubes that match no key of the groups below, while keys of groups above do not matter:
an entry above has taken them.  Packets that a default route handles are either entries like the
others or, without any entry, a group below the bottom one; the shorter table of the two is kept.

This is a cousin of ordered covering (Mundy, Heathcote & Garside 2016), which merges entries step by
step and keeps them in order of generality.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.mesh.spinnaker_tables import Words

KEY_BITS = 32


class Entries(NamedTuple):
    """Table entries in order, uint32 each; ``default`` (bool) marks those a default route makes."""

    key: Words
    mask: Words
    route: Words
    default: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Entries:
        """Return some of the entries."""
        return Entries(
            self.key[chosen], self.mask[chosen], self.route[chosen], self.default[chosen]
        )


def joined(parts: Sequence[Entries]) -> Entries:
    """Return the entries of all parts, one part after the other."""
    return Entries(
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.mask for part in parts]),
        np.concatenate([part.route for part in parts]),
        np.concatenate([part.default for part in parts]),
    )


def without_defaults(entries: Entries) -> Entries:
    """Return the entries that no default route makes."""
    return entries.where(~entries.default)


def compress(entries: Entries) -> Entries:
    """Return fewer entries that send every key of ``entries`` the same way.

    No two of ``entries`` may match the same key.  The result's order counts: the first match
    decides.
    """
    explicit = _stacked(entries, entries.where(np.zeros(entries.key.size, dtype=bool)))
    left_out = _stacked(without_defaults(entries), entries.where(entries.default))
    return min(explicit, left_out, key=lambda table: table.key.size)


def _stacked(entries: Entries, unmatched: Entries) -> Entries:
    """Cover the groups of ``entries``, none of which may match a key of ``unmatched``."""
    _, group, size = np.unique(entries.route, return_inverse=True, return_counts=True)
    telling = _telling_bits(joined([entries, unmatched]))
    parts: list[Entries] = []
    below = unmatched
    for number in np.argsort(-size, kind="stable").tolist():
        members = entries.where(group == number)
        parts.append(_cover(members, below, telling))
        below = joined([below, members])
    return joined(parts[::-1]) if parts else entries


def _telling_bits(entries: Entries) -> list[int]:
    """List the key bits in which entries that look at them differ, lowest first."""
    ones = np.bitwise_or.reduce(entries.key & entries.mask)
    zeros = np.bitwise_or.reduce(~entries.key & entries.mask)
    return [bit for bit in range(KEY_BITS) if int(ones & zeros) >> bit & 1]


def _cover(members: Entries, avoid: Entries, telling: list[int]) -> Entries:
    """Return cubes that hold all keys of ``members``, which share a route, none of ``avoid``.

    Only the bits ``telling`` them apart are looked at, dropped from either end.
    """
    looked_at = np.uint32(sum(1 << bit for bit in telling))
    left = np.arange(members.key.size)
    keys, masks = [], []
    while left.size:
        seed = left[0]
        cubes = (
            _expanded(members.key[seed], members.mask[seed] & looked_at, avoid, order)
            for order in (telling, telling[::-1])
        )
        held = [(cube, _inside(members, left, *cube)) for cube in cubes]
        (key, mask), inside = max(held, key=lambda pair: int(pair[1].sum()))
        keys.append(key)
        masks.append(mask)
        left = left[~inside]
    count = len(keys)
    route = np.full(count, members.route[0], dtype=np.uint32)
    key_column, mask_column = np.array(keys, dtype=np.uint32), np.array(masks, dtype=np.uint32)
    return Entries(key_column, mask_column, route, np.zeros(count, dtype=bool))


def _expanded(
    key: np.uint32, mask: np.uint32, avoid: Entries, order: list[int]
) -> tuple[np.uint32, np.uint32]:
    """Return the cube (key, mask) grown by dropping mask bits in ``order`` where none is met."""
    differ = (key ^ avoid.key) & mask & avoid.mask
    for bit in order:
        kept = ~np.uint32(1 << bit)
        rest = differ & kept
        if mask & ~kept and rest.all():
            differ, mask = rest, mask & kept
    return key & mask, mask


def _inside(
    members: Entries, left: NDArray[np.int64], key: np.uint32, mask: np.uint32
) -> NDArray[np.bool_]:
    """Return which of the members ``left`` lie wholly in a cube."""
    agree: NDArray[np.bool_] = (members.key[left] ^ key) & mask == 0
    within: NDArray[np.bool_] = members.mask[left] & mask == mask
    return agree & within
