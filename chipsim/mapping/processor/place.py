"""Placing slices on cores: chip after chip in some order, each filled before the next.

A chip is full when its application cores are, or when its SDRAM cannot hold the next slice's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from chipsim.chip import TRIAD
from chipsim.errors import DoesNotFitError
from chipsim.mapping.place.hilbert import curve
from chipsim.mapping.processor.machine import machine_topology
from chipsim.processor_chip import BOARDS_PER_TRIAD, Machine, ProcessorChip

BOARD_CHIPS = TRIAD**2 // BOARDS_PER_TRIAD

Order = Callable[[Machine], Iterable[int]]
"""Returns the routers of a machine in the order in which they are filled."""


def sequential(machine: Machine) -> Iterable[int]:
    """Return the routers row by row."""
    return range(machine.columns * machine.rows)


def hilbert(machine: Machine) -> Iterable[int]:
    """Return the routers along a Hilbert curve, so that neighbours in order are close."""
    return curve(machine.columns, machine.rows)


def radial(machine: Machine) -> Iterable[int]:
    """Return the routers by their distance in hops from the first, as sPyNNaker's placer does."""
    topology = machine_topology(machine)
    order = list(machine.working_routers[:1])
    seen = set(order)
    for router in order:
        for lead in topology.leads[router, : topology.links].tolist():
            if lead >= 0 and lead >> 3 not in seen:
                seen.add(lead >> 3)
                order.append(lead >> 3)
    return order


ORDERS: Mapping[str, Order] = {
    "sequential": sequential,
    "hilbert": hilbert,
    "radial": radial,
}


def place(
    chip: ProcessorChip,
    sdram_bytes: Sequence[int],
    order: Order,
    tied: AbstractSet[int] = frozenset(),
) -> tuple[int, ...]:
    """Return the core of each slice, whose rows take ``sdram_bytes`` of SDRAM.

    Slices in ``tied`` go on the chip of the slice before them, unless the machine is too small to
    leave cores free for that.  DoesNotFitError if cores or SDRAM run out; it says how many chips it
    would take.
    """
    placement = _fill(chip, sdram_bytes, order, tied)
    if tied and len(placement) < len(sdram_bytes):
        placement = _fill(chip, sdram_bytes, order, frozenset())
    if len(placement) < len(sdram_bytes):
        raise DoesNotFitError(_too_small(chip, sdram_bytes, len(placement)))
    return tuple(placement)


def _fill(
    chip: ProcessorChip, sdram_bytes: Sequence[int], order: Order, tied: AbstractSet[int]
) -> list[int]:
    """Return the cores of the first slices, as many as there is room for."""
    machine = chip.machine
    there = set(machine.working_routers)
    used: dict[int, int] = {}
    placement: list[int] = []
    for router in order(machine):
        cores = machine.working_cores(router) if router in there else ()
        for number, core in enumerate(cores):
            at = len(placement)
            if at == len(sdram_bytes) or (at + 1 in tied and number + 1 == len(cores) > 1):
                break
            memory = chip.sdram_of(core)
            need = used.get(memory, 0) + sdram_bytes[at]
            if need > chip.sdram.size_bytes:
                break
            used[memory] = need
            placement.append(core)
    return placement


def chips_needed(chip: ProcessorChip, sdram_bytes: Sequence[int]) -> int:
    """Return how many routers' cores and SDRAM slices fill, as `place` does, none of them dead."""
    routers, cores, used = 0, chip.machine.app_cores, 0
    for size in sdram_bytes:
        if cores == chip.machine.app_cores or used + size > chip.sdram.size_bytes:
            routers, cores, used = routers + 1, 0, 0
        cores, used = cores + 1, used + size
    return routers


def _too_small(chip: ProcessorChip, sdram_bytes: Sequence[int], placed: int) -> str:
    machine = chip.machine
    cores = sum(len(machine.working_cores(router)) for router in machine.working_routers)
    total, size = sum(sdram_bytes), chip.sdram.size_bytes
    if chip.sdram.shared_by == "machine" and total > size:
        return f"sdram {total} B exceeded max {size} B by {total - size} B"
    over = len(sdram_bytes) - cores
    if over > 0:
        problem = f"cores {len(sdram_bytes)} exceeded max {cores} ({machine.shape}) by {over}"
    else:
        problem = (
            f"sdram: {total} B in {len(sdram_bytes)} slices exceeded the {size} B of each chip: "
            f"only {placed} slices fit the {len(machine.working_routers)} chips ({machine.shape})"
        )
    return problem + _larger(chip, sdram_bytes)


def _larger(chip: ProcessorChip, sdram_bytes: Sequence[int]) -> str:
    """Say which machine would do."""
    if chip.machine.shape == "mesh":
        return "; one chip is all there is"
    needed = chips_needed(chip, sdram_bytes)
    if needed <= BOARD_CHIPS and chip.machine.shape != "board48":
        return f"; {needed} chips are needed: --set machine.shape=board48"
    triads = -(-needed // TRIAD**2)
    return (
        f"; {needed} chips are needed: --set machine.shape=torus --set machine.width={triads} "
        f"({triads * BOARDS_PER_TRIAD} boards)"
    )
