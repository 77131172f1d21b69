"""Send packets through SpiNNaker's routers: key tables, waiting, emergency routes, drops."""

from __future__ import annotations

import numpy as np

from chipsim.errors import ConservationError, InputError
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.layout import power_of_two
from chipsim.mesh.phases import by_cycle
from chipsim.mesh.spinnaker_kernel import IDLE, Chips, Counts, Paths, Times, run
from chipsim.mesh.spinnaker_layout import Machine, MachineResults
from chipsim.mesh.spinnaker_tables import LINKS, KeyRoutes


def _times(machine: Machine) -> Times:
    """Return the numbers for the kernel."""
    chips = len(machine.leads)
    longest = max(machine.hop_cycles, machine.link_interval, machine.credit_cycles)
    return Times(
        hop=machine.hop_cycles,
        interval=machine.link_interval,
        credit=machine.credit_cycles,
        core=machine.core_cycles,
        wait1=machine.wait1,
        wait2=machine.wait2,
        ring=power_of_two(machine.buffer_packets),
        wheel_mask=power_of_two(longest + 1) - 1,
        words=-(-chips // 64),
        chips=chips,
    )


def _chips(times: Times, buffer_packets: int, packets: int) -> Chips:
    """Return chips without packets."""
    chips, cycles = times.chips, times.wheel_mask + 1
    return Chips(
        look=np.zeros(cycles * times.words, np.int64),
        returned=np.zeros(cycles * chips, np.int64),
        first=np.zeros(8 * chips, np.int32),
        held=np.zeros(8 * chips, np.int32),
        copies=np.zeros(8 * chips * times.ring, np.int64),
        ready=np.zeros(8 * chips * times.ring, np.int64),
        credits=np.full(8 * chips, buffer_packets, np.int32),
        free_at=np.zeros(8 * chips, np.int64),
        busy=np.full(chips, IDLE, np.int64),
        pending=np.zeros(chips, np.int64),
        since=np.zeros(chips, np.int64),
        turn=np.zeros(chips, np.int64),
        queue_first=np.full(chips, -1, np.int32),
        queue_last=np.full(chips, -1, np.int32),
        following=np.zeros(packets, np.int32),
    )


def run_packets(machine: Machine, routes: KeyRoutes, inject: Int64, key: Int32) -> MachineResults:
    """Send packets and return what became of each; times in router cycles.

    Packet p is ready on the source chip of key number ``key[p]`` (int32) in cycle ``inject[p]``
    (int64, >= 0).  InputError if a key's way is broken or a value is out of range;
    ConservationError unless each packet's deliveries and losses make up its destinations.
    """
    inject = np.ascontiguousarray(inject, dtype=np.int64)
    key = np.ascontiguousarray(key, dtype=np.int32)
    if routes.route.shape[1] != len(machine.leads):
        raise InputError(
            f"routes are of {routes.route.shape[1]} chips, the machine has {len(machine.leads)}"
        )
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
    leads = np.full((times.chips, 8), -1, dtype=np.int32)
    leads[:, :LINKS] = machine.leads
    paths = Paths(
        leads.reshape(-1), routes.route.reshape(-1), routes.behind.reshape(-1), routes.source
    )
    by_link = [np.zeros(8 * times.chips, np.int64) for _ in range(3)]
    counts = Counts(
        np.zeros(key.size, np.int64),
        np.zeros(key.size, np.int64),
        np.full(key.size, -1, np.int64),
        np.zeros(key.size, np.int64),
        *by_link,
    )
    order = by_cycle(inject, np.empty(key.size, np.int32), np.empty(key.size, np.int32))
    run(times, paths, _chips(times, machine.buffer_packets, key.size), counts, inject, key, order)
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
