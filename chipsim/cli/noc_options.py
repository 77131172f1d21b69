"""Options of ``chipsim noc`` that describe a mesh or a machine's tables; imports nothing heavy."""

from __future__ import annotations

import argparse

TOPOLOGIES = ("mesh", "torus", "triangular", "board48", "board_torus")
ROUTINGS = ("xy", "west_first", "odd_even")
RING_CLASSES = ("dateline", "balanced")
OWN_OPTIONS = (
    "topology", "size", "cores", "routing", "vcs", "buffer", "hop_cycles", "credit_cycles",
    "head_cycles", "head_stages", "link_interval", "board_hop_cycles", "board_link_interval",
    "cut_through", "ring_classes",
)  # fmt: skip
"""The options that describe a mesh, None unless given."""


def add_mesh_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe the mesh, none of which has a default of its own."""
    add = parser.add_argument_group("mesh").add_argument
    add("--chip", metavar="CHIP", help="take the mesh of a chip file or shipped chip")
    add(
        "--set", action="append", default=[], metavar="PATH=VALUE", dest="overrides",
        help="override a value of the chip's or run's mesh, such as mesh.vcs=4",
    )  # fmt: skip
    add("--topology", choices=TOPOLOGIES, help="default: mesh")
    add("--size", metavar="WxH", help="routers (default: 8x8; board_torus: 12x12)")
    add("--cores", type=int, metavar="N", help="cores a router (default: 1)")
    add("--routing", choices=ROUTINGS, help="default: xy; the others are adaptive")
    add("--vcs", type=int, metavar="N", help="virtual channels a link (default: 1; 2 with rings)")
    add(
        "--ring-classes", choices=RING_CLASSES,
        help="who takes which half of a ring's channels (default: dateline)",
    )  # fmt: skip
    add("--buffer", type=int, metavar="N", help="flits a channel's buffer holds (default: 8)")
    add("--hop-cycles", type=int, metavar="N", help="cycles a hop (default: 3)")
    add("--credit-cycles", type=int, metavar="N", help="cycles a credit takes (default: 2)")
    add("--head-cycles", type=int, metavar="N", help="extra cycles for a queued head (default: 0)")
    add("--head-stages", type=int, metavar="N", help="of a hop, only a head's (default: 0)")
    add("--link-interval", type=int, metavar="N", help="cycles a flit takes a link (default: 1)")
    add("--board-hop-cycles", type=int, metavar="N", help="cycles a hop between boards")
    add("--board-link-interval", type=int, metavar="N", help="as --link-interval, between boards")
    add("--cut-through", action="store_true", default=None, help="cut-through, not wormhole")


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for key/mask tables; times are in router cycles."""
    add = parser.add_argument_group(
        "SpiNNaker tables",
        "With --tables, keys are sent through the routing tables of a machine whose times have "
        "other defaults: --hop-cycles 27, --link-interval 22, --buffer 4.",
    ).add_argument
    add("--tables", metavar="FILE", help="arrays x, y, key, mask, route of all entries (.npz)")
    add("--keys", metavar="FILE", help="key and source x, y, and if given cycle (.csv or .npz)")
    add("--spacing", type=int, metavar="N", help="cycles from key to key (default: 1000)")
    add("--wait1", type=int, metavar="N", help="cycles a blocked packet waits (default: 480)")
    add("--wait2", type=int, metavar="N", help="cycles it tries the way around (default: 0)")
    add("--core-cycles", type=int, metavar="N", help="cycles a packet takes to a core (default: 1)")
    add("--usable", type=int, metavar="N", help="table entries a chip may use (default: 1023)")
