"""Draw the pictures of README and docs from a run folder: ``python docs/draw.py RUN_DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

from chipsim.report.figures import chip_map, energy_split, gantt, link_heat
from chipsim.report.run_folder import read_run

PICTURES = {
    "chip_map": chip_map,
    "link_heat": link_heat,
    "energy_split": energy_split,
    "timeline": gantt,
}


def main() -> None:
    """Write every picture as PNG into docs/images."""
    summary, arrays = read_run(Path(sys.argv[1]))
    folder = Path(__file__).parent / "images"
    for name, picture in PICTURES.items():
        figure = picture.draw(summary, arrays)
        if figure is not None:
            figure.savefig(
                folder / f"{name}.png",
                dpi=110,
                facecolor="white",
                bbox_inches="tight",
                pad_inches=0.15,
            )


if __name__ == "__main__":
    main()
