"""Which channels a packet may take where it enters a ring, in the wormhole mesh of simpy."""

from __future__ import annotations

from chipsim.mesh.fabric import Bytes
from chipsim.mesh.topology import Topology


def channels_into_ring(
    topology: Topology, tree: Bytes, vcs: int, router: int, output: int
) -> range:
    """Return the channels, of ``vcs``, of the ring that ``output`` of ``router`` leads into.

    ``tree`` (uint8, (routers,)) is the packet's.  The upper half if it will cross the dateline
    there, the lower if the link half-way around, any if neither.
    """
    half = vcs // 2
    ahead = straight_on(topology, tree, router, output)
    if any(topology.dateline[at, output] for at in ahead):
        return range(half, vcs)
    return range(half) if any(topology.opposite[at, output] for at in ahead) else range(vcs)


def straight_on(topology: Topology, tree: Bytes, router: int, output: int) -> list[int]:
    """Return the routers that a packet leaves by ``output``, one behind the other."""
    found: list[int] = []
    while router not in found and tree[router] >> output & 1:
        found.append(router)
        router = int(topology.leads[router, output]) >> 3
    return found
