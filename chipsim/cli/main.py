"""The ``chipsim`` command: parses, dispatches, and turns errors into messages and exit codes.

Only the standard library is imported here; a sub-command imports what it needs when it runs, so
that ``chipsim --help`` starts at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from chipsim import __version__
from chipsim.cli import (
    chips,
    describe,
    learning_cost,
    map_command,
    noc,
    report,
    run_command,
    study,
    train,
    validate,
)
from chipsim.errors import ChipsimError

COMMANDS = (
    map_command,
    run_command,
    learning_cost,
    study,
    train,
    chips,
    describe,
    validate,
    report,
    noc,
)

INTERRUPTED = 130
"""What a shell expects of a program stopped by Ctrl-C."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="chipsim",
        description="Map trained spiking networks onto many-core neuromorphic chips and simulate "
        "them cycle by cycle.",
        epilog="exit codes: 0 done, 1 internal error, 2 bad input, 3 does not fit or misses its "
        "deadline under --strict",
    )
    top.add_argument("--version", action="version", version=f"chipsim {__version__}")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = parser().parse_args(argv)
    try:
        code = args.run(args)
        sys.stdout.flush()
        return int(code)
    except ChipsimError as error:
        print(f"chipsim: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("chipsim: interrupted, nothing was written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (such as `head`) went away: that is its right.
        sys.stderr.close()
        return 0
