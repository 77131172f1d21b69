"""``chipsim map``: fit a trained network into a chip, run it there and report."""

from __future__ import annotations

import argparse
from pathlib import Path

from chipsim.cli.job_options import add_job_options, run_from


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``map`` to ``subparsers``."""
    parser = subparsers.add_parser(
        "map",
        help="fit a model into a chip, simulate it there and report",
        description="Fit a trained network into the chip's cores, run it there in the chip's own "
        "arithmetic and clock, and report energy, throughput, latency, traffic and accuracy.",
    )
    parser.add_argument("model", type=Path, help="checkpoint: .pt, .npz or .safetensors")
    add_job_options(parser)
    parser.add_argument(
        "--plasticity", choices=("running", "frozen", "off"), default="running",
        help="local plasticity on chip (default: running)",
    )  # fmt: skip
    parser.add_argument(
        "--placer", default="hilbert", metavar="NAME", help="sequential, snake or hilbert (default)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Map, simulate, report; return the exit code."""
    return run_from(args, plasticity=args.plasticity, placer=args.placer)
