"""Which channels a packet may take where it enters a ring, in the wormhole mesh of simpy."""

from __future__ import annotations

from chipsim.mesh.fabric import Bytes
from chipsim.mesh.topology import Topology
from chipsim.mesh.wormhole_layout import Channels


def channels_into_ring(channels: Channels, tree: Bytes, router: int, output: int) -> range:
    """Return the channels of the ring that ``output`` of ``router`` leads into.

    ``tree`` (uint8, (routers,)) is the packet's.  The upper half if it will cross the dateline
    there, else the lower; balanced: the lower if it will cross the link half-way around, any if
    neither.
    """
    topology, vcs = channels.topology, channels.vcs
    lower, upper = range(vcs // 2), range(vcs // 2, vcs)
    ahead = straight_on(topology, tree, router, output)
    if any(topology.dateline[at, output] for at in ahead):
        return upper
    if channels.ring_classes == "dateline":
        return lower
    return lower if any(topology.opposite[at, output] for at in ahead) else range(vcs)


def straight_on(topology: Topology, tree: Bytes, router: int, output: int) -> list[int]:
    """Return the routers that a packet leaves by ``output``, one behind the other."""
    found: list[int] = []
    while router not in found and tree[router] >> output & 1:
        found.append(router)
        router = int(topology.leads[router, output]) >> 3
    return found
