"""Everything a mapping onto processors must hold, checked again from the network and the chip.

A mapping just made and one read from a file go through the same checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.model import MemoryUse
from chipsim.mapping.processor.demand import Demand
from chipsim.mapping.processor.keys import make_keys
from chipsim.mapping.processor.memory import core_memory, core_uses
from chipsim.mapping.processor.model import CoreSlice, ProcessorMapping
from chipsim.mapping.processor.offsets import check_delays, make_offsets, signal_delay
from chipsim.mapping.processor.partition import ONE_CORE, pieces_of, splits_readout
from chipsim.network import LIF, Input, Network, PlasticityMode
from chipsim.processor_chip import ProcessorChip


def check_network(network: Network, mode: PlasticityMode) -> None:
    """Raise InputError for what no program of these processors computes."""
    for population in network.populations:
        if isinstance(population.model, Input) and population.model.kind == "graded":
            raise InputError(
                f"population {population.name}: a graded input; processors are sent spikes, so "
                "give the network an input of kind spikes (a rate code of the values, say)"
            )
        if not isinstance(population.model, (Input, LIF)):
            raise InputError(
                f"population {population.name}: graded neurons have no program here; processors "
                "are sent spikes, of LIF neurons"
            )
    for projection in network.projections:
        if projection.plasticity is not None and mode == "running":
            raise InputError(
                f"projection {projection.name}: hybrid plasticity needs an outer product a step "
                "and has no program here; use plasticity frozen or off"
            )
        if projection.membrane is not None:
            raise InputError(
                f"projection {projection.name}: membrane has no program here; processors are sent "
                "spikes, so remove the key, or choose a crossbar chip, whose packets carry numbers"
            )
        if projection.attenuation_tau is not None:
            raise InputError(
                f"projection {projection.name}: attenuation_tau has no program here; only "
                "crossbar chips attenuate inputs over a sample"
            )


def check_mapping(
    mapping: ProcessorMapping,
    network: Network,
    chip: ProcessorChip,
    demands: Mapping[str, Demand],
) -> None:
    """Check a mapping whole; ``demands`` are those of the network in the mapping's mode.

    Raises InputError, its message starting with the key that is wrong, if the mapping does not
    describe this network on this chip, and DoesNotFitError if it exceeds a budget.
    """
    check_network(network, mapping.plasticity)
    _check_cover(mapping.slices, demands, chip)
    _check_budgets(mapping.slices, demands, chip)
    _check_placement(mapping, chip)
    offsets = make_offsets(network)
    check_delays(network, chip, offsets, mapping.plasticity)
    due = signal_delay(network, offsets, mapping.plasticity)
    for key, given, wanted in (
        ("offsets", dict(mapping.offsets), offsets),
        ("signal_delay", mapping.signal_delay, due),
        ("keys", mapping.keys, make_keys(network, demands, mapping.slices)),
        ("memory", mapping.memory, memory_of(chip, demands, mapping.slices)),
    ):
        if given != wanted:
            raise InputError(
                f"{key}: not what these slices of {network.name} have on {chip.name}; map the "
                "network again, or check that chip and network are those it was made for"
            )
    check_sdram(mapping, chip)


def memory_of(
    chip: ProcessorChip, demands: Mapping[str, Demand], slices: Sequence[CoreSlice]
) -> tuple[tuple[MemoryUse, ...], ...]:
    """Return what each slice takes in each memory of its core."""
    return tuple(core_memory(chip, demands[piece.population], piece) for piece in slices)


def sdram_by_memory(mapping: ProcessorMapping, chip: ProcessorChip) -> dict[int, int]:
    """Return the bytes of rows in each shared memory in use, by `ProcessorChip.sdram_of`."""
    used: dict[int, int] = {}
    for core, uses in zip(mapping.placement, mapping.memory, strict=True):
        number = chip.sdram_of(core)
        used[number] = used.get(number, 0) + uses[-1].used
    return used


def check_sdram(mapping: ProcessorMapping, chip: ProcessorChip) -> None:
    """Raise DoesNotFitError if the cores of a chip keep more rows than its SDRAM holds."""
    size = chip.sdram.size_bytes
    for number, used in sdram_by_memory(mapping, chip).items():
        if used > size:
            x, y = number % chip.machine.columns, number // chip.machine.columns
            raise DoesNotFitError(
                f"chip {x},{y}: sdram {used} B exceeded max {size} B by {used - size} B"
            )


def _check_cover(
    slices: Sequence[CoreSlice], demands: Mapping[str, Demand], chip: ProcessorChip
) -> None:
    """Each population is cut into runs of one length, but for the last, in order."""
    at = 0
    for name, demand in demands.items():
        if at == len(slices):
            raise InputError(f"slices: {name}[0:{demand.size}] is on no core")
        run = slices[at].count
        for due in pieces_of(chip, demand, run, at):
            if at == len(slices):
                raise InputError(f"slices: {name}[{due.first}:{demand.size}] is on no core")
            _check_slice(slices[at], due, run)
            at += 1
    if at != len(slices):
        raise InputError(f"slices: {len(slices)} given, but the network's neurons are on {at}")


def _check_slice(piece: CoreSlice, due: CoreSlice, run: int) -> None:
    given = (piece.index, piece.population, piece.program, piece.first)
    wanted = (due.index, due.population, due.program, due.first)
    if given != wanted:
        raise InputError(f"slices[{due.index}]: {given} given, {wanted} is due")
    if piece.count != due.count:
        raise InputError(
            f"slices[{due.index}].neurons: {piece.count} given; all slices of {due.population} but "
            f"the last have {run}"
        )


def _check_budgets(
    slices: Sequence[CoreSlice], demands: Mapping[str, Demand], chip: ProcessorChip
) -> None:
    for piece in slices:
        if splits_readout(demands[piece.population], piece.count):
            raise InputError(f"slices[{piece.index}]: {ONE_CORE}")
        for use in core_uses(chip, demands[piece.population], piece):
            if use.exceeded:
                raise DoesNotFitError(f"slice {piece.index} of {piece.population}: {use}")


def _check_placement(mapping: ProcessorMapping, chip: ProcessorChip) -> None:
    if len(mapping.placement) != len(mapping.slices):
        raise InputError(f"placement: {len(mapping.placement)} cores, {len(mapping.slices)} slices")
    machine = chip.machine
    there = set(machine.working_routers)
    taken: dict[int, int] = {}
    for index, core in enumerate(mapping.placement):
        key, router = f"slices[{index}].core", core // machine.cores
        if router not in there or core not in machine.working_cores(router):
            raise InputError(
                f"{key}: core {core % machine.cores} of chip {router % machine.columns},"
                f"{router // machine.columns} is not there, dead or not for applications"
            )
        if core in taken:
            raise InputError(f"{key}: the core is already taken by slice {taken[core]}")
        taken[core] = index
