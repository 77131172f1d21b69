"""``chipsim noc`` with given packets: sends them once more and prints what became of them."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Mesh
from chipsim.cli.noc_mesh import mesh_of_options, refuse_own_options
from chipsim.cli.noc_packets import read_kept
from chipsim.cli.noc_traffic import read_packets
from chipsim.errors import InputError
from chipsim.mesh.chip_mesh import Interconnect, cores_only, network_of
from chipsim.mesh.fabric import Int64
from chipsim.mesh.replay import Load, Replay, hottest_links, replay
from chipsim.mesh.topology import Topology, topology_of

SHARES = {"median": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}
HOTTEST, SLOWEST = 10, 5
BAR = 40


@dataclass(frozen=True, eq=False)
class Job:
    """What to send over what: ``kind`` of each tree in words, ``title`` for people."""

    mesh: Mesh
    network: Interconnect
    load: Load
    kind: tuple[str, ...]
    title: str


def run_file(args: argparse.Namespace, path: Path) -> int:
    """Send the packets of a file; return the exit code."""
    mesh = mesh_of_options(args)
    channels = cores_only(mesh)
    flits = args.flits if args.flits is not None else mesh.flits(mesh.payload_bits)
    working = np.array(mesh.working_cores, np.int64)
    load = read_packets(path, channels.topology, working, flits, mesh.routing != "xy")
    return _run(args, Job(mesh, channels, load, ("packet",) * len(load.trees), str(path)))


def run_folder(args: argparse.Namespace, folder: Path) -> int:
    """Send the packets of a run folder, over the run's own mesh; return the exit code."""
    refuse_own_options(args, f"run:{folder}")
    if args.flits is not None:
        raise InputError(
            "--flits: the packets are those of the run; --set mesh.flit_bits=16 cuts them"
        )
    kept = read_kept(folder, args.overrides)
    phases = kept.load.packets.phases
    title = f"{folder}, the first {phases:,} of {kept.phases:,} phases"
    if phases == kept.phases:
        title = f"{folder}, all {phases:,} phases"
    return _run(args, Job(kept.mesh, network_of(kept.mesh), kept.load, kept.kind, title))


def _run(args: argparse.Namespace, job: Job) -> int:
    if args.load is not None:
        raise InputError("--load: these packets are sent as they are; give no load")
    found = replay(job.network, job.load, args.threads)
    topology = topology_of(job.mesh)
    if args.plot:
        from chipsim.mesh.figures import plot_latencies

        plot_latencies(_by_kind(job, found), args.plot)
    if args.heat:
        from chipsim.mesh.figures import plot_heat

        load = found.link_flits / max(1, found.cycles)
        plot_heat(topology, load, f"{topology.name}: {job.title}", args.heat)
    if args.json:
        json.dump(_as_json(job, found, topology), sys.stdout, indent=1)
        print()
    else:
        _print(job, found, topology)
    return 0


def _by_kind(job: Job, found: Replay) -> dict[str, Int64]:
    """Return the latencies of each kind of packet that was delivered, in the order of flows."""
    names = list(dict.fromkeys(job.kind))
    number = np.array([names.index(kind) for kind in job.kind], np.int64)
    of = number[job.load.packets.tree[found.packet]]
    parts = {name: found.latency[of == index] for index, name in enumerate(names)}
    return {name: latency for name, latency in parts.items() if latency.size}


def _statistics(values: NDArray[Any]) -> dict[str, float | int | None]:
    """Return mean, quantiles and maximum; None without values."""
    if not values.size:
        return dict.fromkeys(("mean", *SHARES, "max"))
    quantiles = np.percentile(values, list(SHARES.values()), method="inverted_cdf")
    return {
        "mean": float(values.mean()),
        **{name: int(value) for name, value in zip(SHARES, quantiles, strict=True)},
        "max": int(values.max()),
    }


def _link(topology: Topology, router: int, port: int) -> str:
    to = int(topology.leads[router, port]) >> 3
    places = ((at % topology.width, at // topology.width) for at in (router, to))
    return "->".join(f"({x},{y})" for x, y in places)


def _as_json(job: Job, found: Replay, topology: Topology) -> dict[str, Any]:
    cycles, count = np.unique(found.latency, return_counts=True)
    latencies = {"all": found.latency, **_by_kind(job, found)}
    hottest = hottest_links(topology, found.link_flits, HOTTEST)
    return {
        "mesh": _mesh_words(job.mesh, topology),
        "packets": job.load.packets.tree.size,
        "flits": found.flits,
        "deliveries": found.latency.size,
        "cycles": found.cycles,
        "latency": {name: _statistics(values) for name, values in latencies.items()},
        "histogram": {"cycles": cycles.tolist(), "deliveries": count.tolist()},
        "drain": {**_statistics(found.drain[found.drain >= 0]), "by_phase": found.drain.tolist()},
        "hottest_links": [
            {"link": _link(topology, *place), "flits": int(found.link_flits[place])}
            for place in hottest
        ],
        "link_flits": found.link_flits.tolist(),
    }


def _mesh_words(mesh: Mesh, topology: Topology) -> str:
    routing = "" if mesh.routing == "xy" else f", {mesh.routing} routing"
    classes = "" if mesh.ring_classes == "dateline" else f", {mesh.ring_classes} ring classes"
    return (
        f"{topology.width} x {topology.height} {topology.name}, {mesh.vcs} VC of "
        f"{mesh.buffer_flits} flits, {mesh.hop_cycles}-cycle hops{routing}{classes}"
    )


def _print(job: Job, found: Replay, topology: Topology) -> None:
    print(_mesh_words(job.mesh, topology))
    print(f"packets of {job.title}")
    print(
        f"{job.load.packets.tree.size:,} packets, {found.flits:,} flits, "
        f"{found.latency.size:,} deliveries, all made; {found.cycles:,} cycles\n"
    )
    heads = ("mean", *SHARES, "max")
    print(f"{'latency, cycles':<18}" + "".join(f"{head:>9}" for head in heads))
    for name, latency in {"all": found.latency, **_by_kind(job, found)}.items():
        _print_statistics(f"  {name}", latency)
    _print_histogram(found.latency)
    busy = found.drain[found.drain >= 0]
    print(f"\n{'last arrival':<18}" + "".join(f"{head:>9}" for head in heads))
    _print_statistics("  of a phase", busy)
    sizes = np.diff(job.load.packets.phase_ptr)
    for phase in np.argsort(-found.drain, kind="stable")[:SLOWEST].tolist():
        print(f"    phase {phase}: cycle {found.drain[phase]:,}, {sizes[phase]:,} packets")
    print(f"\n{'hottest links':<20}{'flits':>12}  flits a cycle")
    for place in hottest_links(topology, found.link_flits, HOTTEST):
        flits = int(found.link_flits[place])
        print(f"  {_link(topology, *place):<18}{flits:>12,}  {flits / found.cycles:13.4f}")


def _print_statistics(name: str, values: NDArray[Any]) -> None:
    cells = [
        "-" if value is None else f"{value:.2f}" if isinstance(value, float) else f"{value:,}"
        for value in _statistics(values).values()
    ]
    print(f"{name:<18}" + "".join(f"{cell:>9}" for cell in cells))


def _print_histogram(latency: Int64) -> None:
    """Print a bar for each doubling of the latency."""
    octave = np.ceil(np.log2(np.maximum(latency, 1))).astype(np.int64)
    count = np.bincount(octave)
    print()
    for number in np.flatnonzero(count).tolist():
        first, last = (1 << number >> 1) + 1 if number else 0, 1 << number
        bar = "#" * max(1, round(BAR * count[number] / count.max()))
        print(f"  {first:>7,} to {last:>7,} cycles {count[number]:>12,}  {bar}")
