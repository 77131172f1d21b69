"""A chip of processors in real time, as plain data: cores with TCM and DMA, a packet router.

Where `chipsim.chip.Chip` has synchronous crossbars and phases, a `ProcessorChip` has programs that
run in ticks: SpiNNaker and SpiNNaker 2.  Values are in SI units; ``constants`` and ``choices``
keep their provenance by key path, as in `Chip`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chipsim.chip import Choice, Constant, Dead

Rounding = Literal["truncate", "nearest", "stochastic"]


@dataclass(frozen=True)
class Processor:
    """One core: its program and data memory, and its arithmetic.

    ``kind`` tells the memory apart: ``tcm`` has separate instruction (``itcm_bytes``) and data
    memory (``dtcm_bytes``); in ``sram`` both share ``dtcm_bytes`` and ``itcm_bytes`` is what the
    program takes of it.  States are fixed point with ``state_bits`` of which ``fraction_bits``
    are behind the point (S16.15: 32 and 15); weights have ``weight_bits`` and a shift per synapse
    type.  Ring buffers have ``delay_slots`` entries of ``ring_bits`` a neuron and synapse type,
    ``ring_entries`` at most.  Queues hold that many packets, DMA requests.  ``max_neurons`` is
    the toolchain's limit a core.
    """

    kind: Literal["tcm", "sram"]
    clock_hz: float
    itcm_bytes: int
    dtcm_bytes: int
    max_neurons: int
    state_bits: int
    fraction_bits: int
    weight_bits: int
    rounding: Rounding
    ring_bits: int
    ring_entries: int
    delay_slots: int
    spike_queue: int
    dma_queue: int


@dataclass(frozen=True)
class Router:
    """The packet router of a chip.

    A packet has ``packet_bits``, with a payload ``payload_packet_bits``.  All times are in cycles
    of ``clock_hz``: ``hop_cycles`` from one chip's router to the next one's, ``link_interval``
    between packets on a link, ``core_cycles`` between packets to one core, ``wait1`` and
    ``wait2`` as in `chipsim.mesh.spinnaker_layout`.  ``entries`` of key and mask are usable.
    """

    clock_hz: float
    entries: int
    packet_bits: int
    payload_packet_bits: int
    hop_cycles: int
    link_interval: int
    core_cycles: int
    buffer_packets: int
    credit_cycles: int
    wait1: int
    wait2: int


@dataclass(frozen=True)
class Machine:
    """Chips and how they are joined.

    ``shape`` is one ``chip``, a ``board4`` (2 x 2, wrapped), a hexagonal ``board48``, or a
    ``torus`` of ``width x height`` triads of three 48-chip boards.  ``cores`` of a chip are there,
    ``app_cores`` of them run the network.
    """

    shape: Literal["chip", "board4", "board48", "torus"]
    width: int
    height: int
    cores: int
    app_cores: int
    dead: Dead = field(default_factory=Dead)


@dataclass(frozen=True)
class Sdram:
    """The memory the cores of a chip share, and its bandwidth in bytes a second, shared too."""

    size_bytes: int
    bytes_per_s: float
    latency_cycles: int


@dataclass(frozen=True)
class ProcessorChip:
    """Processors, their chips and boards, what work costs and what memory things take.

    ``cycles`` maps an action to core cycles (``"neuron_lif"``, ``"synapse_static"``), ``sizes`` a
    thing to bytes (``"eprop_synapse"``, ``"row_header"``), ``prices`` an energy key to joules or
    watts; all are views into ``constants`` (key paths ``cycles.*``, ``sizes.*``, ``energy.*``).
    A missing price is not in ``prices``: the report says it is unknown.
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
