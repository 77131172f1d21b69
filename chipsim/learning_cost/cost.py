"""The cost of learning one sample on chip: by local plasticity, backpropagation, or both.

``none`` runs the forward pass without plasticity: what learning adds is the difference to it.
``lp`` runs it with plasticity and nothing else.  ``gp`` runs it without plasticity,
then a backward pass and an update of every weight, every sample.  ``hp`` learns locally in every
sample and adds a backward pass and an update in every ``weights_every``-th; the backward pass
takes the traces for constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chipsim.chip import Chip
from chipsim.energy.amount import Amount
from chipsim.energy.price import Bill, price
from chipsim.errors import InputError
from chipsim.learning_cost.memory import backward_memory, cores_needed, fits
from chipsim.learning_cost.messages import Message, backward_messages
from chipsim.learning_cost.schedule import BackwardSchedule, backward_schedule
from chipsim.learning_cost.tasks import backward_actions, backward_cycles
from chipsim.mapping.model import MemoryUse, Route
from chipsim.mapping.route.routers import ROUTERS
from chipsim.mapping.schedule import latency_phases
from chipsim.results import Results
from chipsim.simulate.counters import actions_of

Method = Literal["none", "lp", "hp", "gp"]
METHODS: tuple[Method, ...] = ("none", "lp", "hp", "gp")
LOCAL: tuple[Method, ...] = ("lp", "hp")
"""The methods whose forward pass has plasticity running."""

WEIGHTS_EVERY = 100
"""Samples between two weight updates of hybrid learning: the batch the authors train with."""


@dataclass(frozen=True)
class Backward:
    """What one backward pass with an update adds to a run, for all its samples.

    ``routes[i]`` belongs to ``messages[i]``; ``cycles`` are those of one sample, ``drain_cycles``
    of them spent waiting for the forward pass to leave its pipeline.
    """

    messages: tuple[Message, ...]
    routes: tuple[Route, ...]
    schedule: BackwardSchedule
    drain_phases: int
    cycles: int
    bill: Bill
    memory: tuple[tuple[MemoryUse, ...], ...]


@dataclass(frozen=True)
class LearningCost:
    """The cost of learning one sample.

    ``packets``, ``hops`` (routers passed) and ``bits`` (of payload, at the sender) are by kind of
    message; ``energy`` in joules with its range, ``by_action`` its parts, ``assumed_share`` the
    share whose price is assumed; ``phases`` and ``seconds`` from one sample to the next.
    ``memory`` is by slice; ``cores`` are those of the mapping, ``cores_needed`` the fewest that
    could hold what learning stores.
    """

    method: Method
    weights_every: int | None
    packets: Mapping[str, float]
    hops: Mapping[str, float]
    bits: Mapping[str, float]
    energy: Amount
    by_action: Mapping[str, Amount]
    assumed_share: float
    phases: float
    seconds: float
    memory: tuple[tuple[MemoryUse, ...], ...]
    cores: int
    cores_needed: int
    late: bool

    @property
    def fits(self) -> bool:
        """Whether what learning stores fits the memories of the mapping's cores."""
        return fits(self.memory)

    @property
    def samples_per_s(self) -> float:
        """Samples learned a second."""
        return 1.0 / self.seconds


def learning_cost(
    method: Method, results: Results, weights_every: int = WEIGHTS_EVERY
) -> LearningCost:
    """Return what learning by ``method`` costs a sample, from the run of its forward pass.

    The run must have plasticity running for ``lp`` and ``hp``, and none for the others (on the same
    slices: `chipsim.learning_cost.forward.without_traces`).  InputError otherwise, or if
    ``weights_every`` is below 1.
    """
    _check(method, results, weights_every)
    if method in ("none", "lp"):
        return _cost(method, None, results, None, 0.0)
    every = 1 if method == "gp" else weights_every
    return _cost(method, every, results, backward(results), 1.0 / every)


def _check(method: Method, results: Results, weights_every: int) -> None:
    learns = any(p.plasticity is not None for p in results.network.projections)
    if method in LOCAL and not learns:
        raise InputError(
            f"network {results.network.name}: no projection has local plasticity, so there is "
            f"nothing to learn by {method}; none and gp are allowed"
        )
    if method not in LOCAL and learns:
        raise InputError(f"{method} is without local plasticity; run the network without it")
    if weights_every < 1:
        raise InputError(f"weights_every: {weights_every} given, at least 1 needed")


def backward(results: Results) -> Backward:
    """Return what a backward pass and an update add to every sample of a run."""
    network, chip, mapping = results.network, results.chip, results.mapping
    samples = results.counters.samples
    messages = backward_messages(network, chip, mapping.slices)
    flows = [message.flow for message in messages]
    routes = ROUTERS[chip.mesh.routing](flows, mapping.placement, chip.mesh)
    cycles = backward_cycles(network, chip, mapping.slices, messages)
    schedule = backward_schedule(
        network, chip, mapping.slices, mapping.placement, cycles, messages, routes
    )
    by_core = backward_actions(
        network,
        chip,
        mapping.slices,
        mapping.placement,
        messages,
        routes,
        _active(results),
        samples,
    )
    actions = actions_of(chip)
    forward = mapping.schedule
    waiting = latency_phases(forward, network.steps) - network.steps * forward.interval
    drain = max(0, waiting)
    total = schedule.cycles + round(drain * results.phase_seconds * chip.clock_hz)
    for core in set(mapping.placement):
        by_core[core, actions.index("core_cycle")] += total * samples
    layers = {mapping.placement[part.index]: part.population for part in mapping.slices}
    bill = price(chip, actions, by_core, layers, total * samples / chip.clock_hz)
    held = results.activity.values.shape[1] == 1
    memory = backward_memory(network, chip.core, mapping, held)
    return Backward(messages, routes, schedule, drain, total, bill, memory)


def _active(results: Results) -> dict[tuple[int, str, int], int]:
    active = results.activity.active.sum(axis=(0, 1), dtype=np.int64)
    return {
        (run.slice.index, run.axons.projection, run.axons.first): int(count)
        for run, count in zip(results.activity.runs, active, strict=True)
    }


def _cost(
    method: Method,
    every: int | None,
    results: Results,
    back: Backward | None,
    share: float,
) -> LearningCost:
    """Add ``share`` of a backward pass to a forward pass, per sample."""
    chip, samples = results.chip, results.counters.samples
    packets, hops, bits = _forward_traffic(results)
    bills = [(results.bill, 1.0 / samples)]
    phases, seconds = float(results.phases_per_inference), _forward_seconds(results)
    memory = results.mapping.memory
    if back is not None:
        _add_traffic(chip, back, share, packets, hops, bits)
        bills.append((back.bill, share / samples))
        added = back.drain_phases + back.schedule.phases + back.schedule.update_phases
        phases += share * added
        seconds += share * back.cycles / chip.clock_hz
        memory = back.memory
    energy = sum((bill.total.times(part) for bill, part in bills), Amount())
    assumed = sum(bill.assumed_share * bill.total.value * part for bill, part in bills)
    return LearningCost(
        method=method,
        weights_every=every,
        packets=packets,
        hops=hops,
        bits=bits,
        energy=energy,
        by_action=_by_action(bills),
        assumed_share=assumed / energy.value if energy.value else 0.0,
        phases=phases,
        seconds=seconds,
        memory=memory,
        cores=len(results.mapping.slices),
        cores_needed=cores_needed(memory),
        late=back is not None and back.schedule.overruns(chip),
    )


def _forward_seconds(results: Results) -> float:
    return results.counters.total_cycles / results.counters.samples / results.chip.clock_hz


def _forward_traffic(
    results: Results,
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return packets, hops and bits of a sample's forward pass by kind of flow."""
    packets: dict[str, float] = {}
    hops: dict[str, float] = {}
    bits: dict[str, float] = {}
    mesh = results.mesh
    flows = zip(results.mapping.flows, results.mapping.routes, mesh.packets, strict=True)
    for index, (flow, route, sent) in enumerate(flows):
        each = float(sent) / results.counters.samples
        passed = _passed(route) * int(mesh.flits[index])
        _add(packets, flow.kind, each)
        _add(hops, flow.kind, each * passed)
        _add(bits, flow.kind, each * flow.bits)
    return packets, hops, bits


def _add_traffic(
    chip: Chip,
    back: Backward,
    share: float,
    packets: dict[str, float],
    hops: dict[str, float],
    bits: dict[str, float],
) -> None:
    for message, route in zip(back.messages, back.routes, strict=True):
        each = message.packets * share
        passed = _passed(route) * chip.mesh.flits(message.flow.bits)
        _add(packets, message.kind, each)
        _add(hops, message.kind, each * passed)
        _add(bits, message.kind, each * message.flow.bits)


def _passed(route: Route) -> int:
    """Return the router outputs one flit takes on the way to all of its targets."""
    return sum(ports.bit_count() for ports in route.ports.values())


def _add(table: dict[str, float], key: str, value: float) -> None:
    table[key] = table.get(key, 0.0) + value


def _by_action(bills: list[tuple[Bill, float]]) -> dict[str, Amount]:
    parts: dict[str, Amount] = {}
    for bill, part in bills:
        for action, amount in bill.by_action.items():
            parts[action] = parts.get(action, Amount()) + amount.times(part)
    return parts
