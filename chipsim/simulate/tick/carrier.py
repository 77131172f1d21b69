"""Packets between the cores that send them and those that are handed them, from tick to tick."""

from __future__ import annotations

import numpy as np

from chipsim.mesh.spinnaker_flight import Flight
from chipsim.simulate.tick.packets import count_copies, gather
from chipsim.simulate.tick.program import Layout
from chipsim.simulate.tick.records import Arrivals, Int64, Sent, Waiting


class Carrier:
    """The mesh of a machine, and what its routers have taken that cores are handed later."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.flight = Flight(layout.machine, layout.routes, layout.payload)
        self._waiting, self._waits = _waiting(0), 0

    @property
    def empty(self) -> bool:
        """Whether nothing is under way."""
        return self._waits == 0 and self.flight.empty

    def take(self, sent: Sent, since: int) -> None:
        """Take packets that leave from core cycle ``since`` on, the ``until`` of the last call."""
        self.flight.run(sent.cycle, sent.key, sent.tag, self._router_cycle(since))

    def carry(self, sent: Sent, until: int) -> Arrivals:
        """Take packets, go on to core cycle ``until``, and return what reaches cores before it."""
        layout, last = self._layout, self._router_cycle(until)
        visits = self.flight.run(sent.cycle, sent.key, sent.tag, last)
        room = count_copies(layout.entries, visits.node) + self._waits
        arrivals = Arrivals(
            np.zeros(layout.core_of.size + 1, np.int64), np.empty(room, np.int64),
            np.empty(room, np.int64), np.empty(room, np.int64),
        )  # fmt: skip
        later = _waiting(room)
        left = gather(
            layout.costs, layout.entries, visits.tag, visits.node, visits.cycle, until,
            self._waiting, self._waits, later, arrivals,
        )  # fmt: skip
        self._waiting, self._waits = later, left
        return Arrivals(arrivals.ptr, *(a[: room - left] for a in arrivals[1:]))

    def _router_cycle(self, cycle: int) -> int:
        costs = self._layout.costs
        return -(-cycle * costs.router_scale // costs.router_unit)


def sent_packets(cycle: Int64, key: Int64, tag: Int64) -> Sent:
    """Return packets of their own arrays."""
    return Sent(cycle, key.astype(np.int32), tag, np.array([key.size]))


NOTHING = sent_packets(*np.zeros((3, 0), np.int64))
"""No packets."""


def _waiting(room: int) -> Waiting:
    return Waiting(*(np.empty(room, np.int64) for _ in range(4)))
