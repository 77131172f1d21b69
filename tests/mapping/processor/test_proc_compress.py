"""Compressed tables send every key the way the long ones do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DoesNotFitError
from chipsim.mapping.processor.compress import Entries, compress, without_defaults
from chipsim.mapping.processor.machine import machine_topology
from chipsim.mapping.processor.model import KeySpace
from chipsim.mapping.processor.tables import make_tables
from chipsim.mapping.processor.trees import Ways, multicast_tree
from chipsim.mesh.spinnaker_tables import follow_keys
from tests.mapping.processor.proc_cases import spinnaker1


def looked_up(table: Entries, key: int) -> int:
    """The route of the first entry that matches, -1 for none: by default."""
    for entry_key, mask, route in zip(table.key, table.mask, table.route, strict=True):
        if key & int(mask) == int(entry_key):
            return int(route)
    return -1


def table_of(rows: list[tuple[int, int, int, bool]]) -> Entries:
    key, mask, route = (np.array([row[i] for row in rows], np.uint32) for i in range(3))
    return Entries(key, mask, route, np.array([row[3] for row in rows], bool))


@st.composite
def tables(draw: st.DrawFn) -> tuple[Entries, list[int]]:
    """Disjoint blocks of 1 to 4 keys below 64, and all their keys, one by one."""
    rows, keys = [], []
    at = 0
    while at < 64:
        low = draw(st.integers(0, 2))
        at = -(-at // (1 << low)) << low
        if draw(st.booleans()):
            route = 1 << draw(st.integers(0, 4))
            rows.append((at, 0xFFFFFFFF - ((1 << low) - 1), route, draw(st.booleans())))
            keys.append(at)
        at += 1 << low
    return table_of(rows), keys


@given(tables())
@settings(derandomize=True, max_examples=150, deadline=None)
def test_every_key_goes_the_same_way(case: tuple[Entries, list[int]]) -> None:
    """All keys of a block, whether the entry stays or is left to the default route."""
    entries, _ = case
    short = compress(entries)
    assert short.key.size <= without_defaults(entries).key.size or short.key.size <= len(
        np.unique(entries.route)
    )
    assert (short.key & ~short.mask == 0).all()
    for number in range(entries.key.size):
        first, mask = int(entries.key[number]), int(entries.mask[number])
        for key in range(first, first + (0xFFFFFFFF - mask) + 1):
            route = looked_up(short, key)
            wanted = int(entries.route[number])
            assert route == wanted or (route == -1 and entries.default[number])


def test_one_route_needs_one_entry() -> None:
    entries = table_of([(key, 0xFFFFFFFF, 64, False) for key in range(3, 2000, 7)])
    assert compress(entries).key.size == 1


def test_siblings_merge() -> None:
    """Two routes in alternating runs of four: a mask bit tells them apart."""
    rows = [(key, 0xFFFFFFFF, 64 << (key >> 2 & 1), False) for key in range(32)]
    short = compress(table_of(rows))
    assert short.key.size == 2
    assert all(looked_up(short, key) == route for key, _, route, _ in rows)


def test_nothing_stays_nothing() -> None:
    assert compress(table_of([])).key.size == 0


def test_tables_of_a_crowded_board_are_compressed_until_they_fit() -> None:
    """600 keys from everywhere to everywhere on a board, and room for 120 entries a chip."""
    topology = machine_topology(spinnaker1().machine)
    chips = np.flatnonzero((topology.leads[:, :6] >= 0).any(axis=1))
    rng = np.random.default_rng(4)
    ways = Ways(topology)
    keys, trees, sources, due = [], [], [], []
    for number in range(600):
        source = int(chips[number % chips.size])
        # Neighbours in number have the same targets, as slices of one population do.
        targets = np.random.default_rng(number // 30).choice(chips, 6, replace=False)
        trees.append(multicast_tree(ways, source, {int(c): 1 << 6 + 1 for c in targets}))
        keys.append(KeySpace(number, "spike", number << 8, 0xFFFFFF00, ()))
        sources.append(source)
        due.append(targets.size)
    key = np.array([space.key + rng.integers(256) for space in keys], np.uint32)
    leads = np.ascontiguousarray(topology.leads[:, :6])
    whole = make_tables(keys, trees, topology.routers, 10_000, ways)
    assert np.diff(whole.ptr).max() > 200
    limited = make_tables(keys, trees, topology.routers, 120, ways)
    assert np.diff(limited.ptr).max() <= 120
    for tables_ in (whole, limited):
        routes = follow_keys(leads, tables_, key, np.array(sources, np.int32))
        assert not routes.broken.any()
        assert routes.deliveries.tolist() == due
    with pytest.raises(DoesNotFitError, match=r"router entries \d+ \(compressed from \d+\) ex"):
        make_tables(keys, trees, topology.routers, 3, ways)
