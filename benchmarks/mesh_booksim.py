"""The mesh beside what BookSim 2 measured (commit 28f43299 of 2017-06-27), setting by setting.

Prints, ours beside BookSim's: latency, accepted rate under overload, the last stable loads, what
credits let through; ``--only WORD`` runs the settings whose title has the word, ``--plot FILE``
draws latency against load of a few meshes.

    python benchmarks/mesh_booksim.py [--only torus] [--plot docs/images/mesh-latency.svg]

The one-flit figures on 8x8 were measured for this project before it began, the others beside it:
channels of 8 flits, speculative, routing_delay 0, vc_alloc_delay 1, sw_alloc_delay 1, credit_delay
1, both allocators separable_input_first, injection_rate_uses_flits 1, topology mesh with dor, torus
with dim_order, or dim_order_bal for balanced classes, cmesh (c 4, xr 2, yr 2) with dor_no_express.
Where BookSim measured from the start (max_samples no more than warmup_periods), so do we.
With islip for both allocators BookSim accepts 0.394 of uniform traffic, 0.141 of bit-complement,
0.162 of tornado; of one-flit packets in 4 channels 0.376 of uniform traffic.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from chipsim.chip import RingClasses
from chipsim.mesh import topology
from chipsim.mesh.curve import Point, latency_curve
from chipsim.mesh.dimension_order import unicast_trees
from chipsim.mesh.fabric import Packets
from chipsim.mesh.figures import plot_curve
from chipsim.mesh.topology import Topology
from chipsim.mesh.wormhole import run_phases
from chipsim.mesh.wormhole_layout import Channels, make_channels

LAST_STABLE = {"uniform": 0.38, "transpose": 0.14, "bit-complement": 0.22, "tornado": 0.24}
SEEDS = (1, 2, 3)
OVERLOAD = 0.95


@dataclass(frozen=True)
class Setting:
    """A mesh with packets of ``flits``, and what BookSim measured.

    ``latency`` is by traffic and load, ``accepted`` by traffic at load 0.95, both over ``window``
    cycles after ``warm_up``.
    """

    title: str
    channels: Channels
    flits: int
    accepted: Mapping[str, float]
    latency: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    warm_up: int = 2_000
    window: int = 10_000
    seeds: tuple[int, ...] = SEEDS


def mesh(width: int, vcs: int = 1) -> Channels:
    """Return a mesh of three-cycle hops."""
    return make_channels(topology.mesh(width, width), vcs=vcs)


def longer(built: Topology, vcs: int, classes: RingClasses = "dateline") -> Channels:
    """Return channels whose links, and credits on their way back, take a cycle more.

    As in BookSim's folded torus, and its concentrated mesh, whose routers stand further apart.
    """
    channels = make_channels(built, vcs=vcs, credit_cycles=3, ring_classes=classes)
    delay = channels.delay.copy()
    delay[:, : built.links] = 4
    return replace(channels, delay=delay)


def torus(width: int, vcs: int, classes: RingClasses = "dateline") -> Channels:
    """Return a folded torus."""
    return longer(topology.torus(width, width), vcs, classes)


def three(uniform: float, bit_complement: float, tornado: float) -> dict[str, float]:
    """Return accepted rates by traffic."""
    return {"uniform": uniform, "bit-complement": bit_complement, "tornado": tornado}


def four(
    uniform: float, bit_complement: float, tornado: float, transpose: float
) -> dict[str, float]:
    """Return accepted rates by traffic."""
    return {**three(uniform, bit_complement, tornado), "transpose": transpose}


def long_run(title: str, channels: Channels, accepted: Mapping[str, float], flits: int = 5,
             latency: Mapping[str, Mapping[float, float]] | None = None) -> Setting:  # fmt: skip
    """Return a setting that was measured for 5,000 cycles after 5,000."""
    return Setting(title, channels, flits, accepted, latency or {}, 5_000, 5_000, (1, 2))


def from_the_start(title: str, channels: Channels, flits: int, accepted: Mapping[str, float],
                   window: int = 10_000) -> Setting:  # fmt: skip
    """Return a setting that was measured in the first ``window`` cycles of an empty mesh."""
    return Setting(title, channels, flits, accepted, {}, 0, window)


SETTINGS = (
    Setting(
        "8x8 mesh, 1 channel, 1 flit",
        mesh(8),
        1,
        {**four(0.376, 0.125, 0.150, 0.336), "neighbour": 0.950},
        {"uniform": {0.02: 20.97, 0.1: 20.98, 0.2: 21.55, 0.3: 23.11, 0.33: 24.15, 0.36: 27.2}},
    ),
    Setting(
        "8x8 mesh, 4 channels, 5 flits",
        mesh(8, 4),
        5,
        {**four(0.406, 0.143, 0.162, 0.335), "neighbour": 0.949},
        {
            "uniform": {0.1: 26.99, 0.2: 31.17, 0.3: 39.79, 0.34: 46.90},
            "bit-complement": {0.12: 38.9, 0.16: 43.9, 0.2: 55.1},
        },
    ),
    from_the_start("8x8 mesh, 1 channel, 5 flits", mesh(8), 5, three(0.300, 0.125, 0.151)),
    from_the_start("8x8 mesh, 2 channels, 5 flits", mesh(8, 2), 5, three(0.381, 0.111, 0.152)),
    from_the_start("8x8 mesh, 8 channels, 5 flits", mesh(8, 8), 5, three(0.417, 0.171, 0.188)),
    from_the_start("8x8 mesh, 4 channels, 1 flit", mesh(8, 4), 1, three(0.405, 0.123, 0.149)),
    from_the_start("8x8 mesh, 4 channels, 8 flits", mesh(8, 4), 8, three(0.394, 0.129, 0.151)),
    long_run(
        "8x8 mesh, 4 channels, 16 flits",
        mesh(8, 4),
        {"uniform": 0.373, "bit-complement": 0.214, "transpose": 0.336},
        16,
        {"uniform": {0.1: 44.36, 0.2: 58.41, 0.28: 79.87}},
    ),
    Setting(
        "8x8 mesh, 4 channels, 5 flits, four-stage router",
        make_channels(topology.mesh(8, 8), vcs=4, hop_cycles=5, head_cycles=2, head_stages=2),
        5,
        {"uniform": 0.402, "bit-complement": 0.142},
        {
            "uniform": {0.1: 38.83, 0.2: 41.96, 0.3: 49.65, 0.34: 56.73},
            "bit-complement": {0.12: 54.77},
        },
        warm_up=10_000,
        window=5_000,
    ),
    long_run(
        "4x4 concentrated mesh, 4 channels, 5 flits",
        longer(topology.mesh(4, 4, 4), 4),
        {"uniform": 0.203, "bit-complement": 0.0795, "transpose": 0.329},
        5,
        {"uniform": {0.05: 20.60, 0.1: 24.05, 0.16: 33.10}},
    ),
    long_run(
        "4x4 concentrated mesh, 1 channel, 1 flit",
        longer(topology.mesh(4, 4, 4), 1),
        {"uniform": 0.177, "bit-complement": 0.0781, "transpose": 0.331},
        1,
        {"uniform": {0.05: 15.19, 0.1: 15.61, 0.14: 16.62}},
    ),
    long_run("4x4 mesh, 4 channels, 5 flits", mesh(4, 4), three(0.744, 0.474, 0.943)),
    long_run("4x4 mesh, 1 channel, 5 flits", mesh(4), three(0.563, 0.500, 0.943)),
    from_the_start(
        "16x16 mesh, 4 channels, 5 flits", mesh(16, 4), 5, three(0.190, 0.0369, 0.0347), 5_000
    ),
    from_the_start(
        "16x16 mesh, 1 channel, 5 flits", mesh(16), 5, three(0.152, 0.0313, 0.0316), 5_000
    ),
    long_run("16x16 mesh, 4 channels, 5 flits, warm", mesh(16, 4), {"tornado": 0.0331}),
    Setting(
        "8x8 torus, 4 channels, 5 flits",
        torus(8, 4),
        5,
        {**four(0.550, 0.377, 0.092, 0.363), "neighbour": 0.950},
        {
            "uniform": {0.2: 28.67, 0.3: 31.97, 0.4: 36.43, 0.5: 45.57},
            "transpose": {0.1: 27.00, 0.2: 33.46},
            "bit-complement": {0.15: 27.29, 0.3: 32.91},
            "neighbour": {0.3: 17.88, 0.8: 25.45},
            "tornado": {0.05: 35.02, 0.15: 44.14},
        },
    ),
    long_run(
        "8x8 torus, 2 channels, 5 flits",
        torus(8, 2),
        {"uniform": 0.391, "tornado": 0.081},
        5,
        {"uniform": {0.15: 27.66, 0.25: 30.18, 0.33: 35.10}},
    ),
    long_run(
        "8x8 torus, 4 channels, 16 flits",
        torus(8, 4),
        {"uniform": 0.497, "bit-complement": 0.495, "transpose": 0.358},
        16,
        {"uniform": {0.1: 41.28, 0.25: 54.67, 0.386: 77.44}},
    ),
    Setting("16x16 torus, 4 channels, brief", torus(16, 4), 5, {"uniform": 0.197}, {}, 2000, 1000),
    long_run(
        "16x16 torus, 4 channels, 5 flits",
        torus(16, 4),
        {},
        5,
        {"uniform": {0.08: 43.73, 0.2: 51.25}},
    ),
    long_run(
        "8x8 torus, balanced, 4 channels, 5 flits",
        torus(8, 4, "balanced"),
        four(0.583, 0.377, 0.107, 0.365),
    ),
    long_run(
        "8x8 torus, balanced, 2 channels, 5 flits",
        torus(8, 2, "balanced"),
        {"uniform": 0.425, "tornado": 0.094},
    ),
    long_run(
        "4x4 torus, 4 channels, 5 flits",
        torus(4, 4),
        four(0.815, 0.947, 0.947, 0.688),
        5,
        {"uniform": {0.2: 18.85, 0.4: 21.99, 0.6: 29.08}},
    ),
    long_run(
        "4x4 torus, 2 channels, 5 flits",
        torus(4, 2),
        four(0.691, 0.947, 0.947, 0.647),
        5,
        {"uniform": {0.2: 18.64, 0.4: 21.49, 0.5: 25.40}},
    ),
)
"""One seed of BookSim, but two on the 8x8 mesh with 2 channels under bit-complement (0.115 and
0.108) and with 16 flits (45.04, 43.69 at 0.1; 82.02, 77.72 at 0.28), three for tornado on 16x16 and
with the four-stage router (routing_delay 1, not speculative)."""


def compare(label: str, ours: list[float], theirs: float) -> None:
    """Print a line: the mean over seeds, its spread, BookSim's figure."""
    mean = sum(ours) / len(ours)
    spread = max(ours) - min(ours)
    apart = 100 * (mean / theirs - 1)
    print(f"{label:>22}  {mean:9.3f}  {spread:7.3f}  {theirs:9.3f}  {apart:+6.1f} %")


def points(setting: Setting, traffic: str, load: float) -> list[Point]:
    """Run one traffic at one load with each seed."""
    return [
        latency_curve(
            setting.channels, traffic, [load], flits=setting.flits, warm_up=setting.warm_up,
            window=setting.window, seed=seed,
        )[0]
        for seed in setting.seeds
    ]  # fmt: skip


def compare_setting(setting: Setting) -> None:
    """Print latencies and accepted rates."""
    print(f"{setting.title}\n                             ours   spread    BookSim  difference")
    for traffic, latency in setting.latency.items():
        for load, theirs in latency.items():
            ours = [point.mean for point in points(setting, traffic, load)]
            compare(f"{traffic} {load:.2f}", ours, theirs)
    for traffic, theirs in setting.accepted.items():
        ours = [point.accepted for point in points(setting, traffic, OVERLOAD)]
        compare(f"{traffic} accepted", ours, theirs)


def compare_stability() -> None:
    """Print whether BookSim's last stable load is stable, and whether the next is not."""
    print("  last stable load   mean there  stable  mean 0.04 above  stable")
    for pattern, load in LAST_STABLE.items():
        points: list[Point] = latency_curve(mesh(8), pattern, [load, load + 0.04], window=20_000)
        cells = (f"{point.mean:15.1f}  {point.stable!s:>6}" for point in points)
        print(f"{pattern:>14} {load:.2f}" + "".join(cells))


def compare_credits() -> None:
    """Print what one channel carries between neighbours.

    B / RTT flits a cycle, or where a head is routed only once it is first, L / (L + 2).
    """
    print("  one channel       accepted   spread    BookSim  difference")
    square = topology.mesh(8, 8)
    short = make_channels(square, buffer_flits=4)
    staged = make_channels(square, hop_cycles=5, head_cycles=2, head_stages=2)
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
    channels = torus(8, 2)
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
        "8x8 mesh, 1 VC": mesh(8),
        "8x8 mesh, 4 VCs": mesh(8, 4),
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
    parser.add_argument(
        "--only", metavar="WORD", default="", help="settings with this in the title"
    )
    parser.add_argument("--plot", metavar="FILE", help="draw latency against load")
    args = parser.parse_args()
    for setting in SETTINGS:
        if args.only in setting.title:
            compare_setting(setting)
    if not args.only:
        compare_stability()
        compare_credits()
        compare_zero_load()
    if args.plot:
        draw(args.plot)


if __name__ == "__main__":
    main()
