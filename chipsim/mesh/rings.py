"""Which half of the channels a packet takes in a ring, so that no circle of waiting can close.

Each ring has two links that are marked, in each direction: its *dateline* and, half-way around, the
link *opposite*.  No packet crosses the dateline in the lower half, none the opposite link in the
upper half, and a packet stays in one half as long as it goes straight on.  So neither half has a
circle, and since no shortest way goes further than half-way around, none crosses both.  A packet
that crosses neither could take either half, and the two *ring classes* (Dally and Towles 2004,
chapter 14, call such channels resource classes) differ in what it does:

- ``dateline``: it takes the lower half, so the upper one is for those that cross the dateline only;
- ``balanced``: it takes either.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import RingClasses
from chipsim.mesh.fabric import Bytes
from chipsim.mesh.topology import Topology

RING_CLASSES = get_args(RingClasses)


def barred_halves(topology: Topology, trees: Bytes, classes: RingClasses) -> Bytes:
    """Return the halves that packets may not take: uint8 (2, trees, routers), masks of outputs.

    Bit o of ``[h, t, r]``: where a packet of tree t that comes to router r turns into output o, it
    must not take half h (0 lower, 1 upper): the lower if it will cross the dateline before it turns
    again, the upper if it will cross the opposite link, or, with ``dateline`` classes, will not
    cross the dateline.  A tree that crosses both, as only trees can that are not
    `chipsim.mesh.dimension_order.multicast_tree` of a whole topology, has the upper half.
    """
    lower = _crossing(topology, trees, topology.dateline)
    if classes == "dateline":
        return np.stack([lower, ~lower])
    return np.stack([lower, _crossing(topology, trees, topology.opposite) & ~lower])


def _crossing(topology: Topology, trees: Bytes, marked: NDArray[np.bool_]) -> Bytes:
    """Return by which outputs trees cross a ``marked`` link, now or further straight on."""
    found = np.zeros_like(trees)
    for link, output in np.argwhere(marked & (topology.leads >= 0)).tolist():
        back = int(topology.leads[link, output]) & 7
        at = link
        crossing = np.flatnonzero(trees[:, at] >> output & 1)
        while crossing.size:
            found[crossing, at] |= 1 << output
            behind = int(topology.leads[at, back])
            if behind < 0 or behind >> 3 == link:
                break
            at = behind >> 3
            crossing = crossing[trees[crossing, at] >> output & 1 == 1]
    return found
