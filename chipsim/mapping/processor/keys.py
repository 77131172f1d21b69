"""Multicast keys: which slices send what to which, and the numbers they send.

Each population (and each that sends learning signals) gets an aligned block of keys, cut into a
power of two for each slice, so that one mask names a slice's neurons and another the population's.
A delay extension's part is cut again, by delay stage.
A readout whose weights the layer's feedback follows gets such a block with a part for each slice of
the layer: a weight goes to the one core that needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from chipsim.errors import DoesNotFitError
from chipsim.mapping.processor.demand import Demand
from chipsim.mapping.processor.memory import bits_for
from chipsim.mapping.processor.model import DELAY, CoreSlice, KeyKind, KeySpace
from chipsim.network import Network

KEY_BITS = 32
ALL_BITS = (1 << KEY_BITS) - 1

Targets = Mapping[tuple[int, int], set[int]]
"""The slices that a slice (its index) sends to, at each delay stage (0: at once)."""


def make_keys(
    network: Network, demands: Mapping[str, Demand], slices: Sequence[CoreSlice]
) -> tuple[KeySpace, ...]:
    """Return the key spaces of all slices that send: spikes, signals, delayed spikes, then weights.

    DoesNotFitError if 32 bits do not name them.
    """
    spikes = _spike_targets(network, demands, slices)
    senders: tuple[tuple[KeyKind, Targets], ...] = (
        ("spike", {at: reached for at, reached in spikes.items() if not at[1]}),
        ("signal", _signal_targets(demands, slices)),
        ("delayed", {at: reached for at, reached in spikes.items() if at[1]}),
    )
    keys: list[KeySpace] = []
    start = 0
    for kind, targets in senders:
        for population in dict.fromkeys(slices[index].population for index, _ in targets):
            own = [
                piece
                for piece in slices
                if piece.population == population
                and (piece.program == DELAY) == (kind == "delayed")
            ]
            low = bits_for(max(piece.count for piece in own))
            stages = max(demands[population].stages, 1) if kind == "delayed" else 1
            high = low + bits_for(stages)
            block = 1 << (high + bits_for(len(own)))
            start = -(-start // block) * block
            for number, piece in enumerate(own):
                first = start + (number << high)
                keys += _core_block(kind, piece, targets, first, low, stages)
            start += block
    weights, start = _weight_keys(demands, slices, start)
    keys += weights
    if start > 1 << KEY_BITS:
        raise DoesNotFitError(
            f"keys: {start} exceeded max {1 << KEY_BITS} ({KEY_BITS} bits) by "
            f"{start - (1 << KEY_BITS)}"
        )
    return tuple(keys)


def _core_block(
    kind: KeyKind, piece: CoreSlice, targets: Targets, first: int, low: int, stages: int
) -> Iterator[KeySpace]:
    """Yield the key spaces of one slice from key ``first`` on, ``low`` bits each."""
    mask = ALL_BITS - ((1 << low) - 1)
    for place in range(stages):
        stage = place + 1 if kind == "delayed" else 0
        if (piece.index, stage) in targets:
            reached = tuple(sorted(targets[piece.index, stage]))
            yield KeySpace(piece.index, kind, first + (place << low), mask, reached, stage)


def _weight_keys(
    demands: Mapping[str, Demand], slices: Sequence[CoreSlice], start: int
) -> tuple[list[KeySpace], int]:
    """Return the key spaces of weights from key ``start`` on, and the next key that is free.

    Each has room for a packet a weight, though a payload may hold several.
    """
    by_role = _by_role(demands, slices)
    layer, keys = by_role.get("layer", []), []
    followed = [piece for piece in layer if demands[piece.population].feedback_follows]
    for sender in by_role.get("readout", []) if followed else []:
        outputs = demands[sender.population].outputs
        low = bits_for(max(piece.count for piece in layer) * outputs)
        block = 1 << (low + bits_for(len(layer)))
        start = -(-start // block) * block
        mask = ALL_BITS - ((1 << low) - 1)
        for number, piece in enumerate(layer):
            key = start + (number << low)
            keys.append(KeySpace(sender.index, "weight", key, mask, (piece.index,)))
        start += block
    return keys, start


def _spike_targets(
    network: Network, demands: Mapping[str, Demand], slices: Sequence[CoreSlice]
) -> Targets:
    """Return where each slice sends spikes: to those with a synapse from it at the delay stage.

    A slice with a delay extension sends to that too.
    """
    targets: dict[tuple[int, int], set[int]] = {}
    senders: dict[str, list[CoreSlice]] = {}
    extension: dict[int, int] = {}
    for piece in slices:
        if piece.program == DELAY:
            extension[piece.index - 1] = piece.index
        else:
            senders.setdefault(piece.population, []).append(piece)
    for piece in slices:
        for block in demands[piece.population].blocks if piece.program != DELAY else ():
            counts = block.count_onto(piece.first, piece.count)
            own = senders[block.source]
            sent = np.add.reduceat(counts, [sender.first for sender in own])
            for number in np.flatnonzero(sent).tolist():
                sender = own[number].index
                if block.stage:
                    targets.setdefault((sender, 0), set()).add(extension[sender])
                    sender = extension[sender]
                targets.setdefault((sender, block.stage), set()).add(piece.index)
    for projection in network.projections:
        if projection.stdp is not None and projection.stdp.reward is not None:
            sender = senders[projection.stdp.reward.population][0].index
            rewarded = {piece.index for piece in senders[projection.target]}
            targets.setdefault((sender, 0), set()).update(rewarded)
    return dict(sorted(targets.items()))


def _signal_targets(demands: Mapping[str, Demand], slices: Sequence[CoreSlice]) -> Targets:
    """Return the slices of the learning layer for each slice of its readout."""
    by_role = _by_role(demands, slices)
    layer = {piece.index for piece in by_role.get("layer", ())}
    return {(sender.index, 0): layer for sender in by_role.get("readout", ())}


def _by_role(
    demands: Mapping[str, Demand], slices: Sequence[CoreSlice]
) -> dict[str | None, list[CoreSlice]]:
    """Return the slices of each role in e-prop."""
    found: dict[str | None, list[CoreSlice]] = {}
    for piece in slices:
        if piece.program != DELAY:
            found.setdefault(demands[piece.population].role, []).append(piece)
    return found
