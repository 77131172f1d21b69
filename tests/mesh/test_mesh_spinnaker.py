"""SpiNNaker's tables and routers: real tables, the simpy twin, waiting, detours and drops."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.mesh import dimension_order, spinnaker, spinnaker_reference, topology
from chipsim.mesh.spinnaker_layout import Reinjection, make_machine, wait_cycles
from chipsim.mesh.spinnaker_tables import (
    BROKEN_LINK,
    LOOP,
    NO_ENTRY,
    KeyTables,
    follow_keys,
)

REAL = Path(__file__).parents[2].parent / "shared" / "validation" / "spinnaker_microcircuit_run"
EXACT = 0xFFFFFFFF
FIELDS = (
    "delivered",
    "arrival_sum",
    "last_arrival",
    "lost",
    "link_packets",
    "payload_packets",
    "emergencies",
    "drops",
    "waits",
    "waiting_cycles",
    "reinjected",
    "overflows",
    "crowded",
)

REINJECTION = (st.sampled_from([1, 3, 50]), st.sampled_from([1, 7, 60]), st.integers(1, 90))


def tables(chips, entries):
    """Make tables of (chip, key, mask, route) entries."""
    entries = sorted(entries, key=lambda entry: entry[0])
    chip = [entry[0] for entry in entries]
    columns = [np.array([entry[n] for entry in entries], dtype=np.uint32) for n in (1, 2, 3)]
    return KeyTables(np.searchsorted(chip, np.arange(chips + 1)), *columns)


def tree_entries(topo, key, source, targets, rng, default_routes):
    """Return entries for a random tree; chips passed straight through may have none."""
    masks = dimension_order.multicast_tree(topo, source, targets)
    came = {source: None}
    for chip in np.flatnonzero(masks):
        for link in range(6):
            if masks[chip] >> link & 1:
                came[int(topo.leads[chip, link]) >> 3] = int(topo.leads[chip, link]) & 7
    entries = []
    for chip in np.flatnonzero(masks).tolist():
        route = int(masks[chip]) & 63
        if masks[chip] >> 6 & 1:
            route |= int(rng.integers(1, 8)) << 6
        straight = came[chip] is not None and route == 1 << (came[chip] + 3) % 6
        if not (straight and default_routes):
            entries.append((chip, key, EXACT, route))
    return entries


@st.composite
def scenarios(draw):
    topo = topology.triangular(draw(st.integers(2, 6)), draw(st.integers(2, 5)))
    wait1 = draw(st.sampled_from([0, 3, 20, 300]))
    machine = make_machine(
        topo,
        hop_cycles=draw(st.integers(1, 8)),
        link_interval=draw(st.integers(1, 25)),
        buffer_packets=draw(st.integers(1, 4)),
        credit_cycles=draw(st.integers(1, 3)),
        core_cycles=2,
        wait1=wait1,
        wait2=draw(st.sampled_from([0, 1, 30])),
        payload_interval=draw(st.integers(1, 40)),
        reinjection=draw(st.none() | st.builds(Reinjection, *REINJECTION)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    keys = draw(st.integers(1, 10))
    source = rng.integers(topo.routers, size=keys).astype(np.int32)
    entries = []
    for key in range(keys):
        targets = rng.choice(topo.routers, rng.integers(1, min(6, topo.routers) + 1), False)
        entries += tree_entries(topo, key, int(source[key]), targets, rng, draw(st.booleans()))
    routes = follow_keys(
        topo.leads, tables(topo.routers, entries), np.arange(keys, dtype=np.uint32), source
    )
    count = draw(st.sampled_from([0, 20, 100, 200]))
    inject = rng.integers(draw(st.sampled_from([1, 50, 2000])), size=count)
    payload = rng.random(keys) < 0.3
    return machine, routes, inject, rng.integers(keys, size=count).astype(np.int32), payload


@settings(derandomize=True, deadline=None, max_examples=100)
@given(scenarios())
def test_equals_the_reference(scenario):
    fast = spinnaker.run_packets(*scenario)
    slow = spinnaker_reference.run_packets(*scenario)
    for field in FIELDS:
        assert np.array_equal(getattr(fast, field), getattr(slow, field)), field


def line(machine_changes=()):
    """Three chips in a row: two stream through the link from chip 1 to chip 2."""
    topo = topology.triangular(8, 8)
    values = {"hop_cycles": 10, "link_interval": 20, "buffer_packets": 2}
    values |= {"credit_cycles": 2, "core_cycles": 1, "wait1": 480, "wait2": 0}
    machine = make_machine(topo, **(values | dict(machine_changes)))
    entries = [(0, 1, EXACT, 1), (2, 1, EXACT, 1 << 6), (1, 2, EXACT, 1), (2, 2, EXACT, 1 << 7)]
    keys = np.array([1, 2], dtype=np.uint32)
    routes = follow_keys(topo.leads, tables(64, entries), keys, np.array([0, 1], np.int32))
    return machine, routes


def test_a_lone_packet_takes_hop_cycles_a_link():
    machine, routes = line()
    result = spinnaker.run_packets(machine, routes, np.array([5]), np.array([0]))
    assert result.last_arrival.tolist() == [5 + 2 * 10 + 1]
    assert result.link_packets[[0, 1], [0, 0]].tolist() == [1, 1]
    assert routes.link_count.tolist() == [2, 1]


def test_a_blocked_router_waits_wait1_and_then_drops():
    inject = np.arange(200) // 2 * 20
    key = np.arange(200, dtype=np.int32) % 2
    machine, routes = line({"wait1": 5})
    short = spinnaker.run_packets(machine, routes, inject, key)
    assert short.drops[1, 0] == short.drops.sum() > 50
    assert short.delivered.sum() + short.lost.sum() == 200
    machine, routes = line({"wait1": 480})
    assert spinnaker.run_packets(machine, routes, inject, key).drops.sum() == 0


def test_waits_are_counted_at_the_link_that_blocks():
    """Two streams of 100 packets each want a link that takes one in 20 cycles, 2 in its buffer."""
    inject = np.arange(200) // 2 * 20
    key = np.arange(200, dtype=np.int32) % 2
    machine, routes = line()
    result = spinnaker.run_packets(machine, routes, inject, key)
    assert result.waits[1, 0] > 150
    # Chip 1 always has a packet: it takes the next in the cycle after the one before left.
    assert result.waiting_cycles[1, 0] > 19 * 150
    # The stream from chip 0 backs up behind it; nobody else waits.
    assert result.waits[0, 0] > 0
    assert result.waits.sum() == result.waits[:2, 0].sum()
    machine, routes = line({"wait1": 5})
    short = spinnaker.run_packets(machine, routes, inject, key)
    assert 5 * short.drops[1, 0] <= short.waiting_cycles[1, 0] <= 5 * short.waits[1, 0]


def test_the_emergency_route_saves_what_would_be_dropped():
    inject = np.arange(200) // 2 * 20
    key = np.arange(200, dtype=np.int32) % 2
    machine, routes = line({"wait1": 5, "wait2": 100})
    result = spinnaker.run_packets(machine, routes, inject, key)
    assert result.drops.sum() == 0
    assert result.delivered.sum() == 200
    assert result.emergencies[1, 1] == result.emergencies.sum() > 50
    assert result.link_packets[9 + 1, 5] == result.emergencies.sum()


def test_what_is_dropped_is_sent_again():
    inject = np.arange(200) // 2 * 20
    key = np.arange(200, dtype=np.int32) % 2
    machine, routes = line({"wait1": 5})
    dropped = spinnaker.run_packets(machine, routes, inject, key)
    assert dropped.reinjected.sum() == 0
    machine, routes = line({"wait1": 5, "reinjection": Reinjection(4095, 5, 1)})
    saved = spinnaker.run_packets(machine, routes, inject, key)
    assert saved.delivered.sum() == 200
    assert saved.reinjected[1] == saved.drops.sum() > 50


def test_the_registers_hold_one_packet_and_the_queue_so_many():
    inject = np.arange(200) // 2 * 20
    key = np.arange(200, dtype=np.int32) % 2
    machine, routes = line({"wait1": 5, "reinjection": Reinjection(4095, 100, 1)})
    slow = spinnaker.run_packets(machine, routes, inject, key)
    assert slow.lost.sum() == slow.overflows[1] > 20
    assert slow.drops.sum() == slow.reinjected.sum() + slow.overflows.sum()
    machine, routes = line({"wait1": 5, "reinjection": Reinjection(2, 1, 1000)})
    seldom = spinnaker.run_packets(machine, routes, inject, key)
    assert seldom.lost.sum() == seldom.crowded[1] > 20
    assert seldom.drops.sum() == seldom.reinjected.sum() + seldom.crowded.sum()


def test_broken_tables_are_told_apart():
    topo = topology.triangular(3, 3)
    leads = topo.leads.copy()
    leads[1, 0] = -1
    entries = [
        (0, 1, EXACT, 1),
        (0, 2, EXACT, 1),
        (1, 2, EXACT, 1 << 3),
        (0, 3, 0, 1 << 6),
    ]
    keys = np.array([1, 2, 4], dtype=np.uint32)
    source = np.zeros(3, np.int32)
    routes = follow_keys(leads, tables(9, entries[:3]), keys, source)
    assert routes.broken.tolist() == [BROKEN_LINK, LOOP, NO_ENTRY]
    machine = make_machine(topo, 1, 1, 1, 1, 1, 1, 0)
    with pytest.raises(InputError, match="cannot be followed"):
        spinnaker.run_packets(machine, routes, np.array([0]), np.array([2]))


def test_the_first_matching_entry_decides():
    topo = topology.triangular(2, 2)
    entries = [(0, 0x10, 0xF0, 1 << 6), (0, 0x12, EXACT, 1 << 7)]
    keys = np.array([0x12], dtype=np.uint32)
    routes = follow_keys(topo.leads, tables(4, entries), keys, np.zeros(1, np.int32))
    assert routes.route[0] == 1 << 6
    assert tables(4, entries).too_long(1).tolist() == [0]
    assert tables(4, entries).too_long().size == 0


def test_wait_codes():
    assert [wait_cycles(code) for code in (0, 0x40, 0x4F, 0xFF)] == [0, 240, 480, 31 << 15]
    with pytest.raises(InputError):
        wait_cycles(256)


@pytest.mark.parametrize("name", ["hop_cycles", "link_interval", "buffer_packets", "wait1"])
def test_values_out_of_range_are_refused(name):
    with pytest.raises(InputError, match=name):
        line({name: -1})


def test_a_monitor_without_a_queue_is_refused():
    with pytest.raises(InputError, match=r"reinjection\.queue"):
        line({"reinjection": Reinjection(0, 1, 1)})


@pytest.mark.skipif(not REAL.exists(), reason="the real tables are not here")
def test_the_real_microcircuit_tables():
    data = np.load(REAL / "routing_tables_uncompressed.npz")
    x, y = data["x"].astype(int), data["y"].astype(int)
    width, height = x.max() + 1, y.max() + 1
    chip = y * width + x
    order = np.argsort(chip, kind="stable")
    real = KeyTables(
        np.searchsorted(chip[order], np.arange(width * height + 1)),
        *(data[name][order].astype(np.uint32) for name in ("key", "mask", "route")),
    )
    with open(REAL / "cores.csv") as file:
        rows = list(csv.DictReader(file))
    key = np.array([int(row["key"], 0) for row in rows], dtype=np.uint32)
    source = np.array([int(row["y"]) * width + int(row["x"]) for row in rows], dtype=np.int32)
    topo = topology.triangular(int(width), int(height))
    routes = follow_keys(topo.leads, real, key, source)
    assert len(real.key) == 412_532
    assert key.size == 1934
    assert not routes.broken.any()
    assert routes.link_count.mean() == pytest.approx(212.3, abs=0.05)
    assert (routes.link_count.min(), routes.link_count.max()) == (65, 222)
    assert routes.deliveries.mean() == pytest.approx(933.0, abs=0.05)
    assert routes.longest.max() == 39
    assert real.too_long().size > 200

    machine = make_machine(
        topo,
        hop_cycles=27,
        link_interval=22,
        buffer_packets=4,
        credit_cycles=2,
        core_cycles=1,
        wait1=wait_cycles(0x4F),
        wait2=0,
    )
    numbers = np.arange(1934, dtype=np.int32)
    alone = spinnaker.run_packets(machine, routes, numbers * 5000, numbers)
    assert alone.drops.sum() == 0
    assert alone.link_packets.sum() == routes.link_count.sum()
    assert np.array_equal(alone.last_arrival, numbers * 5000 + 27 * routes.longest + 1)
    together = spinnaker.run_packets(machine, routes, np.zeros(1934, np.int64), numbers)
    assert together.drops.sum() > 0
    assert together.delivered.sum() + together.lost.sum() == routes.deliveries.sum()
