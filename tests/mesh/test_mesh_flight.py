"""Packets in flight: run in pieces, the compiled routers still do what the simpy ones do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mesh import spinnaker, spinnaker_reference, topology
from chipsim.mesh.spinnaker_flight import Flight
from chipsim.mesh.spinnaker_layout import make_machine
from chipsim.mesh.spinnaker_tables import KeyTables, follow_keys
from tests.mesh.test_mesh_spinnaker import scenarios

FIELDS = (
    "link_packets", "payload_packets", "emergencies", "drops", "waits", "waiting_cycles",
    "reinjected", "overflows", "crowded",
)  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=60)
@given(scenarios(), st.lists(st.integers(1, 900), max_size=6))
def test_pieces_equal_the_reference_cycle_for_cycle(scenario: Any, pieces: list[int]) -> None:
    machine, routes, inject, key, payload = scenario
    flight = Flight(machine, routes, payload)
    model = spinnaker_reference.MachineModel(machine, routes, payload)
    numbers: list[int] = []
    begin = 0
    for until in [*np.cumsum(pieces, dtype=int).tolist(), 1_000_000]:
        # Some packets are given long before their time, and others that go first come later.
        early = (np.arange(inject.size) % 3 == 0) & (inject >= until)
        now = np.flatnonzero(early | (inject >= begin) & (inject < until + 50))
        now = now[~np.isin(now, numbers)]
        first = len(numbers)
        numbers += now.tolist()
        before = len(model.visits)
        visits = flight.run(inject[now], key[now], np.arange(first, len(numbers)), until)
        model.run(inject[now], key[now], until)
        tag, core, cycle = visits.by_core(routes)
        slow = [(t, chip * 18 + c, at) for t, chip, c, at in model.visits[before:]]
        assert sorted(zip(tag.tolist(), core.tolist(), cycle.tolist(), strict=True)) == sorted(slow)
        for field in FIELDS:
            assert np.array_equal(getattr(flight, field), getattr(model, field)), field
        begin = until
    assert flight.empty
    flight.check()
    assert flight.lost == sum(model.lost)
    assert flight.delivered == len(model.visits)
    left = np.setdiff1d(np.arange(key.size), numbers)
    assert left.size == 0


@settings(derandomize=True, deadline=None, max_examples=30)
@given(scenarios(), st.integers(1, 300))
def test_pieces_equal_one_run(scenario: Any, piece: int) -> None:
    machine, routes, inject, key, payload = scenario
    whole = spinnaker.run_packets(machine, routes, inject, key, payload)
    flight = Flight(machine, routes, payload)
    arrivals = np.zeros(key.size, np.int64)
    until = 0
    while until < 4000 or not flight.empty:
        now = np.flatnonzero((inject >= until) & (inject < until + piece))
        until += piece
        tag, _, cycle = flight.run(inject[now], key[now], now, until).by_core(routes)
        np.add.at(arrivals, tag, cycle)
    assert np.array_equal(arrivals, whole.arrival_sum)
    assert np.array_equal(flight.link_packets, whole.link_packets)
    assert flight.latency_sum == (whole.arrival_sum - whole.delivered * inject).sum()
    assert flight.lost == whole.lost.sum()


def test_a_packet_with_payload_keeps_the_link_longer() -> None:
    topo = topology.triangular(3, 3)
    machine = make_machine(topo, 10, 20, 4, 2, 1, 480, 0, payload_interval=36)
    tables = KeyTables(
        np.array([0, 2, 4, *[4] * 7]),
        np.array([1, 2, 1, 2], np.uint32),
        np.full(4, 0xFFFFFFFF, np.uint32),
        np.array([1, 1, 64, 64], np.uint32),
    )
    routes = follow_keys(topo.leads, tables, np.array([1, 2], np.uint32), np.zeros(2, np.int32))
    flight = Flight(machine, routes, np.array([False, True]))
    key = np.array([1, 0, 0], np.int32)
    visits = flight.run(np.zeros(3, np.int64), key, np.arange(3), 500)
    assert visits.cycle.tolist() == [11, 47, 67]
    assert flight.payload_packets.sum() == 1
    assert flight.link_packets.sum() == 3
    with pytest.raises(InputError, match="inject cycles"):
        flight.run(np.array([499]), key[:1], np.arange(1), 600)
