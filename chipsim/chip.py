"""Where it is mapped: a many-core chip as plain data (no YAML, no behaviour).

Values are in SI units (seconds, hertz, joules, watts, bytes).  Where a value comes from is kept
beside it: ``Chip.constants`` maps the key path of every constant in the chip file
(``"core.axons"``, ``"energy.sop"``) to a `Constant` with its provenance and range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Mark = Literal["published", "derived", "measured", "assumed"]


@dataclass(frozen=True)
class Constant:
    """A number with its provenance.

    ``value`` is in SI units, ``low <= value <= high`` is its range (equal to the value where none
    is given), ``unit`` the SI unit's symbol (``""`` for a plain number), ``source`` the words that
    stand behind ``mark`` in the chip file.
    """

    value: float
    low: float
    high: float
    unit: str
    mark: Mark
    source: str


@dataclass(frozen=True)
class Choice:
    """A word among several, such as a rounding mode, with its provenance (see `Constant`)."""

    value: str
    mark: Mark
    source: str


@dataclass(frozen=True)
class Arithmetic:
    """Number formats of a core, in bits, and what happens at their edges.

    ``native_bits`` is the width of one synapse column: a weight of ``weight_bits`` takes
    ``ceil(weight_bits / native_bits)`` columns.  ``activation_bits`` is the width of a graded
    input (unsigned), ``accumulator_bits`` of a dendrite's sum, ``membrane_bits`` of the membrane
    potential and the bias, ``decay_bits`` of the membrane decay factor's fraction, ``gain_bits``
    of the factor between accumulator and membrane, ``trace_bits`` of a plastic synapse's trace,
    ``trace_decay_bits`` of its decay factor's fraction, ``post_bits`` of a plasticity look-up
    table entry.

    ``trace_rounding`` is how a trace's decay and change are rounded (``"same"``: as all else);
    ``trace_decay`` whether all traces decay each step, or one without input only when it has input
    again (``"lazy"``, to the same bits).
    """

    native_bits: int
    weight_bits: int
    activation_bits: int
    accumulator_bits: int
    membrane_bits: int
    decay_bits: int
    gain_bits: int
    trace_bits: int
    trace_decay_bits: int
    post_bits: int
    rounding: Literal["truncate", "nearest", "stochastic"]
    overflow: Literal["saturate", "wrap"]
    trace_rounding: Literal["same", "truncate", "nearest", "stochastic"] = "same"
    trace_decay: Literal["dense", "lazy"] = "dense"

    @property
    def weight_columns(self) -> int:
        """Native columns one weight takes."""
        return -(-self.weight_bits // self.native_bits)

    @property
    def trace_columns(self) -> int:
        """Native columns one plasticity trace takes."""
        return -(-self.trace_bits // self.native_bits)


@dataclass(frozen=True)
class Core:
    """One core: its kind, budgets and cycles.

    ``axons`` is the fan-in and ``columns`` the number of native synapse columns (neurons at
    native width); ``macs_per_cycle`` native multiply-accumulates a cycle; ``soma_cycles`` cycles a
    neuron for update and for sending its packet; ``memory`` bytes by name.
    """

    kind: Literal["crossbar"]
    axons: int
    columns: int
    macs_per_cycle: int
    soma_cycles: int
    arithmetic: Arithmetic
    memory: Mapping[str, int]


MESH_STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))
TRIANGLE_STEPS = ((1, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (0, -1))
STEP_NAMES: Mapping[tuple[int, int], str] = {
    (1, 0): "east",
    (-1, 0): "west",
    (0, 1): "north",
    (0, -1): "south",
    (1, 1): "north-east",
    (-1, -1): "south-west",
}
"""What a link adds to x and y, by port: east, west, north, south of a mesh or torus; SpiNNaker's
links 0 to 5 (east, north-east, north, west, south-west, south) of a triangular torus."""


BOARD_ROWS = ((0, 4), (0, 5), (0, 6), (0, 7), (1, 7), (2, 7), (3, 7), (4, 7))
"""First and last x of the 48 chips in each row of a SpiNNaker board."""
BOARD_SIDE = 8
TRIAD = 12
"""Chips in x and in y of a triad, three boards that tile a square of a torus of boards."""

RingClasses = Literal["dateline", "balanced"]
"""Which packets take which half of the channels in a ring of links, see `chipsim.mesh.rings`."""


@dataclass(frozen=True)
class Dead:
    """What of a mesh does not work: core numbers, router numbers, (router, link port) pairs."""

    cores: tuple[int, ...] = ()
    routers: tuple[int, ...] = ()
    links: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class SpecialLink:
    """A link, by its router and output port, that takes other cycles than its neighbours.

    ``hop_cycles`` and ``link_interval`` are as in `Mesh`, of this direction only; 0: as without it.
    """

    router: int
    port: int
    hop_cycles: int
    link_interval: int


@dataclass(frozen=True)
class Mesh:
    """The routing mesh: ``width x height`` routers, ``cores_per_router`` cores each.

    A flit takes ``hop_cycles`` from one router's input to the next one's; ``buffer_flits`` wait in
    each virtual channel's buffer, a freed slot is known upstream ``credit_cycles`` later.  ``io``
    is the router at which input enters the chip.  A packet carries ``payload_bits``;
    ``table_entry_bytes`` is what a multicast tree costs in each router it passes.

    A packet is one flit, or, where ``flit_bits`` is set, as many as its header and payload need.
    A link carries a flit every ``link_interval`` cycles in one of ``vcs`` channels; a head that
    stood behind another packet takes ``head_cycles`` more; flits behind a head take
    ``head_stages`` less for every hop.  With ``flow`` cut_through a packet moves on only where all
    of it has room.  Where links go around, ``ring_classes`` says which
    packets take which half of the channels (`chipsim.mesh.rings`).

    Routers may stand on several chips of ``chip_width x chip_height`` (0: one chip), whose links
    to each other take ``chip_hop_cycles`` and carry a flit every ``chip_link_interval`` cycles.

    ``board48`` is SpiNNaker's hexagonal board, 48 of 8 x 8 places, ``board_torus`` a triangular
    torus of such boards, whose links to each other take ``board_hop_cycles`` and carry a flit every
    ``board_link_interval`` cycles (0: as all links).  ``special`` links differ one by one.
    """

    topology: Literal["mesh", "torus", "triangular", "board48", "board_torus"]
    width: int
    height: int
    routing: Literal["xy", "west_first", "odd_even"]
    multicast: Literal["tree", "unicast"]
    hop_cycles: int
    buffer_flits: int
    credit_cycles: int
    payload_bits: int
    table_entry_bytes: int
    io: tuple[int, int]
    cores_per_router: int = 1
    vcs: int = 1
    flow: Literal["wormhole", "cut_through"] = "wormhole"
    ring_classes: RingClasses = "dateline"
    link_interval: int = 1
    head_cycles: int = 0
    head_stages: int = 0
    flit_bits: int = 0
    header_bits: int = 0
    chip_width: int = 0
    chip_height: int = 0
    chip_hop_cycles: int = 0
    chip_link_interval: int = 1
    board_hop_cycles: int = 0
    board_link_interval: int = 0
    special: tuple[SpecialLink, ...] = ()
    dead: Dead = Dead()

    @property
    def routers(self) -> int:
        """Number of places for routers; router ``r`` is at ``(r % width, r // width)``."""
        return self.width * self.height

    @property
    def cores(self) -> int:
        """Number of cores, absent and dead ones too; core ``c`` is at ``c // cores_per_router``."""
        return self.routers * self.cores_per_router

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """What each link port adds to x and y."""
        return MESH_STEPS if self.topology in ("mesh", "torus") else TRIANGLE_STEPS

    @property
    def links(self) -> int:
        """Number of link ports of a router; the ports to its cores come after them."""
        return len(self.steps)

    @property
    def wraps(self) -> bool:
        """Whether links lead around the edges."""
        return self.topology not in ("mesh", "board48")

    @property
    def absent(self) -> frozenset[int]:
        """The places of the ``width x height`` at which there is no router."""
        if self.topology != "board48":
            return frozenset()
        there = (
            range(y * self.width + first, y * self.width + last + 1)
            for y, (first, last) in enumerate(BOARD_ROWS)
        )
        return frozenset(range(self.routers)).difference(*there)

    @property
    def built_cores(self) -> int:
        """Number of cores at places that have a router, dead ones too."""
        return self.cores - len(self.absent) * self.cores_per_router

    @property
    def working_cores(self) -> tuple[int, ...]:
        """The cores that are there, not dead, and whose router is not dead, ascending."""
        dead = set(self.dead.cores)
        for router in (*self.dead.routers, *self.absent):
            dead.update(range(router * self.cores_per_router, (router + 1) * self.cores_per_router))
        return tuple(core for core in range(self.cores) if core not in dead)

    def router_of(self, core: int) -> int:
        """Return the router a core is at."""
        return core // self.cores_per_router

    def local_bit(self, core: int) -> int:
        """Return the port to a core as a bit of `Route.ports`."""
        return 1 << (self.links + core % self.cores_per_router)

    def flits(self, bits: int) -> int:
        """Return the flits of a packet with ``bits`` of payload."""
        if not self.flit_bits:
            return 1
        return max(1, -(-(self.header_bits + bits) // self.flit_bits))

    @property
    def cautions(self) -> tuple[str, ...]:
        """Say where packets can block each other for good (deadlock), empty where they cannot.

        Dimension order, datelines on rings and the forbidden turns of adaptive routing keep
        unicast packets apart, and trees of packets that fit a channel (`chipsim.mesh.deadlock`).
        """
        words = []
        if self.dead.routers or self.dead.links:
            words.append(
                "ways around dead routers and links are shortest, not in dimension order, so "
                "packets can block each other for good under load (deadlock)"
            )
        flits = self.flits(self.payload_bits)
        if self.multicast == "tree" and flits > self.buffer_flits:
            words.append(
                f"multicast packets of {flits} flits that fork can block each other for good, "
                f"since a channel holds only {self.buffer_flits} (deadlock); buffer_flits: {flits} "
                "or more, or multicast: unicast, rules that out"
            )
        return tuple(words)


@dataclass(frozen=True)
class Phase:
    """The chip's time slot: ``mode`` fixed at ``cycles``, or adaptive (until all is done).

    ``sync_cycles`` at its end are for synchronisation: all packets must have arrived before.
    """

    mode: Literal["fixed", "adaptive"]
    cycles: int
    sync_cycles: int


@dataclass(frozen=True)
class Chip:
    """A many-core chip.

    ``prices`` maps an action to its energy in joules, a view into ``constants`` (`price_path`);
    ``static_power`` is in watts.  ``choices`` keeps the provenance of the words
    (``"core.rounding"``) as ``constants`` does for numbers.
    """

    name: str
    clock_hz: float
    mesh: Mesh
    phase: Phase
    core: Core
    prices: Mapping[str, Constant]
    static_power: Constant
    constants: Mapping[str, Constant]
    choices: Mapping[str, Choice] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """Number of cores."""
        return self.mesh.cores


def special_link(index: int) -> str:
    """Return the action of a flit over ``mesh.links[index]``, a special link with a price."""
    return f"links[{index}]"


def price_path(action: str) -> str:
    """Return the key path of an action's price in the chip file."""
    return f"mesh.{action}.energy" if action.startswith("links[") else f"energy.{action}"
