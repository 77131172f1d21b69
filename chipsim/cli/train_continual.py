"""``chipsim train hp-continual``: shuffled images, task after task, a sparse mask for each."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from chipsim.cli.train_options import add_machine, interrupted, real, require_torch, whole
from chipsim.train.settings import VARIANTS, ContinualSettings

OPTIONS = {
    "seed": (0, "for weights, masks and orders"),
    "tasks": (1, "how many"),
    "epochs": (1, "passes over the images for each task"),
    "hidden": (1, "neurons of each hidden layer"),
    "batch": (1, "images per optimiser step"),
    "rule_images": (0, "images the local rule is trained on after each task"),
    "rule_tasks": (0, "tasks after which it still is"),
}
READOUTS = {
    "membrane": "the last hidden membrane potentials, as the authors do",
    "integrated": "hidden spikes, in output neurons without reset, for packets without numbers",
}
REALS = {
    "density": (1.0, "share of the synapses in a task's mask"),
    "weight_rate": (1e6, "Adam's first rate for weights"),
    "rule_rate": (1e6, "Adam's rate for alpha, beta, eta"),
}


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``hp-continual`` to the kinds of ``chipsim train``."""
    parser = kinds.add_parser(
        "hp-continual",
        help="continual learning by hybrid plasticity (Wu et al. 2022) on shuffled MNIST",
        description="Learn MNIST with its pixels shuffled anew for each task, one task after the "
        "other, and test all of them at the end.",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="folder of MNIST's idx files")
    add(
        "--out",
        type=Path,
        default=Path("models/hp_continual.pt"),
        help="checkpoint to write (%(default)s)",
    )
    add("--resume", action="store_true", help="go on with the interrupted run of --out")
    add(
        "--rule", choices=("hp", "gp"), default="hp", help="with local plasticity, or weights alone"
    )
    add(
        "--readout",
        choices=READOUTS,
        default=VARIANTS["E"].readout,
        help="what the output weights read (%(default)s): "
        + "; ".join(f"{k} {v}" for k, v in READOUTS.items()),
    )
    add(
        "--describe",
        type=whole(0),
        metavar="TASK",
        help="task, from 0, that description and trace are of (the last)",
    )
    add("--trace", type=Path, metavar="FILE", help="trace to write (traces/OUT_taskN.npz)")
    add("--limit", type=whole(1), metavar="N", help="train on the first N images only")
    for name, (least, text) in OPTIONS.items():
        default = getattr(ContinualSettings, name)
        flag = f"--{name.replace('_', '-')}"
        add(flag, type=whole(least), default=default, help=f"{text} (%(default)s)")
    for name, (high, text) in REALS.items():
        default = getattr(ContinualSettings, name)
        flag = f"--{name.replace('_', '-')}"
        add(flag, type=real(high=high), default=default, help=f"{text} (%(default)s)")
    add_machine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train and test; InputError if torch is missing or an option or file is wrong."""
    require_torch()
    from chipsim.train.continual_job import ContinualJob, train_continual

    names = (*OPTIONS, *REALS, "rule", "limit")
    job = ContinualJob(
        data=args.data,
        out=args.out,
        settings=ContinualSettings(**{name: getattr(args, name) for name in names}),
        dynamics=replace(VARIANTS["E"], readout=args.readout),
        task=args.describe,
        trace=args.trace,
        resume=args.resume,
        threads=args.threads,
        device=args.device,
    )
    try:
        learnt = train_continual(job)
    except KeyboardInterrupt:
        return interrupted(job.unfinished)
    mean = sum(learnt.test) / len(learnt.test)
    print(f"{job.out}: {len(learnt.test)} tasks, test accuracy {mean:.2f} % in the mean,")
    print(
        f"  {min(learnt.test):.2f} % to {max(learnt.test):.2f} %, {learnt.test[0]:.2f} % the first"
    )
    return 0
