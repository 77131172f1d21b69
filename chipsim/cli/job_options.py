"""Options that ``chipsim map`` and ``chipsim run`` have in common."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def positive(text: str) -> int:
    """Parse an integer of at least 1 (argparse type)."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} given, at least 1 needed")
    return value


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run: chip, input, how far, how fast, and where results go."""
    parser.add_argument(
        "--chip", default="tianjic", metavar="CHIP", help="chip file or shipped chip (tianjic)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", dest="overrides",
        help="override a value of the chip file, such as core.weight_bits=8",
    )  # fmt: skip
    parser.add_argument(
        "--trace", type=Path, metavar="FILE", help="input trace (default: the one the model names)"
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="run the first N samples only")
    parser.add_argument(
        "--mesh-phases", type=positive, metavar="N", help="time the first N phases on the mesh only"
    )
    parser.add_argument(
        "--threads", type=positive, metavar="N", default=os.cpu_count() or 1,
        help="threads (results do not depend on it)",
    )  # fmt: skip
    parser.add_argument(
        "--batch", type=positive, metavar="N", default=25,
        help="samples a kernel call runs (results do not depend on it)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of stochastic rounding")
    parser.add_argument(
        "--strict", action="store_true", help="a phase that overruns is an error (exit code 3)"
    )
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="run folder to write")
    parser.add_argument("--force", action="store_true", help="replace an existing run folder")
    parser.add_argument("--json", action="store_true", help="print report.json, not the summary")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
