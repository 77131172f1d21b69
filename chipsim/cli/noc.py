"""``chipsim noc``: latency against load of a routing mesh under traffic of many kinds."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chipsim.cli.noc_options import add_mesh_options, add_table_options
from chipsim.errors import InputError

if TYPE_CHECKING:
    from chipsim.mesh.curve import Point
    from chipsim.mesh.fabric import Int64

TRAFFICS = ("uniform", "transpose", "bit-complement", "neighbour", "tornado", "hotspot")
PLACES = ("file", "run", "matrix")
LOADS = "0.05:0.4:0.05"
MAX_LOADS = 1000


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the ``noc`` sub-command."""
    parser = subparsers.add_parser(
        "noc",
        help="latency and throughput of a routing mesh",
        description="Simulate a routing mesh, exact to the cycle: latency against load under "
        "synthetic traffic, the packets of a file or of a mapped network sent once more, or keys "
        "sent through the routing tables of a SpiNNaker machine.",
    )
    add = parser.add_argument
    add(
        "--traffic",
        metavar="T",
        help=f"{', '.join(TRAFFICS)} (default: uniform); file:PACKETS.npz or run:FOLDER of chipsim "
        "map, whose packets are sent as they are; matrix:FOLDER, packets drawn as the run's cores "
        "send to each other",
    )
    add(
        "--load",
        metavar="L",
        help="flits a core and cycle: one, a list 0.1,0.2 or a range first:last:step "
        f"(default: {LOADS})",
    )
    add("--flits", type=int, metavar="N", help="flits a packet (default: 1, or the chip's)")
    add("--cycles", type=int, default=10_000, metavar="N", help="cycles measured (default: 10000)")
    add("--warm-up", type=int, default=2_000, metavar="N", help="before and after (default: 2000)")
    add("--seed", type=int, default=1, metavar="N", help="of the traffic (default: 1)")
    add("--threads", type=int, default=1, metavar="N", help="loads or phases run side by side")
    add("--json", action="store_true", help="print JSON, link loads included")
    add("--plot", metavar="FILE", help="also draw the curve, or the latencies (.svg, .png, .pdf)")
    add("--heat", metavar="FILE", help="also draw the load of every link, at the last load")
    add_mesh_options(parser)
    add_table_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run what the options say and print it; return the exit code."""
    if args.tables:
        from chipsim.cli.noc_tables import run_tables

        return run_tables(args)
    kind, colon, place = (args.traffic or "uniform").partition(":")
    if kind in TRAFFICS and not colon:
        return _run_curve(args, kind)
    if kind not in PLACES or not place:
        raise InputError(
            f"--traffic: {args.traffic!r} given; {', '.join(TRAFFICS)}, file:PACKETS.npz, "
            "run:FOLDER or matrix:FOLDER allowed"
        )
    if kind == "matrix":
        return _run_curve(args, Path(place))
    from chipsim.cli.noc_replay import run_file, run_folder

    return (run_file if kind == "file" else run_folder)(args, Path(place))


def _run_curve(args: argparse.Namespace, traffic: str | Path) -> int:
    """Run synthetic traffic, or that of a run's matrix, at each load."""
    import numpy as np

    from chipsim.cli.noc_mesh import mesh_of_options, refuse_own_options
    from chipsim.mesh.chip_mesh import cores_only
    from chipsim.mesh.curve import latency_curve

    pattern: str | Int64
    if isinstance(traffic, Path):
        from chipsim.cli.noc_packets import read_kept
        from chipsim.cli.noc_traffic import read_matrix

        refuse_own_options(args, f"matrix:{traffic}")
        mesh, pattern = read_kept(traffic, args.overrides).mesh, read_matrix(traffic)
    else:
        mesh, pattern = mesh_of_options(args), traffic
    channels = cores_only(mesh)
    flits = args.flits if args.flits is not None else mesh.flits(mesh.payload_bits)
    points = latency_curve(
        channels,
        pattern,
        parse_loads(args.load or LOADS),
        flits=flits,
        warm_up=args.warm_up,
        window=args.cycles,
        seed=args.seed,
        threads=args.threads,
        working=np.array(mesh.working_cores, np.int64),
    )
    built = channels.topology
    routing = "" if mesh.routing == "xy" else f"{mesh.routing} routing, "
    classes = "" if mesh.ring_classes == "dateline" else f"{mesh.ring_classes} ring classes, "
    title = (
        f"{built.width} x {built.height} {built.name}, {mesh.vcs} VC of {mesh.buffer_flits} flits, "
        f"{routing}{classes}{flits}-flit packets, {args.traffic or 'uniform'} traffic"
    )
    if args.plot:
        from chipsim.mesh.figures import plot_curve

        plot_curve({title: points}, args.plot)
    if args.heat:
        from chipsim.mesh.figures import plot_heat

        words = f"{built.name}, offered {points[-1].offered:.3g} flits a core and cycle"
        plot_heat(built, points[-1].link_load, words, args.heat)
    if args.json:
        json.dump({"mesh": title, "points": [_row(p) for p in points]}, sys.stdout, indent=1)
        print()
    else:
        _print_table(title, points)
    return 0


def parse_loads(text: str) -> list[float]:
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
