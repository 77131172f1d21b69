"""The mesh beside what BookSim 2 measured on 8x8 (commit 28f43299 of 2017-06-27).

Prints, ours beside BookSim's: latency, accepted rate under overload, the last stable loads, what
credits let through, and the same for wormhole packets; ``--plot FILE`` draws latency against load
of a few meshes.

    python benchmarks/mesh_booksim.py [--plot docs/images/mesh-latency.svg]

The one-flit figures were measured for this project before it began.  Those of wormhole packets were
measured beside it: topology mesh, k 8, n 2, dor, 4 channels of 8 flits, speculative, routing_delay
0, vc_alloc_delay 1, sw_alloc_delay 1, credit_delay 1, both allocators separable_input_first,
packet_size 5, injection_rate_uses_flits 1; latency means of 5,000-cycle samples after 10,000.
With islip for both allocators BookSim accepts 0.394 of uniform traffic, 0.141 of bit-complement,
0.162 of tornado; of one-flit packets in 4 channels 0.376 of uniform traffic.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from chipsim.mesh import topology
from chipsim.mesh.curve import Point, latency_curve
from chipsim.mesh.dimension_order import unicast_trees
from chipsim.mesh.fabric import Packets
from chipsim.mesh.figures import plot_curve
from chipsim.mesh.wormhole import run_phases
from chipsim.mesh.wormhole_layout import Channels, make_channels

LATENCY = {0.02: 20.97, 0.1: 20.98, 0.2: 21.55, 0.3: 23.11, 0.33: 24.15, 0.36: 27.2}
OVERLOAD = {
    "uniform": 0.376,
    "transpose": 0.336,
    "bit-complement": 0.125,
    "neighbour": 0.950,
    "tornado": 0.150,
}
LAST_STABLE = {"uniform": 0.38, "transpose": 0.14, "bit-complement": 0.22, "tornado": 0.24}
WORMHOLE_LATENCY = {0.1: 26.99, 0.2: 31.17, 0.3: 39.79, 0.34: 46.90}
"""Up to 0.85 of the 0.404 it carries; two seeds at 0.1 (27.04, 26.94) and 0.3 (39.84, 39.75)."""
WORMHOLE_OVERLOAD = {
    "uniform": 0.406,
    "transpose": 0.335,
    "bit-complement": 0.143,
    "neighbour": 0.949,
    "tornado": 0.162,
}
WORMHOLE_BIT_COMPLEMENT = {0.12: 38.9, 0.16: 43.9, 0.2: 55.1}
TRAFFICS = ("uniform", "bit-complement", "tornado")
OTHER_OVERLOAD = {
    (8, 1, 5): (0.300, 0.125, 0.151),
    (8, 2, 5): (0.381, 0.115, 0.152),
    (8, 8, 5): (0.417, 0.171, 0.188),
    (8, 4, 1): (0.405, 0.123, 0.149),
    (8, 4, 8): (0.394, 0.129, 0.151),
    (4, 4, 5): (0.744, 0.474, 0.943),
    (4, 1, 5): (0.563, 0.500, 0.943),
    (16, 4, 5): (0.190, 0.0369, 0.0348),
    (16, 1, 5): (0.152, 0.0313, 0.0316),
}
"""Accepted at 0.95 by width, channels and flits, one seed; 16x16: 5,000 cycles after 5,000."""
TORUS_LATENCY = {0.2: 28.67, 0.3: 31.97, 0.4: 36.43, 0.5: 45.57}
"""8x8 torus, dim_order, links of 2 cycles, 5 flits, 4 channels; 5,000-cycle samples."""
TORUS_OVERLOAD = {
    4: {"uniform": 0.553, "bit-complement": 0.377, "tornado": 0.092},
    2: {"uniform": 0.396, "bit-complement": 0.374, "tornado": 0.081},
}
"""Accepted at 0.95 by channels, one seed.  There packets that cross no dateline have one half."""
SEEDS = (1, 2, 3)


def compare(label: str, ours: list[float], theirs: float) -> None:
    """Print a line: the mean over seeds, its spread, BookSim's figure."""
    mean = sum(ours) / len(ours)
    spread = max(ours) - min(ours)
    apart = 100 * (mean / theirs - 1)
    print(f"{label:>16}  {mean:9.3f}  {spread:7.3f}  {theirs:9.3f}  {apart:+6.1f} %")


def compare_latency(
    channels: Channels, traffic: str, latency: dict[float, float], flits: int
) -> None:
    """Print the mean latency at each load."""
    print("    offered load    latency   spread    BookSim  difference")
    runs = [
        latency_curve(channels, traffic, list(latency), flits=flits, seed=seed) for seed in SEEDS
    ]
    for number, (load, theirs) in enumerate(latency.items()):
        compare(f"{load:.2f}", [run[number].mean for run in runs], theirs)


def compare_curves(
    channels: Channels, latency: dict[float, float], overload: dict[str, float], flits: int
) -> None:
    """Print latency under uniform traffic and the accepted rate of each traffic at load 0.95."""
    compare_latency(channels, "uniform", latency, flits)
    compare_overload(channels, overload, flits)


def compare_overload(channels: Channels, overload: dict[str, float], flits: int) -> None:
    """Print the accepted rate of each traffic at load 0.95."""
    print(" overload (0.95)   accepted   spread    BookSim  difference")
    for pattern, theirs in overload.items():
        accepted = [
            latency_curve(channels, pattern, [0.95], flits=flits, seed=seed)[0].accepted
            for seed in SEEDS
        ]
        compare(pattern, accepted, theirs)


def compare_others() -> None:
    """Print the accepted rate at load 0.95 of other sizes, channels and packets, one seed each."""
    print(" width channels flits           traffic   accepted   spread    BookSim  difference")
    for (width, vcs, flits), figures in OTHER_OVERLOAD.items():
        channels = make_channels(topology.mesh(width, width), vcs=vcs)
        for traffic, theirs in zip(TRAFFICS, figures, strict=True):
            point = latency_curve(channels, traffic, [0.95], flits=flits, warm_up=5000)[0]
            print(f"{width:6} {vcs:8} {flits:5} ", end="")
            compare(traffic, [point.accepted], theirs)


def folded(vcs: int) -> Channels:
    """Return the folded 8x8 torus: links, and credits on their way back, take a cycle more."""
    torus = topology.torus(8, 8)
    channels = make_channels(torus, vcs=vcs, credit_cycles=3)
    delay = channels.delay.copy()
    delay[:, : torus.links] = 4
    return replace(channels, delay=delay)


def compare_tori() -> None:
    """Print latency and the accepted rate under overload on the torus."""
    print("8x8 torus, 5 flits, 4 channels of 8 flits")
    compare_curves(folded(4), TORUS_LATENCY, TORUS_OVERLOAD[4], 5)
    print("the same, 2 channels")
    compare_overload(folded(2), TORUS_OVERLOAD[2], 5)


def compare_stability() -> None:
    """Print whether BookSim's last stable load is stable, and whether the next is not."""
    print("  last stable load   mean there  stable  mean 0.04 above  stable")
    for pattern, load in LAST_STABLE.items():
        points: list[Point] = latency_curve(
            make_channels(topology.mesh(8, 8)), pattern, [load, load + 0.04], window=20_000
        )
        cells = (f"{point.mean:15.1f}  {point.stable!s:>6}" for point in points)
        print(f"{pattern:>14} {load:.2f}" + "".join(cells))


def compare_credits() -> None:
    """Print what one channel carries between neighbours.

    B / RTT flits a cycle, or where a head is routed only once it is first, L / (L + 2).
    """
    print("  one channel       accepted   spread    BookSim  difference")
    mesh = topology.mesh(8, 8)
    short = make_channels(mesh, buffer_flits=4)
    staged = make_channels(mesh, hop_cycles=5, head_cycles=2)
    cases = (
        ("4 slots of RTT 5", short, 1, 0.8),
        ("4-stage, 5 flits", staged, 5, 5 / 7),
        ("4-stage, 1 flit", staged, 1, 1 / 3),
    )
    for label, channels, flits, theirs in cases:
        accepted = [
            latency_curve(channels, "neighbour", [0.95], flits=flits, seed=seed)[0].accepted
            for seed in SEEDS
        ]
        compare(label, accepted, theirs)


def compare_zero_load() -> None:
    """Print the worst departure from the folded torus's 5 + 4 D + (L - 1), all pairs, L 1 to 5."""
    channels = folded(2)
    router = np.arange(64, dtype=np.int32)
    source, target = (grid.reshape(-1) for grid in np.meshgrid(router, router))
    around = [np.minimum(abs(a - b), 8 - abs(a - b)) for a, b in (
        (source % 8, target % 8), (source // 8, target // 8))]  # fmt: skip
    worst = 0
    for flits in range(1, 6):
        count = source.size
        packets = Packets(np.arange(count + 1), source, np.zeros(count, np.int64), target)
        sizes = np.full(count, flits, np.int32)
        found = run_phases(channels, unicast_trees(channels.topology), packets, sizes).latency_sum
        worst = max(worst, int(abs(found - (5 + 4 * sum(around) + flits - 1)).max()))
    print(f"zero load on a folded torus: at most {worst} cycles from 5 + 4 D + (L - 1)")


def draw(path: str) -> None:
    """Draw latency against uniform load of a few meshes."""
    loads = [round(0.02 * step, 2) for step in range(1, 45)]
    curves = {
        "8x8 mesh, 1 VC": make_channels(topology.mesh(8, 8)),
        "8x8 mesh, 4 VCs": make_channels(topology.mesh(8, 8), vcs=4),
        "8x8 torus, 4 VCs": make_channels(topology.torus(8, 8), vcs=4),
        "8x8 triangular torus, 4 VCs": make_channels(topology.triangular(8, 8), vcs=4),
    }
    plot_curve(
        {
            label: latency_curve(built, "uniform", loads, window=5000)
            for label, built in curves.items()
        },
        path,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--plot", metavar="FILE", help="draw latency against load")
    plot = parser.parse_args().plot
    print("1 flit, 1 channel of 8 flits, 3-cycle hops")
    compare_curves(make_channels(topology.mesh(8, 8)), LATENCY, OVERLOAD, 1)
    compare_stability()
    compare_credits()
    compare_zero_load()
    print("5 flits, 4 channels of 8 flits, 3-cycle hops")
    compare_curves(
        make_channels(topology.mesh(8, 8), vcs=4), WORMHOLE_LATENCY, WORMHOLE_OVERLOAD, 5
    )
    print("the same, bit-complement")
    compare_latency(
        make_channels(topology.mesh(8, 8), vcs=4), "bit-complement", WORMHOLE_BIT_COMPLEMENT, 5
    )
    compare_others()
    compare_tori()
    if plot:
        draw(plot)


if __name__ == "__main__":
    main()
