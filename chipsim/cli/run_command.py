"""``chipsim run``: a kept mapping again, on the same or on other input."""

from __future__ import annotations

import argparse
from pathlib import Path

from chipsim.cli.job_options import add_job_options, run_from


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``run`` to ``subparsers``."""
    parser = subparsers.add_parser(
        "run",
        help="run a kept mapping again, on other input",
        description="Run a model on a chip by a mapping that was kept (mapping.json of a run "
        "folder, or a file in mappings/), without mapping it again.",
    )
    parser.add_argument("mapping", type=Path, help="mapping.json")
    parser.add_argument("--model", type=Path, required=True, help="the checkpoint it was made for")
    add_job_options(parser)
    parser.add_argument(
        "--learn", action="store_true",
        help="the network shall learn on the chip while it runs; refuse a mapping that does not",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run and report; return the exit code."""
    return run_from(args, mapping=args.mapping)
