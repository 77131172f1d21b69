"""Draw learning curves of e-prop from training records, float beside chip.

``python docs/draw_learning.py OUT.png TITLE=FLOAT.training.json,CHIP.training.json ...``: one panel
each, the score of a batch against trials seen, smoothed over `WINDOW` batches.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

WINDOW = 20
COLOURS = {"float32": "#57606a", "s16.15": "#d4501f"}


def draw(axes: Axes, title: str, records: list[dict[str, Any]]) -> None:
    """Draw one panel."""
    for record in records:
        settings = record["settings"]
        score = np.asarray(record["iterations"]["score"], float)
        window = min(WINDOW, score.size)
        smooth = np.convolve(score, np.ones(window) / window, "valid")
        trials = (np.arange(smooth.size) + window) * settings["batch"]
        kind = settings["arithmetic"]
        axes.plot(trials, smooth, color=COLOURS[kind], label=kind, linewidth=1.5)
    name = records[0]["score"]
    axes.set(title=title, xlabel="trials", ylabel=name)
    if name == "error":
        axes.set_ylim(0, None)
    else:
        axes.set_yscale("log")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def main() -> None:
    """Draw all panels into the file named first."""
    out, *panels = sys.argv[1:]
    figure, row = plt.subplots(1, len(panels), figsize=(4.6 * len(panels), 3.2), squeeze=False)
    for axes, panel in zip(row[0], panels, strict=True):
        title, files = panel.split("=", 1)
        draw(axes, title, [json.loads(Path(name).read_text()) for name in files.split(",")])
    figure.tight_layout()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
