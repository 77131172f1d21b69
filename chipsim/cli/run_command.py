"""``chipsim run``: a kept mapping again, on the same or on other input."""

from __future__ import annotations

import argparse
from pathlib import Path

from chipsim.cli.job_options import add_job_options


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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run and report; return the exit code."""
    from chipsim.cli.run_job import run_job
    from chipsim.pipeline import Choices, Job

    choices = Choices(
        mesh_phases=args.mesh_phases,
        threads=args.threads,
        batch=args.batch,
        seed=args.seed,
        strict=args.strict,
    )
    job = Job(
        model=args.model,
        chip=args.chip,
        overrides=tuple(args.overrides),
        trace=args.trace,
        mapping=args.mapping,
        limit=args.limit,
        choices=choices,
    )
    return run_job(job, args.out, force=args.force, as_json=args.json, quiet=args.quiet)
