"""The mesh as plain data: routers and their links, multicast trees, packets, results.

Ports of a router: 0 east (x+1), 1 west (x-1), 2 north (y+1), 3 south (y-1), 4 local (its core).
A flit that leaves by a router's east port enters the next router's *west* input: an input port is
named by the side it is on.  Router ``r`` is at ``(r % width, r // width)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Mesh
from chipsim.errors import InputError

EAST, WEST, NORTH, SOUTH, LOCAL = range(5)
PORTS = 5
PORT_NAMES = ("east", "west", "north", "south", "local")
EJECT_CYCLES = 2
"""From the grant at the destination's local port to the core: switch and local link."""

MAX_BUFFER_FLITS = 2048
MAX_CYCLES = 1024

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Fabric:
    """A 2-D mesh of ``width x height`` routers and the places where packets enter it.

    A flit granted an output in cycle t can be granted one of the next router in cycle
    ``t + hop_cycles`` (router pipeline and link together); each input port holds
    ``buffer_flits``; a slot freed in cycle t can be filled by a flit granted upstream in cycle
    ``t + credit_cycles`` or later.

    Injector ``i`` feeds input port ``injector_port[i]`` of router ``injector_router[i]`` (both
    int32, shape (injectors,)).  Injector ``r < routers`` is core r on its local port; further
    ones are chip inputs on ports that no neighbour uses.
    """

    width: int
    height: int
    hop_cycles: int
    buffer_flits: int
    credit_cycles: int
    injector_router: Int32
    injector_port: Int32

    @property
    def routers(self) -> int:
        """Number of routers."""
        return self.width * self.height

    @property
    def injectors(self) -> int:
        """Number of places where packets enter."""
        return int(self.injector_router.size)

    def zero_load_latency(self, hops: int) -> int:
        """Cycles from inject to arrival over ``hops`` links in an empty mesh: 2 + h (D + 1).

        With ``hop_cycles`` 3 this is BookSim 2's lookahead, speculative router (5 + 3 D), with 5
        its four-stage router (7 + 5 D).
        """
        return EJECT_CYCLES + self.hop_cycles * (hops + 1)


@dataclass(frozen=True, eq=False)
class Packets:
    """One-flit packets of many independent phases, each starting with an empty mesh.

    Phase p has the packets ``phase_ptr[p] .. phase_ptr[p+1]-1`` (int64, shape (phases + 1,)).
    For each packet: ``injector`` (int32), ``inject``, the cycle of its phase in which it is ready
    at the source (int64, >= 0; not decreasing from packet to packet of one injector and phase),
    and ``tree`` (int32), a row of the trees.  Sources are unbounded queues.
    """

    phase_ptr: Int64
    injector: Int32
    inject: Int64
    tree: Int32

    @property
    def phases(self) -> int:
        """Number of phases."""
        return int(self.phase_ptr.size) - 1


@dataclass(frozen=True, eq=False)
class Arrivals:
    """When each packet reached each of its destinations.

    Packet p has the entries ``ptr[p] .. ptr[p+1]-1``: ``router`` (ascending) and ``cycle``, counted
    from the start of its phase.
    """

    ptr: Int64
    router: Int32
    cycle: Int64


@dataclass(frozen=True, eq=False)
class PhaseResults:
    """What the mesh did: per phase (shape (phases,), int64) and in total.

    ``last_arrival`` is the cycle of the last delivery (-1 without packets); ``deliveries`` counts
    (packet, destination) pairs, over which ``latency_sum`` and ``latency_max`` (0 without packets)
    take arrival - inject.  ``link_flits`` (routers, 5) counts the flits through each output port,
    local being the deliveries.
    """

    last_arrival: Int64
    deliveries: Int64
    latency_sum: Int64
    latency_max: Int64
    link_flits: Int64
    arrivals: Arrivals | None = None


def phase_results(tallies: Int64, link_flits: Int64, arrivals: Arrivals | None) -> PhaseResults:
    """Make results of a row (last arrival, deliveries, latency sum and max) a phase."""
    last, deliveries, latency_sum, latency_max = tallies.T.copy()
    return PhaseResults(last, deliveries, latency_sum, latency_max, link_flits, arrivals)


def edge_port(width: int, height: int, x: int, y: int) -> int:
    """Return a port of router (x, y) that no neighbour uses; InputError inside the mesh.

    West is preferred, then east, south, north.
    """
    if x == 0:
        return WEST
    if x == width - 1:
        return EAST
    if y == 0:
        return SOUTH
    if y == height - 1:
        return NORTH
    raise InputError(
        f"mesh.io: router ({x}, {y}) has four neighbours, so no port is free for the chip's "
        f"input; choose a router on the edge of the {width} x {height} mesh"
    )


def make_fabric(
    width: int,
    height: int,
    hop_cycles: int = 3,
    buffer_flits: int = 8,
    credit_cycles: int = 2,
    inputs: tuple[tuple[int, int], ...] = (),
) -> Fabric:
    """Build a fabric with one injector per core and one per chip input at ``inputs`` (x, y).

    InputError if a size is out of range or an input is not on a free edge port.
    """
    limits = (
        ("width", width, 4096),
        ("height", height, 4096),
        ("hop_cycles", hop_cycles, MAX_CYCLES),
        ("buffer_flits", buffer_flits, MAX_BUFFER_FLITS),
        ("credit_cycles", credit_cycles, MAX_CYCLES),
    )
    for name, value, largest in limits:
        if not 1 <= value <= largest:
            raise InputError(f"mesh.{name}: {value} given, 1 to {largest} allowed")
    routers = list(range(width * height))
    ports = [LOCAL] * len(routers)
    for x, y in inputs:
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(f"mesh.io: ({x}, {y}) is outside the {width} x {height} mesh")
        routers.append(y * width + x)
        ports.append(edge_port(width, height, x, y))
    if len(set(zip(routers, ports, strict=True))) < len(routers):
        raise InputError(f"mesh.io: two chip inputs share one edge port: {inputs}")
    return Fabric(
        width,
        height,
        hop_cycles,
        buffer_flits,
        credit_cycles,
        np.array(routers, dtype=np.int32),
        np.array(ports, dtype=np.int32),
    )


def fabric(mesh: Mesh) -> Fabric:
    """Build the fabric of a chip's mesh; injector ``mesh.routers`` is the chip's input port."""
    return make_fabric(
        mesh.width,
        mesh.height,
        mesh.hop_cycles,
        mesh.buffer_flits,
        mesh.credit_cycles,
        (mesh.io,),
    )


def link_table(fabric: Fabric) -> Int32:
    """Return where each output port leads, int32 (routers, 5).

    An entry is ``8 * router + input port`` of the next router, -1 where there is no link (edges,
    and the local port, which leads to the core).
    """
    width, height = fabric.width, fabric.height
    table = np.full((fabric.routers, PORTS), -1, dtype=np.int32)
    router = np.arange(fabric.routers, dtype=np.int32)
    x, y = router % width, router // width
    for port, there, step, entry in (
        (EAST, x < width - 1, 1, WEST),
        (WEST, x > 0, -1, EAST),
        (NORTH, y < height - 1, width, SOUTH),
        (SOUTH, y > 0, -width, NORTH),
    ):
        table[there, port] = 8 * (router[there] + step) + entry
    return table
