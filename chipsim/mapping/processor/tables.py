"""Routing tables of a mapping: trees cut into ordered key/mask entries a chip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chipsim.errors import ConservationError, DoesNotFitError
from chipsim.mapping.processor.compress import Entries, compress, joined, without_defaults
from chipsim.mapping.processor.machine import machine_topology
from chipsim.mapping.processor.model import KeySpace, ProcessorMapping
from chipsim.mapping.processor.trees import FROM_SOURCE, OPPOSITE, Tree, Ways, multicast_tree
from chipsim.mesh.spinnaker_tables import LINKS, KeyRoutes, KeyTables, follow_keys
from chipsim.processor_chip import ProcessorChip


def key_routes(mapping: ProcessorMapping, chip: ProcessorChip) -> tuple[KeyTables, KeyRoutes]:
    """Return the routing tables of all chips, and where they lead the keys of ``mapping.keys``.

    Key number k of the routes is ``mapping.keys[k]``; all keys of a slice go the same way.  A table
    with more than ``router.entries`` is compressed.

    Raises
    ------
    DoesNotFitError
        If a table still has more, naming chip and excess, or if dead chips and links cut a core
        off.
    ConservationError
        If the tables do not lead a key to exactly its cores.
    """
    topology = machine_topology(chip.machine)
    ways = Ways(topology)
    trees = [_tree(mapping, chip, ways, space) for space in mapping.keys]
    tables = make_tables(mapping.keys, trees, topology.routers, chip.router.entries, ways)
    key = np.array([space.key for space in mapping.keys], dtype=np.uint32)
    source = [mapping.placement[space.slice] // chip.machine.cores for space in mapping.keys]
    leads = np.ascontiguousarray(topology.leads[:, :LINKS])
    routes = follow_keys(leads, tables, key, np.array(source, dtype=np.int32))
    due = np.array([len(space.targets) for space in mapping.keys], dtype=np.int64)
    wrong = np.flatnonzero((routes.broken != 0) | (routes.deliveries != due))
    if wrong.size:
        raise ConservationError(
            f"key 0x{key[wrong[0]]:08x} comes to {routes.deliveries[wrong[0]]} cores instead of "
            f"{due[wrong[0]]} (broken: {routes.broken[wrong[0]]})"
        )
    return tables, routes


def make_tables(
    keys: Sequence[KeySpace], trees: Sequence[Tree], chips: int, limit: int, ways: Ways
) -> KeyTables:
    """Return the tables of ``chips`` chips with at most ``limit`` entries; see `key_routes`."""
    rows: list[list[tuple[int, int, int, bool]]] = [[] for _ in range(chips)]
    for space, tree in zip(keys, trees, strict=True):
        for chip, (came, route) in tree.items():
            by_default = came != FROM_SOURCE and route == 1 << (came + OPPOSITE) % LINKS
            rows[chip].append((space.key, space.mask, route, by_default))
    parts = [_table(_entries(rows[chip]), limit, ways.name(chip)) for chip in range(chips)]
    ptr = np.concatenate([[0], np.cumsum([part.key.size for part in parts])]).astype(np.int64)
    whole = joined(parts)
    return KeyTables(ptr, whole.key, whole.mask, whole.route)


def _tree(mapping: ProcessorMapping, chip: ProcessorChip, ways: Ways, space: KeySpace) -> Tree:
    cores = chip.machine.cores
    targets: dict[int, int] = {}
    for index in space.targets:
        router, number = divmod(mapping.placement[index], cores)
        targets[router] = targets.get(router, 0) | 1 << (LINKS + number)
    return multicast_tree(ways, mapping.placement[space.slice] // cores, targets)


def _entries(rows: Sequence[tuple[int, int, int, bool]]) -> Entries:
    ordered = sorted(rows)
    key, mask, route = (np.array([row[i] for row in ordered], dtype=np.uint32) for i in range(3))
    return Entries(key, mask, route, np.array([row[3] for row in ordered], dtype=bool))


def _table(entries: Entries, limit: int, name: str) -> Entries:
    """Return one chip's table; DoesNotFitError if it has too many entries however they are put."""
    table = without_defaults(entries)
    if table.key.size > limit:
        table = compress(entries)
    if table.key.size > limit:
        raise DoesNotFitError(
            f"router entries {table.key.size} (compressed from {entries.key.size}) exceeded max "
            f"{limit} on chip {name} by {table.key.size - limit}; another placer may need fewer"
        )
    return table
