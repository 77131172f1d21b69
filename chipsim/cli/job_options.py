"""Options that ``chipsim map`` and ``chipsim run`` have in common."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # network needs numpy, which the command line does without until it runs
    from chipsim.job import Job
    from chipsim.network import PlasticityMode


def positive(text: str) -> int:
    """Parse an integer of at least 1 (argparse type)."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} given, at least 1 needed")
    return value


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run: what `add_simulation_options` adds, and where results go."""
    add_simulation_options(parser)
    parser.add_argument("-o", "--out", type=Path, metavar="DIR", help="run folder to write")
    parser.add_argument("--force", action="store_true", help="replace an existing run folder")
    parser.add_argument("--json", action="store_true", help="print report.json, not the summary")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")


def add_simulation_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a simulation: chip, input, how far and how fast, what goes wrong."""
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
        "--strict",
        action="store_true",
        help="a phase that overruns, a deadline that is missed is an error (exit code 3)",
    )
    parser.add_argument(
        "--mesh", choices=("real", "ideal"), default="real",
        help="processors: ideal lets packets arrive at once and gives cores all the time they need",
    )  # fmt: skip
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME=RATE", dest="faults",
        help="hardware faults at a rate, such as weight_flip=1e-4 (docs/faults.md)",
    )  # fmt: skip


def run_from(
    args: argparse.Namespace,
    mapping: Path | None = None,
    plasticity: PlasticityMode = "running",
    placer: str = "hilbert",
) -> int:
    """Run the job that ``args`` describe, ``args.model`` among them; return the exit code."""
    from chipsim.cli.run_job import run_job

    job = job_from(args, mapping, plasticity, placer)
    return run_job(job, args.out, force=args.force, as_json=args.json, quiet=args.quiet)


def job_from(
    args: argparse.Namespace,
    mapping: Path | None = None,
    plasticity: PlasticityMode = "running",
    placer: str = "hilbert",
) -> Job:
    """Return the job that the options of `add_simulation_options` and ``args.model`` describe."""
    from chipsim.faults.model import parse_faults
    from chipsim.job import Choices, Job

    choices = Choices(
        plasticity=plasticity,
        placer=placer,
        mesh_phases=args.mesh_phases,
        threads=args.threads,
        batch=args.batch,
        seed=args.seed,
        strict=args.strict,
        faults=parse_faults(args.faults),
        mesh=args.mesh,
        learn=getattr(args, "learn", False),
    )
    return Job(
        model=args.model,
        chip=args.chip,
        overrides=tuple(args.overrides),
        trace=args.trace,
        mapping=mapping,
        limit=args.limit,
        choices=choices,
    )
