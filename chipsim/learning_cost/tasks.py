"""The work of a backward pass on each core, in cycles and in actions.

Energies of learning are not published.  Each piece of work is charged as the action of the forward
pass that does the same: ``w d`` as a graded multiply-accumulate (``mac``), the outer product
``x d`` and the update of a weight as a multiply-accumulate with a read and a write of a synapse
(``trace_update``), adding up parts of an error as adding partial sums (``relay_add``), and the
surrogate and leak of a neuron as a soma update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Chip
from chipsim.cores.crossbar import ceil_div
from chipsim.learning_cost.messages import Message, error_steps
from chipsim.mapping.model import Axons, Route, Slice, TaskKind
from chipsim.mapping.shapes import projections_by_name
from chipsim.network import Input, Network
from chipsim.simulate.counters import actions_of, count_hops
from chipsim.simulate.traffic import flits_by_link, port_masks

Integers = NDArray[np.int64]

CHAIN: tuple[TaskKind, ...] = ("soma", "integrate", "learn")
"""Tasks of a step in their order, named as the forward tasks of the same core and arrays: errors of
neurons, errors of presynaptic neurons (``w d``), gradients (``x d``)."""


def backward_cycles(
    network: Network, chip: Chip, slices: Sequence[Slice], messages: Sequence[Message]
) -> tuple[dict[TaskKind, int], ...]:
    """Return the most cycles each task of a step takes on each slice (every axon active)."""
    words = words_received(slices, messages)
    return tuple(_cycles(network, chip, piece, words[piece.index]) for piece in slices)


def words_received(slices: Sequence[Slice], messages: Sequence[Message]) -> tuple[int, ...]:
    """Return the feedback words that reach each slice in one step."""
    words = [0] * len(slices)
    for message in messages:
        if message.kind == "feedback":
            for target in message.flow.targets:
                words[target] += message.flow.count
    return tuple(words)


def _cycles(network: Network, chip: Chip, piece: Slice, words: int) -> dict[TaskKind, int]:
    core, arithmetic = chip.core, chip.core.arithmetic
    cycles: dict[TaskKind, int] = {}
    if piece.role != "dendrite":
        adding = ceil_div(words * _native_words(chip), core.macs_per_cycle)
        cycles["soma"] = core.soma_cycles * piece.count + adding
    back = sum(run.count for run in inner_axons(network, piece))
    if back:
        macs = back * piece.count * arithmetic.weight_columns
        cycles["integrate"] = ceil_div(macs, core.macs_per_cycle) + core.soma_cycles * back
    if piece.axons:
        macs = piece.fan_in * piece.count * arithmetic.trace_columns
        cycles["learn"] = ceil_div(macs, core.macs_per_cycle)
    return cycles


def update_cycles(chip: Chip, piece: Slice) -> int:
    """Return the cycles to add the gradients of a slice to its weights."""
    arithmetic = chip.core.arithmetic
    columns = arithmetic.weight_columns + arithmetic.trace_columns
    return ceil_div(piece.fan_in * piece.count * columns, chip.core.macs_per_cycle)


def inner_axons(network: Network, piece: Slice) -> tuple[Axons, ...]:
    """Return the runs of axons whose source is no input: those an error goes back along."""
    projections = projections_by_name(network)
    return tuple(
        run
        for run in piece.axons
        if not isinstance(network.population(projections[run.projection].source).model, Input)
    )


def backward_actions(
    network: Network,
    chip: Chip,
    slices: Sequence[Slice],
    placement: Sequence[int],
    messages: Sequence[Message],
    routes: Sequence[Route],
    active: Mapping[tuple[int, str, int], int],
    samples: int,
) -> Integers:
    """Count the actions of the backward passes and updates of ``samples`` samples.

    ``active`` are the axons with input, over all samples and steps, of each run of axons, named by
    slice, projection and first axon.  Returns ``(cores, actions)`` in the order of
    `chipsim.simulate.counters.actions_of`.
    """
    arithmetic, actions = chip.core.arithmetic, actions_of(chip)
    by_core = np.zeros((chip.cores, len(actions)), np.int64)
    column = {action: by_core[:, i] for i, action in enumerate(actions)}
    projections = projections_by_name(network)
    for piece in slices:
        core = placement[piece.index]
        if piece.role != "dendrite":
            column["soma_update"][core] += piece.count * network.steps * samples
        for run in inner_axons(network, piece):
            steps = error_steps(network, projections[run.projection]) * samples
            column["mac"][core] += run.count * piece.count * arithmetic.weight_columns * steps
        for run in piece.axons:
            gradients = active[piece.index, run.projection, run.first]
            updates = gradients + run.count * samples
            column["trace_update"][core] += updates * piece.count
    for message in messages:
        if message.kind == "feedback":
            adds = message.flow.count * message.steps * samples * _native_words(chip)
            for target in message.flow.targets:
                column["relay_add"][placement[target]] += adds
    _add_hops(chip, messages, routes, samples, column)
    return by_core


def _add_hops(
    chip: Chip,
    messages: Sequence[Message],
    routes: Sequence[Route],
    samples: int,
    column: dict[str, Integers],
) -> None:
    mesh, flows = chip.mesh, [message.flow for message in messages]
    packets = np.array([message.packets * samples for message in messages], np.int64)
    flits = packets * np.array([mesh.flits(flow.bits) for flow in flows], np.int64)
    trees = port_masks(tuple(routes), mesh.routers)
    through = flits_by_link(flits, trees, mesh.links + mesh.cores_per_router)
    count_hops(chip, flows, packets, trees, through, column)


def _native_words(chip: Chip) -> int:
    arithmetic = chip.core.arithmetic
    return ceil_div(arithmetic.accumulator_bits, arithmetic.native_bits)
