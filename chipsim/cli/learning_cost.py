"""``chipsim learning-cost``: what learning on chip costs: local, by backpropagation, or both."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chipsim.cli.job_options import add_simulation_options, job_from, positive


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``learning-cost`` to ``subparsers``."""
    parser = subparsers.add_parser(
        "learning-cost",
        help="compare learning on chip: local, by backpropagation, hybrid",
        description="Put side by side what a sample costs in messages, energy, time and memory "
        "when the network learns on chip by its local plasticity (LP), by backpropagation through "
        "time (GP), locally with a backpropagation now and then (HP), or not. Forward passes and "
        "local plasticity are simulated, backpropagation is a model (docs/learning-cost.md).",
    )
    parser.add_argument("model", type=Path, help="checkpoint: .pt, .npz or .safetensors")
    add_simulation_options(parser)
    parser.add_argument(
        "--placer", default="hilbert", metavar="NAME", help="sequential, snake or hilbert (default)"
    )
    parser.add_argument(
        "--weights-every", type=positive, metavar="N", default=None,
        help="HP updates its weights in every N-th sample (default: 100)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate the forward passes, add what learning costs, print the table."""
    from chipsim.cli.progress import StderrProgress
    from chipsim.job import load
    from chipsim.learning_cost.cost import LOCAL, METHODS, WEIGHTS_EVERY, learning_cost
    from chipsim.learning_cost.keys import as_dict
    from chipsim.learning_cost.table import text_table
    from chipsim.pipeline import simulate_learning
    from chipsim.report.run_folder import dump_json

    job = job_from(args, placer=args.placer)
    progress = StderrProgress(quiet=args.quiet)
    progress.stage("load")
    model, chip, trace = load(job)
    plastic = any(p.plasticity is not None for p in model.network.projections)
    methods = [method for method in METHODS if plastic or method not in LOCAL]
    # Methods with the same forward pass share its run.
    runs = {
        local: simulate_learning(
            LOCAL[0] if local else "gp", model.network, chip, trace, job.choices, progress,
            notes=model.notes,
        )
        for local in {method in LOCAL for method in methods}
    }  # fmt: skip
    every = args.weights_every or WEIGHTS_EVERY
    costs = [learning_cost(method, runs[method in LOCAL], every) for method in methods]
    progress.finish()
    if args.json:
        sys.stdout.write(dump_json({cost.method: as_dict(cost, chip) for cost in costs}))
        return 0
    print(f"{model.network.name} on {chip.name}, {trace.samples} samples of {trace.name}\n")
    print(text_table(costs, chip), end="")
    if not plastic:
        print("\nno projection has local plasticity: LP and HP have nothing to learn by")
    return 0
