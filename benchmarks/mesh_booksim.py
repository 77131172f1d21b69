"""The mesh beside what BookSim 2 measured (8x8, 1 flit, 1 VC of 8 flits, 3-cycle hops).

Prints mean latency under uniform traffic and the accepted rate under overload, ours, BookSim's and
the difference; ``--plot FILE`` draws latency against load of a few meshes.

    python benchmarks/mesh_booksim.py [--plot docs/images/mesh-latency.svg]
"""

from __future__ import annotations

import argparse

from chipsim.mesh import topology
from chipsim.mesh.curve import latency_curve
from chipsim.mesh.figures import plot_curve
from chipsim.mesh.wormhole_layout import make_channels

LATENCY = {0.02: 20.97, 0.1: 20.98, 0.2: 21.55, 0.3: 23.11, 0.33: 24.15, 0.36: 27.2}
OVERLOAD = {
    "uniform": 0.376,
    "transpose": 0.336,
    "bit-complement": 0.125,
    "neighbour": 0.950,
    "tornado": 0.150,
}
SEEDS = (1, 2, 3)


def compare(label: str, ours: list[float], theirs: float) -> None:
    """Print a line: the mean over seeds, its spread, BookSim's figure."""
    mean = sum(ours) / len(ours)
    spread = max(ours) - min(ours)
    apart = 100 * (mean / theirs - 1)
    print(f"{label:>16}  {mean:9.3f}  {spread:7.3f}  {theirs:9.3f}  {apart:+6.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--plot", metavar="FILE", help="draw latency against load")
    plot = parser.parse_args().plot
    channels = make_channels(topology.mesh(8, 8))
    print("    offered load    latency   spread    BookSim  difference")
    runs = [latency_curve(channels, "uniform", list(LATENCY), seed=seed) for seed in SEEDS]
    for number, (load, theirs) in enumerate(LATENCY.items()):
        compare(f"{load:.2f}", [run[number].mean for run in runs], theirs)
    print(" overload (0.95)   accepted   spread    BookSim  difference")
    for pattern, theirs in OVERLOAD.items():
        runs = [latency_curve(channels, pattern, [0.95], seed=seed) for seed in SEEDS]
        compare(pattern, [run[0].accepted for run in runs], theirs)
    if plot:
        loads = [round(0.02 * step, 2) for step in range(1, 45)]
        curves = {
            "8x8 mesh, 1 VC": channels,
            "8x8 mesh, 4 VCs": make_channels(topology.mesh(8, 8), vcs=4),
            "8x8 torus, 4 VCs": make_channels(topology.torus(8, 8), vcs=4),
            "8x8 triangular torus, 4 VCs": make_channels(topology.triangular(8, 8), vcs=4),
        }
        plot_curve(
            {
                label: latency_curve(built, "uniform", loads, window=5000)
                for label, built in curves.items()
            },
            plot,
        )


if __name__ == "__main__":
    main()
