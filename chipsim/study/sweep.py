"""Computes what is missing of a study's results, together with whoever shares the folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait

from chipsim.errors import ChipsimError
from chipsim.study.executors import Workers
from chipsim.study.point import Task
from chipsim.study.store import STALE, Store

LOOK_AGAIN = 0.5
"""Seconds between two looks for results of other processes."""


def missing(tasks: Mapping[str, Task], store: Store) -> dict[str, Task]:
    """Return the tasks, by key, that have no result yet."""
    return {key: task for key, task in tasks.items() if not store.has(key)}


def complete(
    tasks: Mapping[str, Task],
    store: Store,
    workers: Workers,
    compute: Callable[[Task], str],
    done: Callable[[Task], None] = lambda task: None,
) -> None:
    """Return when ``store`` has the result of every task (by its key).

    As many points as there are workers are claimed and computed at a time; points that another
    process has claimed are waited for.  ``done`` is told each finished task.  An exception of a
    point is raised here at once, and claims are given up.
    """
    waiting = missing(tasks, store)
    running: dict[Future[str], Task] = {}
    refreshed = time.monotonic()
    try:
        while waiting or running:
            _collect_from_others(waiting, store, done)
            _submit(waiting, running, store, workers, compute)
            if running:
                _collect(running, store, done)
            elif waiting:
                time.sleep(LOOK_AGAIN)
            if time.monotonic() - refreshed > STALE / 6:
                refreshed = time.monotonic()
                for task in running.values():
                    store.refresh(task.key)
    except BrokenExecutor as error:
        raise ChipsimError(
            f"a worker process died ({error}); if memory ran out, use fewer --jobs"
        ) from error
    finally:
        for future in running:
            future.cancel()
        # All of them: Ctrl-C may come between making a claim and noting it.
        for key in tasks:
            store.release(key)


def _collect_from_others(
    waiting: dict[str, Task], store: Store, done: Callable[[Task], None]
) -> None:
    for key in [key for key in waiting if store.has(key)]:
        done(waiting.pop(key))


def _submit(
    waiting: dict[str, Task],
    running: dict[Future[str], Task],
    store: Store,
    workers: Workers,
    compute: Callable[[Task], str],
) -> None:
    for key in list(waiting):
        if len(running) >= workers.slots:
            return
        if store.claim(key):
            task = waiting.pop(key)
            try:
                running[workers.executor.submit(compute, task)] = task
            except BaseException:
                store.release(key)
                raise


def _collect(running: dict[Future[str], Task], store: Store, done: Callable[[Task], None]) -> None:
    finished, _ = wait(running, LOOK_AGAIN, FIRST_COMPLETED)
    for future in finished:
        text = future.result()
        task = running[future]
        store.write(task.key, text)
        store.release(task.key)
        del running[future]
        done(task)
