"""Sweeps compute each point once, also several at a time, and go on where one stopped."""

from __future__ import annotations

import threading
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor

import pytest

from chipsim.errors import ChipsimError, InputError
from chipsim.study import sweep
from chipsim.study.executors import Workers
from chipsim.study.model import Settings, SyntheticHP
from chipsim.study.point import Task
from chipsim.study.store import Store
from chipsim.study.sweep import complete, missing

TASKS = {f"k{i}": Task(f"k{i}", Settings(SyntheticHP(i + 1), "tianjic")) for i in range(12)}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(sweep, "LOOK_AGAIN", 0.01)


class Computer:
    """Notes what it computes; fails on request."""

    def __init__(self, fails_at=None, error=None):
        self.seen = []
        self.lock = threading.Lock()
        self.fails_at, self.error = fails_at, error

    def __call__(self, task):
        with self.lock:
            self.seen.append(task.key)
        if task.key == self.fails_at:
            raise self.error
        return f"result of {task.key}"


def test_every_point_is_computed_once_and_told(tmp_path):
    store, computer, told = Store(tmp_path), Computer(), []
    with ThreadPoolExecutor(3) as pool:
        complete(TASKS, store, Workers(pool, 3), computer, lambda task: told.append(task.key))
    assert sorted(computer.seen) == sorted(told) == sorted(TASKS)
    assert {p.name for p in tmp_path.iterdir()} == {f"{key}.json" for key in TASKS}
    assert store.path("k3").read_text() == "result of k3"


def test_several_sweeps_in_one_folder_share_the_points(tmp_path):
    computer = Computer()

    def one_process():
        with ThreadPoolExecutor(2) as pool:
            complete(TASKS, Store(tmp_path), Workers(pool, 2), computer)

    threads = [threading.Thread(target=one_process) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(computer.seen) == sorted(TASKS), "nothing twice, nothing left out"


def test_an_error_stops_the_sweep_and_gives_claims_up(tmp_path):
    computer = Computer("k5", InputError("bad point"))
    with ThreadPoolExecutor(1) as pool, pytest.raises(InputError, match="bad point"):
        complete(TASKS, Store(tmp_path), Workers(pool, 1), computer)
    assert computer.seen == ["k0", "k1", "k2", "k3", "k4", "k5"]
    assert not list(tmp_path.glob("*.claim"))


def test_a_stopped_sweep_goes_on_where_it_stopped(tmp_path):
    store = Store(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            complete(TASKS, store, Workers(pool, 1), Computer(), _interrupt_after("k3"))
        assert list(missing(TASKS, store)) == list(TASKS)[4:]
        rest = Computer()
        complete(TASKS, store, Workers(pool, 1), rest)
    assert rest.seen == list(TASKS)[4:]


def _interrupt_after(key):
    def done(task):
        if task.key == key:
            raise KeyboardInterrupt

    return done


def test_a_dead_worker_is_told(tmp_path):
    computer = Computer("k0", BrokenExecutor("killed"))
    with ThreadPoolExecutor(1) as pool, pytest.raises(ChipsimError, match="fewer --jobs"):
        complete(TASKS, Store(tmp_path), Workers(pool, 1), computer)
