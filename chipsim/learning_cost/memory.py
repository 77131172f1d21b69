"""The memory that backpropagation through time needs on each core, beside what is there already."""

from __future__ import annotations

from dataclasses import replace

from chipsim.chip import Core
from chipsim.cores.crossbar import as_bytes, ceil_div
from chipsim.learning_cost.tasks import inner_axons
from chipsim.mapping.model import Mapping, MemoryUse, Slice
from chipsim.mapping.shapes import projections_by_name
from chipsim.network import LIF, Input, Network


def backward_memory(
    network: Network, core: Core, mapping: Mapping, held: bool
) -> tuple[tuple[MemoryUse, ...], ...]:
    """Return the memories of every slice's core with what a backward pass adds, in bytes.

    A gradient beside every weight (at trace width); what each axon heard in every step (once where
    the input is ``held``); the membrane of every neuron in every step; errors that arrive and parts
    of errors that wait to be added, each twice, as partial sums have it.
    """
    return tuple(
        tuple(_with(use, _items(network, core, piece, held).get(use.memory, {})) for use in uses)
        for piece, uses in zip(mapping.slices, mapping.memory, strict=True)
    )


def fits(memory: tuple[tuple[MemoryUse, ...], ...]) -> bool:
    """Tell whether no memory holds more than it can."""
    return all(use.used <= use.budget for uses in memory for use in uses)


def cores_needed(memory: tuple[tuple[MemoryUse, ...], ...]) -> int:
    """Return the fewest cores that could hold it if every slice were cut to fit its memories."""
    return sum(max(1, *(ceil_div(use.used, use.budget) for use in uses)) for uses in memory)


def fullest(memory: tuple[tuple[MemoryUse, ...], ...]) -> MemoryUse:
    """Return the memory that is fullest, or the most over its budget."""
    return max((use for uses in memory for use in uses), key=lambda use: use.used / use.budget)


def _with(use: MemoryUse, more: dict[str, int]) -> MemoryUse:
    return replace(use, items={**use.items, **more})


def _items(network: Network, core: Core, piece: Slice, held: bool) -> dict[str, dict[str, int]]:
    items: dict[str, dict[str, int]] = {"synapse": {}, "axon": {}, "soma": {}}
    arithmetic = core.arithmetic
    error, accumulator = as_bytes(arithmetic.post_bits), as_bytes(arithmetic.accumulator_bits)
    inner = sum(run.count for run in inner_axons(network, piece))
    if piece.axons:
        synapses = piece.fan_in * piece.count
        items["synapse"]["gradients"] = as_bytes(synapses * arithmetic.trace_bits)
        items["axon"]["input history"] = as_bytes(_history_bits(network, core, piece, held))
    if inner:
        items["axon"]["errors of inputs"] = inner * accumulator
    if piece.role == "dendrite":
        items["soma"]["errors"] = piece.count * error * 2
    else:
        # The present membrane is there already.
        membranes = piece.count * as_bytes(arithmetic.membrane_bits) * (network.steps - 1)
        items["soma"]["stored membranes"] = membranes
        items["soma"]["errors"] = piece.count * (error + 2 * accumulator)
    return items


def _history_bits(network: Network, core: Core, piece: Slice, held: bool) -> int:
    """Return the bits that hold what every axon of a slice heard in every step."""
    projections, bits = projections_by_name(network), 0
    for run in piece.axons:
        projection = projections[run.projection]
        model, membrane = network.population(projection.source).model, projection.membrane
        spikes = model.kind == "spikes" if isinstance(model, Input) else isinstance(model, LIF)
        once = membrane.steps == "last" if membrane else held and isinstance(model, Input)
        copies, spikes = 1 if once else network.steps, spikes and membrane is None
        bits += run.count * copies * (1 if spikes else core.arithmetic.activation_bits)
    return bits
