"""``chipsim train hp-fewshot``: local plasticity learns new characters from one drawing each."""

from __future__ import annotations

import argparse
from pathlib import Path

from chipsim.cli.train_options import add_machine, interrupted, real, require_torch, whole
from chipsim.train.settings import FewShotSettings

OPTIONS = {
    "seed": (0, "for weights and episodes"),
    "ways": (2, "outputs, and classes of a training episode"),
    "shots": (1, "drawings of each class that are shown"),
    "channels": (1, "of each of the four convolutions"),
    "updates": (0, "of the optimiser; 0 tests the network as drawn"),
    "groups": (1, "sets of characters in an update"),
    "queries": (1, "drawings of each class asked in training"),
}


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``hp-fewshot`` to the kinds of ``chipsim train``."""
    parser = kinds.add_parser(
        "hp-fewshot",
        help="few-shot learning by hybrid plasticity (Wu et al. 2022) on Omniglot",
        description="Meta-train a convolutional network with a plastic last layer on Omniglot's "
        "background set; test on characters of unseen alphabets, with plasticity running and off.",
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="DIR", help="folder of Omniglot's tar.xz files")
    add("--cache", type=Path, metavar="DIR", help="keep the decoded images there")
    add(
        "--out",
        type=Path,
        default=Path("models/hp_fewshot.pt"),
        help="checkpoint to write (%(default)s)",
    )
    add(
        "--test-ways",
        type=whole(2),
        nargs="+",
        default=[5, 20],
        metavar="N",
        help="classes of a test episode (5 20)",
    )
    add("--resume", action="store_true", help="go on with the interrupted run of --out")
    for name, (least, text) in OPTIONS.items():
        default = getattr(FewShotSettings, name)
        add(f"--{name}", type=whole(least), default=default, help=f"{text} (%(default)s)")
    add(
        "--distort",
        type=real(high=0.5),
        default=FewShotSettings.distort,
        metavar="X",
        help="strength of the random affine maps of the training drawings (%(default)s)",
    )
    for name, what in (("weight_rate", "weights"), ("rule_rate", "alpha, beta, eta")):
        add(
            f"--{name.replace('_', '-')}",
            type=real(),
            default=getattr(FewShotSettings, name),
            help=f"Adam's first rate for {what} (%(default)s)",
        )
    add_machine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train and test; InputError if torch is missing or an option or file is wrong."""
    require_torch()
    from chipsim.train.fewshot_job import FewShotJob, train_fewshot

    names = (*OPTIONS, "distort", "weight_rate", "rule_rate")
    job = FewShotJob(
        data=args.data,
        out=args.out,
        cache=args.cache,
        settings=FewShotSettings(**{name: getattr(args, name) for name in names}),
        test_ways=tuple(args.test_ways),
        resume=args.resume,
        threads=args.threads,
        device=args.device,
    )
    try:
        results = train_fewshot(job)
    except KeyboardInterrupt:
        return interrupted(job.unfinished)
    print(f"{job.out}: characters of unseen alphabets")
    for result in results:
        print(
            f"  {result.ways}-way {job.settings.shots}-shot: {result.plastic:.2f} +- "
            f"{result.plastic_error:.2f} % with plasticity running, {result.off:.2f} % off"
        )
    return 0
