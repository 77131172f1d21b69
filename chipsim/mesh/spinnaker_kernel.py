"""SpiNNaker's router compiled; told in `chipsim.mesh.spinnaker_reference`.

As in `chipsim.mesh.kernel`, time moves over a wheel of bit sets of chips to look at, what is done
in cycle t is seen at t + 1 or later, and a freed buffer slot holds the cycle from which it may be
filled again, so that credits need no events unless somebody waits for one.  All that changes of a
chip lies side by side in memory: on a large machine a hop costs little but cache misses.
"""

from __future__ import annotations

import numpy as np

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.spinnaker_monitor import attend, dump, end_round, sent_again
from chipsim.mesh.spinnaker_places import current, input_at, look_at, node_by
from chipsim.mesh.spinnaker_records import (
    AGAIN_FIRST,
    BUSY,
    CLOCK,
    CORE_BITS,
    DUMP_WORDS,
    EMPTY_FOR,
    FILLED,
    FREE,
    FREE_AT,
    FROM_CORE,
    HELD,
    IDLE,
    INPUTS,
    LINKS,
    LINKS_LEFT,
    MONITOR,
    MONITOR_WORDS,
    PACKET_SHIFT,
    PENDING,
    QUEUE_FIRST,
    QUEUE_LAST,
    SINCE,
    SLOTS,
    TURN,
    WAITED,
    WIDE_SHIFT,
    Counts,
    Log,
    Paths,
    State,
    Times,
    U,
)


@inlined
def hand_over(
    times: Times, counts: Counts, log: Log, t: int, packet: int, node: int, route: int
) -> None:
    """Let the cores of ``route`` have the packet, which their router takes in cycle ``t``."""
    cores = (route >> LINKS) & CORE_BITS
    if cores == 0:
        return
    cycle = t + times.core
    if log.packet.size:
        place = U(log.filled[0])
        log.packet[place] = packet
        log.node[place] = node
        log.cycle[place] = cycle
        log.filled[0] += 1
    while cores:
        cores &= cores - 1
        counts.delivered[packet] += 1
        counts.arrival_sum[packet] += cycle
    counts.last_arrival[packet] = max(counts.last_arrival[packet], cycle)


@inlined
def take(
    times: Times, paths: Paths, state: State, counts: Counts, log: Log,
    key: Int32, t: int, chip: int,
) -> bool:  # fmt: skip
    """Let a free router take the next packet, if there is one; cores get their copies."""
    desk = chip * times.stride
    filled = int(state.chips[U(desk + FILLED)])
    turn = int(state.chips[U(desk + TURN)])
    rest = ((filled | (filled << INPUTS)) >> turn) & ((1 << INPUTS) - 1)
    while rest:
        port = turn + lowest_bit(rest)
        rest &= rest - 1
        if port >= INPUTS:
            port -= INPUTS
        if port < LINKS:
            place = input_at(times, chip * 8 + port)
            first = int(state.chips[U(place + HELD)]) >> 16
            if state.chips[U(place + SLOTS + 2 * first + 1)] > t:
                continue
        state.chips[U(desk + TURN)] = (port + 1) & (INPUTS - 1)
        state.chips[U(desk + BUSY)] = port
        state.chips[U(desk + SINCE)] = t
        copy = current(times, paths, state, key, chip, port)
        if port == MONITOR:
            entry = int(state.monitors[U(chip * MONITOR_WORDS + AGAIN_FIRST)])
            state.chips[U(desk + PENDING)] = state.dumps[U(entry * DUMP_WORDS + LINKS_LEFT)]
            return True
        if copy & 7 != FREE:
            state.chips[U(desk + PENDING)] = 1 << (copy & 7)
            return True
        node = (copy & 0xFFFFFFFF) >> 3
        route = np.int64(paths.route[U(node)])
        state.chips[U(desk + PENDING)] = route & 63
        hand_over(times, counts, log, t, copy >> PACKET_SHIFT, node, route)
        return True
    return False


@inlined
def blocked_until(times: Times, paths: Paths, state: State, t: int, chip: int, link: int) -> int:
    """Return 0 if a link takes a packet in cycle ``t``, else when to look again.

    That is -1 where the buffer is full: it will wake the chip once it gives up a packet.
    """
    free_at = int(state.chips[U(input_at(times, chip * 8 + link) + FREE_AT)])
    if free_at > t:
        return free_at
    target = int(paths.leads[U(chip * 8 + link)])
    place = input_at(times, target)
    word = int(state.chips[U(place + HELD)])
    held = word & 0xFFFF
    if held == times.buffer:
        state.chips[U((target >> 3) * times.stride + WAITED)] |= 1 << (target & 7)
        return -1
    slot = ((word >> 16) + held - times.buffer) & (times.ring - 1)
    free = int(state.chips[U(place + SLOTS + 2 * slot + 1)])
    return 0 if free <= t else free


@inlined
def send(
    times: Times, paths: Paths, state: State, counts: Counts,
    t: int, chip: int, link: int, copy: int, goal: int, then: int,
) -> None:  # fmt: skip
    """Send a copy by ``link`` towards node ``goal``; on a detour it goes on by ``then``."""
    here = chip * 8 + link
    wide = (np.int64(paths.route[U(goal)]) >> WIDE_SHIFT) & 1
    interval = times.payload_interval if wide else times.interval
    state.chips[U(input_at(times, here) + FREE_AT)] = t + interval
    counts.link_packets[U(here)] += 1
    counts.payload_packets[U(here)] += wide
    if then != FREE:
        counts.emergencies[U(here)] += 1
    target = int(paths.leads[U(here)])
    place = input_at(times, target)
    word = int(state.chips[U(place + HELD)])
    slot = ((word >> 16) + (word & 0xFFFF)) & (times.ring - 1)
    packet = (copy >> PACKET_SHIFT) << PACKET_SHIFT
    state.chips[U(place + SLOTS + 2 * slot)] = packet | (goal << 3) | then
    state.chips[U(place + SLOTS + 2 * slot + 1)] = t + times.hop
    state.chips[U(place + HELD)] = word + 1
    state.chips[U((target >> 3) * times.stride + FILLED)] |= 1 << (target & 7)
    look_at(times, state, t + times.hop, target >> 3)


@inlined
def note_wait(counts: Counts, place: int, cycles: int) -> None:
    """Write down that a copy left, went around or was dropped ``cycles`` after it was taken."""
    if cycles:
        counts.waits[U(place)] += 1
        counts.waiting_cycles[U(place)] += cycles


@inlined
def finish(times: Times, paths: Paths, state: State, t: int, chip: int) -> None:
    """Let the router's packet go and free its slot."""
    desk = chip * times.stride
    port = int(state.chips[U(desk + BUSY)])
    state.chips[U(desk + BUSY)] = IDLE
    if port == FROM_CORE:
        following = state.following[state.chips[U(desk + QUEUE_FIRST)]]
        state.chips[U(desk + QUEUE_FIRST)] = following
        if following < 0:
            state.chips[U(desk + FILLED)] ^= 1 << FROM_CORE
    elif port == MONITOR:
        sent_again(times, state, chip)
    else:
        place = input_at(times, chip * 8 + port)
        word = int(state.chips[U(place + HELD)])
        first, held = word >> 16, (word & 0xFFFF) - 1
        state.chips[U(place + SLOTS + 2 * first + 1)] = t + times.credit
        state.chips[U(place + HELD)] = (((first + 1) & (times.ring - 1)) << 16) | held
        if held == 0:
            state.chips[U(desk + FILLED)] ^= 1 << port
        waited = int(state.chips[U(desk + WAITED)])
        if (waited >> port) & 1:
            state.chips[U(desk + WAITED)] = waited ^ (1 << port)
            look_at(times, state, t + times.credit, int(paths.leads[U(chip * 8 + port)]) >> 3)
    if state.chips[U(desk + FILLED)]:
        look_at(times, state, t + 1, chip)


@inlined
def detour(
    times: Times, paths: Paths, state: State, counts: Counts, t: int, chip: int, copy: int,
    waited: int,
) -> None:  # fmt: skip
    """Try the emergency routes of the links that still refuse."""
    pending = U(chip * times.stride + PENDING)
    rest = int(state.chips[pending])
    while rest:
        link = lowest_bit(rest)
        rest &= rest - 1
        around = (link + 1) % LINKS
        then = (link + 5) % LINKS
        first = int(paths.leads[U(chip * 8 + around)])
        if first >= 0 and paths.leads[U((first & -8) + then)] >= 0:
            until = blocked_until(times, paths, state, t, chip, around)
            if until == 0:
                goal = node_by(paths, copy, link)
                send(times, paths, state, counts, t, chip, around, copy, goal, then)
                note_wait(counts, chip * 8 + link, waited)
                state.chips[pending] ^= 1 << link
            elif until > 0:
                look_at(times, state, until, chip)


@inlined
def wait_on(
    times: Times, paths: Paths, state: State, counts: Counts, t: int, chip: int, copy: int
) -> None:
    """Drop what has waited too long, or look again when something can have changed."""
    since = int(state.chips[U(chip * times.stride + SINCE)])
    limit = times.wait1 + times.wait2
    rest = int(state.chips[U(chip * times.stride + PENDING)])
    if t - since < limit:
        if times.reinject_queue:
            end_round(times, state, t, chip)
        next_stage = times.wait1 if t - since < times.wait1 else limit
        look_at(times, state, min(since + next_stage, t + times.wheel_mask), chip)
        while rest:
            until = blocked_until(times, paths, state, t, chip, lowest_bit(rest))
            rest &= rest - 1
            if until > 0:
                look_at(times, state, until, chip)
        return
    dump(times, paths, state, counts, t, chip, copy, rest)
    while rest:
        link = lowest_bit(rest)
        rest &= rest - 1
        note_wait(counts, chip * 8 + link, t - since)
        counts.drops[U(chip * 8 + link)] += 1
    finish(times, paths, state, t, chip)


@inlined
def look(
    times: Times, paths: Paths, state: State, counts: Counts, log: Log,
    key: Int32, t: int, chip: int,
) -> None:  # fmt: skip
    """Let one router act in cycle ``t``."""
    desk = chip * times.stride
    if times.reinject_queue:
        attend(times, paths, state, counts, t, chip)
    idle = state.chips[U(desk + BUSY)] == IDLE
    if idle and not take(times, paths, state, counts, log, key, t, chip):
        return
    copy = current(times, paths, state, key, chip, int(state.chips[U(desk + BUSY)]))
    waited = t - int(state.chips[U(desk + SINCE)])
    rest = int(state.chips[U(desk + PENDING)])
    while rest:
        link = lowest_bit(rest)
        rest &= rest - 1
        if blocked_until(times, paths, state, t, chip, link) == 0:
            goal = node_by(paths, copy, link)
            send(times, paths, state, counts, t, chip, link, copy, goal, FREE)
            note_wait(counts, chip * 8 + link, waited)
            state.chips[U(desk + PENDING)] ^= 1 << link
    if copy & 7 == FREE and times.wait1 <= waited < times.wait1 + times.wait2:
        detour(times, paths, state, counts, t, chip, copy, waited)
    if state.chips[U(desk + PENDING)]:
        wait_on(times, paths, state, counts, t, chip, copy)
    else:
        finish(times, paths, state, t, chip)


@inlined
def enqueue(times: Times, paths: Paths, state: State, key: Int32, t: int, packet: int) -> None:
    """Put a packet into the queue of its source chip's cores."""
    chip = int(paths.source[key[packet]])
    desk = chip * times.stride
    state.following[packet] = -1
    if state.chips[U(desk + QUEUE_FIRST)] < 0:
        state.chips[U(desk + QUEUE_FIRST)] = packet
        state.chips[U(desk + FILLED)] |= 1 << FROM_CORE
    else:
        state.following[state.chips[U(desk + QUEUE_LAST)]] = packet
    state.chips[U(desk + QUEUE_LAST)] = packet
    look_at(times, state, t, chip)


@compiled
def run(
    times: Times, paths: Paths, state: State, counts: Counts, log: Log,
    inject: Int64, key: Int32, order: Int32, until: int,
) -> int:  # fmt: skip
    """Do the cycles before ``until``, going on where the last call stopped.

    ``order`` lists the packets to come by inject cycle; return how many of them have been let in.
    """
    t = state.clock[CLOCK]
    idle = state.clock[EMPTY_FOR]
    queued = 0
    while t < until:
        if idle > times.wheel_mask:
            if queued == order.size:
                break
            t = max(t, int(inject[order[queued]]))
            if t >= until:
                # The next call may bring earlier ones.
                t = until
                break
        idle += 1
        while queued < order.size and inject[order[queued]] == t:
            enqueue(times, paths, state, key, t, order[queued])
            queued += 1
        slot = t & times.wheel_mask
        for index in range(times.summary_words):
            place = U(slot * times.summary_words + index)
            filled = int(state.summary[place])
            if filled:
                idle = 0
                state.summary[place] = 0
                while filled:
                    number = (index << 6) + lowest_bit(filled)
                    filled &= filled - 1
                    where = U(slot * times.words + number)
                    word = int(state.look[where])
                    state.look[where] = 0
                    while word:
                        chip = (number << 6) + lowest_bit(word)
                        word &= word - 1
                        look(times, paths, state, counts, log, key, t, chip)
        t += 1
    state.clock[CLOCK] = t
    state.clock[EMPTY_FOR] = idle
    return queued
