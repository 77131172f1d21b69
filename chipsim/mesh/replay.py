"""Given packets sent once more: latencies of all deliveries, drain of phases, loads of links."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chipsim.errors import InputError
from chipsim.mesh.chip_mesh import Interconnect, run_phases
from chipsim.mesh.dimension_order import multicast_tree, way_to
from chipsim.mesh.fabric import Bytes, Int32, Int64, Packets
from chipsim.mesh.topology import Topology

MAX_TABLE_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class Load:
    """Packets with their ways.

    ``trees`` is uint8 (trees, routers), ``flits`` (int32, (packets,)) the size of each packet.
    """

    trees: Bytes
    packets: Packets
    flits: Int32


@dataclass(frozen=True, eq=False)
class Replay:
    """What became of packets.

    ``latency`` (int64, (deliveries,)) in cycles from a packet's being ready at its source to the
    arrival of its tail, packet by packet, and ``packet`` (int64, (deliveries,)) whose it is.
    ``drain`` (int64, (phases,)) is the cycle of the last arrival in each phase, -1 without packets;
    ``link_flits`` (int64, (routers, ports)) the flits through each output; ``flits`` those sent.
    """

    latency: Int64
    packet: Int64
    drain: Int64
    link_flits: Int64
    flits: int

    @property
    def cycles(self) -> int:
        """Cycles in which there was something in the mesh or still to come, over all phases."""
        return int((self.drain + 1).sum())


def replay(network: Interconnect, load: Load, threads: int = 1) -> Replay:
    """Send ``load`` through ``network`` cycle by cycle, each phase into an empty mesh.

    Raises what `chipsim.mesh.chip_mesh.run_phases` raises.
    """
    results = run_phases(
        network, load.trees, load.packets, threads=threads, flits=load.flits, detail=True
    )
    assert results.arrivals is not None
    packet = np.repeat(np.arange(load.packets.tree.size), np.diff(results.arrivals.ptr))
    latency = results.arrivals.cycle - load.packets.inject[packet]
    flits = int(load.flits.sum(dtype=np.int64))
    return Replay(latency, packet, results.last_arrival, results.link_flits, flits)


def hottest_links(topology: Topology, link_flits: Int64, count: int) -> list[tuple[int, int]]:
    """Return (router, port) of the ``count`` links with most flits, most first; used ones only."""
    links = link_flits[:, : topology.links]
    order = np.argsort(-links, axis=None, kind="stable")[:count]
    return [
        (int(router), int(port))
        for router, port in zip(*np.unravel_index(order, links.shape), strict=True)
        if links[router, port]
    ]


def trees_to(topology: Topology, router: Int64, ptr: Int64, target: Int64) -> tuple[Bytes, Int32]:
    """Return a tree for each kind of packet, and the tree of each packet (int32, (packets,)).

    Packet p starts at ``router[p]`` and goes to the cores ``target[ptr[p]:ptr[p+1]]``.  InputError
    if dead routers or links cut a core off, or the trees would take more than 1 GiB.
    """
    rows: dict[tuple[int, bytes], int] = {}
    tree = np.empty(router.size, np.int32)
    masks: list[Bytes] = []
    ends = ptr.tolist()
    present = topology.present
    for number, source in enumerate(router.tolist()):
        cores = target[ends[number] : ends[number + 1]]
        # A way to one core is the same row from anywhere.
        one = cores.size == 1
        kind = (-1 if one else source, cores.tobytes())
        if kind not in rows:
            if (len(rows) + 1) * topology.routers > MAX_TABLE_BYTES:
                raise InputError(f"packets: their ways take more than {MAX_TABLE_BYTES} bytes")
            rows[kind] = len(masks)
            masks.append(way_to(topology, int(cores[0])) if one else _tree(topology, source, cores))
        tree[number] = rows[kind]
        if one and not (masks[rows[kind]][source] and present[cores[0] // topology.locals]):
            multicast_tree(topology, source, cores)  # which says why there is no way
    return np.array(masks, np.uint8).reshape(-1, topology.routers), tree


def _tree(topology: Topology, source: int, cores: Int64) -> Bytes:
    return multicast_tree(topology, source, np.unique(cores))
