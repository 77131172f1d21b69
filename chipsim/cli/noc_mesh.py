"""The mesh that ``chipsim noc`` simulates: from its options, or from a chip file."""

from __future__ import annotations

import argparse
from typing import Any

from chipsim.chip import BOARD_SIDE, TRIAD, Mesh
from chipsim.cli.noc_options import OWN_OPTIONS
from chipsim.errors import InputError
from chipsim.load.chip_file import read_crossbar_chip

SIZES = {"board48": (BOARD_SIDE, BOARD_SIDE), "board_torus": (TRIAD, TRIAD)}


def refuse_own_options(args: argparse.Namespace, instead: str) -> None:
    """Raise InputError for an option that describes a mesh where ``instead`` does."""
    if args.chip is not None and instead != "--chip":
        raise InputError(f"--chip {args.chip}: the mesh is that of {instead}; leave one out")
    for name in OWN_OPTIONS:
        if getattr(args, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')}: the mesh is that of {instead}; replace a value of it "
                "with --set, such as --set mesh.vcs=4"
            )


def mesh_of_options(args: argparse.Namespace) -> Mesh:
    """Return the mesh of ``--chip``, or the one that the options describe; raises InputError."""
    if args.chip is not None:
        refuse_own_options(args, "--chip")
        return read_crossbar_chip(args.chip, args.overrides).mesh
    if args.overrides:
        raise InputError(f"--set {args.overrides[0]}: needs --chip or --traffic run:FOLDER")

    def given(name: str, default: Any) -> Any:
        value = getattr(args, name)
        return default if value is None else value

    topology = given("topology", "mesh")
    for name in ("board_hop_cycles", "board_link_interval"):
        if getattr(args, name) is not None and topology != "board_torus":
            raise InputError(f"--{name.replace('_', '-')}: needs --topology board_torus")
    wraps = topology not in ("mesh", "board48")
    if args.ring_classes is not None and not wraps:
        raise InputError("--ring-classes: needs --topology torus, triangular or board_torus")
    width, height = SIZES.get(topology, (8, 8)) if args.size is None else parse_size(args.size)
    return Mesh(
        topology=topology,
        width=width,
        height=height,
        routing=given("routing", "xy"),
        multicast="tree",
        hop_cycles=given("hop_cycles", 3),
        buffer_flits=given("buffer", 8),
        credit_cycles=given("credit_cycles", 2),
        payload_bits=1,
        table_entry_bytes=0,
        io=(0, 0),
        cores_per_router=given("cores", 1),
        vcs=given("vcs", 2 if wraps else 1),
        flow="cut_through" if args.cut_through else "wormhole",
        ring_classes=given("ring_classes", "dateline"),
        link_interval=given("link_interval", 1),
        head_cycles=given("head_cycles", 0),
        head_stages=given("head_stages", 0),
        board_hop_cycles=given("board_hop_cycles", 0),
        board_link_interval=given("board_link_interval", 0),
    )


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height of "8x8"."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise InputError(f"--size: {text!r} given, WIDTHxHEIGHT such as 8x8 needed")
    return int(width), int(height)
