"""``chipsim train hp-measure``: a trained network on noisy and cropped images."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from chipsim.cli.train_options import READOUTS, add_machine, require_torch, whole


def add_parser(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``hp-measure`` to the kinds of ``chipsim train``."""
    parser = kinds.add_parser(
        "hp-measure",
        help="accuracy of a network of `train hp` on noisy and cropped images",
        description="Measure a network of `chipsim train hp` on clean, noisy and cropped test "
        "images, one sample at a time, with plasticity running, frozen and off.",
    )
    add = parser.add_argument
    add("checkpoint", type=Path, help="the network (.pt), with its .training.json beside it")
    add("--data", type=Path, required=True, metavar="DIR", help="folder of the idx files")
    add("--limit", type=whole(1), metavar="N", help="use the first N test images only")
    add("--readout", choices=READOUTS, help="how the output layer answers (as trained)")
    add("--seed", type=whole(0), default=0, help="of the noise (%(default)s)")
    add(
        "--batch",
        type=whole(1),
        metavar="N",
        help="also let batches of N samples share one trace, carried on from the stored one, "
        "as the authors test",
    )
    add("--json", action="store_true", help="print JSON instead of a table")
    add_machine(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print; InputError if torch is missing or a file is wrong."""
    require_torch()
    import torch

    from chipsim.train.data import read_mnist
    from chipsim.train.device import choose
    from chipsim.train.robustness import table
    from chipsim.train.trained import read

    torch.set_num_threads(args.threads)
    trained = read(args.checkpoint, choose(args.device))
    if args.readout is not None:
        trained = replace(trained, dynamics=replace(trained.dynamics, readout=args.readout))
    images = read_mnist(args.data, "t10k")
    if args.limit is not None:
        images = images.first(args.limit)
    rows = []
    if not args.json:
        print(f"{args.checkpoint}: {images.count} test images, accuracy in percent")
        shared = "" if args.batch is None else f"  shared by {args.batch}"
        print(f"{'':24}  running   frozen      off    steps{shared}")
    for row in table(trained, images, args.seed, args.batch):
        rows.append(asdict(row))
        if not args.json:
            shared = "" if row.adapting is None else f"  {row.adapting:7.2f}"
            print(
                f"{row.corruption:24}  {row.running:7.2f}  {row.frozen:7.2f}  {row.off:7.2f}"
                f"  {row.steps:7.2f}{shared}",
                flush=True,
            )
    if args.json:
        print(json.dumps({"images": images.count, "seed": args.seed, "rows": rows}, indent=1))
    return 0
