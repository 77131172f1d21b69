"""When the tasks of a backward pass run: the phases it takes, and how long a phase must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from chipsim.chip import Chip
from chipsim.cores.crossbar import ceil_div, phase_budget
from chipsim.learning_cost.messages import Message
from chipsim.learning_cost.tasks import CHAIN, update_cycles
from chipsim.mapping.model import INPUT_PORT, Route, Slice, TaskKind
from chipsim.mapping.schedule import Edge, Node, tightest
from chipsim.mesh.chip_mesh import network_of, run_phases
from chipsim.mesh.fabric import Packets
from chipsim.network import Input, Network
from chipsim.simulate.traffic import port_masks

Cycles = Sequence[Mapping[TaskKind, int]]
"""Cycles of each task of a step, by slice."""


@dataclass(frozen=True)
class BackwardSchedule:
    """A backward pass of ``phases`` phases and an update of ``update_phases``.

    Steps follow each other every ``interval`` phases.  ``busy`` and ``drain`` ``(interval,)`` are,
    in the steady state, the cycle in which the last core of a phase is done and that of its last
    packet's arrival.  ``cycles`` is the length of all phases together.
    """

    interval: int
    phases: int
    update_phases: int
    busy: tuple[int, ...]
    drain: tuple[int, ...]
    cycles: int

    def overruns(self, chip: Chip) -> bool:
        """Whether a phase of fixed length ends before its packets have arrived."""
        budget = phase_budget(chip.phase)
        return budget is not None and max(self.drain, default=0) > budget


def backward_schedule(
    network: Network,
    chip: Chip,
    slices: Sequence[Slice],
    placement: Sequence[int],
    cycles: Cycles,
    messages: Sequence[Message],
    routes: Sequence[Route],
) -> BackwardSchedule:
    """Schedule a backward pass: the smallest interval that data and cores allow.

    A task longer than a phase of fixed length takes as many as it needs.
    """
    phases = _Phases(phase_budget(chip.phase))
    edges = backward_edges(network, slices, cycles, phases)
    nodes = list(
        dict.fromkeys((s.population, k) for s, c in zip(slices, cycles, strict=True) for k in c)
    )
    interval, _, offsets, _ = tightest(nodes, edges)
    own = {node: phases.most(node, slices, cycles) for node in nodes}
    depth = max(offset + own[node] for node, offset in offsets.items())
    ends = _task_ends(slices, cycles, offsets, interval)
    busy = [0] * interval
    for (_, slot, _), end in ends.items():
        busy[slot] = max(busy[slot], end)
    drain = _drains(chip, slices, placement, messages, routes, (offsets, interval, ends))
    count = (network.steps - 1) * interval + depth
    update = max(update_cycles(chip, piece) for piece in slices)
    if chip.phase.mode == "fixed":
        updating = phases.of(update)
        total = (count + updating) * chip.phase.cycles
    else:
        updating = 1
        lengths = [max(a, b) + chip.phase.sync_cycles for a, b in zip(busy, drain, strict=True)]
        total = ceil_div(count * sum(lengths), interval) + update + chip.phase.sync_cycles
    return BackwardSchedule(interval, count, updating, tuple(busy), tuple(drain), total)


@dataclass(frozen=True)
class _Phases:
    """How many phases work takes; one, where a phase lasts until all is done (``budget`` None)."""

    budget: int | None

    def of(self, cycles: int) -> int:
        return 1 if self.budget is None else max(1, ceil_div(cycles, self.budget))

    def most(self, node: Node, slices: Sequence[Slice], cycles: Cycles) -> int:
        """Return the phases the task of a population takes on its slowest slice."""
        name, kind = node
        pairs = zip(slices, cycles, strict=True)
        return max(self.of(c[kind]) for s, c in pairs if s.population == name and kind in c)

    def fit(self, cycles: int) -> bool:
        return self.budget is None or cycles <= self.budget


def backward_edges(
    network: Network, slices: Sequence[Slice], cycles: Cycles, phases: _Phases
) -> list[Edge]:
    """Return what must come before what: along a step on each core, and from layer to layer."""
    edges: list[Edge] = []
    for population in network.populations:
        name = population.name
        mine = [c for s, c in zip(slices, cycles, strict=True) if s.population == name]
        if isinstance(population.model, Input) or not mine:
            continue
        split = any(s.role == "dendrite" for s in slices if s.population == name)
        long = {
            kind: phases.most((name, kind), slices, cycles)
            for kind in CHAIN
            if any(kind in c for c in mine)
        }
        edges += _own_edges(name, mine, long, split, phases)
        for projection in network.incoming(name):
            if not isinstance(network.population(projection.source).model, Input):
                before: Node = (name, "integrate")
                after: Node = (projection.source, "soma")
                edges.append(Edge(before, after, long["integrate"], projection.delay, "errors"))
    return edges


def _own_edges(
    name: str, mine: Cycles, long: Mapping[TaskKind, int], split: bool, phases: _Phases
) -> list[Edge]:
    """Chain the tasks of one core; split populations have their somas on cores of their own."""
    here = [kind for kind in long if not (split and kind == "soma")]
    apart = not all(phases.fit(sum(c[kind] for kind in here if kind in c)) for c in mine)
    edges = []
    if split and here:
        edges.append(Edge((name, "soma"), (name, here[0]), long["soma"], 0, "errors"))
    for before, after in pairwise(here):
        edges.append(Edge((name, before), (name, after), long[before] - 1 + apart, 0, ""))
    if apart:
        # One core does one of them at a time: the next step's first waits for this step's last.
        edges.append(Edge((name, here[-1]), (name, here[0]), long[here[-1]], 1, ""))
    if split and long["soma"] > 1:
        edges.append(Edge((name, "soma"), (name, "soma"), long["soma"], 1, ""))
    return edges


Ends = Mapping[tuple[int, int, TaskKind], int]
"""The cycle in which a slice's task is done, by slice, slot and task."""


def _task_ends(
    slices: Sequence[Slice], cycles: Cycles, offsets: Mapping[Node, int], interval: int
) -> Ends:
    ends: dict[tuple[int, int, TaskKind], int] = {}
    for piece, own in zip(slices, cycles, strict=True):
        used = [0] * interval
        for kind in CHAIN:
            if kind in own:
                slot = offsets[piece.population, kind] % interval
                used[slot] += own[kind]
                ends[piece.index, slot, kind] = used[slot]
    return ends


def _drains(
    chip: Chip,
    slices: Sequence[Slice],
    placement: Sequence[int],
    messages: Sequence[Message],
    routes: Sequence[Route],
    timing: tuple[Mapping[Node, int], int, Ends],
) -> tuple[int, ...]:
    """Send one steady step of every message over the mesh; return each slot's last arrival."""
    offsets, interval, ends = timing
    rows: list[tuple[int, int, int, int]] = []
    for tree, message in enumerate(messages):
        flow = message.flow
        if flow.source == INPUT_PORT:
            continue
        kind: TaskKind = "soma" if message.kind == "error" else "integrate"
        piece = slices[flow.source]
        slot = offsets[piece.population, kind] % interval
        begin = ends[piece.index, slot, kind] - chip.core.soma_cycles * _words_of(message, messages)
        for word in range(flow.count):
            cycle = max(0, begin) + chip.core.soma_cycles * (message.position + word + 1)
            rows += [(slot, placement[piece.index], cycle, tree)] * flow.packets_per_neuron
    rows.sort()
    table = np.array(rows, np.int64).reshape(-1, 4)
    starts = np.searchsorted(table[:, 0], np.arange(interval + 1)).astype(np.int64)
    packets = Packets(
        starts, table[:, 1].astype(np.int32), table[:, 2].copy(), table[:, 3].astype(np.int32)
    )
    sizes = np.array([chip.mesh.flits(m.flow.bits) for m in messages], np.int32)
    trees = port_masks(tuple(routes), chip.mesh.routers)
    done = run_phases(network_of(chip.mesh), trees, packets, flits=sizes[packets.tree])
    return tuple(int(last) for last in done.last_arrival)


def _words_of(message: Message, messages: Sequence[Message]) -> int:
    """Return how many words the task sends that sends ``message``."""
    same = [m for m in messages if m.kind == message.kind and m.flow.source == message.flow.source]
    return max(m.position + m.flow.count for m in same)
