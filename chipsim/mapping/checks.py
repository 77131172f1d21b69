"""Everything a mapping must hold, checked again from the network and the chip alone.

A mapping just made and one read from a file go through the same checks.
"""

from __future__ import annotations

from collections.abc import Sequence

from chipsim.chip import Chip
from chipsim.cores.crossbar import Shape, phase_budget, task_cycles
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.buffers import population_offsets, scheduled_shapes
from chipsim.mapping.cover import check_cover
from chipsim.mapping.flows import make_flows
from chipsim.mapping.memory import check_core_count, check_routers, check_slices, memory_use
from chipsim.mapping.model import Flow, Mapping, Route
from chipsim.mapping.route.tree import follow
from chipsim.mapping.route.xy import source_router
from chipsim.mapping.schedule import precedence
from chipsim.mapping.shapes import shapes_of, slice_name
from chipsim.network import Network


def check_mapping(mapping: Mapping, network: Network, chip: Chip) -> None:
    """Check a mapping whole.

    Raises InputError, its message starting with the key that is wrong, if the mapping does not
    describe this network on this chip, and DoesNotFitError if it exceeds a budget.
    """
    check_core_count(chip, mapping.slices)
    check_cover(network, mapping.slices, mapping.plasticity)
    _check_placement(mapping, chip)
    _check_flows(mapping, network, chip)
    _check_routes(mapping, chip)
    _check_schedule(mapping, network, chip)
    shapes = scheduled_shapes(network, mapping.slices, mapping.plasticity, mapping.schedule)
    check_slices(chip, mapping.slices, shapes)
    check_routers(chip, mapping.routes)
    if mapping.memory != memory_use(chip, shapes, mapping.placement, mapping.routes):
        raise InputError(
            "memory: not what these slices take on this chip; map the network again, or check "
            "that the chip's widths are those the mapping was made for"
        )


def _check_placement(mapping: Mapping, chip: Chip) -> None:
    if len(mapping.placement) != len(mapping.slices):
        raise InputError(f"placement: {len(mapping.placement)} cores, {len(mapping.slices)} slices")
    taken: dict[int, int] = {}
    working = set(chip.mesh.working_cores)
    for index, core in enumerate(mapping.placement):
        key = f"slices[{index}].core"
        if not 0 <= core < chip.cores:
            raise InputError(
                f"{key}: {core} is not on the {chip.mesh.width}x{chip.mesh.height} mesh"
            )
        if core not in working:
            raise InputError(f"{key}: core {core} or its router is dead (mesh.dead)")
        if core in taken:
            raise InputError(f"{key}: the core is already taken by slice {taken[core]}")
        taken[core] = index


def _check_flows(mapping: Mapping, network: Network, chip: Chip) -> None:
    wanted = make_flows(network, chip, mapping.slices, mapping.plasticity)
    for i, (given, flow) in enumerate(zip(mapping.flows, wanted, strict=False)):
        if given != flow:
            raise InputError(f"flows[{i}]: {_words(given)}, but the slices need {_words(flow)}")
    if len(mapping.flows) != len(wanted):
        raise InputError(f"flows: {len(mapping.flows)} given, but the slices need {len(wanted)}")


def _words(flow: Flow) -> str:
    return (
        f"{flow.kind} from slice {flow.source}, {flow.population}[{flow.first}:"
        f"{flow.first + flow.count}] to slices {list(flow.targets)}, {flow.packets_per_neuron} "
        f"packets a neuron, {flow.neurons_per_packet} neurons a packet, {flow.bits} bits"
    )


def _check_routes(mapping: Mapping, chip: Chip) -> None:
    if len(mapping.routes) != len(mapping.flows):
        raise InputError(f"routes: {len(mapping.routes)} given for {len(mapping.flows)} flows")
    for i, (flow, route) in enumerate(zip(mapping.flows, mapping.routes, strict=True)):
        _check_route(f"flows[{i}].route", flow, route, mapping.placement, chip)


def _check_route(key: str, flow: Flow, route: Route, placement: Sequence[int], chip: Chip) -> None:
    if route.source != source_router(flow, placement, chip.mesh):
        raise InputError(f"{key}: starts at router {route.source}, not where its sender is")
    try:
        delivered = follow(route, chip.mesh)
    except InputError as error:
        raise InputError(f"{key}: {error}") from None
    cores = {placement[target]: target for target in flow.targets}
    for core, target in cores.items():
        if core not in delivered:
            raise InputError(f"{key}: never reaches slice {target} on core {core}")
    for core in delivered:
        if core not in cores:
            raise InputError(f"{key}: delivers to core {core}, which is no target")


def _check_schedule(mapping: Mapping, network: Network, chip: Chip) -> None:
    schedule = mapping.schedule
    if schedule.interval < 1:
        raise InputError(f"schedule.interval: {schedule.interval} should be at least 1")
    shapes = shapes_of(network, mapping.slices, mapping.plasticity)
    _check_tasks(mapping, shapes, chip)
    offsets = population_offsets(mapping.slices, schedule)
    for edge in precedence(network, chip, mapping.slices, shapes):
        earliest = offsets[edge.before] + edge.weight - schedule.interval * edge.lag
        if offsets[edge.after] < earliest:
            raise InputError(
                f"schedule.tasks: {' '.join(edge.after)} has offset {offsets[edge.after]} but can "
                f"start at {earliest} at the earliest, after {' '.join(edge.before)}"
            )
    _check_slots(mapping, chip)
    depth = offsets[network.readout, "soma"] + 1
    if schedule.depth != depth:
        raise InputError(f"schedule.depth: {schedule.depth} should be {depth} with these tasks")


def _check_tasks(mapping: Mapping, shapes: Sequence[Shape], chip: Chip) -> None:
    wanted = [
        (piece.index, kind, cycles)
        for piece, shape in zip(mapping.slices, shapes, strict=True)
        for kind, cycles in task_cycles(chip.core, shape).items()
    ]
    given = [(task.slice, task.kind, task.cycles) for task in mapping.schedule.tasks]
    for i, (task, want) in enumerate(zip(given, wanted, strict=False)):
        if task != want:
            raise InputError(
                f"schedule.tasks[{i}]: slice {task[0]} {task[1]} of {task[2]} cycles, but slice "
                f"{want[0]} {want[1]} of {want[2]} cycles is due there"
            )
    if len(given) != len(wanted):
        raise InputError(f"schedule.tasks: {len(given)} given, but the slices have {len(wanted)}")
    offsets = population_offsets(mapping.slices, mapping.schedule)
    for i, scheduled in enumerate(mapping.schedule.tasks):
        shared = offsets[mapping.slices[scheduled.slice].population, scheduled.kind]
        if scheduled.offset != shared or scheduled.offset < 0:
            raise InputError(
                f"schedule.tasks[{i}].offset: {scheduled.offset} should be one offset of 0 or "
                f"more for all slices of a population (another has {shared})"
            )


def _check_slots(mapping: Mapping, chip: Chip) -> None:
    """Raise DoesNotFitError if tasks of one core in the same phase take longer than the phase."""
    budget = phase_budget(chip.phase)
    busy: dict[tuple[int, int], int] = {}
    for task in mapping.schedule.tasks:
        slot = (task.slice, task.offset % mapping.schedule.interval)
        busy[slot] = busy.get(slot, 0) + task.cycles
        if budget is not None and busy[slot] > budget:
            raise DoesNotFitError(
                f"{slice_name(mapping.slices[task.slice])}: tasks of one phase {busy[slot]} cycles "
                f"exceeded max {budget} by {busy[slot] - budget} cycles"
            )
