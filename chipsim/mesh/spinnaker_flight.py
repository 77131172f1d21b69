"""Packets in flight: SpiNNaker's routers stopped at a cycle, given more packets, and run on.

What waits on chips, in links and in queues stays there between calls, so running in pieces gives
cycle for cycle what running at once gives (`chipsim.mesh.spinnaker.run_packets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import ConservationError, InputError
from chipsim.kernels.compiled import compiled
from chipsim.mesh.fabric import Int32, Int64
from chipsim.mesh.phases import by_cycle
from chipsim.mesh.spinnaker_kernel import run
from chipsim.mesh.spinnaker_layout import Machine
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
from chipsim.mesh.spinnaker_tables import CORES, LINKS, KeyRoutes


class Packets(NamedTuple):
    """Room for the packets in flight; a place is free again when its packet is accounted for.

    Each has its ``key``, the cycle it was ready and the sender's ``tag``; ``due`` counts the
    deliveries still owed and is 0 for a free place.
    """

    key: Int32
    inject: Int64
    tag: Int64
    due: Int64


@dataclass(frozen=True, eq=False)
class Visits:
    """Packets handed to the cores of a chip: ``tag`` and ``cycle`` int64, ``node`` int32.

    ``node`` is that of `KeyRoutes`: its ``chip`` has the cores, its ``route >> 6`` says which.
    """

    tag: Int64
    node: Int32
    cycle: Int64

    def by_core(self, routes: KeyRoutes) -> tuple[Int64, Int64, Int64]:
        """Return the deliveries as (tag, core, cycle); a core is chip * 18 + core on the chip."""
        bits = (routes.route[self.node] >> np.uint32(LINKS)) & np.uint32((1 << CORES) - 1)
        has = (bits[:, None] >> np.arange(CORES, dtype=np.uint32)) & np.uint32(1)
        visit, core = np.nonzero(has)
        chip = routes.chip[self.node[visit]].astype(np.int64)
        return self.tag[visit], chip * CORES + core, self.cycle[visit]


@compiled
def _admit(
    packets: Packets, deliveries: Int64, cycle: Int64, key: Int32, tag: Int64, order: Int32
) -> int:
    """Give each packet a free place, listed in ``order``; return how many found one."""
    found = 0
    for place in range(packets.due.size):
        if found == key.size:
            break
        if packets.due[place] == 0:
            packets.key[place], packets.tag[place] = key[found], tag[found]
            packets.inject[place] = cycle[found]
            packets.due[place] = deliveries[key[found]]
            order[found] = place
            found += 1
    return found


@compiled
def _settle(
    packets: Packets, delivered: Int64, arrival_sum: Int64, last: Int64, lost: Int64, totals: Int64
) -> None:
    """Free the places of packets that are accounted for, adding up what became of them.

    ``totals`` gets deliveries, losses, the sum of the deliveries' latencies, the longest.
    """
    for place in range(packets.due.size):
        if packets.due[place] == 0 or delivered[place] + lost[place] != packets.due[place]:
            continue
        totals[0] += delivered[place]
        totals[1] += lost[place]
        totals[2] += arrival_sum[place] - delivered[place] * packets.inject[place]
        if last[place] >= 0:
            totals[3] = max(totals[3], last[place] - packets.inject[place])
        packets.due[place] = 0
        delivered[place] = arrival_sum[place] = lost[place] = 0
        last[place] = -1


class Flight:
    """A machine with packets on their way.

    ``link_packets``, ``payload_packets``, ``emergencies``, ``drops``, ``waits`` and
    ``waiting_cycles`` (int64, (chips, 6)) and ``reinjected``, ``overflows`` and ``crowded``
    (int64, (chips,)) are as in
    `chipsim.mesh.spinnaker_layout.MachineResults`, of all that happened so far.
    """

    def __init__(
        self, machine: Machine, routes: KeyRoutes, payload: NDArray[np.bool_] | None = None
    ) -> None:
        """Start without packets; ``payload`` (bool, (keys,)) says whose packets carry one.

        InputError if a key's way is broken or leads to no core at some end.
        """
        check_keys(routes, np.arange(routes.source.size, dtype=np.int32))
        if (routes.behind == 0).any():
            chip = int(routes.chip[np.argmax(routes.behind == 0)])
            raise InputError(f"routes: a key comes to chip {chip}, from where it reaches no core")
        self._routes = routes
        self._times = times_of(machine)
        self._paths = paths_of(machine, routes, payload)
        self._chips = len(machine.leads)
        self._totals = np.zeros(4, np.int64)
        self._sent = 0
        self._until = 0
        self._waiting = np.zeros(0, np.int32)
        self._state = empty_state(self._times, self._chips, 0)
        self._counts = empty_counts(self._chips, 0)
        nothing = np.zeros(0, np.int64)
        self._packets = Packets(np.zeros(0, np.int32), nothing, nothing, nothing)
        self.link_packets = by_chip_and_link(self._counts.link_packets)
        self.payload_packets = by_chip_and_link(self._counts.payload_packets)
        self.emergencies = by_chip_and_link(self._counts.emergencies)
        self.drops = by_chip_and_link(self._counts.drops)
        self.waits = by_chip_and_link(self._counts.waits)
        self.waiting_cycles = by_chip_and_link(self._counts.waiting_cycles)
        self.reinjected = self._counts.reinjected
        self.overflows, self.crowded = self._counts.overflows, self._counts.crowded

    def restart(self) -> None:
        """Go back to cycle 0 with routers at rest; what was counted stays.

        ValueError while packets are in flight.
        """
        if not self.empty:
            raise ValueError("packets are in flight")
        self._state = empty_state(self._times, self._chips, self._packets.due.size)
        self._until = 0

    def run(self, inject: Int64, key: Int32, tag: Int64, until: int) -> Visits:
        """Take more packets, do the cycles before ``until``, and return who was handed what.

        Packet p of key number ``key[p]`` is ready in cycle ``inject[p]``, which is not before the
        ``until`` of the call before; ``tag[p]`` is whatever the caller knows it by.
        InputError if an inject cycle is in the past.
        """
        if inject.size and not self._until <= inject.min() <= inject.max() <= LAST_CYCLE:
            raise InputError(f"packets: inject cycles must be {self._until} to 2^40")
        places = self._admit(inject, key, tag)
        pending = np.concatenate([self._waiting, places])
        cycles = self._packets.inject[pending]
        rank = by_cycle(
            cycles - self._until, np.empty(pending.size, np.int32), np.empty(pending.size, np.int32)
        )
        order = pending[rank]
        due = int(self._packets.due.sum())
        self._state = with_room_for_dumps(self._times, self._state, due)
        log = new_log(due + 1)
        queued = run(
            self._times, self._paths, self._state, self._counts, log,
            self._packets.inject, self._packets.key, order, until,
        )  # fmt: skip
        self._waiting, self._until = order[queued:], until
        happened = int(log.filled[0])
        tags = self._packets.tag[log.packet[:happened]]
        counts = self._counts
        _settle(
            self._packets, counts.delivered, counts.arrival_sum, counts.last_arrival, counts.lost,
            self._totals,
        )  # fmt: skip
        return Visits(tags, log.node[:happened], log.cycle[:happened])

    def _admit(self, inject: Int64, key: Int32, tag: Int64) -> Int32:
        """Find places for new packets, making room where there is not enough."""
        free = int(np.count_nonzero(self._packets.due == 0))
        if free < key.size:
            self._grow(self._packets.due.size + max(key.size, self._packets.due.size))
        self._sent += int(self._routes.deliveries[key].sum())
        places = np.empty(key.size, np.int32)
        _admit(self._packets, self._routes.deliveries, inject, key, tag, places)
        return places

    def _grow(self, size: int) -> None:
        more = size - self._packets.due.size
        grown = (np.concatenate([a, np.zeros(more, a.dtype)]) for a in self._packets)
        self._packets = Packets(*grown)
        old, new = self._counts, empty_counts(self._chips, more)
        self._counts = old._replace(
            delivered=np.concatenate([old.delivered, new.delivered]),
            arrival_sum=np.concatenate([old.arrival_sum, new.arrival_sum]),
            last_arrival=np.concatenate([old.last_arrival, new.last_arrival]),
            lost=np.concatenate([old.lost, new.lost]),
        )
        following = np.zeros(size, np.int32)
        following[: self._state.following.size] = self._state.following
        self._state = self._state._replace(following=following)

    @property
    def empty(self) -> bool:
        """Whether every packet has been delivered or dropped."""
        return not self._packets.due.any()

    @property
    def delivered(self) -> int:
        """Deliveries of the packets that are accounted for."""
        return int(self._totals[0])

    @property
    def lost(self) -> int:
        """Deliveries lost with dropped copies, of the packets that are accounted for."""
        return int(self._totals[1])

    @property
    def latency_sum(self) -> int:
        """Router cycles from ready to arrived, summed over deliveries."""
        return int(self._totals[2])

    @property
    def latency_max(self) -> int:
        """Router cycles of the slowest delivery."""
        return int(self._totals[3])

    def check(self) -> None:
        """Raise ConservationError unless, with nothing in flight, all deliveries are accounted."""
        if self.empty and self.delivered + self.lost != self._sent:
            raise ConservationError(
                f"spinnaker: {self.delivered} deliveries and {self.lost} losses, {self._sent} due"
            )
