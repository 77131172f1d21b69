"""Every executor gives the same results; what is missing is said clearly."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from multiprocessing import connection
from pathlib import Path

import pytest

from chipsim.errors import InputError
from chipsim.study.executors import EXECUTORS, Place, Workers
from chipsim.study.point import compute, task_of
from chipsim.study.store import Store
from chipsim.study.sweep import complete


def has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


MPIEXEC = shutil.which("mpiexec") or shutil.which("mpiexec", path=Path(sys.executable).parent)
needs_dask = pytest.mark.skipif(not has("distributed"), reason="distributed is not installed")
needs_mpi = pytest.mark.skipif(
    not (has("mpi4py") and MPIEXEC), reason="mpi4py or mpiexec is not installed"
)


@contextmanager
def place_for(kind: str):
    """Give the place for an executor; for Dask, beside a cluster of one worker."""
    if kind == "local":
        yield Place(jobs=1)
        return
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        yield Place(address=cluster.scheduler_address)


FAMILY = ["local", pytest.param("dask", marks=needs_dask)]


@pytest.mark.parametrize("kind", FAMILY)
def test_results_do_not_depend_on_the_executor(kind, settings, tmp_path):
    task = task_of(settings)
    store = Store(tmp_path / kind)
    with place_for(kind) as place, EXECUTORS[kind](place) as workers:
        assert workers.slots >= 1
        complete({task.key: task}, store, workers, compute)
    assert store.path(task.key).read_text() == compute(task)


@pytest.mark.parametrize("kind", FAMILY)
def test_an_error_of_a_point_comes_back(kind):
    with place_for(kind) as place, EXECUTORS[kind](place) as workers:
        error = workers.executor.submit(refuse, "too bad").exception(timeout=60)
    assert isinstance(error, InputError)
    assert str(error) == "too bad"


def refuse(message: str) -> None:
    raise InputError(message)


def test_leaving_by_an_exception_ends_local_workers():
    before = set(multiprocessing.active_children())
    with suppress(KeyboardInterrupt), EXECUTORS["local"](Place(jobs=1)) as workers:
        workers.executor.submit(os.getpid).result(timeout=60)
        (worker,) = set(multiprocessing.active_children()) - before
        raise KeyboardInterrupt
    # The pool's own thread may reap the worker, and then `is_alive` can race with it.
    assert connection.wait([worker.sentinel], timeout=30)


@needs_dask
def test_an_address_without_a_scheduler_is_refused():
    with pytest.raises(InputError, match="expected an address such as tcp"):
        enter("dask", Place(address="nonsense://x"))


@needs_mpi
def test_mpi_alone_says_how_to_start():
    program = (
        "from chipsim.study.executors import *\n"
        "from chipsim.errors import InputError\n"
        "try:\n"
        "    with EXECUTORS['mpi'](Place()): pass\n"
        "except InputError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "mpiexec -n N" in done.stdout


@needs_mpi
def test_a_study_runs_on_mpi_ranks(study_file, tmp_path):
    words = [str(MPIEXEC), "-n", "2", sys.executable, "-m", "mpi4py.futures", "-m", "chipsim"]
    words += ["study", str(study_file), "-o", str(tmp_path / "out"), "--mpi"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out" / "points").glob("*.json"))) == 4


@pytest.mark.parametrize(
    ("kind", "package", "extra"), [("dask", "distributed", "cluster"), ("mpi", "mpi4py", "mpi")]
)
def test_a_missing_package_is_named(kind, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{package}.*pip install 'chipsim\[{extra}\]'"):
        enter(kind, Place(address="tcp://127.0.0.1:1"))


def enter(kind: str, place: Place) -> Workers:
    with EXECUTORS[kind](place) as workers:
        return workers
