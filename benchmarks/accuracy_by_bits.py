"""Accuracy on chip by weight width and plasticity mode, beside float.

    python benchmarks/accuracy_by_bits.py [models/hp_mnist.pt ...]

Runs each model's own trace through the functional simulation of the shipped Tianjic chip (the mesh
cannot change a result there) and prints a Markdown table.  Without labels, only the share of
answers equal to float's is told.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chipsim.load.chip_file import read_crossbar_chip
from chipsim.load.description import read_model
from chipsim.load.traces import read_trace
from chipsim.mapping.mapper import map_network
from chipsim.network import Network, PlasticityMode, Trace
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.functional import run_functional
from chipsim.simulate.samples import classes

BITS = (16, 8, 4)


@dataclass(frozen=True)
class Outcome:
    """Share of right answers (None without labels), and of answers equal to float's."""

    accuracy: float | None
    agreement: float
    cores: int

    def __str__(self) -> str:
        right = "" if self.accuracy is None else f"{self.accuracy:.2%}, "
        return f"{right}same answer {self.agreement:.2%}, {self.cores} cores"


def modes(network: Network) -> tuple[PlasticityMode, ...]:
    """Return the modes in which the network is another."""
    rules = [p.plasticity for p in network.projections if p.plasticity]
    if not rules:
        return ("off",)
    stored = all(rule.stored_trace is not None for rule in rules)
    return ("running", "frozen", "off") if stored else ("running", "off")


def on_chip(
    network: Network, trace: Trace, mode: PlasticityMode, bits: int, ideal: np.ndarray
) -> Outcome:
    chip = read_crossbar_chip("tianjic", [f"core.weight_bits={bits}"])
    fixed = quantise_network(network, chip.core.arithmetic)
    mapping = map_network(network, chip, mode)
    answers = run_functional(fixed, mapping, trace, threads=2).answers
    given = classes(answers, network.readout, network.readout_kind)
    return Outcome(right(given, trace), float(np.mean(given == ideal)), len(mapping.slices))


def right(given: np.ndarray, trace: Trace) -> float | None:
    return None if trace.labels is None else float(np.mean(given == trace.labels))


def in_float(network: Network, trace: Trace) -> np.ndarray:
    return classes(run_float(network, trace, threads=2), network.readout, network.readout_kind)


def main() -> None:
    for path in [Path(name) for name in sys.argv[1:] or ["models/hp_mnist.pt"]]:
        model = read_model(path)
        if model.trace is None:
            sys.exit(f"{path}: its description names no trace")
        trace = read_trace(model.trace)
        print(f"\n{path.stem}, {trace.samples} samples\n")
        print(f"| plasticity | float | {' | '.join(f'{bits} bit' for bits in BITS)} |")
        print("|---|---|" + "---|" * len(BITS))
        for mode in modes(model.network):
            network = in_mode(model.network, mode)
            ideal = in_float(network, trace)
            accuracy = right(ideal, trace)
            row = ["" if accuracy is None else f"{accuracy:.2%}"]
            row += [str(on_chip(network, trace, mode, bits, ideal)) for bits in BITS]
            print(f"| {mode} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
