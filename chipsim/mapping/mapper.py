"""From a network and a chip to a mapping: partition, flows, placement, routes, schedule."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from typing import TypeVar

from chipsim.chip import Chip
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.alternatives import what_would_fit
from chipsim.mapping.buffers import scheduled_shapes
from chipsim.mapping.checks import check_mapping
from chipsim.mapping.flows import make_flows
from chipsim.mapping.memory import check_core_count, memory_use
from chipsim.mapping.model import Mapping, Partition
from chipsim.mapping.partition.partitioners import PARTITIONERS, Partitioner
from chipsim.mapping.place.placers import PLACERS
from chipsim.mapping.route.routers import ROUTERS
from chipsim.mapping.schedule import make_schedule
from chipsim.network import Network, PlasticityMode

_Choice = TypeVar("_Choice")


def map_network(
    network: Network,
    chip: Chip,
    plasticity: PlasticityMode = "running",
    placer: str = "hilbert",
    partitioner: str = "balanced",
) -> Mapping:
    """Map a network onto a chip.

    ``plasticity``: ``running`` keeps a trace beside each plastic weight and schedules learning;
    ``frozen`` and ``off`` do not.  Raises DoesNotFitError naming each budget that is exceeded, by
    how much, and what would fit; InputError for an unknown algorithm or a network no order of
    tasks can compute.
    """
    partition = _fit(network, chip, plasticity, _choose("partitioner", PARTITIONERS, partitioner))
    slices = partition.slices
    flows = make_flows(network, chip, slices, plasticity)
    placement = _choose("placer", PLACERS, placer)(slices, flows, chip.mesh)
    routes = _choose("mesh.routing", ROUTERS, chip.mesh.routing)(flows, placement, chip.mesh)
    schedule = make_schedule(network, chip, slices, plasticity)
    shapes = scheduled_shapes(network, slices, plasticity, schedule)
    mapping = Mapping(
        network=network.name,
        chip=chip.name,
        plasticity=plasticity,
        slices=slices,
        placement=placement,
        flows=flows,
        routes=routes,
        schedule=schedule,
        memory=memory_use(chip, shapes, placement, routes),
        placer=placer,
        reasons=partition.reasons,
    )
    check_mapping(mapping, network, chip)
    return mapping


def _fit(
    network: Network, chip: Chip, plasticity: PlasticityMode, partition: Partitioner
) -> Partition:
    """Cut the network, or say what exceeds the chip and what would fit."""
    try:
        cut = partition(network, chip, plasticity)
        check_core_count(chip, cut.slices)
    except DoesNotFitError as error:
        advice = what_would_fit(network, chip, plasticity, partition)
        raise DoesNotFitError(f"{network.name}: {error}\n{advice}".rstrip()) from None
    return cut


def _choose(family: str, choices: MappingType[str, _Choice], name: str) -> _Choice:
    if name not in choices:
        raise InputError(f"{family}: {name!r} is unknown (allowed: {', '.join(sorted(choices))})")
    return choices[name]
