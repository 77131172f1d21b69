"""Multicast keys: which slices send what to which, and the numbers they send.

Each population (and each that sends learning signals) gets an aligned block of keys, cut into a
power of two for each slice, so that one mask names a slice's neurons and another the population's.
A readout whose weights the layer's feedback follows gets such a block with a part for each slice of
the layer: a weight goes to the one core that needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from chipsim.errors import DoesNotFitError
from chipsim.mapping.processor.demand import Demand
from chipsim.mapping.processor.memory import bits_for
from chipsim.mapping.processor.model import CoreSlice, KeyKind, KeySpace
from chipsim.network import Network

KEY_BITS = 32
ALL_BITS = (1 << KEY_BITS) - 1


def make_keys(
    network: Network, demands: Mapping[str, Demand], slices: Sequence[CoreSlice]
) -> tuple[KeySpace, ...]:
    """Return the key spaces of all slices that send: spikes, learning signals, then weights.

    DoesNotFitError if 32 bits do not name them.
    """
    senders: tuple[tuple[KeyKind, dict[int, set[int]]], ...] = (
        ("spike", _spike_targets(network, demands, slices)),
        ("signal", _signal_targets(demands, slices)),
    )
    keys: list[KeySpace] = []
    start = 0
    for kind, targets in senders:
        for population in dict.fromkeys(slices[index].population for index in targets):
            own = [piece for piece in slices if piece.population == population]
            low = bits_for(max(piece.count for piece in own))
            block = 1 << (low + bits_for(len(own)))
            start = -(-start // block) * block
            keys += _block(kind, own, targets, start, low)
            start += block
    weights, start = _weight_keys(demands, slices, start)
    keys += weights
    if start > 1 << KEY_BITS:
        raise DoesNotFitError(
            f"keys: {start} exceeded max {1 << KEY_BITS} ({KEY_BITS} bits) by "
            f"{start - (1 << KEY_BITS)}"
        )
    return tuple(keys)


def _block(
    kind: KeyKind, own: Sequence[CoreSlice], targets: Mapping[int, set[int]], start: int, low: int
) -> Iterator[KeySpace]:
    """Yield the key spaces of one population from key ``start``, ``low`` bits a slice."""
    mask = ALL_BITS - ((1 << low) - 1)
    for number, piece in enumerate(own):
        if piece.index in targets:
            reached = tuple(sorted(targets[piece.index]))
            yield KeySpace(piece.index, kind, start + (number << low), mask, reached)


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
) -> dict[int, set[int]]:
    """Return the slices each slice sends spikes to: those with a synapse from it."""
    targets: dict[int, set[int]] = {}
    senders: dict[str, list[CoreSlice]] = {}
    for piece in slices:
        senders.setdefault(piece.population, []).append(piece)
    for piece in slices:
        for block in demands[piece.population].blocks:
            counts = block.count_onto(piece.first, piece.count)
            own = senders[block.source]
            sent = np.add.reduceat(counts, [sender.first for sender in own])
            for number in np.flatnonzero(sent).tolist():
                targets.setdefault(own[number].index, set()).add(piece.index)
    for projection in network.projections:
        if projection.stdp is not None and projection.stdp.reward is not None:
            sender = senders[projection.stdp.reward.population][0]
            rewarded = {piece.index for piece in senders[projection.target]}
            targets.setdefault(sender.index, set()).update(rewarded)
    return dict(sorted(targets.items()))


def _signal_targets(
    demands: Mapping[str, Demand], slices: Sequence[CoreSlice]
) -> dict[int, set[int]]:
    """Return the slices of the learning layer for each slice of its readout."""
    by_role = _by_role(demands, slices)
    layer = {piece.index for piece in by_role.get("layer", ())}
    return {sender.index: layer for sender in by_role.get("readout", ())}


def _by_role(
    demands: Mapping[str, Demand], slices: Sequence[CoreSlice]
) -> dict[str | None, list[CoreSlice]]:
    """Return the slices of each role in e-prop."""
    found: dict[str | None, list[CoreSlice]] = {}
    for piece in slices:
        found.setdefault(demands[piece.population].role, []).append(piece)
    return found
