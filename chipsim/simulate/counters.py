"""Counters: how often each action happened on each core, as integers over a whole run.

A report is counters times prices, so pricing again never simulates again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Arithmetic, Chip, special_link
from chipsim.cores.crossbar import ceil_div
from chipsim.mapping.model import Flow, Mapping
from chipsim.mesh.chip_mesh import links_between_boards, links_between_chips
from chipsim.quantise.fixed import FixedNetwork, FixedProjection
from chipsim.simulate.functional import Activity
from chipsim.simulate.traffic import MeshActivity, flits_by_link
from chipsim.simulate.workload import TimedTask

ACTIONS = (
    "sop",
    "mac",
    "relay_add",
    "soma_update",
    "lut_read",
    "trace_decay",
    "trace_update",
    "router_hop",
    "core_cycle",
    "hop_bit",
    "chip_hop",
)
"""Actions of crossbar cores: native synaptic operations driven by a spike, by a graded value;
additions of partial sums (native words); soma updates; table look-ups; decays and updates of
plasticity traces; flits through routers; clock cycles of cores in use.  Where the chip prices
them: bits through routers; flits over links between chips.  See `actions_of` for a chip's own."""

Integers = NDArray[np.int64]


def actions_of(chip: Chip) -> tuple[str, ...]:
    """Return ``ACTIONS`` and those that only some chips have, if this one prices them.

    They are flits over links between boards (``board_hop``) and over each special link
    (``links[i]``).
    """
    special = (special_link(index) for index in range(len(chip.mesh.special)))
    return *ACTIONS, *(action for action in ("board_hop", *special) if action in chip.prices)


@dataclass(frozen=True)
class Counters:
    """What a run did.

    ``by_core (cores, actions)`` in the order of `actions_of`; ``phase_cycles (phases,)`` the length
    of every phase and ``busy_cycles (phases,)`` that of its longest core; ``total_cycles`` the
    cycles ``samples`` inferences take in steady state; ``synaptic_events`` synapses driven by an
    active axon (at network width, not native); ``overruns`` phases in which a packet came late or
    a core worked too long.
    """

    samples: int
    steps: int
    by_core: Integers
    phase_cycles: Integers
    busy_cycles: Integers
    total_cycles: int
    synaptic_events: int
    overruns: int


def count(
    fixed: FixedNetwork,
    chip: Chip,
    mapping: Mapping,
    activity: Activity,
    tasks: tuple[TimedTask, ...],
    mesh: MeshActivity,
) -> Counters:
    """Count every action of a run."""
    samples, steps = activity.answers.spikes.shape[:2]
    actions = actions_of(chip)
    by_core = np.zeros((chip.cores, len(actions)), np.int64)
    column = {action: by_core[:, i] for i, action in enumerate(actions)}
    events = _count_synapses(fixed, chip, mapping, activity, column)
    _count_tasks(chip, mapping, tasks, samples * steps, column)
    _count_look_ups(fixed, mapping, samples * steps, column)
    count_hops(chip, mapping.flows, mesh.packets, mesh.trees, mesh.flits_through(), column)
    busy = _busy(mapping, tasks, mesh.phases)
    lengths = _phase_cycles(chip, busy, mesh)
    interval = mapping.schedule.interval
    # The first sample fills the pipeline: what n samples take in steady state is n intervals.
    steady = samples * steps * interval
    total = round(float(lengths.mean()) * steady) if lengths.size else 0
    for core in sorted(set(mapping.placement)):
        column["core_cycle"][core] += total
    return Counters(
        samples=samples,
        steps=steps,
        by_core=by_core,
        phase_cycles=lengths,
        busy_cycles=busy,
        total_cycles=total,
        synaptic_events=events,
        overruns=_overruns(chip, busy, mesh),
    )


def _count_synapses(
    fixed: FixedNetwork,
    chip: Chip,
    mapping: Mapping,
    activity: Activity,
    column: dict[str, Integers],
) -> int:
    """Count synaptic operations and trace updates by core; return the synaptic events."""
    arithmetic = chip.core.arithmetic
    active = activity.active.sum(axis=(0, 1), dtype=np.int64)
    learning = activity.learning.sum(axis=(0, 1), dtype=np.int64)
    steps = activity.active.shape[0] * activity.active.shape[1]
    put_off = None if activity.decays is None else activity.decays.sum(axis=(0, 1), dtype=np.int64)
    events = 0
    for index, run in enumerate(activity.runs):
        core = mapping.placement[run.slice.index]
        columns = arithmetic.weight_columns + _trace_columns(run.projection, arithmetic)
        synapses = int(active[index]) * run.slice.count
        events += synapses
        kind = "mac" if run.projection.name in fixed.graded else "sop"
        column[kind][core] += synapses * columns
        if run.projection.plasticity is not None:
            rows = run.axons.count * steps
            if put_off is not None:
                rows = int(put_off[index] + learning[index])
            column["trace_decay"][core] += rows * run.slice.count
            column["trace_update"][core] += int(learning[index]) * run.slice.count
    return events


def _trace_columns(projection: FixedProjection, arithmetic: Arithmetic) -> int:
    """Native operations an active synapse takes for its trace, with a factor one more each."""
    rule = projection.plasticity
    if rule is None:
        return 0
    matrix = rule.factor is not None and rule.factor.shift > 0
    return arithmetic.trace_columns * (2 if matrix else 1)


def _count_tasks(
    chip: Chip,
    mapping: Mapping,
    tasks: tuple[TimedTask, ...],
    steps: int,
    column: dict[str, Integers],
) -> None:
    arithmetic = chip.core.arithmetic
    words = ceil_div(arithmetic.accumulator_bits, arithmetic.native_bits)
    for timed in tasks:
        if timed.task.kind != "soma":
            continue
        core = mapping.placement[timed.slice.index]
        column["soma_update"][core] += timed.slice.count * steps
        if timed.slice.role == "soma":
            sums = timed.slice.count * timed.shape.parts * timed.shape.channels
            column["relay_add"][core] += sums * words * steps


def count_hops(
    chip: Chip,
    flows: Sequence[Flow],
    packets: Integers,
    trees: NDArray[np.uint8],
    through: Integers,
    column: dict[str, Integers],
) -> None:
    """Add to ``column[action] (cores,)`` what packets cost at each router.

    ``packets (flows,)`` and their ``trees (flows, routers)`` make the flits ``through (routers,
    ports)``.  A router's actions are counted in the name of its first core.
    """
    first = slice(None, None, chip.mesh.cores_per_router)
    column["router_hop"][first] += through.sum(axis=1)
    if "hop_bit" in chip.prices:
        bits = [flow.bits + chip.mesh.header_bits for flow in flows]
        carried = packets * np.array(bits, np.int64)
        by_port = flits_by_link(carried, trees, through.shape[1])
        column["hop_bit"][first] += by_port.sum(axis=1)
    if "chip_hop" in chip.prices:
        between = links_between_chips(chip.mesh)
        column["chip_hop"][first] += (through[:, : chip.mesh.links] * between).sum(axis=1)
    if "board_hop" in chip.prices:
        between = links_between_boards(chip.mesh)
        column["board_hop"][first] += (through[:, : chip.mesh.links] * between).sum(axis=1)
    for index, link in enumerate(chip.mesh.special):
        if special_link(index) in chip.prices:
            core = link.router * chip.mesh.cores_per_router
            column[special_link(index)][core] += through[link.router, link.port]


def _count_look_ups(
    fixed: FixedNetwork, mapping: Mapping, steps: int, column: dict[str, Integers]
) -> None:
    """One table read a neuron and step for each plastic projection and for a graded output.

    A linear factor needs none, softmax one more for the reciprocal of its sum.
    """
    for part in mapping.slices:
        if part.role == "dendrite":
            continue
        posts = [p.plasticity.post for p in fixed.incoming(part.population) if p.plasticity]
        reads = part.count * sum(post != "linear" for post in posts) + posts.count("softmax")
        reads += part.count * (fixed.population(part.population).activation is not None)
        column["lut_read"][mapping.placement[part.index]] += reads * steps


def _busy(mapping: Mapping, tasks: tuple[TimedTask, ...], phases: int) -> Integers:
    """Cycle in which the last core of each phase is done, ``(phases,)``."""
    busy = np.zeros(phases, np.int64)
    for timed in tasks:
        first = 1 + timed.task.offset
        slots = busy[first : first + len(timed.end) * mapping.schedule.interval]
        slots = slots[:: mapping.schedule.interval]
        np.maximum(slots, timed.end, out=slots)
    return busy


def _phase_cycles(chip: Chip, busy: Integers, mesh: MeshActivity) -> Integers:
    if chip.phase.mode == "fixed":
        return np.full(mesh.simulated, chip.phase.cycles, np.int64)
    ends = np.maximum(busy[: mesh.simulated], mesh.last_arrival)
    return ends + chip.phase.sync_cycles


def _overruns(chip: Chip, busy: Integers, mesh: MeshActivity) -> int:
    if chip.phase.mode != "fixed":
        return 0
    ends = np.maximum(busy[: mesh.simulated], mesh.last_arrival)
    return int((ends > chip.phase.cycles - chip.phase.sync_cycles).sum())
