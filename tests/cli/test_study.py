"""``chipsim study`` from the file to the folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chipsim.cli.main import main
from tests.cli.test_cli_process import heed_interrupts
from tests.study.conftest import STUDY, images
from tests.study.conftest import study_file as study_file
from tests.study.conftest import trace_file as trace_file


def study(*words: object) -> int:
    return main(["study", *map(str, words)])


def test_it_writes_the_folder_and_does_nothing_twice(study_file, tmp_path, capsys):
    out = tmp_path / "out"
    assert study(study_file, "-o", out, "--jobs", 1) == 0
    first = capsys.readouterr()
    assert "4/4 " in first.err
    assert "Pareto front (minimise energy per inference and minimise latency)" in first.out
    names = {"study.json", "table.csv", "study.html", "study.png", "points"}
    assert {path.name for path in out.iterdir()} == names
    results = {path: path.stat().st_mtime_ns for path in (out / "points").iterdir()}
    assert len(results) == 4
    assert study(study_file, "-o", out, "--json") == 0
    again = capsys.readouterr()
    assert json.loads(again.out) == json.loads((out / "study.json").read_text())
    assert results == {path: path.stat().st_mtime_ns for path in (out / "points").iterdir()}


def test_a_wrong_override_stops_it_before_anything_runs(study_file, tmp_path, capsys):
    study_file.write_text(STUDY.replace("core.weight_bits", "core.wait_bits"))
    assert study(study_file, "-o", tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert "tiny.yaml:8:54: core.wait_bits: " in message
    assert 'did you mean "core.weight_bits"' in message
    assert not (tmp_path / "out").exists()


def test_a_missing_model_stops_it_before_anything_runs(study_file, tmp_path, capsys):
    text = STUDY.replace("{synthetic_hp: {hidden: 16}}", "nowhere.pt")
    study_file.write_text(text)
    assert study(study_file, "-o", tmp_path / "out") == 2
    assert "nowhere.pt" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_other_folders_are_left_alone(study_file, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("")
    assert study(study_file, "-o", tmp_path / "out") == 2
    assert "left alone" in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_done(study_file, tmp_path):
    assert images().samples == 6
    study_file.write_text(STUDY.replace("[8, 16]", "[4, 5, 6, 7, 8, 9, 10, 11, 12]"))
    out = tmp_path / "out"
    words = [sys.executable, "-m", "chipsim", "study", study_file, "-o", out, "--jobs", "1"]
    process = subprocess.Popen(
        list(map(str, words)), stderr=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2], start_new_session=True, preexec_fn=heed_interrupts,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline().startswith("1/18 ")
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(timeout=20) == 130
    kept = len(list((out / "points").glob("*.json")))
    assert kept >= 1
    assert f"interrupted; {kept} of 18 points are done" in rest
    assert "run the same command again" in rest
    assert "Traceback" not in rest
    assert not list((out / "points").glob("*.claim"))


@pytest.mark.parametrize("words", [["--cluster", "a", "--mpi"], ["--jobs", "0"], []])
def test_wrong_usage_is_told(words):
    with pytest.raises(SystemExit) as stopped:
        study(*words)
    assert stopped.value.code == 2
