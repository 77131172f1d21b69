"""What a mapping onto processors is made of: slices, their timing, places, keys and memory."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Final, Literal

from chipsim.mapping.model import MemoryUse
from chipsim.network import PlasticityMode

Program = Literal["source", "neurons", "delay extension"]
"""``source`` cores replay an input population's spikes, ``neurons`` cores run a model; a ``delay
extension`` sends the packets of another core once more, later."""

DELAY: Final = "delay extension"

KeyKind = Literal["spike", "signal", "delayed", "weight"]


@dataclass(frozen=True)
class CoreSlice:
    """The neurons ``first .. first+count-1`` of one population on one core.

    It holds the rows of all synapses onto them, or as a delay extension sends for them what the
    slice before it in the list sends.  ``index`` is its place in the mapping's list.
    """

    index: int
    population: str
    program: Program
    first: int
    count: int

    @property
    def layer(self) -> str:
        """What its work counts for: its population, or that one's delays."""
        return f"{self.population} delays" if self.program == DELAY else self.population

    @property
    def name(self) -> str:
        """The slice in words."""
        return f"{self.layer}[{self.first}:{self.first + self.count}]"


@dataclass(frozen=True)
class KeySpace:
    """The multicast keys of one slice: neuron ``first + i`` sends ``key | i``; ``mask`` cuts i off.

    A population that broadcasts a learning signal has a second key space, ``kind`` ``"signal"``,
    whose i is the readout neuron.  Where feedback follows the readout's weights it has one for each
    slice of the layer, too, ``kind`` ``"weight"``, whose i is the packet.  A delay extension has
    one for each delay ``stage`` (from 1, else 0), ``kind`` ``"delayed"``.  ``targets`` are slices,
    ascending; a key space without any is not listed.
    """

    slice: int
    kind: KeyKind
    key: int
    mask: int
    targets: tuple[int, ...]
    stage: int = 0

    @property
    def has_payload(self) -> bool:
        """Whether its packets carry a number: a learning signal, or weights."""
        return self.kind in ("signal", "weight")


@dataclass(frozen=True)
class ProcessorMapping:
    """A network on processors.

    ``placement[slice.index]`` is a core number: chip (router) number times the cores of a chip
    plus the core on it.  ``offsets`` tells for each population in which tick its step t is
    computed: ``t + offset``, so a synapse with a delay of d steps takes
    ``D = d + offset(target) - offset(source)`` ticks, at least 1: the packet of stage
    ``(D - 1) // delay_slots`` brings it, and the ring buffer the rest.  ``keys`` name the senders;
    the routing tables follow from them (`chipsim.mapping.processor.tables`).  ``memory[index]``
    lists what sits in each memory of that core, in bytes.  ``signal_delay`` is how many steps late
    a learning signal meets the eligibility traces, 0 without one (`chipsim.plasticity.Eprop`).
    """

    network: str
    chip: str
    plasticity: PlasticityMode
    slices: tuple[CoreSlice, ...]
    placement: tuple[int, ...]
    offsets: MappingType[str, int]
    keys: tuple[KeySpace, ...]
    memory: tuple[tuple[MemoryUse, ...], ...]
    placer: str
    reasons: tuple[str, ...]
    signal_delay: int = 0

    @property
    def depth(self) -> int:
        """Ticks by which the last population lags behind the input."""
        return max(self.offsets.values(), default=0)
