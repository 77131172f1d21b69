"""Channels of the wormhole kernel: when routers are looked at, and how flits come and go."""

from __future__ import annotations

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.wormhole_records import Load, Routers, Sizes, Ways, Wheel

U = np.uint64
HEAD = 1 << 8
TAIL = 1 << 9
PACKET_SHIFT = 10
WANTED_SHIFT = 24
INPUT_TURN, LANE_TURN, GIVEN_TURN, OUTPUT_TURN = range(4)


@inlined
def look_at(sizes: Sizes, wheel: Wheel, time: int, router: int) -> None:
    """Look at ``router`` in cycle ``time``."""
    slot = time & sizes.wheel_mask
    wheel.look[U(slot * sizes.words + (router >> 6))] |= 1 << (router & 63)


@inlined
def look_at_source(sizes: Sizes, wheel: Wheel, time: int, source: int) -> None:
    """Look at ``source`` in cycle ``time``."""
    slot = time & sizes.wheel_mask
    wheel.source_look[U(slot * sizes.source_words + (source >> 6))] |= 1 << (source & 63)


@inlined
def ask_from(sizes: Sizes, wheel: Wheel, time: int, router: int, bit: int) -> None:
    """Let the first flit of a channel (``bit`` is 8 * port + channel) ask from ``time`` on."""
    slot = time & sizes.wheel_mask
    wheel.fronts[U(slot * sizes.routers + router)] |= 1 << bit
    look_at(sizes, wheel, time, router)


@inlined
def byte(word: int, index: int) -> int:
    """Return a byte of ``word``."""
    return (word >> (index << 3)) & 255


@inlined
def first_from(mask: int, turn: int, size: int) -> int:
    """Return the first set bit of ``mask`` (``size`` bits, not 0) from ``turn`` on, around."""
    place = turn + lowest_bit((mask | (mask << size)) >> turn)
    return place - size if place >= size else place


@inlined
def set_turn(routers: Routers, router: int, kind: int, index: int, value: int) -> None:
    """Set one round-robin turn."""
    place = U((router << 2) + kind)
    word = routers.turns[place]
    routers.turns[place] = word ^ ((byte(word, index) ^ value) << (index << 3))


@inlined
def enter(
    sizes: Sizes, ways: Ways, wheel: Wheel, routers: Routers, load: Load, base: int,
    ready: int, target: int, lane: int, flit: int,
) -> None:  # fmt: skip
    """Put a flit (head, tail and packet) into channel ``lane`` of input ``target``.

    Where it goes is looked up for a head and kept for the flits behind it.
    """
    router = target >> 3
    index = target * sizes.lanes + lane
    word = int(routers.channel[U(index)])
    held = (word >> 12) & 4095
    if flit & HEAD and not sizes.adaptive:
        tree = int(load.tree[U(base + (flit >> PACKET_SHIFT))])
        wanted = np.int64(ways.trees[U(tree * sizes.routers + router)])
        word = (word & 0xFFFFFF) | (wanted << WANTED_SHIFT)
    place = U(index * sizes.ring + (((word & 4095) + held) & (sizes.ring - 1)))
    routers.flits[place] = flit | (word >> WANTED_SHIFT)
    routers.ready[place] = ready
    routers.channel[U(index)] = word + 4096
    if held == 0:
        if flit & HEAD:
            ready = max(ready, routers.front_from[U(index)])
        ask_from(sizes, wheel, ready, router, ((target & 7) << 3) + lane)


@inlined
def leave(
    sizes: Sizes, ways: Ways, wheel: Wheel, routers: Routers,
    t: int, target: int, lane: int, tail: int,
) -> None:  # fmt: skip
    """Drop the first flit of a channel, return its credit, let the next one ask."""
    index = target * sizes.lanes + lane
    word = int(routers.channel[U(index)])
    first = ((word & 4095) + 1) & (sizes.ring - 1)
    held = ((word >> 12) & 4095) - 1
    routers.channel[U(index)] = ((word >> WANTED_SHIFT) << WANTED_SHIFT) | (held << 12) | first
    time = t + 1
    if tail:
        time += sizes.head
        routers.front_from[U(index)] = time
    if held:
        time = max(time, routers.ready[U(index * sizes.ring + first)])
        ask_from(sizes, wheel, time, target >> 3, ((target & 7) << 3) + lane)
    sender = int(ways.upstream[U(target)])
    slot = (t + sizes.credit) & sizes.wheel_mask
    if sender >= 0:
        where = U(slot * sizes.routers + (sender >> 3))
        wheel.credits[where] |= 1 << (((sender & 7) << 3) + lane)
        look_at(sizes, wheel, t + sizes.credit, sender >> 3)
    else:
        wheel.source_credits[U(slot * sizes.sources - 1 - sender)] |= 1 << lane
        look_at_source(sizes, wheel, t + sizes.credit, -1 - sender)
