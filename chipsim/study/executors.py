"""Where points are computed: processes of this machine, a Dask cluster, MPI ranks.

Each opener is a context manager that takes a `Place` and gives `Workers`, whose executor has the
interface of `concurrent.futures`.  Leaving it by an exception drops what still waits.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from chipsim.errors import InputError

_SECONDS_TO_CONNECT = 20


@dataclass(frozen=True)
class Place:
    """Where to compute: ``jobs`` local processes, or the Dask scheduler at ``address``."""

    jobs: int = 1
    address: str = ""


@dataclass(frozen=True)
class Workers:
    """An executor and how many points it computes at a time."""

    executor: Executor
    slots: int


Opener = Callable[[Place], AbstractContextManager[Workers]]


@contextmanager
def local(place: Place) -> Iterator[Workers]:
    """Start processes of this machine; an exception ends them at once."""
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(place.jobs, mp_context=context, initializer=_begin_worker)
    try:
        yield Workers(pool, place.jobs)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    pool.shutdown()


def _begin_worker() -> None:
    # Ctrl-C reaches the whole process group; the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@contextmanager
def dask(place: Place) -> Iterator[Workers]:
    """Connect to the Dask scheduler at ``place.address``."""
    distributed = _needed("distributed", "--cluster", "cluster")
    try:
        client = distributed.Client(place.address, timeout=_SECONDS_TO_CONNECT)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--cluster {place.address}: no Dask scheduler answers there ({error}); expected an "
            "address such as tcp://host:8786, where `dask scheduler` runs"
        ) from error
    with client:
        slots = sum(client.nthreads().values())
        if slots == 0:
            raise InputError(
                f"--cluster {place.address}: the scheduler has no workers; start some with "
                f"`dask worker {place.address}`"
            )
        yield Workers(client.get_executor(), slots)


@contextmanager
def mpi(place: Place) -> Iterator[Workers]:
    """Use the other ranks of this MPI job."""
    _needed("mpi4py", "--mpi", "mpi")
    try:
        ranks = importlib.import_module("mpi4py.MPI").COMM_WORLD.Get_size()
    except (ImportError, RuntimeError) as error:
        raise InputError(f"--mpi: mpi4py finds no MPI library ({error}); install one") from error
    if ranks < 2:
        raise InputError(
            "--mpi: this process is the only rank; start N of them with "
            "`mpiexec -n N python -m mpi4py.futures -m chipsim study ... --mpi`"
        )
    futures = importlib.import_module("mpi4py.futures")
    # Other ranks need no __main__: it would run the command once more.
    with futures.MPIPoolExecutor(main=False) as pool:
        yield Workers(pool, ranks - 1)


EXECUTORS: Mapping[str, Opener] = {"local": local, "dask": dask, "mpi": mpi}
"""The executors by name."""


def _needed(package: str, option: str, extra: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InputError(
            f"{option} needs the package {package} ({error}); install it with "
            f"pip install 'chipsim[{extra}]'"
        ) from error
