"""What the kinds of ``chipsim train`` have in common: option types, torch, interruption."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

from chipsim.errors import InputError

INTERRUPTED = 130

READOUTS = {
    "spike_count": "most spikes after all steps",
    "first_spike": "the first output neuron to fire, when the sample stops",
}


def require_torch() -> None:
    """Raise InputError if torch is missing."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise InputError(
            "training needs torch, which is not installed: pip install chipsim[train] "
            "(CPU build: pip install torch --index-url https://download.pytorch.org/whl/cpu)"
        ) from None


def interrupted(unfinished: Path) -> int:
    """Say on stderr how to go on with the run kept in ``unfinished``; return the exit code."""
    kept = unfinished.exists()
    hint = f"{unfinished} is kept; --resume goes on" if kept else "no epoch was finished"
    print(f"interrupted: {hint}", file=sys.stderr)
    return INTERRUPTED


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add the options ``--threads`` and ``--device`` of torch."""
    parser.add_argument(
        "--threads",
        type=whole(1),
        default=1,
        help="of torch (%(default)s); other numbers may round differently",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where to compute; auto (default) takes a CUDA GPU where torch finds one",
    )


def whole(least: int) -> Callable[[str], int]:
    """Return an option type: a whole number of at least ``least``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {least}")
        return value

    return parse


def real(low: float = 0.0, high: float = 1e6, above: bool = False) -> Callable[[str], float]:
    """Return an option type: a number from ``low`` (or ``above`` it) to ``high``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or (above and value == low):
            bound = f"above {low:g}" if above else f"from {low:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is no number {bound} to {high:g}")
        return value

    return parse
