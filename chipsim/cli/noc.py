"""``chipsim noc``: latency against load of a routing mesh under traffic of many kinds."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from chipsim.errors import InputError

if TYPE_CHECKING:
    from chipsim.mesh.curve import Point
    from chipsim.mesh.fabric import Int64
    from chipsim.mesh.wormhole_layout import Channels

TOPOLOGIES = ("mesh", "torus", "triangular")
ROUTINGS = ("xy", "west_first", "odd_even")
TRAFFICS = ("uniform", "transpose", "bit-complement", "neighbour", "tornado", "hotspot")
MAX_LOADS = 1000


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the ``noc`` sub-command."""
    parser = subparsers.add_parser(
        "noc",
        help="latency and throughput of a routing mesh",
        description="Simulate a routing mesh under synthetic traffic, or that of a file or of a "
        "mapped network, exact to the cycle, and print latency against load.",
    )
    add = parser.add_argument
    add("--topology", choices=TOPOLOGIES, default="mesh", help="default: mesh")
    add("--size", default="8x8", metavar="WxH", help="routers (default: 8x8)")
    add("--cores", type=int, default=1, metavar="N", help="cores a router (default: 1)")
    add("--routing", choices=ROUTINGS, default="xy", help="default: xy; the others are adaptive")
    add(
        "--traffic",
        default="uniform",
        metavar="T",
        help=f"{', '.join(TRAFFICS)} (default: uniform), or packets from a file: file:PACKETS.npz "
        "(cycle, source, target, and if given flits), or run:FOLDER of chipsim map, whose chip "
        "then decides the mesh",
    )
    add(
        "--load",
        default="0.05:0.4:0.05",
        metavar="L",
        help="flits a core and cycle: one, a list 0.1,0.2 or a range first:last:step "
        "(default: 0.05:0.4:0.05)",
    )
    add("--flits", type=int, default=1, help="flits a packet (default: 1)")
    add("--vcs", type=int, help="virtual channels a link (default: 1; 2 with rings)")
    add("--buffer", type=int, default=8, help="flits a channel's buffer holds (default: 8)")
    add("--hop-cycles", type=int, default=3, help="cycles a hop (default: 3)")
    add("--credit-cycles", type=int, default=2, help="cycles a credit takes (default: 2)")
    add("--head-cycles", type=int, default=0, help="extra cycles for a queued head (default: 0)")
    add("--cut-through", action="store_true", help="virtual cut-through, not wormhole")
    add("--cycles", type=int, default=10_000, help="cycles measured (default: 10000)")
    add("--warm-up", type=int, default=2_000, help="cycles before and after (default: 2000)")
    add("--seed", type=int, default=1, help="of the traffic (default: 1)")
    add("--threads", type=int, default=1, help="loads run side by side (default: 1)")
    add("--json", action="store_true", help="print JSON, link loads included")
    add("--plot", metavar="FILE", help="also draw the curve (.svg, .png or .pdf)")
    add("--heat", metavar="FILE", help="also draw the load of every link, at the last load")
    parser.set_defaults(run=run)


def _size(text: str) -> tuple[int, int]:
    """Return width and height of "8x8"."""
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise InputError(f"--size: {text!r} given, WIDTHxHEIGHT such as 8x8 needed")
    return int(width), int(height)


def _loads(text: str) -> list[float]:
    """Return the loads of "0.3", "0.1,0.2" or "0.05:0.4:0.05"."""
    try:
        parts = [float(part) for part in text.replace(":", ",").split(",")]
    except ValueError:
        parts = []
    if not parts or (":" in text and (len(parts) != 3 or "," in text)):
        raise InputError(
            f"--load: {text!r} given; a number, a list 0.1,0.2 or a range first:last:step needed"
        )
    if ":" not in text:
        return parts
    first, last, step = parts
    if not (step > 0 and 0 <= (last - first) / step < MAX_LOADS):
        raise InputError(
            f"--load: {text!r} given; the step must be positive, the last load not before the "
            f"first, and at most {MAX_LOADS} loads between them"
        )
    return [round(first + n * step, 9) for n in range(int((last - first) / step + 1e-9) + 1)]


def _row(point: Point) -> dict[str, object]:
    """Return a load's results for JSON."""
    return {
        "offered": point.offered,
        "accepted": point.accepted,
        "stable": point.stable,
        "packets": point.packets,
        "hottest_link": round(point.hottest_link, 6),
        "latency": {
            "mean": point.mean if point.packets else None,
            "median": point.median if point.packets else None,
            "p99": point.p99 if point.packets else None,
            "max": point.longest if point.packets else None,
        },
        "link_load": [[round(load, 6) for load in row] for row in point.link_load.tolist()],
    }


def _print_table(title: str, points: list[Point]) -> None:
    """Print one line a load."""
    print(title)
    print(" offered  accepted  latency: mean  median     p99     max  hottest link")
    for point in points:
        print(
            f"{point.offered:8.3f}  {point.accepted:8.3f}  {point.mean:13.2f}  {point.median:6.0f}"
            f"  {point.p99:6.0f}  {point.longest:6.0f}  {point.hottest_link:12.3f}"
            f"{'' if point.stable else '  not stable'}"
        )


def _channels(args: argparse.Namespace, width: int, height: int, cores: int) -> Channels:
    """Return the channels that the options describe."""
    from chipsim.mesh import topology
    from chipsim.mesh.wormhole_layout import TREES, make_channels

    build = {
        "mesh": topology.mesh,
        "torus": topology.torus,
        "triangular": topology.triangular,
    }[args.topology]
    built = build(width, height, cores)
    return make_channels(
        built,
        vcs=args.vcs if args.vcs is not None else 2 if built.rings else 1,
        buffer_flits=args.buffer,
        hop_cycles=args.hop_cycles,
        credit_cycles=args.credit_cycles,
        head_cycles=args.head_cycles,
        cut_through=args.cut_through,
        routing=TREES if args.routing == "xy" else args.routing,
    )


def _simulate(args: argparse.Namespace, loads: list[float]) -> tuple[Channels, list[Point]]:
    """Run the traffic that ``--traffic`` names; return the mesh and a point for each load."""
    from pathlib import Path

    from chipsim.cli.noc_traffic import read_packets, read_run_traffic
    from chipsim.mesh.curve import latency_curve, replay

    kind, colon, place = args.traffic.partition(":")
    pattern: str | Int64 = args.traffic
    if colon and kind == "file" and place:
        channels = _channels(args, *_size(args.size), args.cores)
        return channels, [replay(channels, *read_packets(Path(place), args.flits))]
    if colon and kind == "run" and place:
        mapped = read_run_traffic(Path(place))
        channels = _channels(args, mapped.width, mapped.height, mapped.cores)
        pattern = mapped.matrix
    elif args.traffic in TRAFFICS:
        channels = _channels(args, *_size(args.size), args.cores)
    else:
        raise InputError(
            f"--traffic: {args.traffic!r} given; {', '.join(TRAFFICS)}, file:PACKETS.npz or "
            "run:FOLDER allowed"
        )
    return channels, latency_curve(
        channels,
        pattern,
        loads,
        flits=args.flits,
        warm_up=args.warm_up,
        window=args.cycles,
        seed=args.seed,
        threads=args.threads,
    )


def run(args: argparse.Namespace) -> int:
    """Run the loads and print them; return the exit code."""
    channels, points = _simulate(args, _loads(args.load))
    built = channels.topology
    routing = "" if args.routing == "xy" else f"{args.routing} routing, "
    title = (
        f"{built.width} x {built.height} {built.name}, {channels.vcs} VC of {args.buffer} flits, "
        f"{routing}{args.flits}-flit packets, {args.traffic} traffic"
    )
    if args.plot:
        from chipsim.mesh.figures import plot_curve

        plot_curve({title: points}, args.plot)
    if args.heat:
        from chipsim.mesh.figures import plot_heat

        plot_heat(built, points[-1], args.heat)
    if args.json:
        json.dump({"mesh": title, "points": [_row(p) for p in points]}, sys.stdout, indent=1)
        print()
    else:
        _print_table(title, points)
    return 0
