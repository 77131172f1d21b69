"""A run folder is whole or not there, and reads back as it was written."""

from __future__ import annotations

import json
import os
from functools import partial

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.report.run_folder import (
    dump_json,
    read_run,
    write_arrays,
    write_json,
    write_run,
    write_text,
)


def write(path, text="{}"):
    path.write_text(text)


def whole(example):
    summary, arrays = example
    return {
        "report.json": partial(write_json, content=summary),
        "counters.npz": partial(write_arrays, arrays=arrays),
    }


def test_what_is_written_reads_back_exactly(tmp_path, example):
    folder = write_run(tmp_path / "runs" / "one", whole(example))
    summary, arrays = read_run(folder)
    assert summary == example[0]
    assert arrays.keys() == example[1].keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, example[1][name])
        assert array.dtype == example[1][name].dtype


def test_the_same_run_gives_the_same_bytes(tmp_path, example):
    for name in ("one", "two"):
        write_run(tmp_path / name, whole(example))
    for name in ("report.json", "counters.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failing_writer_leaves_nothing(tmp_path, error):
    def fail(path):
        write(path, "half")
        raise error

    with pytest.raises(error):
        write_run(tmp_path / "run", {"report.json": write, "counters.npz": fail})
    assert os.listdir(tmp_path) == []


def test_a_failing_writer_leaves_the_old_run(tmp_path, example):
    folder = write_run(tmp_path / "run", whole(example))

    def fail(path):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_run(folder, {"report.json": fail}, force=True)
    assert read_run(folder)[0] == example[0]
    assert os.listdir(tmp_path) == ["run"]


def test_an_old_run_is_replaced_only_by_force(tmp_path):
    folder = write_run(tmp_path / "run", {"report.json": write, "old": write})
    with pytest.raises(InputError, match="--force"):
        write_run(folder, {"report.json": write})
    write_run(folder, {"report.json": write, "new": write}, force=True)
    assert sorted(os.listdir(folder)) == ["new", "report.json"]
    assert os.listdir(tmp_path) == ["run"]


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    precious = tmp_path / "thesis"
    precious.mkdir()
    write(precious / "chapter.tex")
    with pytest.raises(InputError, match=r"left alone"):
        write_run(precious, {"report.json": write}, force=True)
    assert os.listdir(precious) == ["chapter.tex"]


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "run").mkdir()
    write_run(tmp_path / "run", {"report.json": write})
    assert os.listdir(tmp_path / "run") == ["report.json"]


@pytest.mark.parametrize("target", ["file", "file/run"])
def test_a_file_in_the_way_is_an_input_error(tmp_path, target):
    write(tmp_path / "file")
    with pytest.raises(InputError, match="file"):
        write_run(tmp_path / target, {"report.json": write})
    assert (tmp_path / "file").read_text() == "{}"


def test_a_disk_error_of_a_writer_is_an_input_error(tmp_path):
    def full(path):
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left"):
        write_run(tmp_path / "run", {"report.json": full})
    assert os.listdir(tmp_path) == []


def test_write_text_is_whole_or_not_there(tmp_path):
    write_text(tmp_path / "page.html", "text")
    assert os.listdir(tmp_path) == ["page.html"]
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "nowhere" / "page.html", "text")


def test_json_is_strict_sorted_and_plain():
    text = dump_json({"b": np.float64(0.1), "a": np.int64(3), "c": np.arange(2)})
    assert json.loads(text) == {"a": 3, "b": 0.1, "c": [0, 1]}
    assert text.index('"a"') < text.index('"b"')
    with pytest.raises(ValueError, match="JSON"):
        dump_json({"x": float("nan")})
    with pytest.raises(TypeError, match="object does not belong"):
        dump_json({"x": object()})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("report.json", None, "is this a run folder"),
        ("counters.npz", None, "is this a run folder"),
        ("report.json", b"{\n oops", r"report\.json:2:2"),
        ("report.json", b"\xff", "report.json"),
        ("report.json", b'{"schema": NaN}', "NaN is not a JSON number"),
        ("report.json", b"[" * 100_000, "report.json"),
        ("report.json", b"[]", "schema"),
        ("report.json", b'{"schema": 2}', "schema: 2 given"),
        ("report.json", b'{"schema": 1}', "chipsim_version: missing"),
        ("counters.npz", b"PK\x03\x04", "not a whole npz file"),
        ("counters.npz", b"text", "not a whole npz file"),
        ("counters.npz", b"", "not a whole npz file"),
    ],
)
def test_a_damaged_run_is_an_input_error(tmp_path, example, name, content, message):
    folder = write_run(tmp_path / "run", whole(example))
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_run(folder)


def test_pickles_are_not_read(tmp_path, example):
    folder = write_run(tmp_path / "run", whole(example))
    np.savez(folder / "counters.npz", link_flits=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="plain arrays"):
        read_run(folder)


def test_no_folder_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_run(tmp_path / "nothing")
