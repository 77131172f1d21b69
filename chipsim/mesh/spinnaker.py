"""Send packets through SpiNNaker's routers: key tables, waiting, emergency routes, drops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ConservationError, InputError
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.phases import by_cycle
from chipsim.mesh.spinnaker_kernel import run
from chipsim.mesh.spinnaker_layout import Machine, MachineResults
from chipsim.mesh.spinnaker_setup import (
    LAST_CYCLE,
    by_chip_and_link,
    check_keys,
    empty_counts,
    empty_state,
    new_log,
    paths_of,
    times_of,
    with_room_for_dumps,
)
from chipsim.mesh.spinnaker_tables import KeyRoutes


def run_packets(
    machine: Machine,
    routes: KeyRoutes,
    inject: Int64,
    key: Int32,
    payload: NDArray[np.bool_] | None = None,
) -> MachineResults:
    """Send packets and return what became of each; times in router cycles.

    Packet p is ready on the source chip of key number ``key[p]`` (int32) in cycle ``inject[p]``
    (int64, >= 0); ``payload`` (bool, (keys,)) says which keys' packets carry one.
    InputError if a key's way is broken or a value is out of range; ConservationError unless each
    packet's deliveries and losses make up its destinations.
    """
    inject = np.ascontiguousarray(inject, dtype=np.int64)
    key = np.ascontiguousarray(key, dtype=np.int32)
    paths = paths_of(machine, routes, payload)
    if inject.shape != key.shape or inject.ndim != 1:
        raise InputError(f"packets: {inject.size} inject cycles given for {key.size} keys")
    check_keys(routes, key)
    if inject.size and (inject.min() < 0 or inject.max() > LAST_CYCLE):
        raise InputError("packets: inject cycles must be 0 to 2^40")
    times, chips = times_of(machine), len(machine.leads)
    counts = empty_counts(chips, key.size)
    order = by_cycle(inject, np.empty(key.size, np.int32), np.empty(key.size, np.int32))
    no_log = new_log(0)
    state = empty_state(times, chips, key.size)
    state = with_room_for_dumps(times, state, int(routes.deliveries[key].sum()))
    run(times, paths, state, counts, no_log, inject, key, order, 1 << 62)
    wrong = np.flatnonzero(counts.delivered + counts.lost != routes.deliveries[key])
    if wrong.size:
        raise ConservationError(
            f"spinnaker: packet {wrong[0]} was delivered {counts.delivered[wrong[0]]} times and "
            f"lost {counts.lost[wrong[0]]}, {routes.deliveries[key[wrong[0]]]} were due"
        )
    return MachineResults(
        counts.delivered,
        counts.arrival_sum,
        counts.last_arrival,
        counts.lost,
        by_chip_and_link(counts.link_packets),
        by_chip_and_link(counts.payload_packets),
        by_chip_and_link(counts.emergencies),
        by_chip_and_link(counts.drops),
        by_chip_and_link(counts.waits),
        by_chip_and_link(counts.waiting_cycles),
        counts.reinjected,
        counts.overflows,
        counts.crowded,
    )
