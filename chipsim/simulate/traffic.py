"""Time the packets of every phase on the mesh, and count them by flow and link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Chip
from chipsim.errors import ConservationError
from chipsim.kernels import traffic as kernel
from chipsim.mapping.model import INPUT_PORT, Flow, Mapping, Route
from chipsim.mesh.chip_mesh import network_of, run_phases
from chipsim.mesh.fabric import Packets
from chipsim.quantise.fixed import FixedNetwork
from chipsim.simulate.functional import Activity
from chipsim.simulate.program import neuron_offsets
from chipsim.simulate.workload import TimedTask

PHASES_PER_CALL = 512
"""Phases simulated at once: bounds memory to some million packets."""

RECORDED_PACKETS = 1 << 18
"""Packets that are kept to be replayed: those of the first phases, at least of one."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Recording:
    """The packets of the first phases, as they were given to the mesh.

    ``phase_ptr (phases + 1,)``; of each packet the ``cycle`` of its phase in which it was ready and
    its ``flow``, a row of `MeshActivity.trees`.
    """

    phase_ptr: Integers
    cycle: Integers
    flow: NDArray[np.int32]


@dataclass(frozen=True)
class MeshActivity:
    """What crossed the mesh.

    ``packets (flows,)`` sent in the whole run, ``flits (flows,)`` of one packet and ``trees (flows,
    routers)`` their port masks.  Of the phases simulated (the first ``simulated`` of ``phases``):
    ``last_arrival (simulated,)`` cycle of the last delivery or -1, ``deliveries``, ``latency_sum``
    and ``latency_max`` in cycles, ``sent (flows,)`` packets and ``link_flits (routers, ports)``,
    ``links`` links first, then the ports to cores.  ``adaptive``: packets pick their ways.
    ``recording`` keeps the packets of the first phases.
    """

    phases: int
    simulated: int
    packets: Integers
    flits: Integers
    trees: NDArray[np.uint8]
    last_arrival: Integers
    deliveries: int
    latency_sum: int
    latency_max: int
    sent: Integers
    link_flits: Integers
    links: int
    adaptive: bool
    recording: Recording

    @property
    def extrapolated(self) -> bool:
        """Whether `flits_through` is an estimate: packets picked their ways, not all were timed."""
        return self.adaptive and self.simulated < self.phases

    def flits_through(self) -> Integers:
        """Return the flits of the whole run through each output port, ``(routers, ports)``.

        Where packets pick their ways themselves and not all phases were simulated, the flits over
        links are shared out as in those that were: what all links carry in sum is exact, since the
        ways are shortest, and so is what goes to cores.
        """
        if self.simulated == self.phases:
            return self.link_flits
        nominal = flits_by_link(self.packets * self.flits, self.trees, self.link_flits.shape[1])
        seen = self.link_flits[:, : self.links]
        if self.adaptive and seen.any():
            total = int(nominal[:, : self.links].sum())
            nominal[:, : self.links] = shared_out(total, seen)
        return nominal


def port_masks(routes: tuple[Route, ...], routers: int) -> NDArray[np.uint8]:
    """Return the output ports of every tree at every router as bit masks, ``(trees, routers)``."""
    masks = np.zeros((len(routes), routers), np.uint8)
    for tree, route in enumerate(routes):
        for router, ports in route.ports.items():
            masks[tree, router] = ports
    return masks


def phase_count(mapping: Mapping, steps: int) -> int:
    """Return the phases ``steps`` steps take, with the input's and the pipeline's drain."""
    last = max(task.offset for task in mapping.schedule.tasks)
    return (steps - 1) * mapping.schedule.interval + last + 2


def run_mesh(
    fixed: FixedNetwork,
    chip: Chip,
    mapping: Mapping,
    activity: Activity,
    tasks: tuple[TimedTask, ...],
    *,
    limit: int | None = None,
    threads: int = 1,
    advance: Callable[[int], None] | None = None,
) -> MeshActivity:
    """Send every packet of the run (or of its first ``limit`` phases) over the mesh.

    Phases are independent: a packet that is late in a fixed phase is an overrun of that phase.

    Raises
    ------
    ConservationError
        If a flit is lost or appears.
    """
    mesh = network_of(chip.mesh)
    sizes = _ints([chip.mesh.flits(flow.bits) for flow in mapping.flows])
    trees = port_masks(mapping.routes, chip.mesh.routers)
    spikes = activity.answers.spikes.reshape(-1, activity.answers.spikes.shape[2])
    phases = phase_count(mapping, spikes.shape[0])
    simulated = phases if limit is None else min(limit, phases)
    layout = _Layout(
        interval=mapping.schedule.interval,
        steps=fixed.steps,
        port=chip.mesh.cores,
        arrays=_compile(fixed, chip, mapping, tasks),
        spikes=spikes,
        values=activity.values,
    )
    sent = np.zeros(len(mapping.flows), np.int64)
    last_arrival = np.zeros(simulated, np.int64)
    links = np.zeros((chip.mesh.routers, chip.mesh.links + chip.mesh.cores_per_router), np.int64)
    deliveries = latency_sum = latency_max = 0
    kept: list[Packets] = []
    for first in range(0, simulated, PHASES_PER_CALL):
        last = min(first + PHASES_PER_CALL, simulated)
        batch = layout.packets(first, last, sent)
        if sum(packets.tree.size for packets in kept) < RECORDED_PACKETS:
            kept.append(batch)
        long: dict[str, Any] = {}
        if (sizes > 1).any():
            long["flits"] = sizes[batch.tree].astype(np.int32)
        result = run_phases(mesh, trees, batch, threads=threads, **long)
        last_arrival[first:last] = result.last_arrival
        links += result.link_flits
        deliveries += int(result.deliveries.sum())
        latency_sum += int(result.latency_sum.sum())
        latency_max = max(latency_max, int(result.latency_max.max(initial=0)))
        if advance:
            advance(last - first)
    packets = sent.copy()
    if simulated < phases:
        layout.count(simulated, phases, packets)
    _check(sent * sizes, trees, links, None if chip.mesh.routing == "xy" else chip.mesh.links)
    return MeshActivity(
        phases=phases,
        simulated=simulated,
        packets=packets,
        flits=sizes,
        trees=trees,
        last_arrival=last_arrival,
        deliveries=deliveries,
        latency_sum=latency_sum,
        latency_max=latency_max,
        sent=sent,
        link_flits=links,
        links=chip.mesh.links,
        adaptive=chip.mesh.routing != "xy",
        recording=_recording(kept),
    )


def _recording(batches: list[Packets]) -> Recording:
    """Join the packets of batches of phases, up to whole phases of RECORDED_PACKETS in all."""
    counts = np.concatenate([np.diff(batch.phase_ptr) for batch in batches])
    ends = np.cumsum(counts)
    phases = max(1, int(np.searchsorted(ends, RECORDED_PACKETS, side="right")))
    phase_ptr = np.concatenate([[0], ends[:phases]]).astype(np.int64)
    cycle = np.concatenate([batch.inject for batch in batches])[: phase_ptr[-1]]
    flow = np.concatenate([batch.tree for batch in batches])[: phase_ptr[-1]]
    return Recording(phase_ptr, cycle.copy(), flow.astype(np.int32))


@dataclass(frozen=True)
class _Layout:
    """Everything the packets of any phase follow from."""

    interval: int
    steps: int
    port: int
    arrays: tuple[kernel.Emitters, kernel.Flows, kernel.InputFlows]
    spikes: NDArray[np.uint8]
    values: NDArray[np.int32]

    def packets(self, first: int, last: int, sent: Integers) -> Packets:
        """Packets of the phases ``first .. last - 1``; adds to ``sent`` by flow."""
        scratch = np.zeros_like(sent)
        count = self.count(first, last, scratch)
        phase_ptr = np.zeros(last - first + 1, np.int64)
        out = (np.empty(count, np.int32), np.empty(count, np.int64), np.empty(count, np.int32))
        self._emit(first, last, phase_ptr, out, sent)
        return Packets(phase_ptr, out[0], out[1], out[2])

    def count(self, first: int, last: int, sent: Integers) -> int:
        """Count the packets of the phases ``first .. last - 1``; adds to ``sent`` by flow."""
        nothing = (np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int32))
        return self._emit(first, last, np.zeros(last - first + 1, np.int64), nothing, sent)

    def _emit(
        self,
        first: int,
        last: int,
        phase_ptr: Integers,
        out: tuple[NDArray[np.int32], Integers, NDArray[np.int32]],
        sent: Integers,
    ) -> int:
        return int(
            kernel.emit_phases(
                (first, last),
                self.interval,
                self.steps,
                self.port,
                *self.arrays,
                self.spikes,
                self.values,
                phase_ptr,
                out,
                sent,
            )
        )


def flits_by_link(flits: Integers, trees: NDArray[np.uint8], ports: int = 5) -> Integers:
    """Return the flits through each output port, ``(routers, ports)``, of ``flits`` by tree."""
    through = [(flits[:, None] * ((trees >> port) & 1)).sum(axis=0) for port in range(ports)]
    return np.stack(through, axis=1).astype(np.int64)


def shared_out(total: int, weights: Integers) -> Integers:
    """Return whole numbers in proportion to ``weights`` that add up to ``total``.

    What is left after rounding down goes to the largest remainders, the first of equal ones.
    """
    whole = int(weights.sum())
    flat = [divmod(total * weight, whole) for weight in weights.reshape(-1).tolist()]
    shares = np.array([share for share, _ in flat], np.int64)
    rest = np.array([-remainder for _, remainder in flat], np.float64)
    shares[np.argsort(rest, kind="stable")[: total - int(shares.sum())]] += 1
    return shares.reshape(weights.shape)


def _check(
    sent: Integers, trees: NDArray[np.uint8], links: Integers, adaptive_links: int | None
) -> None:
    """Raise ConservationError unless the flits seen are those sent.

    On adaptive ways, those over all links, ``adaptive_links`` a router, in sum.
    """
    expected = flits_by_link(sent, trees, links.shape[1])
    if adaptive_links is not None:
        expected, links = expected.sum(axis=0)[None], links.sum(axis=0)[None]
        expected[0, :adaptive_links] = expected[0, :adaptive_links].sum()
        links[0, :adaptive_links] = links[0, :adaptive_links].sum()
    if not np.array_equal(expected, links):
        router, port = np.argwhere(expected != links)[0]
        raise ConservationError(
            f"router {router} port {port}: {links[router, port]} flits left, the packets sent make "
            f"{expected[router, port]}; this is a defect of the mesh engine"
        )


def _compile(
    fixed: FixedNetwork, chip: Chip, mapping: Mapping, tasks: tuple[TimedTask, ...]
) -> tuple[kernel.Emitters, kernel.Flows, kernel.InputFlows]:
    offsets = neuron_offsets(fixed)
    inputs = sum(p.size for p in fixed.inputs)
    senders = [t for t in tasks if t.task.kind == _sending_task(t.slice.role)]
    numbered = list(enumerate(mapping.flows))
    flows = [[(i, f) for i, f in numbered if f.source == t.slice.index] for t in senders]
    counts = np.cumsum([0, *(len(group) for group in flows)])
    emitters = kernel.Emitters(
        injector=_ints([mapping.placement[t.slice.index] for t in senders]),
        phase=_ints([t.task.offset for t in senders]),
        first=_ints([offsets[t.slice.population] - inputs + t.slice.first for t in senders]),
        size=_ints([t.slice.count for t in senders]),
        begin=np.array([_sending_begins(t, chip) for t in senders], np.int64),
        pace=chip.core.soma_cycles,
        flow_ptr=counts.astype(np.int64),
    )
    return (
        emitters,
        _flows([(i, f, t) for t, g in zip(senders, flows, strict=True) for i, f in g], fixed),
        _input_flows([(i, f) for i, f in numbered if f.source == INPUT_PORT], offsets, fixed),
    )


def _sending_task(role: str) -> str:
    return "integrate" if role == "dendrite" else "soma"


def _sending_begins(timed: TimedTask, chip: Chip) -> Integers:
    """Cycle from which a slice's neurons send: its sending takes the end of its task."""
    return timed.end - chip.core.soma_cycles * timed.slice.count


def _flows(flows: list[tuple[int, Flow, TimedTask]], fixed: FixedNetwork) -> kernel.Flows:
    once = {p.name for p in fixed.populations if p.sent_membrane and p.sent_membrane.last}
    return kernel.Flows(
        first=_ints([f.first - t.slice.first for _, f, t in flows]),
        size=_ints([f.count for _, f, _ in flows]),
        tree=_ints([i for i, _, _ in flows]),
        packets=_ints([f.packets_per_neuron for _, f, _ in flows]),
        on_spike=np.array([f.kind == "spike" for _, f, _ in flows], np.bool_),
        last=np.array([f.kind == "membrane" and f.population in once for _, f, _ in flows], bool),
    )


def _input_flows(
    flows: list[tuple[int, Flow]], offsets: dict[str, int], fixed: FixedNetwork
) -> kernel.InputFlows:
    graded = {p.name: p.kind == "graded" for p in fixed.inputs}
    return kernel.InputFlows(
        first=_ints([offsets[f.population] + f.first for _, f in flows]),
        size=_ints([f.count for _, f in flows]),
        tree=_ints([i for i, _ in flows]),
        values=_ints([f.neurons_per_packet if graded[f.population] else 0 for _, f in flows]),
    )


def _ints(values: list[int]) -> Integers:
    return np.array(values, np.int64)
