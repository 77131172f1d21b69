"""Accuracy against fault rate as a table, from the study of it.

    chipsim study studies/hp_faults.yaml
    python benchmarks/fault_tolerance.py runs/study-hp_faults

Prints Markdown: the mean over the seeds of the faults, and their least and greatest, in percent.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path


def main() -> None:
    """Read study.json of a study folder (default: runs/study-hp_faults) and print its tables."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/study-hp_faults")
    study = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    found: dict[tuple[str, float], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for point in study["points"]:
        at = point["coordinates"]
        accuracy = 100 * point["values"]["accuracy.chip"]
        found[at["fault"], at["rate"]][at["network"]].append(accuracy)
    axes = {axis["name"]: axis["values"] for axis in study["axes"]}
    print(f"| fault | rate | {' | '.join(axes['network'])} |")
    print(f"|---|---|{'---|' * len(axes['network'])}")
    for fault in axes["fault"]:
        for rate in axes["rate"]:
            cells = [_cell(found[fault, rate][network]) for network in axes["network"]]
            print(f"| {fault} | {rate:g} | {' | '.join(cells)} |")


def _cell(values: list[float]) -> str:
    mean = sum(values) / len(values)
    return f"{mean:.1f} ({min(values):.1f} to {max(values):.1f})"


if __name__ == "__main__":
    main()
