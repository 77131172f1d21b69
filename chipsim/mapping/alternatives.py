"""What would make a network fit, found by really cutting it again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chipsim.chip import Chip
from chipsim.errors import DoesNotFitError
from chipsim.mapping.model import Partition
from chipsim.mapping.partition.partitioners import Partitioner
from chipsim.network import Network, PlasticityMode

NARROWER_WEIGHTS = (8, 4)
"""Weight widths, in bits, that are tried when a network does not fit."""


def what_would_fit(
    network: Network, chip: Chip, plasticity: PlasticityMode, partition: Partitioner
) -> str:
    """Say in lines of words which changes of width, plasticity or core count would fit."""
    lines = []
    needed = _cores_needed(network, chip, plasticity, partition)
    if needed is not None:
        lines.append(f"would fit: a mesh of at least {needed} cores (this chip has {chip.cores})")
    for words, other_chip, mode in _changes(network, chip, plasticity):
        cores = _cores_needed(network, other_chip, mode, partition)
        if cores is None:
            lines.append(f"would not fit: {words}")
        elif cores > chip.cores:
            excess = cores - chip.cores
            lines.append(
                f"would not fit: {words} ({cores} cores exceed max {chip.cores} by {excess})"
            )
        else:
            lines.append(f"would fit: {words} ({cores} of {chip.cores} cores)")
    return "\n".join(lines)


def _changes(
    network: Network, chip: Chip, plasticity: PlasticityMode
) -> Iterator[tuple[str, Chip, PlasticityMode]]:
    still = _without_learning(network) if plasticity == "running" else None
    if still:
        yield f"plasticity {still}", chip, still
    for bits in NARROWER_WEIGHTS:
        if bits < chip.core.arithmetic.weight_bits:
            narrow = _with_weight_bits(chip, bits)
            yield f"core.weight_bits={bits}", narrow, plasticity
            if still:
                yield f"core.weight_bits={bits} and plasticity {still}", narrow, still


def _without_learning(network: Network) -> PlasticityMode | None:
    """Return the mode in which the network stops learning; None if it never learns."""
    rules = [p.plasticity for p in network.projections if p.plasticity is not None]
    if not rules:
        return None
    return "off" if any(rule.stored_trace is None for rule in rules) else "frozen"


def _with_weight_bits(chip: Chip, bits: int) -> Chip:
    arithmetic = replace(chip.core.arithmetic, weight_bits=bits)
    return replace(chip, core=replace(chip.core, arithmetic=arithmetic))


def _cores_needed(
    network: Network, chip: Chip, plasticity: PlasticityMode, partition: Partitioner
) -> int | None:
    """Cores a network takes, or None if no number of cores is enough."""
    try:
        cut: Partition = partition(network, chip, plasticity)
    except DoesNotFitError:
        return None
    return len(cut.slices)
