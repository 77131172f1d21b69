"""``chipsim train``: train the networks that chipsim maps.

``chipsim train hp`` trains the hybrid-plasticity network of Wu et al. 2022 on MNIST or
Fashion-MNIST; the other kinds have modules of their own.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from chipsim.cli import train_continual, train_eprop, train_fewshot, train_measure
from chipsim.cli.train_options import (
    READOUTS,
    add_machine,
    interrupted,
    real,
    require_torch,
    whole,
)
from chipsim.train.settings import TASKS, VARIANTS, Dynamics, Settings

RULES = {
    "hp": "hybrid plasticity: weights and local rule",
    "gp": "weights alone, without plasticity",
    "lp": "hidden layer by its local rule alone, trained output layer",
}
IMAGE_VARIANTS = {
    "A": "fully connected, all layers plastic",
    "B": "the authors' MNIST convolutions, hidden layer plastic",
    "C": "their Fashion-MNIST convolutions, hidden layer plastic",
}
CONSTANTS = {
    "steps": (whole(1), "time steps of a sample"),
    "threshold": (real(above=True), "theta of all neurons"),
    "decay": (real(high=1.0), "k of the membrane, per step"),
    "tau": (real(above=True), "of the attenuation, in steps"),
    "rho": (real(high=1.0), "decay of the trace, per step"),
    "clamp": (real(above=True), "bound on the trace"),
}
TRACES = {"sample": "each sample its own", "batch": "shared by a batch and carried on"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``train`` with its kinds of network to ``subparsers``."""
    parser = subparsers.add_parser(
        "train",
        help="train a network (hp, eprop) to map",
        description="Train a network that chipsim can map. All but eprop need torch: "
        "pip install chipsim[train]",
    )
    kinds = parser.add_subparsers(dest="network", metavar="NETWORK", required=True)
    hp = kinds.add_parser(
        "hp",
        help="hybrid plasticity (Wu et al. 2022) on MNIST or Fashion-MNIST",
        description="Train an image-hidden-output network with hybrid plasticity and write its "
        "checkpoint, description, training record and an input trace.",
    )
    hp.set_defaults(run=run)
    _add_files(hp)
    _add_training(hp)
    _add_dynamics(hp)
    train_measure.add_parser(kinds)
    train_fewshot.add_parser(kinds)
    train_continual.add_parser(kinds)
    train_eprop.add_parser(kinds)


def run(args: argparse.Namespace) -> int:
    """Run ``chipsim train hp`` as parsed; return the exit code.

    InputError if torch is missing or an option or file is wrong.
    """
    require_torch()
    from chipsim.train.job import Job, train_hp

    job = Job(
        data=args.data,
        out=args.out if args.out is not None else Path(f"models/{args.rule}_{args.task}.pt"),
        trace=args.trace,
        settings=_settings(args),
        dynamics=_dynamics(args),
        resume=args.resume,
        threads=args.threads,
        device=args.device,
    )
    try:
        summary = train_hp(job)
    except KeyboardInterrupt:
        return interrupted(job.unfinished)
    print(f"{job.out}: test accuracy {summary.running:.2f} % with plasticity running,")
    print(f"  {summary.frozen:.2f} % frozen at the stored trace, {summary.off:.2f} % off")
    print(f"  {summary.hidden_spikes:.0f} hidden spikes and {summary.steps:.2f} steps a sample")
    return 0


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--task",
        choices=TASKS,
        default="mnist",
        help="whose settings to start from (%(default)s)",
    )
    add("--data", type=Path, required=True, metavar="DIR", help="folder of its idx.gz or .xz files")
    add("--out", type=Path, metavar="FILE", help="checkpoint to write (models/RULE_TASK.pt)")
    add("--trace", type=Path, metavar="FILE", help="trace to write (traces/OUT_testN.npz)")
    add("--resume", action="store_true", help="go on with the interrupted run of --out")
    add_machine(parser)


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--epochs",
        type=whole(1),
        default=Settings.epochs,
        help="passes over the images (%(default)s)",
    )
    add(
        "--seed",
        type=whole(0),
        default=Settings.seed,
        help="for weights and image order (%(default)s)",
    )
    add(
        "--channels",
        type=whole(1),
        nargs="+",
        default=Settings.channels,
        metavar="N",
        help="of 3 x 3 spiking convolutions before the hidden neurons, each with a 2 x 2 average "
        "pooling (none)",
    )
    add("--hidden", type=whole(1), default=Settings.hidden, help="hidden neurons (%(default)s)")
    add(
        "--batch",
        type=whole(1),
        default=Settings.batch,
        help="images per optimiser step (%(default)s)",
    )
    add("--limit", type=whole(1), metavar="N", help="train on the first N images only")
    add(
        "--validation",
        type=whole(0),
        default=Settings.validation,
        metavar="N",
        help="hold out the last N images and train the local rule on them: bilevel (%(default)s)",
    )
    add(
        "--weight-rate",
        type=real(),
        default=Settings.weight_rate,
        help="Adam's first rate for weights (%(default)s)",
    )
    add(
        "--rule-rate",
        type=real(),
        default=Settings.rule_rate,
        help="its rate for alpha, beta, eta (%(default)s)",
    )
    add(
        "--alpha",
        type=real(low=-1.0),
        default=Settings.alpha,
        help="alpha of both layers at start (%(default)s)",
    )
    add(
        "--output-scale",
        type=real(),
        help="scale of the output weights at start (mnist 1, fashion 0.1)",
    )
    add(
        "--rule",
        choices=RULES,
        default=Settings.rule,
        help="what learns (%(default)s): " + "; ".join(f"{k} {v}" for k, v in RULES.items()),
    )
    add(
        "--hebb",
        choices=TRACES,
        default=Settings.trace,
        help="whose trace H is (%(default)s): " + "; ".join(f"{k} {v}" for k, v in TRACES.items()),
    )


def _add_dynamics(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--variant",
        choices=IMAGE_VARIANTS,
        default="A",
        help="whose constants to start from (%(default)s): "
        + "; ".join(f"{k} {v}" for k, v in IMAGE_VARIANTS.items()),
    )
    add(
        "--readout",
        choices=READOUTS,
        default=Dynamics.readout,
        help="how the output layer answers (%(default)s): "
        + "; ".join(f"{k} {v}" for k, v in READOUTS.items()),
    )
    for name, (kind, text) in CONSTANTS.items():
        add(f"--{name}", type=kind, help=f"{text} (the variant's; of A {getattr(Dynamics, name)})")


def _settings(args: argparse.Namespace) -> Settings:
    task = TASKS[args.task]
    scale = task.output_scale if args.output_scale is None else args.output_scale
    return replace(
        task,
        seed=args.seed,
        epochs=args.epochs,
        channels=tuple(args.channels),
        hidden=args.hidden,
        batch=args.batch,
        weight_rate=args.weight_rate,
        rule_rate=args.rule_rate,
        alpha=args.alpha,
        output_scale=scale,
        rule=args.rule,
        trace=args.hebb,
        validation=args.validation,
        limit=args.limit,
    )


def _dynamics(args: argparse.Namespace) -> Dynamics:
    given = {name: getattr(args, name) for name in CONSTANTS if getattr(args, name) is not None}
    return replace(VARIANTS[args.variant], readout=args.readout, **given)
