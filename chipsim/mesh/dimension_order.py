"""Ways through a topology in dimension order, and trees made of them.

Where routers or links are dead the ways are searched for and shortest, in no order of dimensions.
"""

from __future__ import annotations

import numpy as np

from chipsim.errors import InputError
from chipsim.mesh.cut_off import why_cut_off
from chipsim.mesh.fabric import Bytes, Int64
from chipsim.mesh.topology import MAX_PORTS, Topology


def tie_choices(topology: Topology) -> int:
    """Return how many choices of direction there are for ways exactly half-way around rings."""
    return 1 if topology.damaged else len(topology.way)


def port_ways(topology: Topology, destination: int, ties: int | None = None) -> Int64:
    """Return the link port to take at every router towards router ``destination``.

    255 stands at the destination and where no way leads there.  ``ties`` (0 to
    ``tie_choices(topology) - 1``) says which of `Topology.way` is taken.  By default even routers
    (x + y) take the first and odd ones the last, so that both directions of rings carry as much.
    """
    if topology.damaged:
        return _searched_ways(topology, destination)
    router = np.arange(topology.routers)
    dx = destination % topology.width - router % topology.width
    dy = destination // topology.width - router // topology.width
    odd = (router % topology.width + router // topology.width) & 1
    chosen = odd * (len(topology.way) - 1) if ties is None else ties
    found: Int64 = topology.way[chosen, dy + topology.height - 1, dx + topology.width - 1].astype(
        np.int64
    )
    return found


def _searched_ways(topology: Topology, destination: int) -> Int64:
    """Return `port_ways` by breadth-first search from the destination, low ports first."""
    ways = np.full(topology.routers, 255, dtype=np.int64)
    frontier = [destination]
    while frontier:
        reached = []
        for router in frontier:
            for port in range(topology.links):
                target = int(topology.leads[router, port])
                if target >= 0 and target >> 3 != destination and ways[target >> 3] == 255:
                    ways[target >> 3] = target & 7
                    reached.append(target >> 3)
        frontier = reached
    return ways


def unicast_trees(topology: Topology, ties: int | None = None) -> Bytes:
    """Return the way to each core: uint8 (cores, routers), row e leads to core e from anywhere.

    A mask is 0 where no way leads there (only in damaged topologies).  ``ties`` as in `port_ways`.
    """
    trees = np.zeros((topology.cores, topology.routers), dtype=np.uint8)
    for core in range(topology.cores):
        trees[core] = way_to(topology, core, ties)
    return trees


def way_to(topology: Topology, core: int, ties: int | None = None) -> Bytes:
    """Return the way to a core from anywhere: uint8 (routers,), 0 where no way leads there.

    ``ties`` as in `port_ways`.
    """
    router, local = divmod(core, topology.locals)
    port = port_ways(topology, router, ties)
    port[router] = topology.links + local
    return np.where(port < MAX_PORTS, 1 << port.clip(0, MAX_PORTS), 0).astype(np.uint8)


def multicast_tree(topology: Topology, source: int, cores: Int64) -> Bytes:
    """Return the tree from router ``source`` to ``cores``: uint8 (routers,).

    It is the union of the dimension-order ways.  Where a way comes to a router that the tree
    reaches already (only among equally long ways), it goes on from there.
    InputError if a core is cut off.
    """
    masks = np.zeros(topology.routers, dtype=np.uint8)
    reached = {source}
    for core in cores:
        router, local = divmod(int(core), topology.locals)
        way = port_ways(topology, router)
        path = [source]
        while path[-1] != router:
            if way[path[-1]] == 255 or topology.leads[path[-1], way[path[-1]]] < 0:
                raise InputError(
                    f"mesh: core {core} cannot be reached from router {source}: "
                    f"{why_cut_off(topology, source, router)}"
                )
            path.append(int(topology.leads[path[-1], way[path[-1]]]) >> 3)
        known = max(index for index, at in enumerate(path) if at in reached)
        for at in path[known:-1]:
            masks[at] |= 1 << way[at]
        reached.update(path)
        masks[router] |= 1 << (topology.links + local)
    return masks
