"""What a router of the wormhole kernel chooses: outputs of adaptive heads, channels, winners."""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.wormhole_buffers import (
    NEXT_SHIFT,
    PACKET_SHIFT,
    PACKETS,
    SLOT,
    WANTS_SHIFT,
    U,
    channel_at,
    first_from,
)
from chipsim.mesh.wormhole_records import (
    ASKED,
    HEADS,
    INPUT_TURNS,
    OUTPUT_TURNS,
    OWNED,
    REQUESTS,
    Load,
    Sizes,
    State,
    Ways,
)

LEADS = (1 << 32) - 1


@inlined
def byte(word: int, index: int) -> int:
    """Return a byte of ``word``."""
    return (word >> (index << 3)) & 255


@inlined
def turn_of(word: int, index: int) -> int:
    """Return one round-robin turn."""
    return (word >> (index << 2)) & 15


@inlined
def turned(word: int, index: int, before: int, size: int) -> int:
    """Return ``word`` with one turn moved on from ``before``."""
    after = before + 1 if before + 1 < size else 0
    return word ^ ((turn_of(word, index) ^ after) << (index << 2))


@inlined
def mask_at(sizes: Sizes, load: Load, base: int, flit: int, router: int) -> Any:
    """Return where ``Ways.trees`` has the outputs of a flit's packet at ``router``."""
    tree = int(load.tree[U(base + ((flit >> PACKET_SHIFT) & (PACKETS - 1)))])
    return U(tree * sizes.routers + router)


@inlined
def credits_of(sizes: Sizes, state: State, t: int, target: int, lane: int) -> int:
    """Return how many flits can be sent into a channel from cycle t on, all else standing still.

    Slots are given up in order, so those that are free come first: bisection finds their number.
    """
    base = channel_at(sizes, target, lane)
    start = ((state.memory[U(base)] >> NEXT_SHIFT) & SLOT) - sizes.buffer
    low = 0
    high = sizes.buffer
    while low < high:
        middle = (low + high) >> 1
        free = int(state.memory[U(base + 1 + ((start + middle) & (sizes.ring - 1)))])
        if free < 0 or free > t:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def free_slots(sizes: Sizes, ways: Ways, state: State, t: int, router: int, output: int) -> int:
    """Return the credits of those channels of ``output`` that belong to no packet."""
    owned = byte(state.memory[U(router * sizes.router_words + OWNED)], output)
    target = int(ways.links[U((router << 3) + output)] & LEADS)
    total = 0
    for lane in range(sizes.vcs):
        if (owned >> lane) & 1 == 0:
            total += credits_of(sizes, state, t, target, lane)
    return total


@inlined
def steer(
    sizes: Sizes, ways: Ways, state: State, load: Load, base: int, t: int, router: int
) -> None:  # fmt: skip
    """Let each head that waits ask for the permitted output with most free slots."""
    memory = state.memory
    here = router * sizes.router_words
    heads = int(memory[U(here + HEADS)])
    while heads:
        bit = lowest_bit(heads)
        heads &= heads - 1
        target = (router << 3) + (bit >> 3)
        place = channel_at(sizes, target, bit & 7)
        word = int(memory[U(place)])
        flit = int(memory[U(place + 1 + (word & SLOT))])
        mask = ways.trees[mask_at(sizes, load, base, flit, router)]
        permitted = int(np.int64(mask & ways.turns[U(target)]))
        chosen = lowest_bit(permitted)
        if permitted & (permitted - 1):
            most = -1
            while permitted:
                output = lowest_bit(permitted)
                permitted &= permitted - 1
                free = free_slots(sizes, ways, state, t, router, output)
                if free > most:
                    most = free
                    chosen = output
        before = (word >> WANTS_SHIFT) & 255
        if before == 1 << chosen:
            continue
        asked = int(memory[U(here + ASKED)])
        if before:
            left = U(here + REQUESTS + lowest_bit(before))
            memory[left] ^= 1 << bit
            if memory[left] == 0:
                asked ^= before
        memory[U(place)] = word ^ ((before ^ (1 << chosen)) << WANTS_SHIFT)
        memory[U(here + REQUESTS + chosen)] |= 1 << bit
        memory[U(here + ASKED)] = asked | (1 << chosen)


@inlined
def next_asking(sizes: Sizes, state: State, here: int, output: int, asking: int) -> int:
    """Return which of the channels ``asking`` (not 0) is next: ports in turn, channels in turn."""
    if asking & (asking - 1) == 0:
        return lowest_bit(asking)
    turn = turn_of(state.memory[U(here + OUTPUT_TURNS)], output)
    requests = U(asking)
    rotated = (requests >> U(turn << 3)) | (requests << U((64 - (turn << 3)) & 63))
    shift = lowest_bit(np.int64(rotated)) & 56
    lanes = np.int64((rotated >> U(shift)) & U(255))
    port = ((shift >> 3) + turn) & 7
    return (port << 3) + first_from(
        lanes, turn_of(state.memory[U(here + INPUT_TURNS)], port), sizes.vcs
    )
