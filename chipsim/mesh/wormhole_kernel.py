"""The compiled wormhole mesh: any topology, flits, virtual channels, multicast.

The router is told in `chipsim.mesh.wormhole_reference`.  As in `chipsim.mesh.kernel`, time moves
over a wheel whose slots are bit sets of routers, all that is done in cycle t is seen at t + 1 or
later, and credits need no events: a slot that is given up holds the cycle from which it can be
filled.  A router is looked at when a flit comes to the front of a channel, when an output that was
wanted is free again, and when a channel that was full has room.
"""

from __future__ import annotations

import numpy as np

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.kernels.prefetch import prefetch
from chipsim.mesh.book import Book, Phase, deliver
from chipsim.mesh.fabric import EJECT_CYCLES, Int32
from chipsim.mesh.wormhole_buffers import (
    HEAD,
    HELD_SHIFT,
    PACKET_SHIFT,
    PACKETS,
    REFRESH,
    SLOT,
    TAIL,
    TIME,
    WANTS_SHIFT,
    U,
    ask_from,
    ask_next,
    channel_at,
    enter,
    free_first,
    look_at,
    refresh,
    wait_of,
)
from chipsim.mesh.wormhole_choice import LEADS, byte, mask_at, steer, turned
from chipsim.mesh.wormhole_forks import ask_branches, leave_branch, resolve
from chipsim.mesh.wormhole_giving import choose
from chipsim.mesh.wormhole_records import (
    ASKED,
    DELAY_SHIFT,
    FREE_AT,
    HEAD_TURNS,
    HEADS,
    HOLDERS,
    INPUT_TURNS,
    INTERVAL_SHIFT,
    NEXT_LANE,
    OUTPUT_TURNS,
    OWNED,
    PASSED,
    REQUESTS,
    Load,
    Sizes,
    State,
    Ways,
    WormholeMesh,
)
from chipsim.mesh.wormhole_sources import append, inject

CYCLES = (1 << 16) - 1


@inlined
def land(
    sizes: Sizes, ways: Ways, state: State, load: Load, base: int, t: int, router: int
) -> None:  # fmt: skip
    """Let the first flits ask that may do so from cycle ``t`` on."""
    memory = state.memory
    here = router * sizes.router_words
    place = U(sizes.fronts + (t & sizes.wheel_mask) * sizes.routers + router)
    fronts = int(memory[place])
    if fronts == 0:
        return
    memory[place] = 0
    asked = int(memory[U(here + ASKED)])
    while fronts:
        bit = lowest_bit(fronts)
        fronts &= fronts - 1
        target = (router << 3) + (bit >> 3)
        vc = bit & 7
        channel = channel_at(sizes, target, vc)
        word = int(memory[U(channel)])
        wants = (word >> WANTS_SHIFT) & 255
        flit = int(memory[U(channel + 1 + (word & SLOT))])
        # Where packets fork, a channel may be looked at for a flit that has gone meanwhile.
        if flit >= 0 or wait_of(flit, t):
            continue
        if wants == 0:
            if sizes.head and state.front_from[U(target * sizes.vcs + vc)] > t:
                continue
            if sizes.adaptive:
                memory[U(here + HEADS)] |= 1 << bit
                continue
            wants = int(np.int64(ways.trees[mask_at(sizes, load, base, flit, router)]))
            memory[U(channel)] = word | (wants << WANTS_SHIFT)
        if wants & (wants - 1):
            wants = ask_branches(sizes, state, t, target, vc)
        asked |= wants
        while wants:
            memory[U(here + REQUESTS + lowest_bit(wants))] |= 1 << bit
            wants &= wants - 1
    memory[U(here + ASKED)] = asked


@inlined
def hand_over(
    sizes: Sizes, ways: Ways, state: State, load: Load, base: int, t: int, router: int,
    output: int, lane: int, flit: int,
) -> None:  # fmt: skip
    """Send a flit over a link into channel ``lane`` at its far end."""
    link = int(ways.links[U((router << 3) + output)])
    target = link & LEADS
    if flit & TAIL:
        state.memory[U(router * sizes.router_words + OWNED)] ^= 1 << ((output << 3) + lane)
    ready = t + ((link >> DELAY_SHIFT) & CYCLES)
    if flit & HEAD == 0:
        ready -= sizes.head_stages
    enter(sizes, state, ready, target, lane, flit & ~TIME)
    if flit & HEAD:
        prefetch(ways.trees, mask_at(sizes, load, base, flit, target >> 3))


@inlined
def leave(
    sizes: Sizes, ways: Ways, state: State, t: int, router: int, bit: int, word: int, tail: int
) -> bool:  # fmt: skip
    """Give up the first flit of a channel, whose word is to be ``word``.

    Returns whether the flit behind it, of the same packet, can ask in the next cycle; if it comes
    later, it asks then.
    """
    target = (router << 3) + (bit >> 3)
    lane = bit & 7
    channel = channel_at(sizes, target, lane)
    first = word & SLOT
    following = (first + 1) & (sizes.ring - 1)
    word ^= first ^ following
    free_first(sizes, ways, state, t, target, lane, first)
    if tail:
        state.memory[U(channel)] = word & ~(255 << WANTS_SHIFT)
        ask_next(sizes, state, t, target, lane, following)
        return False
    state.memory[U(channel)] = word
    behind = int(state.memory[U(channel + 1 + following)])
    if behind >= 0:
        return False
    wait = wait_of(behind, t + 1)
    if wait:
        ask_from(sizes, state, t + 1 + wait, router, bit)
        return False
    return True


@inlined
def transmit(
    sizes: Sizes, ways: Ways, state: State, load: Load, book: Book, phase: Phase, t: int,
    router: int, bit: int, output: int, lane: int,
) -> None:  # fmt: skip
    """Send a flit of channel ``bit`` by ``output`` into its channel ``lane``."""
    memory = state.memory
    here = router * sizes.router_words
    target = (router << 3) + (bit >> 3)
    channel = channel_at(sizes, target, bit & 7)
    word = int(memory[U(channel)])
    wants = (word >> WANTS_SHIFT) & 255
    forks = wants & (wants - 1)
    place = word & SLOT
    if forks:
        branch = ((target * sizes.vcs + (bit & 7)) << 3) + output
        place = (place + state.ahead[U(branch)]) & (sizes.ring - 1)
    flit = int(memory[U(channel + 1 + place)])
    memory[U(here + PASSED + output)] += 1
    if sizes.narrow:
        interval = (ways.links[U((router << 3) + output)] >> INTERVAL_SHIFT) & CYCLES
        memory[U(here + FREE_AT + output)] = t + interval
    turns = turned(memory[U(here + OUTPUT_TURNS)], output, bit >> 3, sizes.ports)
    memory[U(here + OUTPUT_TURNS)] = turns
    if output < sizes.links:
        if flit & TAIL:
            word ^= (lane + 1) << (HELD_SHIFT + (output << 2))
            memory[U(here + HOLDERS + output)] ^= 1 << bit
        hand_over(sizes, ways, state, load, phase.base, t, router, output, lane, flit)
    elif flit & TAIL:
        core = router * sizes.locals + output - sizes.links
        packet = (flit >> PACKET_SHIFT) & (PACKETS - 1)
        deliver(book, load.inject, phase.base + packet, core, t + EJECT_CYCLES - phase.start)
    if sizes.adaptive:
        memory[U(here + HEADS)] &= ~(1 << bit)
    stays = False
    if forks:
        memory[U(channel)] = word
        leave_branch(sizes, ways, state, t, target, bit & 7, output, flit & TAIL)
    else:
        stays = leave(sizes, ways, state, t, router, bit, word, flit & TAIL)
    if not stays:
        requests = memory[U(here + REQUESTS + output)] ^ (1 << bit)
        memory[U(here + REQUESTS + output)] = requests
        if requests == 0:
            memory[U(here + ASKED)] ^= 1 << output


@inlined
def look(
    sizes: Sizes, ways: Ways, state: State, load: Load, book: Book, phase: Phase, t: int,
    router: int,
) -> None:  # fmt: skip
    """Let one router grant its outputs in cycle ``t``."""
    memory = state.memory
    here = router * sizes.router_words
    land(sizes, ways, state, load, phase.base, t, router)
    if sizes.adaptive:
        steer(sizes, ways, state, load, phase.base, t, router)
    granting = 0
    chosen = 0
    lanes = 0
    ports = 0
    shared = 0
    settled = 0
    asked = int(memory[U(here + ASKED)])
    while asked:
        output = lowest_bit(asked)
        asked &= asked - 1
        if sizes.narrow:
            free_at = memory[U(here + FREE_AT + output)]
            if free_at > t:
                look_at(sizes, state, free_at, router)
                continue
        choice = choose(sizes, ways, state, load, phase.base, t, router, output)
        if choice >= 0:
            granting |= 1 << output
            chosen |= (choice & 63) << (output << 3)
            lanes |= ((choice >> 6) & 7) << (output << 3)
            settled |= (1 - (choice >> 10)) << output
            port = 1 << ((choice >> 3) & 7)
            shared |= ports & port
            ports |= port
    if granting == 0:
        return
    accepted = granting
    winners = granting
    if shared:
        accepted, winners = resolve(sizes, state, router, granting, settled, chosen)
    rest = accepted
    while rest:
        output = lowest_bit(rest)
        rest &= rest - 1
        bit = byte(chosen, output)
        if (winners >> output) & 1:
            turns = turned(memory[U(here + INPUT_TURNS)], bit >> 3, bit & 7, sizes.vcs)
            memory[U(here + INPUT_TURNS)] = turned(turns, (bit >> 3) + 8, output, sizes.ports)
        transmit(
            sizes, ways, state, load, book, phase, t, router, bit, output, byte(lanes, output)
        )  # fmt: skip
    if memory[U(here + ASKED)] & granting or (sizes.adaptive and memory[U(here + HEADS)]):
        look_at(sizes, state, t + 1, router)


@compiled
def run_phase(mesh: WormholeMesh, load: Load, book: Book, phase: Phase, order: Int32) -> int:
    """Run a phase as `chipsim.mesh.phase_runs.run_one` says."""
    sizes, ways, state, sources = mesh
    memory = state.memory
    for here in range(0, sizes.channels, sizes.router_words):
        memory[here + OUTPUT_TURNS] = 0
        memory[here + INPUT_TURNS] = 0
        memory[here + HEAD_TURNS : here + HEAD_TURNS + 8] = 0
    sources.state[NEXT_LANE::8] = 0
    t = phase.start
    fresh_until = t + REFRESH
    queued = 0
    idle = sizes.wheel_mask + 1
    while True:
        if idle > sizes.wheel_mask:
            if queued == phase.packets:
                return t + sizes.wheel_mask + 1
            t = phase.start + load.inject[phase.base + order[queued]]
        idle += 1
        if t >= fresh_until:
            refresh(sizes, state, t)
            fresh_until = t + REFRESH
        while queued < phase.packets:
            packet = int(order[queued])
            if phase.start + load.inject[phase.base + packet] != t:
                break
            append(sizes, state, sources, t, int(load.injector[phase.base + packet]), packet)
            queued += 1
        slot = t & sizes.wheel_mask
        for index in range(sizes.source_words):
            place = U(sizes.source_look + slot * sizes.source_words + index)
            word = int(memory[place])
            if word:
                idle = 0
                memory[place] = 0
                while word:
                    source = (index << 6) + lowest_bit(word)
                    word &= word - 1
                    inject(sizes, ways, state, sources, load, phase, t, source)
        for index in range(sizes.words):
            place = U(sizes.look + slot * sizes.words + index)
            word = int(memory[place])
            if word:
                idle = 0
                memory[place] = 0
                while word:
                    router = (index << 6) + lowest_bit(word)
                    word &= word - 1
                    look(sizes, ways, state, load, book, phase, t, router)
        t += 1
