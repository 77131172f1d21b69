"""The command as a process: signals, closed pipes, exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from chipsim.network import Trace
from tests.simulate.tiny import TINY, relay, save_model

ROOT = Path(__file__).parents[2]
SETS = [word for override in TINY for word in ("--set", override)]


def command(*argv: str) -> list[str]:
    return [sys.executable, "-m", "chipsim", *argv]


def heed_interrupts() -> None:
    """Undo what a shell does to a job in the background: a test run there ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("threads", ["1", "2"])
def test_interrupted_in_the_middle(tmp_path: Path, threads: str) -> None:
    """Ctrl-C while the cores of the 1,000-image job are simulated: soon over, nothing there."""
    model = str(ROOT / "models" / "hp_mnist.pt")
    running = subprocess.Popen(
        command("map", model, "-o", "run", "--threads", threads),
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    assert running.stderr is not None
    before = []
    for line in running.stderr:
        before.append(line)
        if line.startswith("map:"):
            break
    time.sleep(0.3)
    assert running.poll() is None, "the job was over before it could be interrupted"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert running.returncode == 130, err
    assert out == ""
    assert "interrupted, nothing was written" in err
    assert "Traceback" not in err
    assert [line.split(":")[0] for line in before] == ["load", "quantise", "map"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "argv",
    [["chips", "tianjic"], ["--help"], ["chips"], ["map", "MODEL", *SETS, "-q", "-o", "run"]],
)
def test_the_reader_went_away(tmp_path: Path, argv: list[str]) -> None:
    """As in ``chipsim ... | head -1`` where head is faster: no traceback, exit code 0."""
    model = save_model(tmp_path, relay(), Trace("t", spikes=np.ones((2, 4, 3), np.uint8)))
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            command(*(str(model) if word == "MODEL" else word for word in argv)),
            cwd=tmp_path, env=environment(), stdout=write, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    finally:
        os.close(write)
    assert done.returncode == 0
    assert done.stderr == ""
    if "map" in argv:
        assert (tmp_path / "run" / "report.html").is_file()
        assert not list(tmp_path.glob(".*"))


def test_head_gets_its_line(tmp_path: Path) -> None:
    quoted = " ".join(command("chips", "tianjic"))
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{quoted} | head -1"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tianjic: 156 crossbar cores")


def test_version_and_help_are_the_users() -> None:
    done = subprocess.run(
        command("--help"), env=environment(), capture_output=True, text=True, check=True
    )
    for name in ("map", "run", "train", "chips", "describe", "report"):
        assert f"\n    {name} " in done.stdout
    assert "exit codes: 0 done" in done.stdout
