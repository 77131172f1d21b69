"""Whole training jobs on a tiny data set: files, determinism, resuming, errors."""

import argparse
import builtins
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from mnist_files import SIDE, write_images, write_set

torch = pytest.importorskip("torch")

from chipsim.cli import train as cli  # noqa: E402
from chipsim.cli.train_options import INTERRUPTED  # noqa: E402
from chipsim.errors import InputError  # noqa: E402
from chipsim.load.traces import read_trace  # noqa: E402
from chipsim.train import bptt, measure  # noqa: E402
from chipsim.train.data import read_mnist  # noqa: E402
from chipsim.train.job import Job, train_hp  # noqa: E402
from chipsim.train.settings import VARIANTS, Dynamics, Settings  # noqa: E402
from chipsim.train.state import start  # noqa: E402

SETTINGS = Settings(epochs=3, hidden=12, batch=20, weight_rate=1e-2, rule_rate=1e-3)
PIXELS = SIDE * SIDE


def make_job(folder: Path, **changes) -> Job:
    data = write_set(folder / "data")
    job = Job(data, folder / "models" / "net.pt", folder / "traces" / "t.npz", SETTINGS, Dynamics())
    return replace(job, **changes)


def quiet(line):
    pass


def test_learns_and_writes_every_file(tmp_path):
    lines = []
    job = make_job(tmp_path, settings=replace(SETTINGS, epochs=6))
    summary = train_hp(job, lines.append)
    assert summary.running > 80.0
    assert [line.split()[1] for line in lines] == [f"{n}/6" for n in range(1, 7)]
    files = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert files == ["net.pt", "net.training.json", "net.yaml"]

    state = torch.load(job.out, weights_only=True)
    assert {key: tuple(value.shape) for key, value in state.items()} == {
        "fc1.weight": (12, PIXELS),
        "fc1.bias": (12,),
        "alpha1": (1,),
        "beta1": (PIXELS,),
        "eta1": (12,),
        "hebb1": (PIXELS, 12),
        "fc2.weight": (10, 12),
        "fc2.bias": (10,),
        "alpha2": (1,),
        "beta2": (12,),
        "eta2": (10,),
        "hebb2": (12, 10),
    }
    assert all(value.dtype == torch.float32 for value in state.values())
    assert all(float(state[key].abs().max()) > 0 for key in ("hebb1", "hebb2"))

    record = json.loads((tmp_path / "models" / "net.training.json").read_text())
    assert record["result"]["running"] == summary.running == record["epochs"][-1]["test"]
    assert len(record["epochs"]) == record["settings"]["epochs"] == 6
    assert record["epochs"][-1]["loss"] < record["epochs"][0]["loss"]
    assert str(tmp_path) not in json.dumps(record)


def test_description_says_what_was_trained(tmp_path):
    dynamics = Dynamics(steps=4, threshold=0.5, decay=0.25, tau=20.0, rho=0.9, clamp=3.0)
    job = make_job(tmp_path, dynamics=dynamics, settings=replace(SETTINGS, epochs=1))
    train_hp(job, quiet)
    text = job.out.with_suffix(".yaml").read_text()
    description = yaml.safe_load(text)
    assert str(tmp_path) not in text
    assert description["model"] == "net"
    assert description["steps"] == 4
    assert [p["size"] for p in description["populations"]] == [PIXELS, 12, 10]
    for population in description["populations"][1:]:
        assert (population["threshold"], population["decay"]) == (0.5, 0.25)
    keys = torch.load(job.out, weights_only=True).keys()
    for projection in description["projections"]:
        rule = projection["plasticity"]
        assert (projection["attenuation_tau"], rule["rho"], rule["clamp"]) == (20.0, 0.9, 3.0)
        named = [projection["weight"], projection["bias"], rule["alpha"], rule["beta"]]
        assert {*named, rule["eta"], rule["stored_trace"]} <= keys
    trace = read_trace(job.out.parent / description["trace"])
    test_images = read_mnist(job.data, "t10k")
    assert np.array_equal(trace.held, test_images.pixels)
    assert np.array_equal(trace.labels, test_images.labels)
    assert trace.scale == 1 / 255


def test_same_seed_same_bytes_other_seed_other_weights(tmp_path):
    jobs = [make_job(tmp_path / name) for name in ("a", "b")]
    other = make_job(tmp_path / "c", settings=replace(SETTINGS, seed=1))
    for job in (*jobs, other):
        train_hp(job, quiet)
    assert jobs[0].out.read_bytes() == jobs[1].out.read_bytes()
    assert jobs[0].out.read_bytes() != other.out.read_bytes()


def interrupt_after(epoch):
    def progress(line):
        if line.startswith(f"epoch {epoch}/"):
            raise KeyboardInterrupt

    return progress


def test_resumed_run_ends_as_an_uninterrupted_one(tmp_path):
    whole, broken = make_job(tmp_path / "whole"), make_job(tmp_path / "broken")
    train_hp(whole, quiet)
    with pytest.raises(KeyboardInterrupt):
        train_hp(broken, interrupt_after(2))
    assert broken.unfinished.exists()
    assert not broken.out.exists()
    lines = []
    train_hp(replace(broken, resume=True), lines.append)
    assert lines[0] == "resumed after epoch 2 of 3"
    assert lines[1].startswith("epoch 3/3")
    assert broken.out.read_bytes() == whole.out.read_bytes()
    assert not broken.unfinished.exists()


def test_resume_refuses_other_settings_damage_and_absence(tmp_path):
    job = make_job(tmp_path, resume=True)
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        train_hp(job, quiet)
    with pytest.raises(KeyboardInterrupt):
        train_hp(replace(job, resume=False), interrupt_after(1))
    with pytest.raises(InputError, match="seed 0 instead of 5"):
        train_hp(replace(job, settings=replace(SETTINGS, seed=5)), quiet)
    with pytest.raises(InputError, match=r"rho 0.95 instead of 0.5"):
        train_hp(replace(job, dynamics=Dynamics(rho=0.5)), quiet)
    whole = job.unfinished.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"not a checkpoint"):
        job.unfinished.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read as a checkpoint"):
            train_hp(job, quiet)


def test_clamp_in_reach_is_an_error(tmp_path):
    job = make_job(tmp_path, dynamics=Dynamics(clamp=0.01))
    with pytest.raises(
        InputError, match=r"beyond the clamp of 0\.01.*--rule-rate or raise --clamp"
    ):
        train_hp(job, quiet)
    assert not job.out.exists()


def test_limit_trains_on_the_first_images_only(tmp_path):
    job = make_job(tmp_path, settings=replace(SETTINGS, limit=50, epochs=1))
    train_hp(job, quiet)
    record = json.loads(job.out.with_suffix(".training.json").read_text())
    assert record["train_images"]["count"] == 50
    assert record["test_images"]["count"] == 120


def test_without_rule_nothing_is_plastic(tmp_path):
    job = make_job(tmp_path, settings=replace(SETTINGS, alpha=0.0, rule_rate=0.0))
    summary = train_hp(job, quiet)
    assert summary.running == summary.frozen == summary.off
    assert summary.rule["alpha1"] == summary.rule["alpha2"] == 0.0


def test_stored_traces_do_not_depend_on_the_batch(tmp_path, monkeypatch):
    images = read_mnist(write_set(tmp_path), "train")
    layers = start(SETTINGS, Dynamics(), PIXELS).net
    whole = measure.stored_traces(layers, images, Dynamics())
    monkeypatch.setattr(measure, "BATCH", 7)
    for one, other in zip(whole, measure.stored_traces(layers, images, Dynamics()), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-8)


def test_images_of_two_sizes(tmp_path):
    job = make_job(tmp_path)
    write_images(job.data / "t10k-images-idx3-ubyte.gz", np.zeros((120, 3, 3), np.uint8))
    with pytest.raises(InputError, match="36 pixels, the test images 9"):
        train_hp(job, quiet)


@pytest.mark.parametrize(("field", "name"), [("out", "net.pth"), ("trace", "t.npy")])
def test_wrong_suffix(tmp_path, field, name):
    with pytest.raises(InputError, match=rf"{name}: must end in"):
        train_hp(make_job(tmp_path, **{field: tmp_path / name}), quiet)


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    return parser.parse_args(["train", "hp", *words])


def words_of(job: Job) -> list[str]:
    paths = ["--data", str(job.data), "--out", str(job.out), "--trace", str(job.trace)]
    return [*paths, "--epochs", "2", "--hidden", "8", "--batch", "20", "--seed", "3"]


def test_command_trains(tmp_path, capsys):
    job = make_job(tmp_path)
    assert cli.run(parse(*words_of(job))) == 0
    out, err = capsys.readouterr()
    assert "test accuracy" in out
    assert "epoch 2/2" in err
    settings = json.loads(job.out.with_suffix(".training.json").read_text())["settings"]
    assert (settings["epochs"], settings["hidden"], settings["seed"]) == (2, 8, 3)


@pytest.mark.parametrize(
    ("words", "out", "changes"),
    [
        ([], "models/hp_mnist.pt", {}),
        (["--task", "fashion"], "models/hp_fashion.pt", {"output_scale": 0.1}),
        (
            ["--rule", "lp", "--task", "fashion", "--output-scale", "0.5"],
            "models/lp_fashion.pt",
            {"rule": "lp", "output_scale": 0.5},
        ),
        (
            ["--hebb", "batch", "--validation", "9"],
            "models/hp_mnist.pt",
            {"trace": "batch", "validation": 9},
        ),
    ],
)
def test_options_reach_the_job(words, out, changes, monkeypatch):
    asked = []

    def note(job):
        asked.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr("chipsim.train.job.train_hp", note)
    cli.run(parse("--data", "d", *words))
    assert asked[0].out == Path(out)
    assert asked[0].settings == replace(Settings(), **changes)


def test_variant_and_its_changes_reach_the_job(monkeypatch):
    asked = []

    def note(job):
        asked.append(job)
        raise KeyboardInterrupt

    monkeypatch.setattr("chipsim.train.job.train_hp", note)
    words = ["--variant", "C", "--channels", "8", "16", "--steps", "4", "--rho", "0.8"]
    cli.run(parse("--data", "d", *words, "--readout", "first_spike", "--device", "cpu"))
    assert asked[0].settings.channels == (8, 16)
    wanted = replace(VARIANTS["C"], steps=4, rho=0.8, readout="first_spike")
    assert asked[0].dynamics == wanted
    assert asked[0].device == "cpu"
    cli.run(parse("--data", "d"))
    assert (asked[1].dynamics, asked[1].device) == (Dynamics(), "auto")


def test_asked_for_a_gpu_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"--device cuda: .*finds no CUDA GPU"):
        train_hp(make_job(tmp_path, device="cuda"), quiet)


def test_command_interrupted(tmp_path, capsys, monkeypatch):
    job = make_job(tmp_path)
    monkeypatch.setattr(bptt.checkpoint, "write", lambda *_: interrupt_after(1)("epoch 1/"))
    assert cli.run(parse(*words_of(job))) == INTERRUPTED
    assert "interrupted: no epoch was finished" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--epochs", "0"],
        ["--epochs", "1.5"],
        ["--seed", "-1"],
        ["--rho", "1.2"],
        ["--tau", "0"],
        ["--clamp", "nan"],
        ["--threshold", "x"],
    ],
)
def test_bad_options(words, capsys):
    with pytest.raises(SystemExit) as exit_:
        parse("--data", "d", *words)
    assert exit_.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_missing_torch_is_explained(monkeypatch):
    really = builtins.__import__

    def without_torch(name, *rest, **options):
        if name == "torch":
            raise ImportError(name)
        return really(name, *rest, **options)

    args = parse("--data", "d")
    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(InputError, match=r"pip install chipsim\[train\].*whl/cpu"):
        cli.run(args)
