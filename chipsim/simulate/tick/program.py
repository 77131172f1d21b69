"""What runs where: cores in use, their programs, rows, and who is behind a packet's node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.kernels.processor.layout import LAYER, READOUT
from chipsim.mapping.processor.machine import machine_topology
from chipsim.mapping.processor.model import DELAY, CoreSlice, ProcessorMapping
from chipsim.mapping.processor.tables import key_routes
from chipsim.mesh.spinnaker_layout import Machine, make_machine, reinjection_of
from chipsim.mesh.spinnaker_tables import CORES, LINKS, KeyRoutes
from chipsim.network import LIF
from chipsim.processor_chip import ProcessorChip
from chipsim.quantise.processor.learning import learners_of
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.simulate.tick.blocks import make_rows
from chipsim.simulate.tick.delays import Held, make_held
from chipsim.simulate.tick.records import (
    EMPTY_ROW,
    HELD,
    REWARD,
    SIGNAL,
    WEIGHTS,
    Costs,
    Entries,
    Int64,
    Rows,
    Slots,
)
from chipsim.simulate.tick.transport import Transport, make_transport, weights_a_packet

GOLDEN = 0.6180339887498949
"""Its multiples modulo 1 lie evenly however many are taken."""


@dataclass(frozen=True, eq=False)
class Layout:
    """A mapped network, ready to run.

    Slot s is a core in use: ``slice_of[s]`` of the mapping on core ``core_of[s]``.  Shared memory m
    serves slots ``memories[m] .. memories[m+1]-1``.  ``held`` are its delay extensions, empty.
    ``payload (keys,)`` says whose packets carry one.  ``learner_slices`` are those that learn:
    learner (`LAYER` or `READOUT`), first
    global neuron, count; ``teacher_slices`` those with STDP: rule, first, count.  A sample has
    ``ticks``; ``transport`` is what is sent in the pause after an update.
    """

    machine: Machine
    routes: KeyRoutes
    payload: NDArray[np.bool_]
    costs: Costs
    slots: Slots
    entries: Entries
    rows: Rows
    held: Held
    memories: Int64
    slice_of: Int64
    core_of: Int64
    learner_slices: tuple[tuple[int, int, int], ...]
    teacher_slices: tuple[tuple[int, int, int], ...]
    ticks: int
    transport: Transport


def make_layout(chip: ProcessorChip, mapping: ProcessorMapping, fixed: ProcessorNetwork) -> Layout:
    """Lay ``fixed`` out as ``mapping`` says.

    Cores hold their packets back by up to ``core.send_spread`` of a tick, each by another part of
    it.  Raises what `key_routes` and `make_rows` raise.
    """
    order = sorted(
        range(len(mapping.slices)),
        key=lambda index: (chip.sdram_of(mapping.placement[index]), mapping.placement[index]),
    )
    core_of = np.array([mapping.placement[index] for index in order], np.int64)
    serving = np.array([chip.sdram_of(int(core)) for core in core_of])
    edges = np.flatnonzero(np.diff(serving, prepend=-1))
    _, routes = key_routes(mapping, chip)
    teachers = _teachers(mapping, fixed, order)
    rows, base = make_rows(chip, mapping, fixed, teachers)
    ticks = fixed.network.steps + mapping.depth
    slots, learner_slices = _slots(chip, mapping, fixed, order, teachers)
    return Layout(
        machine=machine_of(chip),
        routes=routes,
        payload=np.array([space.has_payload for space in mapping.keys], bool),
        costs=costs_of(chip, ticks),
        slots=slots,
        entries=_entries(chip, mapping, fixed, routes, base, order),
        rows=rows,
        held=make_held(chip, mapping, fixed, order),
        memories=np.append(edges, len(order)).astype(np.int64),
        slice_of=np.array(order, np.int64),
        core_of=core_of,
        learner_slices=learner_slices,
        teacher_slices=_teacher_slices(mapping, fixed, teachers),
        ticks=ticks,
        transport=make_transport(chip, mapping, fixed, order),
    )


def machine_of(chip: ProcessorChip) -> Machine:
    """Return the routers of ``chip`` as the mesh simulates them."""
    router = chip.router
    return make_machine(
        machine_topology(chip.machine),
        hop_cycles=router.hop_cycles,
        link_interval=router.link_interval,
        buffer_packets=router.buffer_packets,
        credit_cycles=router.credit_cycles,
        core_cycles=router.core_cycles,
        wait1=router.wait1,
        wait2=router.wait2,
        payload_interval=router.payload_interval,
        reinjection=reinjection_of(router),
    )


def costs_of(chip: ProcessorChip, ticks: int) -> Costs:
    """Return what work takes on ``chip``, for samples of ``ticks``."""
    clock = Fraction(chip.core.clock_hz)
    per_byte = (clock / Fraction(chip.sdram.bytes_per_s)).limit_denominator(1 << 20)
    routers = (Fraction(chip.router.clock_hz) / clock).limit_denominator(1 << 20)
    return Costs(
        tick=chip.tick_cycles,
        ticks=ticks,
        spike=chip.cycles["spike"],
        signal=chip.cycles["signal"],
        hold=chip.cycles["delay_spike"],
        latency=chip.sdram.latency_cycles,
        dma_scale=per_byte.numerator,
        dma_unit=per_byte.denominator,
        queue=chip.core.spike_queue,
        router_scale=routers.numerator,
        router_unit=routers.denominator,
        pair=chip.cycles["stdp_pair"],
        rows_first=int(chip.core.priority == "rows"),
        weight=chip.cycles["weight"],
        weight_send=chip.cycles["weight_send"],
        weights_a_packet=weights_a_packet(chip),
        weights_a_tick=chip.core.weights_per_tick,
    )


def _slots(
    chip: ProcessorChip,
    mapping: ProcessorMapping,
    fixed: ProcessorNetwork,
    order: list[int],
    teachers: Mapping[tuple[int, int], int],
) -> tuple[Slots, tuple[tuple[int, int, int], ...]]:
    names = [population.name for population in fixed.populations]
    learners = learners_of(fixed.network) if fixed.learning is not None else ()
    keys = {(space.slice, space.kind): n for n, space in enumerate(mapping.keys)}
    rows: list[tuple[int, ...]] = []
    learning: list[tuple[int, int, int]] = []
    extensions = 0
    for index in order:
        piece = mapping.slices[index]
        population = fixed.population(piece.population)
        first, number = population.first + piece.first, -1
        delays = piece.program == DELAY
        extensions += delays
        if not delays and piece.population in learners:
            number = len(learning)
            learning.append((learners.index(piece.population), first, piece.count))
        neuron, update = _cycles(chip, fixed, piece)
        rows.append(
            (
                names.index(piece.population),
                first,
                piece.count,
                mapping.offsets[piece.population],
                piece.program == "source",
                number,
                min((n for (_, at), n in teachers.items() if at == index), default=0),
                sum(at == index for _, at in teachers),
                extensions - 1 if delays else -1,
                piece.first if piece.population == fixed.network.readout and not delays else -1,
                keys.get((index, "spike"), -1),
                keys.get((index, "signal"), -1),
                chip.cycles["timer"],
                neuron,
                chip.cycles["send"],
                update,
                round((len(rows) * GOLDEN) % 1.0 * chip.core.send_spread * chip.tick_cycles),
            )
        )
    columns = np.array(rows, np.int64).reshape(-1, len(Slots._fields)).T
    return Slots(*(np.ascontiguousarray(column) for column in columns)), tuple(learning)


def _cycles(chip: ProcessorChip, fixed: ProcessorNetwork, piece: CoreSlice) -> tuple[int, int]:
    """Return the cycles of one neuron in a tick, and of the core's weights at an update."""
    cycles = chip.cycles
    if piece.program == "source":
        return cycles["source"], 0
    if piece.program == DELAY:
        return cycles["delay_neuron"], 0
    learners = learners_of(fixed.network) if fixed.learning is not None else ()
    if fixed.learning is not None and piece.population in learners:
        number = learners.index(piece.population)
        pre = int(fixed.learning.learners[number]["pre"])
        synapse = {LAYER: "eprop_synapse", READOUT: "eprop_readout_synapse"}[number]
        updates = piece.count * pre * cycles["eprop_update"]
        return cycles["neuron_eprop"] + pre * cycles[synapse], updates
    model = fixed.network.population(piece.population).model
    adapts = isinstance(model, LIF) and model.adaptation is not None
    return cycles["neuron_alif" if adapts else "neuron_lif"], 0


def _entries(
    chip: ProcessorChip,
    mapping: ProcessorMapping,
    fixed: ProcessorNetwork,
    routes: KeyRoutes,
    base: Mapping[tuple[int, int], int],
    order: list[int],
) -> Entries:
    """List the slots behind the core bits of every node, in order of the bits."""
    cores = chip.machine.cores
    slot_of = {mapping.placement[index]: (slot, index) for slot, index in enumerate(order)}
    bits = (routes.route[:, None] >> np.arange(LINKS, LINKS + CORES, dtype=np.uint32)) & 1
    node, local = np.nonzero(bits)
    key = np.searchsorted(routes.ptr, node, side="right") - 1
    ptr, slots, rows = np.zeros(routes.chip.size + 1, np.int64), [], []
    for at, number, core in zip(node.tolist(), key.tolist(), local.tolist(), strict=True):
        found = slot_of.get(int(routes.chip[at]) * cores + core)
        if found is not None:
            slots.append(found[0])
            rows.append(_row_for(mapping, fixed, number, found[1], base))
            ptr[at + 1] += 1
    return Entries(np.cumsum(ptr), np.array(slots, np.int32), np.array(rows, np.int64))


def _row_for(
    mapping: ProcessorMapping,
    fixed: ProcessorNetwork,
    number: int,
    index: int,
    base: Mapping[tuple[int, int], int],
) -> int:
    """Return what row 0 of key ``number`` is to slice ``index``: see `records.Entries`."""
    space = mapping.keys[number]
    if mapping.slices[index].program == DELAY:
        return HELD
    if space.has_payload:
        return SIGNAL if space.kind == "signal" else WEIGHTS
    row = base.get((number, index), EMPTY_ROW)
    if space.kind == "delayed":
        return row
    sender, target = mapping.slices[space.slice], mapping.slices[index].population
    rewards = {
        p.stdp.reward.population
        for p in fixed.projections
        if p.target == target and p.stdp is not None and p.stdp.reward is not None
    }
    if sender.population not in rewards or sender.first != 0:
        return row
    if row != EMPTY_ROW or len(rewards) > 1:
        raise InputError(
            f"population {target}: one population must reward it that has no synapses onto it; "
            f"{', '.join(sorted(rewards))} given"
        )
    return REWARD


def _rules(fixed: ProcessorNetwork) -> list[str]:
    """Return the target population of each STDP rule, by its number."""
    return [p.target for p in fixed.projections if p.stdp is not None]


def _teachers(
    mapping: ProcessorMapping, fixed: ProcessorNetwork, order: list[int]
) -> Mapping[tuple[int, int], int]:
    """Return the number of each core with STDP, by (rule, slice), those of a slice side by side."""
    found: dict[tuple[int, int], int] = {}
    for index in order:
        for rule, target in enumerate(_rules(fixed)):
            piece = mapping.slices[index]
            if piece.population == target and piece.program != DELAY:
                found[rule, index] = len(found)
    return found


def _teacher_slices(
    mapping: ProcessorMapping, fixed: ProcessorNetwork, teachers: Mapping[tuple[int, int], int]
) -> tuple[tuple[int, int, int], ...]:
    slices = []
    for rule, index in teachers:
        piece = mapping.slices[index]
        first = fixed.population(piece.population).first + piece.first
        slices.append((rule, first, piece.count))
    return tuple(slices)
