"""Few-shot learning on chip, by width of the weights and traces, beside float.

    python benchmarks/fewshot_on_chip.py OMNIGLOT [--episodes 400] [--queries 5] [--cache DIR]

OMNIGLOT is the folder with ``images_evaluation.tar.xz``.  Runs episodes of characters of unseen
alphabets through the functional simulation of the shipped Tianjic chip (the mesh cannot change a
result there), with local plasticity running and off, and prints a Markdown table.  Needs torch.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from chipsim.load.chip_file import read_crossbar_chip
from chipsim.load.description import read_model
from chipsim.mapping.mapper import map_network
from chipsim.network import Network, PlasticityMode, Trace
from chipsim.quantise.plasticity_mode import in_mode
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.float_reference import run_float
from chipsim.simulate.functional import run_functional
from chipsim.simulate.samples import Answers, classes
from chipsim.train.fewshot_export import episodes
from chipsim.train.omniglot import Characters, read_omniglot

MODELS = {"hp_omniglot": 5, "hp_omniglot20": 20}
MODES: tuple[PlasticityMode, ...] = ("running", "off")
WIDTHS = {
    "16 bit": (),
    "8 bit": ("core.weight_bits=8",),
    "4 bit": ("core.weight_bits=4",),
    "8 bit, traces too": ("core.weight_bits=8", "core.trace_bits=8"),
    "4 bit, traces too": ("core.weight_bits=4", "core.trace_bits=4"),
    "4 bit, traces too, stochastic": (
        "core.weight_bits=4", "core.trace_bits=4", "core.trace_rounding=stochastic",
    ),
}  # fmt: skip


def right(network: Network, answers: Answers, trace: Trace, queries: int) -> str:
    """Accuracy in percent with its standard error over episodes."""
    given = classes(answers, network.readout, network.readout_kind)
    hits = 100 * (given == trace.labels).reshape(-1, queries).mean(axis=1)
    return f"{hits.mean():.2f} +- {hits.std() / np.sqrt(len(hits)):.2f}"


def on_chip(network: Network, trace: Trace, mode: PlasticityMode, changes: tuple[str, ...]):
    chip = read_crossbar_chip("tianjic", changes)
    fixed = quantise_network(network, chip.core.arithmetic)
    mapping = map_network(network, chip, mode)
    return run_functional(fixed, mapping, trace).answers, len(mapping.slices)


def table(name: str, evaluation: Characters, asked: argparse.Namespace) -> None:
    network, ways = read_model(Path("models") / f"{name}.pt").network, MODELS[name]
    trace = episodes(evaluation, ways, 1, asked.episodes, asked.seed, asked.queries)
    print(f"\n{name}: {ways}-way 1-shot, {asked.episodes} episodes, {asked.queries} queries each\n")
    print("| | running | off | cores |\n|---|---|---|---|")
    nets = {mode: in_mode(network, mode) for mode in MODES}
    row = [right(n, run_float(n, trace), trace, asked.queries) for n in nets.values()]
    print(f"| float | {' | '.join(row)} | |", flush=True)
    for width, changes in WIDTHS.items():
        row, cores = [], 0
        for mode, each in nets.items():
            answers, used = on_chip(each, trace, mode, changes)
            row.append(right(each, answers, trace, asked.queries))
            cores = max(cores, used)
        print(f"| {width} | {' | '.join(row)} | {cores} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--episodes", type=int, default=400)
    parser.add_argument("--queries", type=int, default=5)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    asked = parser.parse_args()
    evaluation = read_omniglot(asked.data, "evaluation", asked.cache)
    for name in asked.models:
        table(name, evaluation, asked)


if __name__ == "__main__":
    main()
