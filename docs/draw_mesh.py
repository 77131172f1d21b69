"""Draw docs/images/mesh-latency.svg (uniform traffic): ``python docs/draw_mesh.py``."""

from __future__ import annotations

from pathlib import Path

from chipsim.mesh.curve import latency_curve
from chipsim.mesh.figures import plot_curve
from chipsim.mesh.topology import mesh, torus, triangular
from chipsim.mesh.wormhole_layout import make_channels

FLITS = 5
MESHES = {
    "8x8 mesh, 1 VC": make_channels(mesh(8, 8)),
    "8x8 mesh, 4 VCs": make_channels(mesh(8, 8), vcs=4),
    "8x8 torus, 4 VCs": make_channels(torus(8, 8), vcs=4),
    "the same, ring_classes balanced": make_channels(torus(8, 8), vcs=4, ring_classes="balanced"),
    "8x8 triangular torus, 4 VCs": make_channels(triangular(8, 8), vcs=4),
}


def main() -> None:
    """Run the curves and write the picture."""
    loads = [0.02, *(step / 20 for step in range(1, 17))]
    curves = {
        name: latency_curve(channels, "uniform", loads, FLITS) for name, channels in MESHES.items()
    }
    plot_curve(curves, Path(__file__).parent / "images" / "mesh-latency.svg")


if __name__ == "__main__":
    main()
