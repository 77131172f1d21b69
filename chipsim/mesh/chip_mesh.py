"""The mesh of a chip file: its topology, its channels, and the run of its packets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Dead, Mesh, SpecialLink
from chipsim.mesh import engine, wormhole
from chipsim.mesh.adaptive import permitted_ways
from chipsim.mesh.boards import board_of, chip_of, crossing, joined, slower
from chipsim.mesh.fabric import Bytes, Fabric, Int32, Packets, PhaseResults, fabric
from chipsim.mesh.topology import topology_of
from chipsim.mesh.wormhole_layout import TREES, Channels, make_channels, with_input

Interconnect = Fabric | Channels
"""What packets of a chip cross: the one-flit mesh, or channels on any topology."""


def network_of(mesh: Mesh) -> Interconnect:
    """Return what a chip's packets cross; injector ``mesh.cores`` is the chip's input port.

    The one-flit engine where it suffices: it does the same three times as fast.
    """
    plain = (
        mesh.topology == "mesh"
        and mesh.routing == "xy"
        and mesh.cores_per_router == mesh.vcs == mesh.link_interval == 1
        and mesh.flits(mesh.payload_bits) == 1
        and not (mesh.head_cycles or mesh.chip_width or mesh.special)
        and mesh.dead == Dead(mesh.dead.cores)
    )
    return fabric(mesh) if plain else channels_of(mesh)


def channels_of(mesh: Mesh) -> Channels:
    """Return the channels of a chip's mesh, with an injector for its input port at the end."""
    return with_input(cores_only(mesh), *mesh.io)


def cores_only(mesh: Mesh) -> Channels:
    """Return the channels of a mesh with its cores as the only injectors."""
    channels = make_channels(
        topology_of(mesh),
        vcs=mesh.vcs,
        buffer_flits=mesh.buffer_flits,
        hop_cycles=mesh.hop_cycles,
        credit_cycles=mesh.credit_cycles,
        head_cycles=mesh.head_cycles,
        head_stages=mesh.head_stages,
        cut_through=mesh.flow == "cut_through",
        link_interval=mesh.link_interval,
        routing=TREES if mesh.routing == "xy" else mesh.routing,
        ring_classes=mesh.ring_classes,
    )
    if mesh.chip_width:
        channels = joined(
            channels,
            mesh.chip_width,
            mesh.chip_height,
            mesh.chip_hop_cycles,
            mesh.chip_link_interval,
        )
    if mesh.board_hop_cycles or mesh.board_link_interval:
        hop = mesh.board_hop_cycles or mesh.hop_cycles
        interval = mesh.board_link_interval or mesh.link_interval
        channels = slower(channels, links_between_boards(mesh), hop, interval)
    return _with_special(channels, mesh.special)


def _with_special(channels: Channels, special: tuple[SpecialLink, ...]) -> Channels:
    delay, interval = channels.delay.copy(), channels.interval.copy()
    for link in special:
        delay[link.router, link.port] = link.hop_cycles or delay[link.router, link.port]
        interval[link.router, link.port] = link.link_interval or interval[link.router, link.port]
    return replace(channels, delay=delay, interval=interval)


def links_between_chips(mesh: Mesh) -> NDArray[np.bool_]:
    """Return which links leave a chip, bool (routers, links); none where all is one chip."""
    if not mesh.chip_width:
        return np.zeros((mesh.routers, mesh.links), dtype=bool)
    topology = topology_of(mesh)
    return crossing(topology, chip_of(topology, mesh.chip_width, mesh.chip_height))


def links_between_boards(mesh: Mesh) -> NDArray[np.bool_]:
    """Return which links leave a board, bool (routers, links); none but on a torus of boards."""
    if mesh.topology != "board_torus":
        return np.zeros((mesh.routers, mesh.links), dtype=bool)
    topology = topology_of(mesh)
    return crossing(topology, board_of(topology))


def run_phases(
    network: Interconnect,
    trees: Bytes,
    packets: Packets,
    threads: int = 1,
    flits: Int32 | None = None,
    detail: bool = False,
) -> PhaseResults:
    """Send packets through a chip's mesh; see `chipsim.mesh.engine.run_phases`.

    ``flits`` (int32, (packets,)) is the size of each packet, 1 where it is None.  With adaptive
    routing the trees only say where packets go.
    """
    if isinstance(network, Fabric):
        return engine.run_phases(network, trees, packets, threads=threads, detail=detail)
    if flits is None:
        flits = np.ones(packets.tree.size, dtype=np.int32)
    if network.routing != TREES:
        trees, packets = _to_destinations(network, trees, packets)
    return wormhole.run_phases(network, trees, packets, flits, threads=threads, detail=detail)


def _to_destinations(channels: Channels, trees: Bytes, packets: Packets) -> tuple[Bytes, Packets]:
    """Return the permitted ways, and packets whose tree is the core they go to."""
    topology = channels.topology
    local = trees >> topology.links
    router = np.argmax(local > 0, axis=1)
    number = np.log2(np.maximum(local[np.arange(len(trees)), router], 1)).astype(np.int64)
    core = (router * topology.locals + number).astype(np.int32)
    ways = permitted_ways(topology, channels.routing)
    moved = Packets(packets.phase_ptr, packets.injector, packets.inject, core[packets.tree])
    return ways, moved
