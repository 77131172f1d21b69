"""``chipsim validate``: published figures of a chip beside what its model gives."""

from __future__ import annotations

import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``validate`` to ``subparsers``."""
    parser = subparsers.add_parser(
        "validate",
        help="compare the shipped chip models with published figures",
        description="Run full-load networks on tianjic, or cut networks of published sizes into "
        "spinnaker's cores, and print the published figures beside what comes out.",
    )
    parser.add_argument("chip", nargs="?", choices=("tianjic", "spinnaker"), default="tianjic")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table of a chip; return the exit code."""
    from chipsim.validation import spinnaker_memory, tianjic
    from chipsim.validation.rows import table

    rows = {"tianjic": tianjic.rows, "spinnaker": spinnaker_memory.rows}
    print(table(rows[args.chip]()))
    return 0
