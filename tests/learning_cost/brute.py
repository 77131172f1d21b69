"""A backward pass walked through word by word and synapse by synapse, from its definition.

Knows the slices and where they are; no flows, no routes, no schedule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from chipsim.mapping.model import INPUT_PORT, Slice
from chipsim.network import Input
from chipsim.results import Results
from tests.simulate import plain

Place = tuple[int, int]


def owner(results: Results, population: str, neuron: int) -> Slice:
    (found,) = (
        s
        for s in results.mapping.slices
        if s.population == population
        and s.role != "dendrite"
        and s.first <= neuron < s.first + s.count
    )
    return found


def words(results: Results) -> Iterator[tuple[str, int, tuple[int, ...], int]]:
    """Yield kind, sending slice, receiving slices and bits of every word of one sample."""
    network, arithmetic = results.network, results.chip.core.arithmetic
    slices = results.mapping.slices
    projections = {p.name: p for p in network.projections}
    readers = {owner(results, network.readout, n).index for n in range(readout_size(results))}
    yield "label", INPUT_PORT, tuple(sorted(readers)), 0
    for t in reversed(range(network.steps)):
        for population in network.populations:
            if isinstance(population.model, Input):
                continue
            for neuron in range(population.size):
                mine = owner(results, population.name, neuron)
                holding = tuple(
                    s.index
                    for s in slices
                    if s.population == population.name
                    and s.role == "dendrite"
                    and s.first <= neuron < s.first + s.count
                )
                if holding:
                    yield "error", mine.index, holding, arithmetic.post_bits
        for piece in slices:
            for run in piece.axons:
                projection = projections[run.projection]
                if isinstance(network.population(projection.source).model, Input):
                    continue
                # What acted before the sample began has no error to hear of.
                if t - projection.delay < 0:
                    continue
                sent = projection.membrane
                if sent and sent.steps == "last" and t - projection.delay < network.steps - 1:
                    continue
                for axon in range(run.first, run.first + run.count):
                    to = owner(results, projection.source, axon)
                    yield "feedback", piece.index, (to.index,), arithmetic.accumulator_bits


def readout_size(results: Results) -> int:
    return results.network.population(results.network.readout).size


def packets(results: Results) -> Iterator[tuple[str, Place, list[Place], int]]:
    """Yield kind, from where, to where, and payload bits of every packet of one sample."""
    mesh = results.chip.mesh

    def place(index: int) -> Place:
        if index == INPUT_PORT:
            return mesh.io
        router = results.mapping.placement[index]
        return router % mesh.width, router // mesh.width

    for kind, sender, receivers, bits in words(results):
        count = max(1, -(-bits // mesh.payload_bits))
        targets = [[place(r)] for r in receivers]
        if mesh.multicast == "tree":
            targets = [[place(r) for r in receivers]]
        for group in targets:
            for _ in range(count):
                yield kind, place(sender), group, -(-bits // count)


def ports(source: Place, targets: list[Place]) -> set[tuple[Place, str]]:
    """Return the router outputs a packet takes to all its targets: x first, then y."""
    used = set()
    for target in targets:
        x, y = source
        while (x, y) != target:
            before = (x, y)
            if x != target[0]:
                x += 1 if target[0] > x else -1
            else:
                y += 1 if target[1] > y else -1
            used.add((before, f"to {x},{y}"))
        used.add((target, "core"))
    return used


def actions(results: Results) -> dict[str, Counter[int]]:
    """Count the actions of the backward passes and updates of all samples, core by core."""
    network, arithmetic = results.network, results.chip.core.arithmetic
    samples, placement = results.counters.samples, results.mapping.placement
    width = results.chip.mesh.width
    found: dict[str, Counter[int]] = {
        name: Counter()
        for name in ("mac", "trace_update", "relay_add", "soma_update", "router_hop", "hop_bit")
    }
    projections: dict[str, Any] = {p.name: p for p in results.fixed.projections}
    steps = plain.stream(results)
    for piece in results.mapping.slices:
        core = placement[piece.index]
        if piece.role != "dendrite":
            found["soma_update"][core] += piece.count * network.steps * samples
        for run in piece.axons:
            projection = projections[run.projection]
            for i in range(run.first, run.first + run.count):
                found["trace_update"][core] += piece.count * samples
                for g in range(len(steps)):
                    if plain.heard(results, steps, g, projection, i):
                        found["trace_update"][core] += piece.count
    for kind, sender, receivers, _ in words(results):
        if kind == "feedback":
            count = results.mapping.slices[sender].count * samples
            found["mac"][placement[sender]] += count * arithmetic.weight_columns
            native = -(-arithmetic.accumulator_bits // arithmetic.native_bits)
            found["relay_add"][placement[receivers[0]]] += native * samples
    for _, source, targets, bits in packets(results):
        for (x, y), _ in ports(source, targets):
            found["router_hop"][y * width + x] += samples
            found["hop_bit"][y * width + x] += samples * bits
    return found
