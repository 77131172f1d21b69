"""``chipsim describe``: list a checkpoint's tensors and begin its description."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``describe`` to ``subparsers``."""
    parser = subparsers.add_parser(
        "describe",
        help="list a checkpoint's tensors and begin its description",
        description="List the tensors of a checkpoint and write a description to complete: sizes "
        "and layers as the shapes suggest, TODO for everything a checkpoint does not hold.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="MODEL", help=".pt, .npz or .safetensors")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="description to write (NAME.yaml beside the checkpoint, where it is looked for)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run ``chipsim describe`` as parsed; return the exit code.

    InputError if the checkpoint cannot be read, or FILE exists and ``--force`` is not given.
    """
    from chipsim.load.checkpoint import read_checkpoint
    from chipsim.load.describe import skeleton, tensor_lines, write_skeleton

    checkpoint = read_checkpoint(args.checkpoint)
    for line in tensor_lines(checkpoint):
        print(line)
    if checkpoint.description is not None and args.output is None:
        print(
            f"{args.checkpoint} carries its own description; no file is needed "
            "(-o FILE writes one all the same)",
            file=sys.stderr,
        )
        return 0
    target = args.output or args.checkpoint.with_suffix(".yaml")
    write_skeleton(target, skeleton(checkpoint), overwrite=args.force)
    print(f"{target}: written; replace every TODO in it", file=sys.stderr)
    return 0
