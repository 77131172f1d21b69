"""Channels of the wormhole kernel: when routers are looked at, and how flits come and go."""

from __future__ import annotations

import numpy as np

from chipsim.kernels.compiled import inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.wormhole_records import WAITED, Sizes, State, Ways, channel_place

U = np.uint64
channel_at = inlined(channel_place)
TAKEN = -(1 << 63)
HEAD = 1 << 62
TAIL = 1 << 61
PACKET_SHIFT = 33
PACKETS = 1 << 28
"""So many packets of one phase can be told apart in a slot."""
TIME = (1 << PACKET_SHIFT) - 1
"""The cycle in which a flit is ready is kept modulo 2^33.  It is less than `NEAR` ahead and at most
2^32 past when it is looked at, since `refresh` moves it on: so it is never ambiguous (except where
packets block each other for good, and no cycle lets them go)."""
NEAR = 1 << 16
REFRESH = 1 << 31
"""So many cycles lie between two refreshes."""

SLOT = 4095
NEXT_SHIFT = 12
WANTS_SHIFT = 24
HELD_SHIFT = 32


@inlined
def look_at(sizes: Sizes, state: State, time: int, router: int) -> None:
    """Look at ``router`` in cycle ``time``."""
    slot = time & sizes.wheel_mask
    state.memory[U(sizes.look + slot * sizes.words + (router >> 6))] |= 1 << (router & 63)


@inlined
def look_at_source(sizes: Sizes, state: State, time: int, source: int) -> None:
    """Look at ``source`` in cycle ``time``."""
    place = sizes.source_look + (time & sizes.wheel_mask) * sizes.source_words + (source >> 6)
    state.memory[U(place)] |= 1 << (source & 63)


@inlined
def ask_from(sizes: Sizes, state: State, time: int, router: int, bit: int) -> None:
    """Let the first flits of a channel (``bit`` is 8 * port + channel) ask from ``time`` on."""
    place = sizes.fronts + (time & sizes.wheel_mask) * sizes.routers + router
    state.memory[U(place)] |= 1 << bit
    look_at(sizes, state, time, router)


@inlined
def first_from(mask: int, turn: int, size: int) -> int:
    """Return the first set bit of ``mask`` (``size`` bits, not 0) from ``turn`` on, around."""
    place = turn + lowest_bit((mask | (mask << size)) >> turn)
    return place - size if place >= size else place


@inlined
def wait_of(flit: int, time: int) -> int:
    """Return how many cycles after ``time`` a flit is ready, 0 if it is."""
    wait = (flit - time) & TIME
    return wait if wait < NEAR else 0


@inlined
def refresh(sizes: Sizes, state: State, time: int) -> None:
    """Let all flits in channels that have been ready for a while be ready from ``time`` on.

    That changes nothing: no flit is looked at for a cycle before ``time`` any more.
    """
    # The words of channels themselves are not negative: at most six outputs are links.
    for place in range(sizes.channels, sizes.fronts):
        flit = int(state.memory[place])
        if flit < 0 and wait_of(flit, time) == 0:
            state.memory[place] = (flit & ~TIME) | (time & TIME)


@inlined
def blocked_until(
    sizes: Sizes, state: State, t: int, target: int, lane: int, flits: int
) -> int:  # fmt: skip
    """Return 0 if a channel has room for ``flits`` in cycle t, else when to look again.

    That is -1 when the room is full: it will wake whoever fills it, once it gives up a flit.
    """
    base = channel_at(sizes, target, lane)
    following = (state.memory[U(base)] >> NEXT_SHIFT) & SLOT
    place = (following + flits - 1 - sizes.buffer) & (sizes.ring - 1)
    free = int(state.memory[U(base + 1 + place)])
    if free < 0:
        waited = U((target >> 3) * sizes.router_words + WAITED)
        state.memory[waited] |= 1 << (((target & 7) << 3) + lane)
        return -1
    return free if free > t else 0


@inlined
def enter(
    sizes: Sizes, state: State, ready: int, target: int, lane: int, flit: int
) -> None:  # fmt: skip
    """Put a flit (taken, head, tail and packet) into a channel; it can leave from ``ready`` on."""
    base = channel_at(sizes, target, lane)
    word = int(state.memory[U(base)])
    place = (word >> NEXT_SHIFT) & SLOT
    state.memory[U(base + 1 + place)] = flit | (ready & TIME)
    following = (place + 1) & (sizes.ring - 1)
    state.memory[U(base)] = word ^ ((place ^ following) << NEXT_SHIFT)
    wants = (word >> WANTS_SHIFT) & 255
    if word & SLOT == place or wants & (wants - 1):
        if sizes.head and flit & HEAD:
            ready = max(ready, state.front_from[U(target * sizes.vcs + lane)])
        ask_from(sizes, state, ready, target >> 3, ((target & 7) << 3) + lane)


@inlined
def free_first(
    sizes: Sizes, ways: Ways, state: State, t: int, target: int, lane: int, first: int
) -> None:  # fmt: skip
    """Free the first slot of a channel, and wake whoever fills it if that waits."""
    state.memory[U(channel_at(sizes, target, lane) + 1 + first)] = t + sizes.credit
    place = U((target >> 3) * sizes.router_words + WAITED)
    bit = 1 << (((target & 7) << 3) + lane)
    waited = state.memory[place]
    if sizes.adaptive or waited & bit:
        state.memory[place] = waited & ~bit
        sender = int(ways.upstream[U(target)])
        if sender >= 0:
            look_at(sizes, state, t + sizes.credit, sender >> 3)
        else:
            look_at_source(sizes, state, t + sizes.credit, -1 - sender)


@inlined
def ask_next(
    sizes: Sizes, state: State, t: int, target: int, lane: int, first: int
) -> None:  # fmt: skip
    """After a packet has left in cycle t: let the head of the next, if there is one, ask."""
    time = t + 1 + sizes.head
    if sizes.head:
        state.front_from[U(target * sizes.vcs + lane)] = time
    flit = int(state.memory[U(channel_at(sizes, target, lane) + 1 + first)])
    if flit < 0:
        time += wait_of(flit, time)
        ask_from(sizes, state, time, target >> 3, ((target & 7) << 3) + lane)
