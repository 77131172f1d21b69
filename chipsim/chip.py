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


@dataclass(frozen=True)
class Mesh:
    """The routing mesh: ``width x height`` routers, one core each.

    A packet of one flit takes ``hop_cycles`` from one router's input to the next one's,
    ``buffer_flits`` wait in each input buffer, a freed slot is known upstream ``credit_cycles``
    later.  ``io`` is the router at which input enters the chip.  A packet carries ``payload_bits``;
    ``table_entry_bytes`` is what a multicast tree costs in each router it passes.
    """

    topology: Literal["mesh"]
    width: int
    height: int
    routing: Literal["xy"]
    multicast: Literal["tree", "unicast"]
    hop_cycles: int
    buffer_flits: int
    credit_cycles: int
    payload_bits: int
    table_entry_bytes: int
    io: tuple[int, int]

    @property
    def routers(self) -> int:
        """Number of routers; router ``r`` is at ``(r % width, r // width)``."""
        return self.width * self.height


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

    ``prices`` maps an action to its energy in joules (a view into ``constants``: the keys under
    ``energy``); ``static_power`` is in watts.  ``choices`` keeps the provenance of the words
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
        return self.mesh.routers
