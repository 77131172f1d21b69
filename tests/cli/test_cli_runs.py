"""Runs from the command line: what is written, printed and said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chipsim.cli.main import main
from chipsim.cli.progress import StderrProgress
from chipsim.network import Trace
from tests.conftest import random_network
from tests.simulate.tiny import TINY, random_trace, relay, save_model

SETS = [word for override in TINY for word in ("--set", override)]
FILES = {
    "report.html", "report.json", "mapping.json", "counters.npz", "trace.npz", "timeline.json",
    "packets.npz",
}  # fmt: skip


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(work: Path) -> Path:
    rng = np.random.default_rng(21)
    network = random_network(rng)
    return save_model(work, network, random_trace(network, rng, 12))


def run(*argv: Any) -> int:
    return main([str(word) for word in argv])


def same_files(one: Path, two: Path) -> None:
    for name in FILES - {"report.html"}:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_a_run_is_whole_and_the_same_by_any_split(
    work: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Threads, batches and a kept mapping: byte for byte the same files."""
    assert run("map", model, *SETS, "-o", "one", "-q", "--threads", 1, "--batch", 12) == 0
    assert {path.name for path in (work / "one").iterdir()} == FILES
    summary = capsys.readouterr()
    assert summary.err == ""
    assert "report: " in summary.out
    assert run("map", model, *SETS, "-o", "two", "-q", "--threads", 2, "--batch", 1) == 0
    same_files(work / "one", work / "two")
    kept = work / "one" / "mapping.json"
    assert run("run", kept, "--model", model, *SETS, "-o", "three", "-q") == 0
    same_files(work / "one", work / "three")
    again = capsys.readouterr().out
    assert again.splitlines()[:3] == summary.out.splitlines()[:3]


def test_json_is_the_report(work: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("map", model, *SETS, "-o", "one", "--json") == 0
    captured = capsys.readouterr()
    assert captured.out == (work / "one" / "report.json").read_text()
    found = json.loads(captured.out)
    assert found["fits"] is True
    assert found["trace"]["samples"] == 12
    assert found["chip"]["overrides"] == list(TINY)
    stages = [line.split(":")[0] for line in captured.err.splitlines()]
    assert stages[:2] == ["load", "quantise"]
    # The last line says where the report is: stdout has nothing but JSON.
    assert stages[-3:] == ["price", "report", "report"]


def test_the_trace_file_holds_every_spike(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spikes = (np.random.default_rng(0).random((3, 4, 3)) < 0.5).astype(np.uint8)
    model = save_model(work, relay(layers=2), Trace("t", spikes=spikes))
    assert run("map", model, *SETS, "-q") == 0
    folder = work / "runs" / "relay-tianjic"
    with np.load(folder / "trace.npz") as stored:
        assert stored["populations"].tolist() == ["layer1", "layer2"]
        sizes = stored["sizes"].tolist()
        got = np.unpackbits(stored["spikes"], axis=-1, count=sum(sizes))
    np.testing.assert_array_equal(got, np.concatenate([spikes, spikes], axis=2))
    assert str(folder / "report.html") in capsys.readouterr().out
    # Without -o the default folder is replaced, without asking.
    assert run("map", model, *SETS, "-q") == 0


class Terminal:
    """A stream that says it is a terminal and keeps what is written."""

    def __init__(self, live: bool) -> None:
        self.live, self.text = live, ""

    def isatty(self) -> bool:
        return self.live

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0.0, 100.0, 0.5).tolist())
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    stream = Terminal(live=True)
    progress = StderrProgress(stream)  # type: ignore[arg-type]
    advance = progress.stage("simulate", 100, "samples")
    advance(25)
    advance(75)
    progress.stage("price")
    progress.finish()
    lines = stream.text.split("\r")
    # Half a second for 25 of 100: 50 a second, 75 left for 1.5 s.
    assert any(line.startswith("simulate: 25/100 samples, 50/s, 2 s left") for line in lines)
    assert any(line.startswith("simulate: 100/100 samples") for line in lines)
    assert stream.text.count("\n") == 2
    assert set(progress.seconds) == {"simulate", "price"}


def test_progress_elsewhere_is_a_line_a_stage() -> None:
    stream = Terminal(live=False)
    progress = StderrProgress(stream)  # type: ignore[arg-type]
    progress.stage("simulate", 2)(2)
    progress.finish()
    assert "\r" not in stream.text
    assert stream.text.startswith("simulate: ")
    assert stream.text.count("\n") == 1
    quiet = Terminal(live=True)
    silent = StderrProgress(quiet, quiet=True)  # type: ignore[arg-type]
    silent.stage("simulate", 2)(2)
    silent.finish()
    assert quiet.text == ""
