"""A chip of processors in real time, as plain data: cores with TCM and DMA, a packet router.

Where `chipsim.chip.Chip` has synchronous crossbars and phases, a `ProcessorChip` has programs that
run in ticks: SpiNNaker and SpiNNaker 2.  Values are in SI units; ``constants`` and ``choices``
keep their provenance by key path, as in `Chip`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chipsim.chip import BOARD_ROWS, BOARD_SIDE, TRIAD, Choice, Constant, Dead

Rounding = Literal["truncate", "nearest", "stochastic"]
Priority = Literal["timer", "rows"]
Shape = Literal["chip", "board4", "board48", "torus", "mesh"]

BOARDS_PER_TRIAD = 3


@dataclass(frozen=True)
class Processor:
    """One core: its program and data memory, and its arithmetic.

    ``kind`` tells the memory apart: ``tcm`` has separate instruction (``itcm_bytes``) and data
    memory (``dtcm_bytes``); in ``sram`` program and data share ``dtcm_bytes`` and ``itcm_bytes`` is
    0.  States are fixed point with ``state_bits`` of which ``fraction_bits`` are behind the point
    (S16.15: 32 and 15); weights have ``weight_bits`` and a shift per synapse type.

    Ring buffers have ``delay_slots`` entries of ``ring_bits`` a neuron and synapse type,
    ``ring_entries`` at most; ``ring_index`` says whether neuron, type and slot each take whole bits
    of the index or the entries are packed.  Queues hold that many packets, DMA requests.
    ``max_neurons`` and ``max_sources`` are the toolchain's limits of neurons and of input neurons a
    core, ``row_words`` of 32-bit words a row of synapses (header apart).  ``eprop_synapses`` is the
    length of the e-prop program's fixed array of synapses a neuron, whose index takes the place of
    the delay in a synaptic word; 0 if the array is as long as the fan-in and has an index apart.
    A delay beyond the slots takes a delay extension: a core beside that of the sender, which sends
    its packets again 1 to ``delay_stages`` times ``delay_slots`` ticks later.  ``delay_cores`` says
    whether each slice of a ``population`` with such a delay has one or only the ``slice`` itself.
    ``weights_per_tick`` packets at most leave the readout's core in a tick of the pause after an
    update (`chipsim.simulate.tick.transport`).  ``priority`` says what a free core does first: a
    timer task that is due, or packets and rows.  ``send_spread`` is the part of a tick over which
    cores spread their sending: each holds its packets back by another share of it, at 0 none does.
    """

    kind: Literal["tcm", "sram"]
    clock_hz: float
    itcm_bytes: int
    dtcm_bytes: int
    max_neurons: int
    max_sources: int
    state_bits: int
    fraction_bits: int
    weight_bits: int
    rounding: Rounding
    ring_bits: int
    ring_entries: int
    ring_index: Literal["power_of_two", "packed"]
    delay_slots: int
    delay_stages: int
    delay_cores: Literal["population", "slice"]
    spike_queue: int
    dma_queue: int
    row_words: int
    eprop_synapses: int
    weights_per_tick: int
    priority: Priority
    send_spread: float

    @property
    def longest_delay(self) -> int:
        """Ticks of the longest delay: ring buffers after the last delay stage."""
        return self.delay_slots * (self.delay_stages + 1)

    def ticks_remembered(self, stages: int) -> int:
        """Return the ticks a delay extension with ``stages`` remembers, the present one included.

        A power of two, so that a tick's place is its low bits (sPyNNaker ``delay_extension.c``).
        """
        return 1 << (stages * self.delay_slots).bit_length()


@dataclass(frozen=True)
class Router:
    """The packet router of a chip.

    A packet has ``packet_bits``, with a payload ``payload_packet_bits``.  All times are in cycles
    of ``clock_hz``: ``hop_cycles`` from one chip's router to the next one's, ``link_interval``
    between packets on a link (``payload_interval`` where they carry a payload), ``core_cycles``
    between packets to one core, ``wait1`` and ``wait2`` as in `chipsim.mesh.spinnaker_layout`.
    ``entries`` of key and mask are usable.  With ``reinjection`` by the ``monitor`` core it sends
    dropped packets again: ``reinject_queue``, ``reinject_cycles`` and ``reinject_interval`` as in
    `chipsim.mesh.spinnaker_layout.Reinjection`.
    """

    clock_hz: float
    entries: int
    packet_bits: int
    payload_packet_bits: int
    hop_cycles: int
    link_interval: int
    payload_interval: int
    core_cycles: int
    buffer_packets: int
    credit_cycles: int
    wait1: int
    wait2: int
    reinjection: Literal["none", "monitor"]
    reinject_queue: int
    reinject_cycles: int
    reinject_interval: int


@dataclass(frozen=True)
class Machine:
    """Chips and how they are joined.

    ``shape`` is one ``chip``, a ``board4`` (2 x 2, wrapped), a hexagonal ``board48``, a ``torus``
    of ``width x height`` triads of three 48-chip boards, or a ``mesh`` of ``width x height``
    routers on one chip, without diagonals (SpiNNaker 2).  ``cores`` are at each router, of which
    ``app_cores`` run the network: all but the first, the monitor, and the last ones, unless all do.

    Routers are numbered row by row of ``columns x rows`` places, core ``c`` is number ``c % cores``
    at router ``c // cores``.
    """

    shape: Shape
    width: int
    height: int
    cores: int
    app_cores: int
    dead: Dead = field(default_factory=Dead)

    @property
    def columns(self) -> int:
        """Places of routers in x."""
        return {"chip": 1, "board4": 2, "board48": BOARD_SIDE, "torus": TRIAD * self.width}.get(
            self.shape, self.width
        )

    @property
    def rows(self) -> int:
        """Places of routers in y."""
        return {"chip": 1, "board4": 2, "board48": BOARD_SIDE, "torus": TRIAD * self.height}.get(
            self.shape, self.height
        )

    @property
    def absent(self) -> frozenset[int]:
        """Places at which there is no router: the corners around a hexagonal board."""
        if self.shape != "board48":
            return frozenset()
        return frozenset(
            y * BOARD_SIDE + x
            for y, (first, last) in enumerate(BOARD_ROWS)
            for x in range(BOARD_SIDE)
            if not first <= x <= last
        )

    @property
    def working_routers(self) -> tuple[int, ...]:
        """The routers that are there and not dead, ascending."""
        gone = self.absent | set(self.dead.routers)
        return tuple(r for r in range(self.columns * self.rows) if r not in gone)

    @property
    def boards(self) -> int:
        """Number of boards; 0 where chips stand for themselves."""
        count = {"board4": 1, "board48": 1, "torus": BOARDS_PER_TRIAD * self.width * self.height}
        return count.get(self.shape, 0)

    @property
    def chips(self) -> int:
        """Number of chips, of which a ``mesh`` is one."""
        return 1 if self.shape == "mesh" else len(self.working_routers)

    def working_cores(self, router: int) -> tuple[int, ...]:
        """Return the application cores at ``router`` that are not dead, by core number."""
        dead = set(self.dead.cores)
        first = router * self.cores + min(1, self.cores - self.app_cores)
        return tuple(c for c in range(first, first + self.app_cores) if c not in dead)


@dataclass(frozen=True)
class Sdram:
    """The memory that cores share, and its bandwidth in bytes a second, shared too.

    ``shared_by`` says by whom: the cores at one ``router`` (a SpiNNaker chip) or all of the
    ``machine`` (a SpiNNaker 2 chip).  ``latency_cycles`` are core cycles from a DMA request to
    its first byte.
    """

    size_bytes: int
    bytes_per_s: float
    latency_cycles: int
    shared_by: Literal["router", "machine"] = "router"


@dataclass(frozen=True)
class ProcessorChip:
    """Processors, their chips and boards, what work costs and what memory things take.

    ``cycles`` maps an action to core cycles (``"neuron_lif"``, ``"synapse"``), ``sizes`` a thing to
    bytes (``"eprop_synapse"``, ``"row_header"``), ``prices`` an energy key to joules or watts; all
    are views into ``constants`` (key paths ``cycles.*``, ``sizes.*``, ``energy.*``).  A price that
    the chip file leaves out or calls ``unknown`` is not in ``prices``: the report says so.
    """

    name: str
    tick_s: float
    machine: Machine
    core: Processor
    sdram: Sdram
    router: Router
    cycles: Mapping[str, int]
    sizes: Mapping[str, int]
    prices: Mapping[str, Constant]
    constants: Mapping[str, Constant]
    choices: Mapping[str, Choice] = field(default_factory=dict)

    @property
    def tick_cycles(self) -> int:
        """Core cycles of one tick."""
        return round(self.tick_s * self.core.clock_hz)

    @property
    def unknown_prices(self) -> tuple[str, ...]:
        """The prices that the toolchain's energy formula needs and nobody has given."""
        boards = {"board4": "board4_idle", "board48": "board48_idle", "torus": "board48_idle"}
        idle = boards.get(self.machine.shape, "idle_chip")
        needed = (idle, "core_active", "packet", "payload_packet")
        return tuple(key for key in needed if key not in self.prices)

    @property
    def cautions(self) -> tuple[str, ...]:
        """Say what nobody knows of this chip, empty where nothing is missing."""
        unknown = self.unknown_prices
        if not unknown:
            return ()
        return (
            f"energy is unknown: {', '.join(unknown)} not published; supply what you measured or "
            f"assume, such as --set energy.core_active=8mW",
        )

    def sdram_of(self, core: int) -> int:
        """Return which shared memory serves ``core``: its router's number, or 0 for the one."""
        return core // self.machine.cores if self.sdram.shared_by == "router" else 0
