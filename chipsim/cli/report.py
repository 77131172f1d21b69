"""``chipsim report``: render a kept run again, without simulating."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # argparse keeps its sub-parser type private.
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add the sub-command to the command line."""
    parser = subparsers.add_parser(
        "report",
        help="render a kept run again",
        description="Print the summary of a run folder, and render its HTML report again.",
    )
    parser.add_argument(
        "folder", metavar="RUN_DIR", type=Path, help="folder `chipsim map -o` wrote"
    )
    parser.add_argument("--json", action="store_true", help="print report.json, not the summary")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write the HTML report to FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the run's summary (or its JSON) and write the HTML file if one is asked for.

    Raises
    ------
    InputError
        The run folder is not whole, or the HTML file cannot be written.
    """
    from chipsim.report.run_folder import dump_json, read_run, write_text
    from chipsim.report.terminal import summary_text

    summary, arrays = read_run(args.folder)
    if args.html is not None:
        from chipsim.report.html import report_html

        write_text(args.html, report_html(summary, arrays))
        print(f"written: {args.html}", file=sys.stderr)
    sys.stdout.write(dump_json(summary) if args.json else summary_text(summary))
    return 0
