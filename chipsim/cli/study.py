"""``chipsim study``: vary chip and network together, locally or on a cluster."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from chipsim.cli.job_options import positive

if TYPE_CHECKING:
    from chipsim.study.model import Point, Study
    from chipsim.study.point import Task
    from chipsim.study.store import Store

INTERRUPTED = 130


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``study`` to ``subparsers``."""
    parser = subparsers.add_parser(
        "study",
        help="run a model over many chips or options; Pareto fronts",
        description="Run every combination of what a study file varies (docs/study.md), and write "
        "tables, pictures and the Pareto front. Finished points are kept: run the same command "
        "again to go on, or at the same time elsewhere, with the same folder, to share the work.",
    )
    parser.add_argument("study", type=Path, metavar="STUDY", help="study file (YAML)")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="folder (default: runs/study-NAME)"
    )
    parser.add_argument(
        "--jobs", type=positive, metavar="N", default=os.cpu_count() or 1,
        help="local processes (default: one a processor)",
    )  # fmt: skip
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--cluster", metavar="ADDRESS", help="compute on this Dask scheduler")
    where.add_argument("--mpi", action="store_true", help="compute on the ranks of this MPI job")
    parser.add_argument("--json", action="store_true", help="print study.json, not the table")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do what is missing of the study, write its folder and print the result.

    Raises
    ------
    InputError
        The study, a file it names or the folder is wrong, or the executor cannot be had.
    """
    from chipsim.study.folder import open_store
    from chipsim.study.read import read_study

    study = read_study(args.study)
    folder = args.out or Path("runs") / f"study-{args.study.stem}"
    # All of them before any runs, so that a mistake is told at once.
    tasks = [_task(point) for point in study.points]
    store = open_store(folder)
    try:
        _complete(args, study, tasks, store)
    except KeyboardInterrupt:
        kept = sum(store.has(task.key) for task in tasks)
        print(
            f"\nchipsim: interrupted; {kept} of {len(tasks)} points are done and kept in "
            f"{store.folder}; run the same command again to go on",
            file=sys.stderr,
        )
        return INTERRUPTED
    return _report(args, study, tasks, store, folder)


def _task(point: Point) -> Task:
    """Return the task of a point; what is wrong with it is told with its place in the file."""
    from chipsim.errors import InputError
    from chipsim.study.point import task_of

    try:
        return task_of(point.settings)
    except InputError as error:
        raise InputError(f"{point.where}: {error}") from error


def _complete(args: argparse.Namespace, study: Study, tasks: list[Task], store: Store) -> None:
    from chipsim.study.executors import EXECUTORS, Place
    from chipsim.study.outcome import name_of
    from chipsim.study.point import compute
    from chipsim.study.sweep import complete, missing

    unique = {task.key: task for task in tasks}
    todo = missing(unique, store)
    if not todo:
        return
    names = {task.key: name_of(p) for p, task in zip(study.points, tasks, strict=True)}
    progress = _Progress(len(unique), len(todo), args.quiet)
    kind = "mpi" if args.mpi else "dask" if args.cluster else "local"
    place = Place(jobs=min(args.jobs, len(todo)), address=args.cluster or "")
    with EXECUTORS[kind](place) as workers:
        complete(unique, store, workers, compute, lambda task: progress.done(names[task.key]))


def _report(
    args: argparse.Namespace, study: Study, tasks: list[Task], store: Store, folder: Path
) -> int:
    from chipsim.report.run_folder import dump_json
    from chipsim.study.folder import write_study
    from chipsim.study.outcome import rows_of, study_json
    from chipsim.study.page import front_in_words
    from chipsim.study.tables import text_table

    keys = [task.key for task in tasks]
    rows = rows_of(study, keys, {key: store.read(key) for key in dict.fromkeys(keys)})
    write_study(folder, study, rows)
    if args.json:
        sys.stdout.write(dump_json(study_json(study, rows)))
    else:
        sys.stdout.write(text_table(study, rows))
        if study.pareto:
            print(front_in_words(study, rows))
    page = folder / "study.html"
    print(f"study: {page}", file=sys.stderr if args.json else sys.stdout)
    return 0


class _Progress:
    """A line on stderr for each finished point, with the time that is left."""

    def __init__(self, points: int, todo: int, quiet: bool) -> None:
        self._points, self._todo, self._quiet = points, todo, quiet
        self._done = 0
        self._began = time.monotonic()
        if todo < points and not quiet:
            print(f"{points - todo} of {points} points are there already", file=sys.stderr)

    def done(self, name: str) -> None:
        """Count a point."""
        self._done += 1
        if self._quiet:
            return
        left = (time.monotonic() - self._began) / self._done * (self._todo - self._done)
        at = self._points - self._todo + self._done
        rest = f", about {left:.0f} s left" if self._done < self._todo else ""
        print(f"{at}/{self._points} {name}{rest}", file=sys.stderr)
