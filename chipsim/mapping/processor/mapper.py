"""Mapping onto processors: slices by memory, ticks, keys, places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.processor.checks import check_mapping, check_network, memory_of
from chipsim.mapping.processor.demand import make_demands
from chipsim.mapping.processor.keys import make_keys
from chipsim.mapping.processor.model import DELAY, ProcessorMapping
from chipsim.mapping.processor.offsets import check_delays, make_offsets, signal_delay
from chipsim.mapping.processor.partition import cut
from chipsim.mapping.processor.place import ORDERS, place
from chipsim.network import Network, PlasticityMode
from chipsim.processor_chip import ProcessorChip


def map_on_processors(
    network: Network,
    chip: ProcessorChip,
    mode: PlasticityMode = "running",
    placer: str = "sequential",
) -> ProcessorMapping:
    """Map ``network`` onto the processors of ``chip``.

    ``placer`` is one of `place.ORDERS`.  Learning counts where the network has a rule and ``mode``
    is ``running``.  Routing tables follow from the mapping and have budgets of their own
    (`tables.key_routes`).

    Raises
    ------
    InputError
        If the placer is unknown or no program computes the network.
    DoesNotFitError
        If it exceeds a budget: which one, by how much, and what would fit.
    """
    if placer not in ORDERS:
        raise InputError(f"placer: {placer!r} is unknown (allowed: {', '.join(sorted(ORDERS))})")
    check_network(network, mode)
    try:
        return _map(network, chip, mode, placer)
    except DoesNotFitError as error:
        raise DoesNotFitError(f"{network.name}: {error}") from None


def _map(
    network: Network, chip: ProcessorChip, mode: PlasticityMode, placer: str
) -> ProcessorMapping:
    offsets = make_offsets(network)
    check_delays(network, chip, offsets, mode)
    demands = make_demands(network, chip, mode)
    slices, reasons = cut(chip, demands)
    memory = memory_of(chip, demands, slices)
    sdram = [uses[-1].used for uses in memory]
    extensions = {piece.index for piece in slices if piece.program == DELAY}
    placement = place(chip, sdram, ORDERS[placer], extensions)
    mapping = ProcessorMapping(
        network=network.name,
        chip=chip.name,
        plasticity=mode,
        slices=slices,
        placement=placement,
        offsets=offsets,
        keys=make_keys(network, demands, slices),
        memory=memory,
        placer=placer,
        reasons=(*reasons, _filling(chip, placement, sdram)),
        signal_delay=signal_delay(network, offsets, mode),
    )
    check_mapping(mapping, network, chip, demands)
    return mapping


def _filling(chip: ProcessorChip, placement: Sequence[int], sdram: Sequence[int]) -> str:
    """Say how many chips are used and how full the fullest is."""
    cores = Counter(core // chip.machine.cores for core in placement)
    rows: Counter[int] = Counter()
    for core, size in zip(placement, sdram, strict=True):
        rows[chip.sdram_of(core)] += size
    what = "router" if chip.machine.shape == "mesh" else "chip"
    held = f"{len(cores)} {what}" if len(cores) == 1 else f"{len(cores)} {what}s"
    return (
        f"{len(placement)} cores at {held}: up to {max(cores.values())} of "
        f"{chip.machine.app_cores} cores and {max(rows.values())} B of {chip.sdram.size_bytes} B "
        "of SDRAM"
    )
