"""What SpiNNaker's kernel is given: numbers of the machine, ways of the keys, empty chips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.layout import power_of_two
from chipsim.mesh.spinnaker_layout import Machine, Reinjection
from chipsim.mesh.spinnaker_records import (
    BUSY,
    DESK,
    DUMP_WORDS,
    DUMPED,
    EMPTY_FOR,
    FREE_DUMP,
    IDLE,
    LATER,
    MONITOR_WORDS,
    NOBODY,
    QUEUE_FIRST,
    SLOTS,
    WIDE_SHIFT,
    Counts,
    Log,
    Paths,
    State,
    Times,
)
from chipsim.mesh.spinnaker_tables import LINKS, KeyRoutes

MAX_NODES = 1 << 29
LAST_CYCLE = 1 << 40


def times_of(machine: Machine) -> Times:
    """Return the machine's numbers and the layout of the kernel's memory."""
    again = machine.reinjection or Reinjection(0, 1, 1)
    longest = max(
        machine.hop_cycles, machine.link_interval, machine.payload_interval, machine.credit_cycles,
        again.cycles, again.interval,
    )  # fmt: skip
    ring = power_of_two(machine.buffer_packets)
    words = -(-len(machine.leads) // 64)
    record = SLOTS + 2 * ring
    return Times(
        hop=machine.hop_cycles,
        interval=machine.link_interval,
        payload_interval=machine.payload_interval,
        credit=machine.credit_cycles,
        core=machine.core_cycles,
        wait1=machine.wait1,
        wait2=machine.wait2,
        reinject_queue=again.queue,
        reinject_cycles=again.cycles,
        reinject_interval=again.interval,
        buffer=machine.buffer_packets,
        ring=ring,
        wheel_mask=power_of_two(longest + 1) - 1,
        words=words,
        summary_words=-(-words // 64),
        record=record,
        stride=-(-(DESK + LINKS * record) // 8) * 8,
    )


def paths_of(machine: Machine, routes: KeyRoutes, payload: NDArray[np.bool_] | None) -> Paths:
    """Return the ways of all keys; ``payload`` (bool, (keys,)) says whose packets carry one.

    InputError if the routes are not of this machine or are too many.
    """
    chips = len(machine.leads)
    if routes.chips != chips:
        raise InputError(f"routes are of {routes.chips} chips, the machine has {chips}")
    if routes.chip.size >= MAX_NODES:
        raise InputError(f"routes: {routes.chip.size} nodes given, fewer than {MAX_NODES} allowed")
    leads = np.full((chips, 8), -1, dtype=np.int32)
    leads[:, :LINKS] = machine.leads
    route = routes.route
    if payload is not None:
        wide = np.repeat(payload, np.diff(routes.ptr)).astype(np.uint32)
        route = route | (wide << np.uint32(WIDE_SHIFT))
    return Paths(leads.reshape(-1), routes.source, routes.ptr, routes.child, route, routes.behind)


def check_keys(routes: KeyRoutes, key: Int32) -> None:
    """Raise InputError for a key number that is not there or whose way is broken."""
    if key.size and (key.min() < 0 or key.max() >= routes.source.size):
        raise InputError(f"packets: key numbers must be 0 to {routes.source.size - 1}")
    broken = np.flatnonzero(routes.broken[np.unique(key)])
    if broken.size:
        number = int(np.unique(key)[broken[0]])
        raise InputError(
            f"routes: key number {number} cannot be followed (reason {routes.broken[number]}: "
            "1 a link that is not there, 2 a chip met twice, 3 no entry for a core's packet)"
        )


def empty_state(times: Times, chips: int, packets: int) -> State:
    """Return chips without packets, with room for ``packets`` at once."""
    memory = np.zeros((chips, times.stride), np.int64)
    memory[:, BUSY] = IDLE
    memory[:, QUEUE_FIRST] = -1
    cycles = times.wheel_mask + 1
    clock = np.zeros(3, np.int64)
    clock[EMPTY_FOR] = cycles
    clock[FREE_DUMP] = NOBODY
    monitors = np.zeros((chips if times.reinject_queue else 0, MONITOR_WORDS), np.int64)
    monitors[:, DUMPED] = NOBODY
    return State(
        clock,
        memory.reshape(-1),
        np.zeros(cycles * times.words, np.int64),
        np.zeros(cycles * times.summary_words, np.int64),
        np.zeros(packets, np.int32),
        monitors.reshape(-1),
        np.zeros(0, np.int64),
    )


def with_room_for_dumps(times: Times, state: State, due: int) -> State:
    """Return ``state`` with room for all that may be dropped and not yet sent again at a time.

    Each has one of the ``due`` deliveries behind it that no other has.
    """
    chips = state.monitors.size // MONITOR_WORDS
    size, held = min(chips * (times.reinject_queue + 1), due), state.dumps.size // DUMP_WORDS
    if size <= held:
        return state
    dumps = np.zeros((size, DUMP_WORDS), np.int64)
    dumps[:held] = state.dumps.reshape(-1, DUMP_WORDS)
    dumps[held:, LATER] = np.arange(held + 1, size + 1)
    dumps[-1, LATER] = state.clock[FREE_DUMP]
    state.clock[FREE_DUMP] = held
    return state._replace(dumps=dumps.reshape(-1))


def empty_counts(chips: int, packets: int) -> Counts:
    """Return counts of nothing."""
    by_packet: list[Int64] = [np.zeros(packets, np.int64) for _ in range(4)]
    by_packet[2][:] = -1
    by_link: list[Int64] = [np.zeros(8 * chips, np.int64) for _ in range(6)]
    by_chip: list[Int64] = [np.zeros(chips, np.int64) for _ in range(3)]
    return Counts(*by_packet, *by_link, *by_chip)


def new_log(room: int) -> Log:
    """Return a log with ``room`` for so many entries, 0 to switch it off."""
    return Log(
        packet=np.empty(room, np.int32),
        node=np.empty(room, np.int32),
        cycle=np.empty(room, np.int64),
        filled=np.zeros(1, np.int64),
    )


def by_chip_and_link(table: Int64) -> Int64:
    """Return a count by link, 8 a chip, as (chips, links)."""
    return table.reshape(-1, 8)[:, :LINKS]
