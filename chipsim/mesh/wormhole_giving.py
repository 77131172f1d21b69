"""How outputs of the wormhole kernel give their channels to heads, and what they grant.

Each channel has an arbiter of its own.  With one turn for all channels of an output, or with
channels that come only with the switch's grant, what packets of several flits get through far
beyond saturation is 10 % less on permutations such as bit-complement.
"""

from __future__ import annotations

from chipsim.kernels.compiled import inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.wormhole_buffers import (
    HELD_SHIFT,
    PACKET_SHIFT,
    PACKETS,
    SLOT,
    U,
    blocked_until,
    channel_at,
    first_from,
    look_at,
)
from chipsim.mesh.wormhole_choice import LEADS, byte, mask_at, next_asking, turn_of, turned
from chipsim.mesh.wormhole_records import (
    HEAD_TURN_BITS,
    HEAD_TURNS,
    HEADS,
    HOLDERS,
    OUTPUT_TURNS,
    OWNED,
    REQUESTS,
    Load,
    Sizes,
    State,
    Ways,
)

NEW = 1 << 10
"""Marks the grant of a head that was given its channel in the same cycle."""


@inlined
def size_at(sizes: Sizes, state: State, load: Load, base: int, router: int, bit: int) -> int:
    """Return the flits of the packet whose head is first in channel ``bit``."""
    place = channel_at(sizes, (router << 3) + (bit >> 3), bit & 7)
    flit = int(state.memory[U(place + 1 + (state.memory[U(place)] & SLOT))])
    return int(load.flits[U(base + ((flit >> PACKET_SHIFT) & (PACKETS - 1)))])


@inlined
def hold(sizes: Sizes, state: State, router: int, output: int, lane: int, bit: int) -> None:
    """Let the packet of channel ``bit`` have channel ``lane`` of an output; move the turns on."""
    memory = state.memory
    here = router * sizes.router_words
    memory[U(here + OWNED)] |= 1 << ((output << 3) + lane)
    memory[U(here + HOLDERS + output)] |= 1 << bit
    turns = turned(memory[U(here + OUTPUT_TURNS)], output + 8, lane, sizes.vcs)
    memory[U(here + OUTPUT_TURNS)] = turns
    shift = lane * HEAD_TURN_BITS
    others = memory[U(here + HEAD_TURNS + output)] & ~(63 << shift)
    memory[U(here + HEAD_TURNS + output)] = others | (((bit + 1) & 63) << shift)
    place = U(channel_at(sizes, (router << 3) + (bit >> 3), bit & 7))
    memory[place] |= (lane + 1) << (HELD_SHIFT + (output << 2))
    if sizes.adaptive:
        memory[U(here + HEADS)] &= ~(1 << bit)


@inlined
def fitting(
    sizes: Sizes, ways: Ways, state: State, load: Load, base: int, router: int, output: int,
    heads: int, half: int,
) -> int:  # fmt: skip
    """Return those of ``heads`` that may go on in a half (0 lower, 1 upper) of an output."""
    straight = int(ways.straight[U((half << 3) + output)])
    found = heads & straight
    rest = heads & ~(straight | int(ways.straight[U(((1 - half) << 3) + output)]))
    table = half * (ways.barred.size >> 1)
    while rest:
        bit = lowest_bit(rest)
        rest &= rest - 1
        place = channel_at(sizes, (router << 3) + (bit >> 3), bit & 7)
        flit = int(state.memory[U(place + 1 + (state.memory[U(place)] & SLOT))])
        barred = ways.barred[U(table) + mask_at(sizes, load, base, flit, router)]
        if (barred >> output) & 1 == 0:
            found |= 1 << bit
    return found


@inlined
def give_channels(
    sizes: Sizes, ways: Ways, state: State, load: Load, base: int, t: int, router: int,
    output: int, heads: int,
) -> int:  # fmt: skip
    """Give the free channels of ``output`` to some of ``heads``; return those that got one.

    If room is all that is missing, the router is looked at again when there is some.
    """
    here = router * sizes.router_words
    target = int(ways.links[U((router << 3) + output)] & LEADS)
    every = (1 << sizes.vcs) - 1
    free = every & ~byte(state.memory[U(here + OWNED)], output)
    lane_turn = turn_of(state.memory[U(here + OUTPUT_TURNS)], output + 8)
    given = 0
    while free and given != heads:
        lane = first_from(free, lane_turn, sizes.vcs)
        free ^= 1 << lane
        asking = heads & ~given
        if sizes.rings:
            half = 1 if lane >= sizes.vcs >> 1 else 0
            asking = fitting(sizes, ways, state, load, base, router, output, asking, half)
        turn = (state.memory[U(here + HEAD_TURNS + output)] >> (lane * HEAD_TURN_BITS)) & 63
        while asking:
            behind = (asking >> turn) << turn
            bit = lowest_bit(behind if behind else asking)
            flits = size_at(sizes, state, load, base, router, bit) if sizes.cut_through else 1
            until = blocked_until(sizes, state, t, target, lane, flits)
            if until == 0:
                hold(sizes, state, router, output, lane, bit)
                given |= 1 << bit
                break
            if until > 0:
                look_at(sizes, state, until, router)
            if not sizes.cut_through:
                break
            asking ^= 1 << bit
    return given


@inlined
def held_lane(sizes: Sizes, state: State, router: int, bit: int, output: int) -> int:
    """Return the channel of ``output`` that the first packet of channel ``bit`` has."""
    place = U(channel_at(sizes, (router << 3) + (bit >> 3), bit & 7))
    return int(((state.memory[place] >> (HELD_SHIFT + (output << 2))) & 15) - 1)


@inlined
def choose(
    sizes: Sizes, ways: Ways, state: State, load: Load, base: int, t: int, router: int, output: int
) -> int:  # fmt: skip
    """Give away channels of ``output``, and return what it grants: lane << 6 | port << 3 | vc.

    A grant may be marked as `NEW`.  -1 for nothing.
    """
    here = router * sizes.router_words
    requests = int(state.memory[U(here + REQUESTS + output)])
    if output >= sizes.links:
        return next_asking(sizes, state, here, output, requests)
    holders = int(state.memory[U(here + HOLDERS + output)])
    target = int(ways.links[U((router << 3) + output)] & LEADS)
    granted = -1
    asking = requests & holders
    while asking:
        bit = next_asking(sizes, state, here, output, asking)
        lane = held_lane(sizes, state, router, bit, output)
        until = blocked_until(sizes, state, t, target, lane, 1)
        if until == 0:
            granted = (lane << 6) | bit
            break
        if until > 0:
            look_at(sizes, state, until, router)
        asking ^= 1 << bit
    heads = requests & ~holders
    if heads:
        given = give_channels(sizes, ways, state, load, base, t, router, output, heads)
        if given and granted < 0:
            bit = next_asking(sizes, state, here, output, given)
            granted = NEW | (held_lane(sizes, state, router, bit, output) << 6) | bit
    return granted
