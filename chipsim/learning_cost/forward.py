"""The forward pass that backpropagation learns by: the same slices, without local plasticity."""

from __future__ import annotations

from dataclasses import replace

from chipsim.chip import Chip
from chipsim.mapping.buffers import scheduled_shapes
from chipsim.mapping.checks import check_mapping
from chipsim.mapping.flows import make_flows
from chipsim.mapping.memory import memory_use
from chipsim.mapping.model import Mapping
from chipsim.mapping.route.routers import ROUTERS
from chipsim.mapping.schedule import make_schedule
from chipsim.network import Network


def without_traces(mapping: Mapping, network: Network, chip: Chip) -> Mapping:
    """Return ``mapping`` for a network that does not learn locally: the same slices and places.

    Traces leave the synapse memory, where gradients find room; post factors are not sent.
    """
    slices = tuple(replace(piece, plastic=False) for piece in mapping.slices)
    flows = make_flows(network, chip, slices, "off")
    routes = ROUTERS[chip.mesh.routing](flows, mapping.placement, chip.mesh)
    schedule = make_schedule(network, chip, slices, "off")
    shapes = scheduled_shapes(network, slices, "off", schedule)
    stripped = replace(
        mapping,
        plasticity="off",
        slices=slices,
        flows=flows,
        routes=routes,
        schedule=schedule,
        memory=memory_use(chip, shapes, mapping.placement, routes),
    )
    check_mapping(stripped, network, chip)
    return stripped
