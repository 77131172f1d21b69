"""Accuracy on chip by weight width and plasticity mode, beside float.

    python benchmarks/accuracy_by_bits.py [models/hp_mnist.pt]

Runs the model's own trace through the functional simulation of the shipped Tianjic chip (the mesh
cannot change a result there) and prints a Markdown table.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chipsim.load.chip_file import read_chip
from chipsim.load.description import read_model
from chipsim.load.traces import read_trace
from chipsim.mapping.mapper import map_network
from chipsim.network import Network, PlasticityMode, Trace
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.functional import run_functional
from chipsim.simulate.samples import classes

MODES: tuple[PlasticityMode, ...] = ("running", "frozen", "off")


@dataclass(frozen=True)
class Outcome:
    """Share of right answers, and of answers equal to float's."""

    accuracy: float
    agreement: float
    cores: int


def on_chip(network: Network, trace: Trace, mode: PlasticityMode, bits: int) -> Outcome:
    chip = read_chip("tianjic", [f"core.weight_bits={bits}"])
    fixed = quantise_network(network, chip.core.arithmetic)
    mapping = map_network(network, chip, mode)
    answers = run_functional(fixed, mapping, trace, threads=2).answers
    given = classes(answers, network.readout, network.readout_kind)
    ideal = in_float(network, trace)
    return Outcome(
        float(np.mean(given == trace.labels)), float(np.mean(given == ideal)), len(mapping.slices)
    )


def in_float(network: Network, trace: Trace) -> np.ndarray:
    return classes(run_float(network, trace, threads=2), network.readout, network.readout_kind)


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "models/hp_mnist.pt")
    model = read_model(path)
    if model.trace is None:
        sys.exit(f"{path}: its description names no trace")
    trace = read_trace(model.trace)
    print(f"{path.stem}, {trace.samples} samples\n")
    print("| plasticity | float | 16 bit | 8 bit | 4 bit |")
    print("|---|---|---|---|---|")
    for mode in MODES:
        network = in_mode(model.network, mode)
        row = [f"{np.mean(in_float(network, trace) == trace.labels):.2%}"]
        for bits in (16, 8, 4):
            outcome = on_chip(network, trace, mode, bits)
            row.append(
                f"{outcome.accuracy:.2%} (same answer {outcome.agreement:.2%}, "
                f"{outcome.cores} cores)"
            )
        print(f"| {mode} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
