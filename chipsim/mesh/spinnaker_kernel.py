"""SpiNNaker's router compiled; told in `chipsim.mesh.spinnaker_reference`.

As in `chipsim.mesh.kernel`, time moves over a wheel of bit sets of chips to look at, and what is
done in cycle t is seen at t + 1 or later.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chipsim.kernels.compiled import compiled, inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.spinnaker_tables import Words

U = np.uint64
LINKS = 6
FROM_CORE = 6
DEFAULT = 1 << 30
IDLE = -1
FREE = 7
"""Stands for "no forced link"."""


class Times(NamedTuple):
    """Numbers of the machine and of the kernel's layout."""

    hop: int
    interval: int
    credit: int
    core: int
    wait1: int
    wait2: int
    ring: int
    wheel_mask: int
    words: int
    chips: int


class Paths(NamedTuple):
    """What does not change: links, routes and deliveries behind, a row of chips for each key."""

    leads: Int32
    route: Words
    behind: Int32
    source: Int32


class Chips(NamedTuple):
    """The state: 8 entries a chip where it is by link, 16 words a chip where it is by input.

    ``first`` and ``held`` are of the input buffers, whose ``copies`` are packet << 6 | as if from
    << 3 | forced link, free to be taken from ``ready``.  ``busy`` is the input whose packet the
    router has, ``pending`` the links it is still for, ``since`` when it was taken.
    """

    look: Int64
    returned: Int64
    first: Int32
    held: Int32
    copies: Int64
    ready: Int64
    credits: Int32
    free_at: Int64
    busy: Int64
    pending: Int64
    since: Int64
    turn: Int64
    queue_first: Int32
    queue_last: Int32
    following: Int32


class Counts(NamedTuple):
    """What is written down; see `chipsim.mesh.spinnaker_layout.MachineResults`."""

    delivered: Int64
    arrival_sum: Int64
    last_arrival: Int64
    lost: Int64
    link_packets: Int64
    emergencies: Int64
    drops: Int64


@inlined
def look_at(times: Times, chips: Chips, time: int, chip: int) -> None:
    """Look at ``chip`` in cycle ``time``."""
    slot = time & times.wheel_mask
    chips.look[U(slot * times.words + (chip >> 6))] |= 1 << (chip & 63)


@inlined
def current(times: Times, chips: Chips, chip: int, port: int) -> int:
    """Return the copy that an input has first."""
    if port == FROM_CORE:
        return (int(chips.queue_first[chip]) << 6) | (FROM_CORE << 3) | FREE
    place = chip * 8 + port
    return int(chips.copies[U(place * times.ring + chips.first[U(place)])])


@inlined
def take(
    times: Times, paths: Paths, chips: Chips, counts: Counts, key: Int32, t: int, chip: int
) -> bool:
    """Let a free router take the next packet, if there is one; cores get their copies."""
    turn = int(chips.turn[chip])
    for step in range(LINKS + 1):
        port = turn + step
        if port > LINKS:
            port -= LINKS + 1
        if port == FROM_CORE:
            found = chips.queue_first[chip] >= 0
        else:
            place = chip * 8 + port
            found = chips.held[place] > 0
            if found:
                found = chips.ready[U(place * times.ring + chips.first[place])] <= t
        if found:
            chips.turn[chip] = port + 1 if port < LINKS else 0
            chips.busy[chip] = port
            chips.since[chip] = t
            copy = current(times, chips, chip, port)
            forced = copy & 7
            if forced != FREE:
                chips.pending[chip] = 1 << forced
                return True
            packet = copy >> 6
            route = int(paths.route[U(int(key[packet]) * times.chips + chip)])
            if route == DEFAULT:
                came = (copy >> 3) & 7
                route = 1 << (came + 3 if came < 3 else came - 3)
            chips.pending[chip] = route & 63
            cores = route >> LINKS
            cycle = t + times.core
            while cores:
                cores &= cores - 1
                counts.delivered[packet] += 1
                counts.arrival_sum[packet] += cycle
                counts.last_arrival[packet] = max(counts.last_arrival[packet], cycle)
            return True
    return False


@inlined
def accepts(chips: Chips, t: int, chip: int, link: int) -> bool:
    """Tell whether a link takes a packet in cycle ``t``."""
    place = chip * 8 + link
    return bool(chips.credits[place] > 0 and chips.free_at[place] <= t)


@inlined
def send(
    times: Times, paths: Paths, chips: Chips, counts: Counts,
    t: int, chip: int, link: int, copy: int, then: int,
) -> None:  # fmt: skip
    """Send a copy by ``link``; on an emergency route it goes on by ``then``."""
    place = chip * 8 + link
    chips.credits[place] -= 1
    chips.free_at[place] = t + times.interval
    counts.link_packets[place] += 1
    target = int(paths.leads[place])
    came = target & 7
    if copy & 7 != FREE:
        came = (copy >> 3) & 7
    elif then != FREE:
        counts.emergencies[place] += 1
        came = (link + 2) % LINKS
    row = U(target * times.ring)
    slot = (chips.first[U(target)] + chips.held[U(target)]) & (times.ring - 1)
    chips.copies[row + U(slot)] = (copy & ~63) | (came << 3) | then
    chips.ready[row + U(slot)] = t + times.hop
    chips.held[U(target)] += 1
    look_at(times, chips, t + times.hop, target >> 3)


@inlined
def finish(times: Times, paths: Paths, chips: Chips, t: int, chip: int) -> None:
    """Let the router's packet go and free its slot."""
    port = int(chips.busy[chip])
    chips.busy[chip] = IDLE
    if port == FROM_CORE:
        chips.queue_first[chip] = chips.following[chips.queue_first[chip]]
    else:
        place = chip * 8 + port
        chips.first[place] = (chips.first[place] + 1) & (times.ring - 1)
        chips.held[place] -= 1
        sender = int(paths.leads[place])
        slot = (t + times.credit) & times.wheel_mask
        chips.returned[U(slot * times.chips + (sender >> 3))] |= 1 << (sender & 7)
        look_at(times, chips, t + times.credit, sender >> 3)
    look_at(times, chips, t + 1, chip)


@inlined
def detour(
    times: Times, paths: Paths, chips: Chips, counts: Counts, t: int, chip: int, copy: int
) -> None:
    """Try the emergency routes of the links that still refuse."""
    rest = int(chips.pending[chip])
    while rest:
        link = lowest_bit(rest)
        rest &= rest - 1
        around = (link + 1) % LINKS
        then = (link + 5) % LINKS
        first = int(paths.leads[chip * 8 + around])
        if first >= 0 and paths.leads[(first & -8) + then] >= 0:
            if accepts(chips, t, chip, around):
                send(times, paths, chips, counts, t, chip, around, copy, then)
                chips.pending[chip] ^= 1 << link
            elif chips.free_at[chip * 8 + around] > t:
                look_at(times, chips, chips.free_at[chip * 8 + around], chip)


@inlined
def wait_on(
    times: Times, paths: Paths, chips: Chips, counts: Counts,
    key: Int32, t: int, chip: int, copy: int,
) -> None:  # fmt: skip
    """Drop what has waited too long, or look again when something can have changed."""
    waited = t - chips.since[chip]
    limit = times.wait1 + times.wait2
    rest = int(chips.pending[chip])
    if waited < limit:
        next_stage = times.wait1 if waited < times.wait1 else limit
        again = min(chips.since[chip] + next_stage, t + times.wheel_mask)
        look_at(times, chips, again, chip)
        while rest:
            free_at = chips.free_at[chip * 8 + lowest_bit(rest)]
            rest &= rest - 1
            if free_at > t:
                look_at(times, chips, free_at, chip)
        return
    packet = copy >> 6
    while rest:
        link = lowest_bit(rest)
        rest &= rest - 1
        counts.drops[chip * 8 + link] += 1
        target = int(paths.leads[chip * 8 + link]) >> 3
        counts.lost[packet] += paths.behind[U(int(key[packet]) * times.chips + target)]
    finish(times, paths, chips, t, chip)


@inlined
def look(
    times: Times, paths: Paths, chips: Chips, counts: Counts, key: Int32, t: int, chip: int
) -> None:
    """Let one router act in cycle ``t``."""
    place = U((t & times.wheel_mask) * times.chips + chip)
    came = int(chips.returned[place])
    chips.returned[place] = 0
    while came:
        chips.credits[chip * 8 + lowest_bit(came)] += 1
        came &= came - 1
    if chips.busy[chip] == IDLE and not take(times, paths, chips, counts, key, t, chip):
        return
    copy = current(times, chips, chip, int(chips.busy[chip]))
    rest = int(chips.pending[chip])
    while rest:
        link = lowest_bit(rest)
        rest &= rest - 1
        if accepts(chips, t, chip, link):
            send(times, paths, chips, counts, t, chip, link, copy, FREE)
            chips.pending[chip] ^= 1 << link
    waited = t - chips.since[chip]
    if copy & 7 == FREE and times.wait1 <= waited < times.wait1 + times.wait2:
        detour(times, paths, chips, counts, t, chip, copy)
    if chips.pending[chip]:
        wait_on(times, paths, chips, counts, key, t, chip, copy)
    else:
        finish(times, paths, chips, t, chip)


@compiled
def run(
    times: Times, paths: Paths, chips: Chips, counts: Counts,
    inject: Int64, key: Int32, order: Int32,
) -> int:  # fmt: skip
    """Run the packets, which ``order`` lists by inject cycle; return the cycle after the last."""
    t = 0
    queued = 0
    idle = times.wheel_mask + 1
    while True:
        if idle > times.wheel_mask:
            if queued == order.size:
                return t
            t = int(inject[order[queued]])
        idle += 1
        while queued < order.size and inject[order[queued]] == t:
            packet = order[queued]
            chip = int(paths.source[key[packet]])
            chips.following[packet] = -1
            if chips.queue_first[chip] < 0:
                chips.queue_first[chip] = packet
            else:
                chips.following[chips.queue_last[chip]] = packet
            chips.queue_last[chip] = packet
            look_at(times, chips, t, chip)
            queued += 1
        slot = t & times.wheel_mask
        for index in range(times.words):
            word = int(chips.look[U(slot * times.words + index)])
            if word:
                idle = 0
                chips.look[U(slot * times.words + index)] = 0
                while word:
                    chip = (index << 6) + lowest_bit(word)
                    word &= word - 1
                    look(times, paths, chips, counts, key, t, chip)
        t += 1
