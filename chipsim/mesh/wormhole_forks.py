"""Packets that leave a router of the wormhole kernel by several outputs, and ports in demand.

Each branch of a packet reads the channel on its own: ``State.ahead`` says how many flits behind
the first slot it goes on.  A flit gives up its slot when all branches have taken it, so of the
branches that are not done one at least is at the first slot, and the last one left is there: what
is left of the packet then leaves like any other.
"""

from __future__ import annotations

from chipsim.kernels.compiled import inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.wormhole_buffers import (
    SLOT,
    WANTS_SHIFT,
    U,
    ask_from,
    ask_next,
    channel_at,
    first_from,
    free_first,
    wait_of,
)
from chipsim.mesh.wormhole_choice import byte, turn_of
from chipsim.mesh.wormhole_records import INPUT_TURNS, Sizes, State, Ways


@inlined
def ask_branches(sizes: Sizes, state: State, t: int, target: int, lane: int) -> int:
    """Return the outputs for which the first packet of a channel has a flit that is ready."""
    channel = channel_at(sizes, target, lane)
    word = int(state.memory[U(channel)])
    branches = (target * sizes.vcs + lane) << 3
    wants = (word >> WANTS_SHIFT) & 255
    asking = 0
    while wants:
        output = lowest_bit(wants)
        wants &= wants - 1
        ahead = int(state.ahead[U(branches + output)])
        flit = int(state.memory[U(channel + 1 + ((word + ahead) & (sizes.ring - 1)))])
        # In a full ring the slot behind the last one is the first.
        if flit < 0 and ahead < sizes.ring and wait_of(flit, t) == 0:
            asking |= 1 << output
    return asking


@inlined
def leave_branch(
    sizes: Sizes, ways: Ways, state: State, t: int, target: int, lane: int, output: int, tail: int
) -> None:  # fmt: skip
    """Move one branch on; give up the first flit of the channel if all branches have taken it."""
    channel = channel_at(sizes, target, lane)
    word = int(state.memory[U(channel)])
    first = word & SLOT
    branches = (target * sizes.vcs + lane) << 3
    if tail:
        word ^= 1 << (WANTS_SHIFT + output)
        state.ahead[U(branches + output)] = 0
    else:
        ahead = int(state.ahead[U(branches + output)]) + 1
        state.ahead[U(branches + output)] = ahead
        flit = int(state.memory[U(channel + 1 + ((first + ahead) & (sizes.ring - 1)))])
        if flit < 0 and ahead < sizes.ring:
            time = t + 1 + wait_of(flit, t + 1)
            ask_from(sizes, state, time, target >> 3, ((target & 7) << 3) + lane)
    rest = wants = (word >> WANTS_SHIFT) & 255
    while rest:
        if state.ahead[U(branches + lowest_bit(rest))] == 0:
            state.memory[U(channel)] = word
            return
        rest &= rest - 1
    rest = wants
    while rest:
        state.ahead[U(branches + lowest_bit(rest))] -= 1
        rest &= rest - 1
    following = (first + 1) & (sizes.ring - 1)
    state.memory[U(channel)] = word ^ first ^ following
    free_first(sizes, ways, state, t, target, lane, first)
    if wants == 0:
        ask_next(sizes, state, t, target, lane, following)


@inlined
def resolve(
    sizes: Sizes, state: State, router: int, granting: int, settled: int, chosen: int
) -> tuple[int, int]:  # fmt: skip
    """Let each input port accept one flit; return the outputs accepted, and one of each port.

    That one, the next in turn (of the outputs ``settled``, which grant no head that just got its
    channel, if there are any), decides which channel and which of its flits; all outputs that grant
    just this are accepted.
    """
    memory = state.memory
    turns = int(memory[U(router * sizes.router_words + INPUT_TURNS)])
    accepted = 0
    winners = 0
    while granting:
        port = byte(chosen, lowest_bit(granting)) >> 3
        mates = 0
        rest = granting
        while rest:
            output = lowest_bit(rest)
            rest &= rest - 1
            if byte(chosen, output) >> 3 == port:
                mates |= 1 << output
        granting &= ~mates
        first = mates & settled
        winner = first_from(first if first else mates, turn_of(turns, port + 8), sizes.ports)
        winners |= 1 << winner
        bit = byte(chosen, winner)
        branches = (((router << 3) + port) * sizes.vcs + (bit & 7)) << 3
        while mates:
            output = lowest_bit(mates)
            mates &= mates - 1
            same = state.ahead[U(branches + output)] == state.ahead[U(branches + winner)]
            if byte(chosen, output) == bit and same:
                accepted |= 1 << output
    return accepted, winners
