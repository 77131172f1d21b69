"""Corrupted images, the table of accuracies on them, and reading a trained network back."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from mnist_files import SIDE, write_images, write_set

torch = pytest.importorskip("torch")

from chipsim.cli import train as cli  # noqa: E402
from chipsim.errors import InputError  # noqa: E402
from chipsim.train import measure, robustness, trained  # noqa: E402
from chipsim.train.data import Images, read_mnist  # noqa: E402
from chipsim.train.job import Job, train_hp  # noqa: E402
from chipsim.train.settings import Dynamics, Settings  # noqa: E402
from chipsim.train.shared import Shared  # noqa: E402

SETTINGS = Settings(epochs=2, hidden=12, batch=20, weight_rate=1e-2, trace="batch")


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("net")
    data = write_set(folder / "data")
    job = Job(data, folder / "net.pt", folder / "t.npz", SETTINGS, Dynamics())
    train_hp(job, lambda line: None)
    return job


def test_corruptions():
    pixels = np.full((50, 28 * 28), 128, np.uint8)
    images = dict(robustness.corrupted(Images(pixels, np.zeros(50, np.int64)), seed=0))
    assert np.array_equal(images["clean"].pixels, pixels)
    noise = images["noise sd 0.1"].pixels.astype(float) - 128
    assert noise.std() == pytest.approx(25.5, rel=0.02)
    assert images["noise sd 0.3"].pixels.min() == 0
    assert images["noise sd 0.3"].pixels.max() == 255
    cut = images["centre 10 x 10 cut"].pixels.reshape(-1, 28, 28)
    assert not cut[:, 9:19, 9:19].any()
    assert (cut == 0).sum() == 50 * 100
    left = images["left 10 columns cut"].pixels.reshape(-1, 28, 28)
    assert not left[:, :, :10].any()
    assert (left == 0).sum() == 50 * 280


def test_corruptions_need_squares():
    with pytest.raises(InputError, match="30 pixels, no square"):
        list(robustness.corrupted(Images(np.zeros((1, 30), np.uint8), np.zeros(1, np.int64)), 0))


def test_read_back(job):
    net = trained.read(job.out)
    assert (net.settings, net.dynamics) == (SETTINGS, Dynamics())
    images = read_mnist(job.data, "t10k")
    recorded = json.loads(job.out.with_suffix(".training.json").read_text())["result"]
    shared = Shared(net.traces, SETTINGS.batch)
    assert measure.accuracy(net.net, images, net.dynamics, shared) == recorded["running"]


def test_table(job):
    net, images = trained.read(job.out), read_mnist(job.data, "t10k")
    rows = list(robustness.table(net, images, seed=0, batch=20))
    recorded = json.loads(job.out.with_suffix(".training.json").read_text())["result"]
    clean = rows[0]
    assert (clean.adapting, clean.frozen, clean.off) == tuple(
        recorded[name] for name in ("running", "frozen", "off")
    )
    worst = min(row.running for row in rows)
    assert worst < clean.running
    assert next(robustness.table(net, images, seed=0)).adapting is None


def test_damaged_files(job, tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        trained.read(tmp_path / "none.pt")
    path, record = tmp_path / "net.pt", tmp_path / "net.training.json"
    path.write_bytes(job.out.read_bytes())
    with pytest.raises(InputError, match=r"net\.training\.json: no such file"):
        trained.read(path)
    for text, message in (("{", "cannot be read"), ("[]", "is no training"), ("{}", "no record")):
        record.write_text(text)
        with pytest.raises(InputError, match=message):
            trained.read(path)
    record.write_text(job.out.with_suffix(".training.json").read_text())
    torch.save({"fc1.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="has no tensor"):
        trained.read(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read as a checkpoint"):
        trained.read(path)


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    args = parser.parse_args(["train", "hp-measure", *words])
    return int(args.run(args))


def test_command(job, capsys):
    words = (str(job.out), "--data", str(job.data), "--limit", "30", "--batch", "10")
    assert run(*words) == 0
    table = capsys.readouterr().out.splitlines()
    assert "30 test images" in table[0]
    assert table[1].split()[:4] == ["running", "frozen", "off", "steps"]
    assert run(*words, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == len(table) - 2
    assert f"{rows[0]['running']:.2f}" in table[2]


def test_other_readout(job, capsys):
    words = (str(job.out), "--data", str(job.data), "--limit", "30", "--json")
    steps = {}
    for readout in ("spike_count", "first_spike"):
        assert run(*words, "--readout", readout) == 0
        steps[readout] = json.loads(capsys.readouterr().out)["rows"][0]["steps"]
    assert steps["spike_count"] == Dynamics().steps
    assert 1.0 <= steps["first_spike"] < 8.0


def test_other_data(job, tmp_path):
    folder: Path = write_set(tmp_path)
    write_images(folder / "t10k-images-idx3-ubyte.gz", np.zeros((120, 3, 3), np.uint8))
    with pytest.raises(InputError, match=f"9 pixels, .*trained on {SIDE * SIDE}"):
        run(str(job.out), "--data", str(folder))
