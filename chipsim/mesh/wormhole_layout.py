"""The wormhole mesh as data: channels and flow control."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chipsim.chip import RingClasses
from chipsim.errors import InputError
from chipsim.mesh.adaptive import turns
from chipsim.mesh.fabric import MAX_BUFFER_FLITS, MAX_CYCLES, Int32, edge_port
from chipsim.mesh.rings import RING_CLASSES
from chipsim.mesh.topology import MAX_PORTS, Topology

MAX_VCS = 8
TREES = "trees"


@dataclass(frozen=True, eq=False)
class Channels:
    """A topology with its flow control.

    - ``vcs``: virtual channels of each link; even on a topology with rings, which take two classes;
    - ``ring_classes``: which packets take which half of the channels in a ring, ``"dateline"`` or
      ``"balanced"`` (`chipsim.mesh.rings`); of no effect without rings;
    - ``buffer_flits``: slots of each virtual channel;
    - ``credit_cycles``: a slot freed in cycle t can be filled by a grant in t + credit_cycles;
    - ``head_cycles``: cycles from a packet coming to the front of its channel behind another to
      its first request (0: routes are looked up ahead; 2: a route and a channel allocation stage);
    - ``head_stages``: how many of the cycles of every ``delay`` only a head takes (the stages that
      a router passes once a packet, route computation and channel allocation: Dally and Towles,
      chapter 16); the flits behind it take so many less;
    - ``cut_through``: a packet moves on only where the whole of it has room;
    - ``delay`` (int32, (routers, ports)): cycles from a grant of an output to the first grant at
      the next router; ``interval``, the same shape: cycles from one flit to the next on a link;
    - ``entry_delay``: the same for the way from a source into its router;
    - ``routing``: ``"trees"``, or one of `chipsim.mesh.adaptive.ADAPTIVE`, then a packet picks one
      of its outputs at each router.

    Injector ``e < cores`` is core e on its local port, further ones are chip inputs.  On tori these
    use one more input port a router, number ``topology.ports``, to which no output leads.
    """

    topology: Topology
    vcs: int
    buffer_flits: int
    credit_cycles: int
    head_cycles: int
    head_stages: int
    cut_through: bool
    delay: Int32
    interval: Int32
    entry_delay: int
    injector_router: Int32
    injector_port: Int32
    routing: str = TREES
    ring_classes: RingClasses = "dateline"

    def __post_init__(self) -> None:
        shortest = min(int(self.delay.min()), self.entry_delay)
        if not 0 <= self.head_stages < shortest:
            raise InputError(
                f"mesh.head_stages: {self.head_stages} given, 0 to {shortest - 1} allowed, less "
                "than the cycles of any hop"
            )

    @property
    def ports(self) -> int:
        """Input ports of a router."""
        return max(self.topology.ports, int(self.injector_port.max()) + 1)


def with_input(channels: Channels, x: int, y: int) -> Channels:
    """Add a chip input at router (x, y) as one more injector.

    On a mesh it takes an edge port that no neighbour uses, as in `chipsim.mesh.fabric`; with rings
    a port of its own.  InputError if no port is left.
    """
    topology = channels.topology
    port = topology.ports
    if topology.name == "mesh":
        port = edge_port(topology.width, topology.height, x, y)
    if port >= MAX_PORTS:
        raise InputError(
            f"mesh.io: no port is left for the chip's input at a router of a {topology.name} with "
            f"{topology.locals} cores a router"
        )
    router = y * topology.width + x
    return replace(
        channels,
        injector_router=np.append(channels.injector_router, router).astype(np.int32),
        injector_port=np.append(channels.injector_port, port).astype(np.int32),
    )


def make_channels(
    topology: Topology,
    vcs: int = 1,
    buffer_flits: int = 8,
    hop_cycles: int = 3,
    credit_cycles: int = 2,
    head_cycles: int = 0,
    head_stages: int = 0,
    cut_through: bool = False,
    link_interval: int = 1,
    routing: str = TREES,
    ring_classes: RingClasses = "dateline",
) -> Channels:
    """Give every link of ``topology`` the same flow control; InputError if a value is out of range.

    The zero-load latency of L flits over D links is 2 + hop_cycles (D + 1) + L - 1, whatever the
    ``head_stages``.
    """
    for name, value, least, largest in (
        ("vcs", vcs, 1, MAX_VCS),
        ("buffer_flits", buffer_flits, 1, MAX_BUFFER_FLITS),
        ("hop_cycles", hop_cycles, 1, MAX_CYCLES),
        ("credit_cycles", credit_cycles, 1, MAX_CYCLES),
        ("head_cycles", head_cycles, 0, MAX_CYCLES - 1),
        ("link_interval", link_interval, 1, MAX_CYCLES),
    ):
        if not least <= value <= largest:
            raise InputError(f"mesh.{name}: {value} given, {least} to {largest} allowed")
    if topology.rings and vcs % 2:
        raise InputError(
            f"mesh.vcs: {vcs} given, but a {topology.name} needs an even number: packets that "
            "cross the dateline take the upper half, or they could block each other in a ring"
        )
    if ring_classes not in RING_CLASSES:
        raise InputError(
            f"mesh.ring_classes: {ring_classes!r} given, {' or '.join(RING_CLASSES)} allowed"
        )
    if routing != TREES:
        turns(topology, routing)
    shape = (topology.routers, topology.ports)
    interval = np.ones(shape, dtype=np.int32)
    interval[:, : topology.links] = link_interval
    core = np.arange(topology.cores, dtype=np.int32)
    return Channels(
        topology,
        vcs,
        buffer_flits,
        credit_cycles,
        head_cycles,
        head_stages,
        cut_through,
        np.full(shape, hop_cycles, dtype=np.int32),
        interval,
        hop_cycles,
        core // topology.locals,
        topology.links + core % topology.locals,
        routing,
        ring_classes,
    )
