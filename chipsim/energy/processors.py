"""What a run on processors cost: the toolchain's published formula, and a split by action.

The formula is that of SpiNNFrontEndCommon, ``compute_energy_used.py`` (facts, section 1.4)::

    E = t (boards x idle + frames x (idle + active)) + core_active x (active core seconds)
        + packets through routers x (their price)

A chip that is not on a board counts with its own idle power.  Boards make up frames of 24.  The
split spends the same joules on what the cores' active cycles went to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from chipsim.chip import Constant
from chipsim.energy.amount import Amount, of
from chipsim.processor_chip import ProcessorChip

BOARDS_A_FRAME = 24

IDLE = "static"
MESH = "mesh"
PACKET, PAYLOAD = "packet", "payload_packet"
UNPRICED = "sdram_byte"
"""Counted and named, but part of the idle power where it has no price of its own."""


@dataclass(frozen=True)
class Work:
    """What a run did.

    ``seconds`` of real time; ``cycles`` of cores by action (``"row"``: of all cores); ``packets``
    and ``payload_packets`` through routers, one for each router passed; ``dma_bytes``;
    ``cycles_by_population`` the same cycles by where they were spent.
    """

    seconds: float
    cycles: Mapping[str, int]
    cycles_by_population: Mapping[str, int]
    packets: int
    payload_packets: int
    dma_bytes: int


@dataclass(frozen=True)
class Line:
    """One action of the bill: ``count`` times ``price`` (joules; static: seconds times watts)."""

    action: str
    count: float
    price: Amount
    mark: str
    source: str
    path: str

    @property
    def energy(self) -> Amount:
        """Joules."""
        return self.price.times(self.count)


@dataclass(frozen=True)
class ProcessorBill:
    """The energy of a run in joules, or what is not known of it.

    ``total`` is None while ``unknown`` key paths (``energy.*``) have no price; ``lines`` are those
    that have one, ``by_layer`` the energy by population, ``mesh`` and ``static``.
    """

    total: Amount | None
    lines: tuple[Line, ...]
    by_layer: Mapping[str, Amount]
    unknown: tuple[str, ...]

    def share_of_assumed(self) -> float:
        """Return the share of the energy whose price is assumed."""
        if self.total is None or not self.total.value:
            return 0.0
        assumed = sum(line.energy.value for line in self.lines if line.mark == "assumed")
        return assumed / self.total.value


def idle_prices(chip: ProcessorChip) -> tuple[tuple[str, int], ...]:
    """Return what of ``chip`` draws idle power: price keys and how many of each."""
    machine = chip.machine
    if machine.shape == "board4":
        return (("board4_idle", 1),)
    boards = machine.boards
    if not boards:
        return (("idle_chip", machine.chips),)
    frames = boards // BOARDS_A_FRAME
    whole = (("frame_idle", frames), ("frame_active", frames)) if frames else ()
    return (("board48_idle", boards), *whole)


def bill(chip: ProcessorChip, work: Work) -> ProcessorBill:
    """Price ``work`` done on ``chip``."""
    cycle = 1.0 / chip.core.clock_hz
    wanted: list[tuple[str, str, float, float]] = [
        (IDLE if number == 0 else key, key, work.seconds * count, 1.0)
        for number, (key, count) in enumerate(idle_prices(chip))
    ]
    wanted += [
        (f"{action}_cycle", "core_active", float(count), cycle)
        for action, count in work.cycles.items()
    ]
    wanted += [(PACKET, PACKET, float(work.packets), 1.0)]
    wanted += [(PAYLOAD, PAYLOAD, float(work.payload_packets), 1.0)]
    unknown = tuple(
        f"energy.{key}" for _, key, count, _ in wanted if count and key not in chip.prices
    )
    if work.dma_bytes and UNPRICED in chip.prices:
        wanted.append((UNPRICED, UNPRICED, float(work.dma_bytes), 1.0))
    lines = tuple(
        _line(action, chip.prices[key], key, count, factor)
        for action, key, count, factor in wanted
        if count and key in chip.prices
    )
    total = None if unknown else reduce(Amount.__add__, (line.energy for line in lines), Amount())
    layers = _by_layer(chip, work, lines)
    return ProcessorBill(total, lines, layers, tuple(dict.fromkeys(unknown)))


def _line(action: str, constant: Constant, key: str, count: float, factor: float) -> Line:
    mark, source = constant.mark, constant.source
    if factor != 1.0:
        mark, source = "derived", f"energy.{key} / core.clock; {constant.mark}: {source}"
        mark = "assumed" if constant.mark == "assumed" else mark
    return Line(action, count, of(constant).times(factor), mark, source, f"energy.{key}")


def _by_layer(chip: ProcessorChip, work: Work, lines: Sequence[Line]) -> Mapping[str, Amount]:
    layers: dict[str, Amount] = {}
    if "core_active" in chip.prices:
        cycle = of(chip.prices["core_active"]).times(1.0 / chip.core.clock_hz)
        layers = {name: cycle.times(n) for name, n in work.cycles_by_population.items()}
    for line in lines:
        if line.path == "energy.core_active":
            continue
        place = {PACKET: MESH, PAYLOAD: MESH, UNPRICED: "sdram"}.get(line.action, IDLE)
        layers[place] = layers.get(place, Amount()) + line.energy
    return layers
