"""What a run must have done, recounted from spikes and the mapping, one synapse at a time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from chipsim.mapping.model import INPUT_PORT, Flow, Slice
from chipsim.results import Results
from tests import naive


def stream(results: Results) -> list[dict[Any, list[int]]]:
    """Activity of every population at every step of all samples, one after the other.

    Membranes that are sent are under ("membrane", population), as the plain twin has them.
    """
    values, spikes = results.activity.values, results.activity.answers.spikes
    steps: list[dict[Any, list[int]]] = []
    for n in range(spikes.shape[0]):
        for t in range(spikes.shape[1]):
            now: dict[Any, list[int]] = {}
            at = 0
            for source in results.fixed.inputs:
                row = values[n, min(t, values.shape[1] - 1)]
                now[source.name] = row[at : at + source.size].tolist()
                at += source.size
            at = 0
            for population in results.fixed.populations:
                now[population.name] = spikes[n, t, at : at + population.size].tolist()
                at += population.size
            steps.append(now)
    if any(p.sent_membrane for p in results.fixed.populations):
        return [{**sent, **now} for sent, now in zip(membranes(results), steps, strict=True)]
    return steps


def membranes(results: Results) -> list[dict[Any, list[int]]]:
    """What the plain twin sends at every step, membranes by ("membrane", population)."""
    steps: list[dict[Any, list[int]]] = []
    naive.run_fixed(results.fixed, results.activity.values, steps=steps)
    return steps


def heard(results: Results, steps: Any, g: int, projection: Any, i: int) -> int:
    """Activity that axon ``i`` of a projection sees at step ``g`` (counted over all samples)."""
    t = g % results.network.steps
    sender = ("membrane", projection.source) if projection.membrane else projection.source
    return steps[g - projection.delay][sender][i] if t >= projection.delay else 0


def changes_trace(results: Results, rule: Any, t: int, i: int, x: int) -> bool:
    """Whether axon ``i`` with activity ``x`` has a pre-factor (rounding to nearest)."""
    pre = x * int(rule.rate[i])
    pre = (pre + (1 << rule.rate_shift >> 1)) >> rule.rate_shift
    return (pre * int(rule.attenuation[t]) + (1 << 14)) >> 15 != 0


def actions(results: Results) -> dict[str, Counter[int]]:
    """How often each action happened on each core, from the definitions of `ACTIONS`."""
    arithmetic = results.chip.core.arithmetic
    steps = stream(results)
    graded = {p.name for p in results.fixed.inputs if p.kind == "graded"}
    projections = {p.name: p for p in results.fixed.projections}
    names = [
        "sop",
        "mac",
        "relay_add",
        "soma_update",
        "lut_read",
        "trace_decay",
        "trace_update",
        "router_hop",
        "hop_bit",
        "chip_hop",
    ]
    found: dict[str, Counter[int]] = {name: Counter() for name in names}
    for part in results.mapping.slices:
        core = results.mapping.placement[part.index]
        incoming = results.fixed.incoming(part.population)
        for g in range(len(steps)):
            for run in part.axons:
                projection = projections[run.projection]
                rule = projection.plasticity
                columns = -(-arithmetic.weight_bits // arithmetic.native_bits)
                columns += -(-arithmetic.trace_bits // arithmetic.native_bits) if rule else 0
                for i in range(run.first, run.first + run.count):
                    x = heard(results, steps, g, projection, i)
                    if x:
                        numbers = projection.membrane or projection.source in graded
                        kind = "mac" if numbers else "sop"
                        found[kind][core] += part.count * columns
                    if rule:
                        found["trace_decay"][core] += part.count
                        t = g % results.network.steps
                        if changes_trace(results, rule, t, i, x):
                            found["trace_update"][core] += part.count
            if part.role != "dendrite":
                found["soma_update"][core] += part.count
                found["lut_read"][core] += part.count * sum(
                    p.plasticity is not None for p in incoming
                )
            if part.role == "soma":
                channels = sum(2 if p.plasticity else 1 for p in incoming)
                words = -(-arithmetic.accumulator_bits // arithmetic.native_bits)
                found["relay_add"][core] += part.count * parts(results, part) * channels * words
    for flow, route in zip(results.mapping.flows, results.mapping.routes, strict=True):
        sent = len(senders(results, steps, flow))
        for router, ports in route.ports.items():
            leaving = bin(ports).count("1")
            found["router_hop"][router] += sent * leaving
            if "hop_bit" in results.chip.prices:
                found["hop_bit"][router] += sent * leaving * flow.bits
    return found


def parts(results: Results, soma: Slice) -> int:
    """Most dendrite slices that feed one neuron of a soma slice."""
    return max(
        sum(
            piece.role == "dendrite"
            and piece.population == soma.population
            and piece.first <= n < piece.first + piece.count
            for piece in results.mapping.slices
        )
        for n in range(soma.first, soma.first + soma.count)
    )


def senders(results: Results, steps: Any, flow: Flow) -> list[tuple[int, int]]:
    """Return ``(step, neuron)`` of every packet of a flow, packet by packet."""
    graded = {p.name for p in results.fixed.inputs if p.kind == "graded"}
    neurons = range(flow.first, flow.first + flow.count)
    sent = []
    for g, now in enumerate(steps):
        values = now[flow.population]
        if flow.kind == "membrane":
            once = results.fixed.population(flow.population).sent_membrane.last
            last = (g + 1) % results.network.steps == 0
            sent += [(g, n) for n in neurons if last or not once]
        elif flow.kind == "spike" or (flow.kind == "input" and flow.population not in graded):
            sent += [(g, n) for n in neurons if values[n]]
        elif flow.kind == "input":
            before = steps[g - 1][flow.population] if g else [0] * len(values)
            size = flow.neurons_per_packet
            groups = [neurons[k : k + size] for k in range(0, len(neurons), size)]
            sent += [(g, n[0]) for n in groups if any(values[i] != before[i] for i in n)]
        else:
            sent += [(g, n) for n in neurons for _ in range(flow.packets_per_neuron)]
    return sent


def packets(results: Results) -> list[Counter[tuple[int, int, int]]]:
    """Return the packets ``(injector, cycle, flow)`` of every phase, without their order.

    The cycle of an input packet, which depends on its place in the queue, is left at -1.
    """
    mapping, soma_cycles = results.mapping, results.chip.core.soma_cycles
    steps = stream(results)
    phases: list[Counter[tuple[int, int, int]]] = [Counter() for _ in range(results.mesh.phases)]
    for index, flow in enumerate(mapping.flows):
        for g, n in senders(results, steps, flow):
            start = g * mapping.schedule.interval
            if flow.source == INPUT_PORT:
                phases[start][results.chip.cores, -1, index] += 1
                continue
            piece = mapping.slices[flow.source]
            kind = "integrate" if piece.role == "dendrite" else "soma"
            task = next(t for t in results.tasks if t.slice == piece and t.task.kind == kind)
            # A slice's neurons send one after the other, at the end of its task.
            end = int(task.start[g] + task.cycles[g])
            cycle = end - soma_cycles * (piece.first + piece.count - 1 - n)
            phase = 1 + task.task.offset + start
            phases[phase][mapping.placement[piece.index], cycle, index] += 1
    return phases


def as_table(results: Results, found: dict[str, Counter[int]], names: Any) -> Any:
    return np.array([[found[a][c] for a in names] for c in range(results.chip.cores)])
