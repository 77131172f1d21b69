"""``chipsim noc --tables``: keys sent through the routing tables of a SpiNNaker machine."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from chipsim.chip import STEP_NAMES, TRIANGLE_STEPS
from chipsim.cli.noc_keys import Sent, read_entries, read_keys, tables_of
from chipsim.cli.noc_mesh import parse_size
from chipsim.errors import InputError
from chipsim.load.chip_file import read_chip
from chipsim.mesh.fabric import Int64
from chipsim.mesh.spinnaker import run_packets
from chipsim.mesh.spinnaker_layout import (
    MachineResults,
    Reinjection,
    make_machine,
    reinjection_of,
    wait_cycles,
)
from chipsim.mesh.spinnaker_tables import (
    BROKEN_LINK,
    LOOP,
    NO_ENTRY,
    USABLE_ENTRIES,
    KeyRoutes,
    KeyTables,
    follow_keys,
)
from chipsim.mesh.topology import TOPOLOGIES, Topology
from chipsim.processor_chip import ProcessorChip

NAMED = 8
REASONS = {
    BROKEN_LINK: "led to a link that is not there",
    LOOP: "came to a chip twice",
    NO_ENTRY: "had no entry at its source",
}
TIMES = {
    "hop_cycles": 27, "link_interval": 22, "buffer": 4, "credit_cycles": 2, "core_cycles": 1,
    "wait1": wait_cycles(0x4F), "wait2": 0, "usable": USABLE_ENTRIES,
}  # fmt: skip
"""Without a chip file: 0.2 us a hop and 6 M packets/s a link at 133 MHz (recalled), a short queue
(assumed), and the 480 cycles and no emergency routes that sPyNNaker sets (facts 1.2)."""
FIELDS = {"buffer": "buffer_packets", "usable": "entries"}
"""What `chipsim.processor_chip.Router` calls them, where it differs."""
SPACING = 1000
LINK_COUNTS = ("link_packets", "waits", "waiting_cycles")
"""What `--json` has of every chip and link."""
REFUSED = (
    "cores", "routing", "vcs", "ring_classes", "head_cycles", "head_stages", "cut_through",
    "traffic", "load", "board_hop_cycles", "board_link_interval", "flits", "plot",
)  # fmt: skip


def run_tables(args: argparse.Namespace) -> int:
    """Follow every key through the tables, time the packets, print what happened.

    InputError for bad files and options; returns the exit code.
    """
    for name in REFUSED:
        if getattr(args, name) not in (None, []):
            option = name.replace("_", "-")
            raise InputError(f"--{option} does not go together with --tables")
    if not args.keys:
        raise InputError("--tables: give the keys and their source chips with --keys FILE")
    columns = read_entries(Path(args.tables))
    topology = _topology(args, columns)
    tables = tables_of(columns, topology)
    spacing = SPACING if args.spacing is None else args.spacing
    sent = read_keys(Path(args.keys), topology, spacing)
    routes = follow_keys(topology.leads, tables, sent.key, sent.source)
    whole = np.flatnonzero(routes.broken[sent.number] == 0)
    times, reinjection = _times(args)
    usable = times.pop("usable")
    machine = make_machine(
        topology, buffer_packets=times.pop("buffer"), reinjection=reinjection, **times
    )
    results = run_packets(machine, routes, sent.cycle[whole], sent.number[whole])
    alone = machine.hop_cycles * routes.longest[sent.number[whole]] + machine.core_cycles
    complete = (results.lost == 0) & (results.delivered > 0)
    waited = (results.last_arrival - sent.cycle[whole] - alone)[complete]
    found = {
        "machine": f"{topology.width} x {topology.height} {topology.name}",
        "tables": _table_figures(tables, topology, usable),
        "keys": _key_figures(routes, sent),
        "packets": _packet_figures(results, waited, topology, int(whole.size)),
    }
    if args.heat:
        from chipsim.mesh.figures import plot_heat

        cycles = max(1, int(results.last_arrival.max(initial=0)))
        plot_heat(topology, results.link_packets / cycles, "packets a cycle", args.heat)
    if args.json:
        by_link = {name: getattr(results, name).tolist() for name in LINK_COUNTS}
        json.dump({**found, **by_link}, sys.stdout, indent=1)
        print()
    else:
        _print(found)
    return 0


def _times(args: argparse.Namespace) -> tuple[dict[str, int], Reinjection | None]:
    """Return the router's numbers: those given, else the chip's, else the defaults.

    Only a chip file tells of re-injection.
    """
    times, reinjection = dict(TIMES), None
    if args.chip is not None:
        chip = read_chip(args.chip, args.overrides)
        if not isinstance(chip, ProcessorChip):
            raise InputError(f"--chip {args.chip}: tables need a chip with packet routers")
        times = {name: getattr(chip.router, FIELDS.get(name, name)) for name in TIMES}
        reinjection = reinjection_of(chip.router)
    elif args.overrides:
        raise InputError(f"--set {args.overrides[0]}: needs --chip")
    given = {name: getattr(args, name) for name in TIMES}
    times |= {name: value for name, value in given.items() if value is not None}
    return times, reinjection


def _topology(args: argparse.Namespace, columns: dict[str, Int64]) -> Topology:
    """Return the machine: of the size given, or as large as the tables name chips."""
    name = args.topology or "triangular"
    width, height = int(columns["x"].max()) + 1, int(columns["y"].max()) + 1
    if args.size is not None:
        width, height = parse_size(args.size)
    elif name == "board48":
        width = height = 8
    topology = TOPOLOGIES[name](width, height, 1)
    if topology.links != len(TRIANGLE_STEPS):
        raise InputError(f"--topology {name}: a machine is triangular, board48 or board_torus")
    return topology


def _at(topology: Topology, chip: int) -> str:
    return f"({chip % topology.width},{chip // topology.width})"


def _table_figures(tables: KeyTables, topology: Topology, usable: int) -> dict[str, Any]:
    counts = np.diff(tables.ptr)
    used = counts[counts > 0]
    long = tables.too_long(usable)
    worst = long[np.argsort(-counts[long], kind="stable")]
    return {
        "entries": int(counts.sum()),
        "chips": int(used.size),
        "entries_a_chip": [int(used.min()), float(used.mean()), int(used.max())],
        "usable": usable,
        "too_long": [{"chip": _at(topology, c), "entries": int(counts[c])} for c in worst.tolist()],
    }


def _key_figures(routes: KeyRoutes, sent: Sent) -> dict[str, Any]:
    good = routes.broken == 0
    links, deliveries = routes.link_count[good], routes.deliveries[good]
    broken = {
        words: [f"0x{key:08x}" for key in sent.key[routes.broken == code].tolist()]
        for code, words in REASONS.items()
    }
    return {
        "keys": int(sent.key.size),
        "broken": {words: keys for words, keys in broken.items() if keys},
        "links_a_packet": _spread(links),
        "deliveries_a_packet": _spread(deliveries),
        "longest_way": int(routes.longest[good].max(initial=0)),
    }


def _spread(values: Int64) -> list[float] | None:
    """Return least, mean and most, None without values."""
    if not values.size:
        return None
    return [int(values.min()), float(values.mean()), int(values.max())]


def _packet_figures(
    results: MachineResults, waited: Int64, topology: Topology, count: int
) -> dict[str, Any]:
    return {
        "sent": count,
        "deliveries": int(results.delivered.sum()),
        "lost_deliveries": int(results.lost.sum()),
        "dropped_copies": int(results.drops.sum()),
        "reinjected_copies": int(results.reinjected.sum()),
        "lost_at_full_registers": int(results.overflows.sum()),
        "lost_at_full_queues": int(results.crowded.sum()),
        "emergency_routes": int(results.emergencies.sum()),
        "complete": int(waited.size),
        "waited_cycles": _spread(waited),
        "hottest_links": _places(results.link_packets, topology),
        "drops_by_link": _places(results.drops, topology),
        "emergencies_by_link": _places(results.emergencies, topology),
        "waiting_cycles_by_link": _places(results.waiting_cycles, topology, "cycles"),
    }


def _places(table: Int64, topology: Topology, counted: str = "packets") -> list[dict[str, Any]]:
    """Return the links with most, most first."""
    order = np.argsort(-table, axis=None, kind="stable")[:NAMED]
    places = (divmod(int(place), table.shape[1]) for place in order)
    return [
        {
            "chip": _at(topology, chip),
            "link": STEP_NAMES[TRIANGLE_STEPS[link]],
            counted: int(table[chip, link]),
        }
        for chip, link in places
        if table[chip, link]
    ]


def _print(found: dict[str, Any]) -> None:
    tables, keys, packets = found["tables"], found["keys"], found["packets"]
    least, mean, most = tables["entries_a_chip"]
    print(f"{found['machine']}: {tables['entries']:,} entries on {tables['chips']} chips")
    print(f"entries a chip: {least} to {most}, mean {mean:.1f}")
    long = tables["too_long"]
    print(f"chips above {tables['usable']:,} usable entries: {len(long)}" + (":" if long else ""))
    if long:
        named = ", ".join(f"{entry['chip']} {entry['entries']:,}" for entry in long[:NAMED])
        print(f"  {named}{' ...' if len(long) > NAMED else ''}")
    broken = sum(len(which) for which in keys["broken"].values())
    print(f"\n{keys['keys']:,} keys, {broken} broken routes")
    for words, which in keys["broken"].items():
        print(f"  {len(which)} {words}: {', '.join(which[:NAMED])}")
    for name, words in (("links_a_packet", "links"), ("deliveries_a_packet", "deliveries")):
        if keys[name]:
            least, mean, most = keys[name]
            print(f"{words} a packet: {least} to {most}, mean {mean:.1f}")
    print(f"longest way: {keys['longest_way']} hops")
    print(
        f"\n{packets['sent']:,} packets: {packets['deliveries']:,} deliveries, "
        f"{packets['lost_deliveries']:,} lost with {packets['dropped_copies']:,} dropped copies, "
        f"{packets['emergency_routes']:,} emergency routes"
    )
    if packets["reinjected_copies"]:
        print(
            f"{packets['reinjected_copies']:,} dropped copies were sent again by monitor cores, "
            f"{packets['lost_at_full_registers']:,} lost at full registers, "
            f"{packets['lost_at_full_queues']:,} at full queues"
        )
    if packets["waited_cycles"]:
        least, mean, most = packets["waited_cycles"]
        print(
            f"{packets['complete']:,} packets came to all of their cores, the last copy late by "
            f"waiting {least} to {most} cycles, mean {mean:.1f}"
        )
    for name, words in (
        ("hottest_links", "packets over the busiest links"),
        ("drops_by_link", "dropped, since a link refused for wait1 + wait2 cycles"),
        ("emergencies_by_link", "emergency routes taken over"),
        ("waiting_cycles_by_link", "cycles that packets waited for a link"),
    ):
        if packets[name]:
            counted = "cycles" if "cycles" in packets[name][0] else "packets"
            places = [f"{p['chip']} {p['link']} {p[counted]:,}" for p in packets[name]]
            print(f"{words}: {', '.join(places)}")
