"""``chipsim train``: train the networks that chipsim maps.

``chipsim train hp`` trains the hybrid-plasticity network of Wu et al. 2022 on MNIST.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

from chipsim.errors import InputError
from chipsim.train.settings import Dynamics, Settings

INTERRUPTED = 130


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``train`` with its kinds of network to ``subparsers``."""
    parser = subparsers.add_parser(
        "train",
        help="train a network (hp) to map",
        description="Train a network that chipsim can map. Needs torch: pip install chipsim[train]",
    )
    parser.set_defaults(run=run)
    kinds = parser.add_subparsers(dest="network", metavar="NETWORK", required=True)
    hp = kinds.add_parser(
        "hp",
        help="hybrid plasticity (Wu et al. 2022) on MNIST",
        description="Train an image-hidden-output network with hybrid plasticity on MNIST and "
        "write its checkpoint, description, training record and an input trace.",
    )
    _add_files(hp)
    _add_training(hp)
    _add_dynamics(hp)


def run(args: argparse.Namespace) -> int:
    """Run ``chipsim train`` as parsed; return the exit code.

    InputError if torch is missing or an option or file is wrong.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise InputError(
            "training needs torch, which is not installed: pip install chipsim[train] "
            "(CPU build: pip install torch --index-url https://download.pytorch.org/whl/cpu)"
        ) from None
    from chipsim.train.job import Job, train_hp

    job = Job(
        data=args.data,
        out=args.out,
        trace=args.trace,
        settings=_settings(args),
        dynamics=_dynamics(args),
        resume=args.resume,
        threads=args.threads,
    )
    try:
        summary = train_hp(job)
    except KeyboardInterrupt:
        kept = job.unfinished.exists()
        hint = f"{job.unfinished} is kept; --resume goes on" if kept else "no epoch was finished"
        print(f"interrupted: {hint}", file=sys.stderr)
        return INTERRUPTED
    print(f"{job.out}: test accuracy {summary.running:.2f} % with plasticity running,")
    print(f"  {summary.frozen:.2f} % frozen at the stored trace, {summary.off:.2f} % off")
    print(f"  {summary.hidden_spikes:.0f} hidden spikes a sample")
    return 0


def _add_files(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="folder of MNIST's idx.gz files")
    add(
        "--out",
        type=Path,
        default=Path("models/hp_mnist.pt"),
        help="checkpoint to write (%(default)s)",
    )
    add("--trace", type=Path, metavar="FILE", help="trace to write (traces/OUT_testN.npz)")
    add("--resume", action="store_true", help="go on with the interrupted run of --out")
    add(
        "--threads",
        type=_whole(1),
        default=1,
        help="of torch (%(default)s); other numbers may round differently",
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--epochs",
        type=_whole(1),
        default=Settings.epochs,
        help="passes over the images (%(default)s)",
    )
    add(
        "--seed",
        type=_whole(0),
        default=Settings.seed,
        help="for weights and image order (%(default)s)",
    )
    add("--hidden", type=_whole(1), default=Settings.hidden, help="hidden neurons (%(default)s)")
    add(
        "--batch",
        type=_whole(1),
        default=Settings.batch,
        help="images per optimiser step (%(default)s)",
    )
    add("--limit", type=_whole(1), metavar="N", help="train on the first N images only")
    add(
        "--weight-rate",
        type=_real(),
        default=Settings.weight_rate,
        help="Adam's first rate for weights (%(default)s)",
    )
    add(
        "--rule-rate",
        type=_real(),
        default=Settings.rule_rate,
        help="its rate for alpha, beta, eta (%(default)s)",
    )
    add(
        "--alpha",
        type=_real(low=-1.0),
        default=Settings.alpha,
        help="alpha of both layers at start (%(default)s)",
    )


def _add_dynamics(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--steps",
        type=_whole(1),
        default=Dynamics.steps,
        help="time steps of a sample (%(default)s)",
    )
    add(
        "--threshold",
        type=_real(above=True),
        default=Dynamics.threshold,
        help="theta of all neurons (%(default)s)",
    )
    add(
        "--decay",
        type=_real(high=1.0),
        default=Dynamics.decay,
        help="k of the membrane, per step (%(default)s)",
    )
    add(
        "--tau",
        type=_real(above=True),
        default=Dynamics.tau,
        help="of the attenuation, in steps (%(default)s)",
    )
    add(
        "--rho",
        type=_real(high=1.0),
        default=Dynamics.rho,
        help="decay of the trace, per step (%(default)s)",
    )
    add(
        "--clamp",
        type=_real(above=True),
        default=Dynamics.clamp,
        help="bound on the trace (%(default)s)",
    )


def _settings(args: argparse.Namespace) -> Settings:
    return Settings(
        seed=args.seed,
        epochs=args.epochs,
        hidden=args.hidden,
        batch=args.batch,
        weight_rate=args.weight_rate,
        rule_rate=args.rule_rate,
        alpha=args.alpha,
        limit=args.limit,
    )


def _dynamics(args: argparse.Namespace) -> Dynamics:
    return Dynamics(
        steps=args.steps,
        threshold=args.threshold,
        decay=args.decay,
        tau=args.tau,
        rho=args.rho,
        clamp=args.clamp,
    )


def _whole(least: int) -> Callable[[str], int]:
    """Return an option type: a whole number of at least ``least``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {least}")
        return value

    return parse


def _real(low: float = 0.0, high: float = 1e6, above: bool = False) -> Callable[[str], float]:
    """Return an option type: a number from ``low`` (or ``above`` it) to ``high``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or (above and value == low):
            bound = f"above {low:g}" if above else f"from {low:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is no number {bound} to {high:g}")
        return value

    return parse
