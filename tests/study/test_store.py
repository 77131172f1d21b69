"""Results are kept whole; one process at a time computes a point."""

from __future__ import annotations

import json
import os

import pytest

from chipsim.errors import InputError
from chipsim.study.point import RECORD_SCHEMA, address
from chipsim.study.store import STALE, Store

INPUTS = {"limit": 3}
KEY = address(INPUTS)
RECORD = {
    "schema": RECORD_SCHEMA, "key": KEY, "inputs": INPUTS,
    "fits": False, "message": "too large", "report": None,
}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "points")


def age(store, seconds):
    (claim,) = store.folder.glob("*.claim")
    then = claim.stat().st_mtime - seconds
    os.utime(claim, (then, then))


def test_a_result_is_read_back(store):
    assert not store.has(KEY)
    store.write(KEY, json.dumps(RECORD))
    assert store.has(KEY)
    assert store.read(KEY) == RECORD


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "\x00",
        json.dumps({**RECORD, "schema": 99}),
        json.dumps({**RECORD, "inputs": {"limit": 4}}),
        json.dumps({**RECORD, "message": None}),
        json.dumps({**RECORD, "fits": True}),
    ],
)
def test_a_damaged_result_is_refused(store, text):
    store.path(KEY).write_text(text)
    with pytest.raises(InputError, match="delete it and run the study again"):
        store.read(KEY)


def test_one_of_two_gets_the_claim(store):
    other = Store(store.folder)
    assert store.claim(KEY)
    assert not other.claim(KEY)
    assert not store.claim(KEY)
    other.release(KEY)
    assert not other.claim(KEY), "a claim is given up by its owner only"
    store.release(KEY)
    assert other.claim(KEY)


def test_what_is_done_is_not_claimed(store):
    store.write(KEY, json.dumps(RECORD))
    assert not store.claim(KEY)
    assert [path.name for path in store.folder.iterdir()] == [f"{KEY}.json"]


def test_the_claim_of_a_dead_process_passes_on(store):
    dead, third = Store(store.folder), Store(store.folder)
    assert dead.claim(KEY)
    age(store, STALE - 5)
    assert not store.claim(KEY)
    age(store, 10)
    assert store.claim(KEY)
    assert not third.claim(KEY)
    dead.refresh(KEY)
    dead.release(KEY)
    assert not third.claim(KEY), "the dead one must not touch a claim that is no longer its own"


def test_a_claim_kept_fresh_stays(store):
    other = Store(store.folder)
    assert store.claim(KEY)
    age(store, STALE + 5)
    store.refresh(KEY)
    assert not other.claim(KEY)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        Store(tmp_path / "file" / "points")
