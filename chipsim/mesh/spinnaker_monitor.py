"""Re-injection compiled: a chip's monitor core saves what its router drops, and sends it again.

Told in `chipsim.mesh.spinnaker_reference`.  What waits to be sent again is a list for each chip,
its entries in one pool (`State.dumps`) for all.
"""

from __future__ import annotations

from chipsim.kernels.compiled import inlined
from chipsim.kernels.integers import lowest_bit
from chipsim.mesh.spinnaker_places import look_at, node_by
from chipsim.mesh.spinnaker_records import (
    AGAIN_FIRST,
    AGAIN_HELD,
    AGAIN_LAST,
    BUSY,
    COPY,
    DUE,
    DUMP_WORDS,
    DUMPED,
    FILLED,
    FREE_DUMP,
    IDLE,
    LATER,
    LINKS_LEFT,
    MONITOR,
    MONITOR_WORDS,
    NOBODY,
    PACKET_SHIFT,
    Counts,
    Paths,
    State,
    Times,
    U,
)


@inlined
def give_up(paths: Paths, counts: Counts, copy: int, links: int) -> int:
    """Lose the deliveries behind ``links``; return how many copies that are."""
    copies = 0
    while links:
        counts.lost[copy >> PACKET_SHIFT] += paths.behind[
            U(node_by(paths, copy, lowest_bit(links)))
        ]
        links &= links - 1
        copies += 1
    return copies


@inlined
def dump(
    times: Times, paths: Paths, state: State, counts: Counts, t: int, chip: int, copy: int,
    links: int,
) -> None:  # fmt: skip
    """Drop the copies for ``links``: into the router's registers, if a monitor finds them free."""
    if times.reinject_queue == 0:
        give_up(paths, counts, copy, links)
        return
    desk = U(chip * MONITOR_WORDS)
    if state.monitors[desk + U(DUMPED)] != NOBODY:
        counts.overflows[U(chip)] += give_up(paths, counts, copy, links)
        return
    entry = int(state.clock[FREE_DUMP])
    place = U(entry * DUMP_WORDS)
    state.clock[FREE_DUMP] = state.dumps[place + U(LATER)]
    state.dumps[place + U(COPY)] = copy
    state.dumps[place + U(LINKS_LEFT)] = links
    state.monitors[desk + U(DUMPED)] = entry
    state.monitors[desk + U(DUE)] = t + times.reinject_cycles
    look_at(times, state, t + times.reinject_cycles, chip)


@inlined
def attend(times: Times, paths: Paths, state: State, counts: Counts, t: int, chip: int) -> None:
    """Let the monitor empty the registers when it has come to that; begin a round of sending.

    A router that has a packet from an earlier cycle is blocked.
    """
    desk = U(chip * MONITOR_WORDS)
    entry = int(state.monitors[desk + U(DUMPED)])
    if entry != NOBODY and state.monitors[desk + U(DUE)] <= t:
        state.monitors[desk + U(DUMPED)] = NOBODY
        _queue(times, paths, state, counts, t, chip, entry)
    if state.monitors[desk + U(AGAIN_HELD)] > 0 and t % times.reinject_interval == 0:
        if state.chips[U(chip * times.stride + BUSY)] == IDLE:
            state.chips[U(chip * times.stride + FILLED)] |= 1 << MONITOR
        else:
            look_at(times, state, t + times.reinject_interval, chip)


@inlined
def end_round(times: Times, state: State, t: int, chip: int) -> None:
    """Let the monitor send no more before its next round, since the router is blocked."""
    filled = U(chip * times.stride + FILLED)
    if (state.chips[filled] >> MONITOR) & 1:
        state.chips[filled] ^= 1 << MONITOR
        look_at(times, state, t + times.reinject_interval - t % times.reinject_interval, chip)


@inlined
def _queue(
    times: Times, paths: Paths, state: State, counts: Counts, t: int, chip: int, entry: int
) -> None:
    """Append a dropped packet to what the monitor sends again, if that has room."""
    desk, place = U(chip * MONITOR_WORDS), U(entry * DUMP_WORDS)
    copy, links = int(state.dumps[place + U(COPY)]), int(state.dumps[place + U(LINKS_LEFT)])
    held = int(state.monitors[desk + U(AGAIN_HELD)])
    if held == times.reinject_queue:
        counts.crowded[U(chip)] += give_up(paths, counts, copy, links)
        _free(state, entry)
        return
    while links:
        links &= links - 1
        counts.reinjected[U(chip)] += 1
    state.dumps[place + U(LATER)] = NOBODY
    if held == 0:
        state.monitors[desk + U(AGAIN_FIRST)] = entry
        late = t % times.reinject_interval
        look_at(times, state, t + (times.reinject_interval - late if late else 0), chip)
    else:
        state.dumps[U(int(state.monitors[desk + U(AGAIN_LAST)]) * DUMP_WORDS + LATER)] = entry
    state.monitors[desk + U(AGAIN_LAST)] = entry
    state.monitors[desk + U(AGAIN_HELD)] = held + 1


@inlined
def sent_again(times: Times, state: State, chip: int) -> None:
    """Forget the packet that the router has taken from the monitor and is done with."""
    desk = U(chip * MONITOR_WORDS)
    entry = int(state.monitors[desk + U(AGAIN_FIRST)])
    state.monitors[desk + U(AGAIN_FIRST)] = state.dumps[U(entry * DUMP_WORDS + LATER)]
    state.monitors[desk + U(AGAIN_HELD)] -= 1
    if state.monitors[desk + U(AGAIN_HELD)] == 0:
        state.chips[U(chip * times.stride + FILLED)] &= ~(1 << MONITOR)
    _free(state, entry)


@inlined
def _free(state: State, entry: int) -> None:
    state.dumps[U(entry * DUMP_WORDS + LATER)] = state.clock[FREE_DUMP]
    state.clock[FREE_DUMP] = entry
