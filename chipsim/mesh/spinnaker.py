"""Send packets through SpiNNaker's routers: key tables, waiting, emergency routes, drops."""

from __future__ import annotations

import numpy as np

from chipsim.errors import ConservationError, InputError
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.layout import power_of_two
from chipsim.mesh.phases import by_cycle
from chipsim.mesh.spinnaker_kernel import run
from chipsim.mesh.spinnaker_layout import Machine, MachineResults
from chipsim.mesh.spinnaker_records import (
    BUSY,
    DESK,
    IDLE,
    QUEUE_FIRST,
    SLOTS,
    Counts,
    Paths,
    State,
    Times,
)
from chipsim.mesh.spinnaker_tables import LINKS, KeyRoutes

MAX_NODES = 1 << 29


def _times(machine: Machine) -> Times:
    """Return the numbers for the kernel."""
    longest = max(machine.hop_cycles, machine.link_interval, machine.credit_cycles)
    ring = power_of_two(machine.buffer_packets)
    words = -(-len(machine.leads) // 64)
    record = SLOTS + 2 * ring
    return Times(
        hop=machine.hop_cycles,
        interval=machine.link_interval,
        credit=machine.credit_cycles,
        core=machine.core_cycles,
        wait1=machine.wait1,
        wait2=machine.wait2,
        buffer=machine.buffer_packets,
        ring=ring,
        wheel_mask=power_of_two(longest + 1) - 1,
        words=words,
        summary_words=-(-words // 64),
        record=record,
        stride=-(-(DESK + LINKS * record) // 8) * 8,
    )


def _state(times: Times, chips: int, packets: int) -> State:
    """Return chips without packets."""
    memory = np.zeros((chips, times.stride), np.int64)
    memory[:, BUSY] = IDLE
    memory[:, QUEUE_FIRST] = -1
    cycles = times.wheel_mask + 1
    return State(
        memory.reshape(-1),
        np.zeros(cycles * times.words, np.int64),
        np.zeros(cycles * times.summary_words, np.int64),
        np.zeros(packets, np.int32),
    )


def run_packets(machine: Machine, routes: KeyRoutes, inject: Int64, key: Int32) -> MachineResults:
    """Send packets and return what became of each; times in router cycles.

    Packet p is ready on the source chip of key number ``key[p]`` (int32) in cycle ``inject[p]``
    (int64, >= 0).  InputError if a key's way is broken or a value is out of range;
    ConservationError unless each packet's deliveries and losses make up its destinations.
    """
    inject = np.ascontiguousarray(inject, dtype=np.int64)
    key = np.ascontiguousarray(key, dtype=np.int32)
    if routes.chips != len(machine.leads):
        raise InputError(
            f"routes are of {routes.chips} chips, the machine has {len(machine.leads)}"
        )
    if routes.chip.size >= MAX_NODES:
        raise InputError(f"routes: {routes.chip.size} nodes given, fewer than {MAX_NODES} allowed")
    if inject.shape != key.shape or inject.ndim != 1:
        raise InputError(f"packets: {inject.size} inject cycles given for {key.size} keys")
    if key.size and (key.min() < 0 or key.max() >= routes.source.size):
        raise InputError(f"packets: key numbers must be 0 to {routes.source.size - 1}")
    if inject.size and (inject.min() < 0 or inject.max() > 1 << 40):
        raise InputError("packets: inject cycles must be 0 to 2^40")
    broken = np.flatnonzero(routes.broken[np.unique(key)])
    if broken.size:
        number = int(np.unique(key)[broken[0]])
        raise InputError(
            f"routes: key number {number} cannot be followed (reason {routes.broken[number]}: "
            "1 a link that is not there, 2 a chip met twice, 3 no entry for a core's packet)"
        )
    times = _times(machine)
    chips = len(machine.leads)
    leads = np.full((chips, 8), -1, dtype=np.int32)
    leads[:, :LINKS] = machine.leads
    paths = Paths(
        leads.reshape(-1), routes.source, routes.ptr, routes.child, routes.route, routes.behind
    )
    by_link = [np.zeros(8 * chips, np.int64) for _ in range(3)]
    counts = Counts(
        np.zeros(key.size, np.int64),
        np.zeros(key.size, np.int64),
        np.full(key.size, -1, np.int64),
        np.zeros(key.size, np.int64),
        *by_link,
    )
    order = by_cycle(inject, np.empty(key.size, np.int32), np.empty(key.size, np.int32))
    run(times, paths, _state(times, chips, key.size), counts, inject, key, order)
    wrong = np.flatnonzero(counts.delivered + counts.lost != routes.deliveries[key])
    if wrong.size:
        raise ConservationError(
            f"spinnaker: packet {wrong[0]} was delivered {counts.delivered[wrong[0]]} times and "
            f"lost {counts.lost[wrong[0]]}, {routes.deliveries[key[wrong[0]]]} were due"
        )
    links = [table.reshape(-1, 8)[:, :LINKS] for table in by_link]
    return MachineResults(
        counts.delivered, counts.arrival_sum, counts.last_arrival, counts.lost, *links
    )
