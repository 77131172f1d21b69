"""``chipsim validate``: published figures of a chip beside what its model gives."""

from __future__ import annotations

import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``validate`` to ``subparsers``."""
    parser = subparsers.add_parser(
        "validate",
        help="compare the shipped chip models with published figures",
        description="Run full-load networks on the shipped chips and print the published figures "
        "beside what comes out.",
    )
    parser.add_argument("chip", nargs="?", choices=("tianjic",), default="tianjic")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the table of a chip; return the exit code."""
    from chipsim.validation import tianjic
    from chipsim.validation.rows import table

    print(table({"tianjic": tianjic.rows}[args.chip]()))
    return 0
