"""``chipsim map`` end to end with delays beyond the ring buffers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chipsim.cli.main import main

DESCRIPTION = """
model: echo
steps: 60
populations:
- {name: input, size: 8, model: input, kind: spikes}
- {name: echo, size: 8, model: lif, threshold: 1.0, decay: 0.5}
projections:
- {name: soon, source: input, target: echo, weight: soon, delay: 3}
- {name: late, source: input, target: echo, weight: late, delay: 40}
readout: {population: echo}
trace: trace.npz
"""


def test_echoes_come_forty_steps_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each input fires once: its neuron answers 3 steps later, and its neighbour 40."""
    monkeypatch.chdir(tmp_path)
    one = 1.5 * np.eye(8, dtype=np.float32)
    np.savez("model.npz", soon=one, late=np.roll(one, 1, axis=0))
    Path("model.yaml").write_text(DESCRIPTION)
    spikes = np.zeros((1, 60, 8), np.uint8)
    spikes[0, np.arange(8), np.arange(8)] = 1
    np.savez("trace.npz", format="chipsim-trace-1", spikes=spikes)
    code = main(["map", "model.npz", "--chip", "spinnaker1", "--set", "machine.shape=chip"])
    assert code == 0, capsys.readouterr().err
    assert "each with a delay extension of 2 stages" in capsys.readouterr().out
    (report,) = Path("runs").glob("*/report.json")
    summary = json.loads(report.read_text())
    roles = [core["role"] for core in summary["cores"]]
    assert roles == ["source", "delay extension", "neurons"]
    assert summary["traffic"]["delayed_packets"] == 8
    assert summary["traffic"]["in_time"] == summary["traffic"]["due"] == 8 + 8 + 8
    raster = np.load(report.parent / "counters.npz")["raster_echo"]
    step, neuron = np.nonzero(raster)
    wanted = [(i + 3, i) for i in range(8)] + [(i + 40, (i + 1) % 8) for i in range(8)]
    assert sorted(zip(step.tolist(), neuron.tolist(), strict=True)) == sorted(wanted)
    kept = report.parent / "mapping.json"
    assert '"kind": "stage 2"' in kept.read_text()
    again = ["run", str(kept), "--model", "model.npz", "--chip", "spinnaker1"]
    assert main([*again, "--set", "machine.shape=chip"]) == 0
    Path("model.yaml").write_text(DESCRIPTION.replace("delay: 40", "delay: 150"))
    assert main(["map", "model.npz", "--chip", "spinnaker1"]) != 0
    assert "--set core.delay_stages=9 reaches further" in capsys.readouterr().err
