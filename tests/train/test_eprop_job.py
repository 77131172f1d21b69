"""Whole jobs: files, determinism, resuming, interruption, errors, and life without torch."""

import argparse
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml

from chipsim.cli import train as cli
from chipsim.cli.train_eprop import settings_of
from chipsim.errors import InputError
from chipsim.load.checkpoint import read_checkpoint
from chipsim.load.description import read_model
from chipsim.load.traces import read_trace
from chipsim.simulate.float_reference import run_float
from chipsim.train.eprop import batch, job, save
from chipsim.train.eprop.recipes import RECIPES
from chipsim.train.eprop.rule import Optimiser
from chipsim.train.eprop.trial import raster

SMALL = {
    "pattern": ["--iterations", "9", "--lif", "20"],
    "cues": ["--iterations", "3", "--batch", "2", "--lif", "4", "--alif", "4"],
    "store-recall": ["--iterations", "3", "--batch", "2"],
}


def parse(*words):
    parser = argparse.ArgumentParser()
    cli.add_parser(parser.add_subparsers())
    return parser.parse_args(["train", "eprop", *map(str, words)])


def words_of(task, out, *more):
    return ["--task", task, "--out", out, "--test-trials", "4", *SMALL[task], *more]


def run(*words):
    args = parse(*words)
    return args.run(args)


@pytest.mark.parametrize("task", SMALL)
@pytest.mark.parametrize("feedback", ["random", "symmetric", "adaptive"])
def test_writes_every_file(tmp_path, capsys, task, feedback):
    out = tmp_path / "models" / "net.pt"
    assert run(*words_of(task, out, "--feedback", feedback)) == 0
    written = {p.name for p in out.parent.iterdir()}
    assert written == {"net.pt", "net.training.json", "net.yaml"}

    record = json.loads((out.parent / "net.training.json").read_text())
    iterations = int(SMALL[task][1])
    assert {len(values) for values in record["iterations"].values()} == {iterations}
    assert record["settings"]["rule"]["feedback"] == feedback
    assert str(tmp_path) not in json.dumps(record)

    recipe = RECIPES[task]
    neurons = record["settings"]["neurons"]["lif"] + record["settings"]["neurons"]["alif"]
    tensors = read_checkpoint(out).tensors
    assert {name: array.shape for name, array in tensors.items()} == {
        "input.weight": (neurons, recipe.task.inputs),
        "recurrent.weight": (neurons, neurons),
        "readout.weight": (recipe.task.outputs, neurons),
        "feedback.weight": (neurons, recipe.task.outputs),
    } | ({"adaptation": (neurons,)} if record["settings"]["neurons"]["alif"] else {})
    assert all(array.dtype == np.float32 for array in tensors.values())
    if feedback == "symmetric":
        np.testing.assert_array_equal(tensors["feedback.weight"], tensors["readout.weight"].T)
    said = capsys.readouterr()
    assert f"{record['result']['score']:.4f}" in said.out
    assert "no description" not in said.err


def test_same_seed_same_bytes_other_seed_other_weights(tmp_path):
    outs = [tmp_path / f"{name}.pt" for name in "abc"]
    for out, seed in zip(outs, (4, 4, 5), strict=True):
        assert run(*words_of("cues", out, "--seed", seed)) == 0
    one, same, other = (out.read_bytes() for out in outs)
    assert one == same != other


def interrupt_after(count, monkeypatch):
    really = job.iterate

    def iterate(training, settings):
        if len(training.records) == count:
            raise KeyboardInterrupt
        return really(training, settings)

    monkeypatch.setattr(job, "iterate", iterate)


@pytest.mark.parametrize("task", SMALL)
def test_an_interrupted_run_resumed_ends_in_the_same_bytes(tmp_path, monkeypatch, capsys, task):
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    options = ["--checkpoint-every", "1", "--feedback", "adaptive"]
    assert run(*words_of(task, whole, *options)) == 0
    with monkeypatch.context() as patch:
        interrupt_after(2, patch)
        assert run(*words_of(task, parts, *options)) == 130
    kept = tmp_path / "parts.unfinished.npz"
    assert kept.exists()
    assert not parts.exists()
    assert str(kept) in capsys.readouterr().err
    assert run(*words_of(task, parts, *options, "--resume")) == 0
    assert "resumed after iteration 2" in capsys.readouterr().err
    assert parts.read_bytes() == whole.read_bytes()
    assert not kept.exists()
    records = [json.loads(p.with_suffix(".training.json").read_text()) for p in (whole, parts)]
    assert records[0]["iterations"] == records[1]["iterations"]


def test_a_curriculum_goes_on_where_it_was(tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    options = ["--curriculum", "--checkpoint-every", "1", "--iterations", "8"]
    monkeypatch.setattr("chipsim.train.eprop.training.CURRICULUM_SCORE", 0.5)
    assert run(*words_of("cues", whole, *options)) == 0
    stages = json.loads(whole.with_suffix(".training.json").read_text())["iterations"]["stage"]
    assert stages[0] == 0 < stages[5]
    with monkeypatch.context() as patch:
        interrupt_after(6, patch)
        assert run(*words_of("cues", parts, *options)) == 130
    assert run(*words_of("cues", parts, *options, "--resume")) == 0
    assert parts.read_bytes() == whole.read_bytes()


def test_interrupted_before_the_first_checkpoint(tmp_path, monkeypatch, capsys):
    interrupt_after(0, monkeypatch)
    assert run(*words_of("pattern", tmp_path / "net.pt")) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def unfinished(tmp_path, monkeypatch):
    """Words of an interrupted run, and its checkpoint."""
    words = words_of("pattern", tmp_path / "net.pt", "--checkpoint-every", "1")
    with monkeypatch.context() as patch:
        interrupt_after(2, patch)
        assert run(*words) == 130
    return words, tmp_path / "net.unfinished.npz"


def test_resume_needs_a_checkpoint(tmp_path):
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        run(*words_of("cues", tmp_path / "net.pt", "--resume"))


def test_resume_refuses_other_settings(unfinished):
    words, _ = unfinished
    with pytest.raises(InputError, match="seed 0 instead of 1"):
        run(*words, "--resume", "--seed", "1")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"\x80\x04."])
def test_resume_refuses_what_is_no_checkpoint(unfinished, content):
    words, path = unfinished
    path.write_bytes(content)
    with pytest.raises(InputError, match="unfinished"):
        run(*words, "--resume")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("settings", np.zeros(3, np.uint8)),
        ("settings", np.array(["a"])),
        ("weights.inputs", np.zeros((2, 2), np.float32)),
        ("second.readout", None),
        ("records", np.zeros((2, 5))),
        ("records", np.zeros(())),
        ("stage", np.array(7)),
        ("stage", np.zeros(2)),
    ],
)
def test_resume_refuses_a_checkpoint_with_wrong_parts(unfinished, name, value):
    words, path = unfinished
    content = dict(np.load(path))
    content[name] = value
    np.savez(path, **{key: array for key, array in content.items() if array is not None})
    with pytest.raises(InputError, match="is no checkpoint of this training"):
        run(*words, "--resume")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "cues", "--lif", "0", "--alif", "0"], "at least one neuron"),
        (["--task", "pattern", "--alif", "3"], "know LIF neurons only"),
        (["--task", "store-recall", "--curriculum"], "one stage"),
        (["--task", "cues", "--optimiser", "sgd"], "--rate"),
        (["--task", "cues", "--out", "net.npz"], "must end in .pt"),
        (["--task", "cues", "--trace", "trace.txt"], "must end in .npz"),
    ],
)
def test_wrong_options_say_what_to_do(words, message):
    with pytest.raises(InputError, match=message):
        run(*words)


@pytest.mark.parametrize(
    "words", [["--seed", "-1"], ["--rate", "nan"], ["--batch", "0"], ["--feedback", "no"]]
)
def test_wrong_values_end_with_two(words, capsys):
    with pytest.raises(SystemExit) as ended:
        parse("--task", "cues", *words)
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_options_reach_the_settings():
    words = ["--optimiser", "sgd", "--rate", "0.5", "--fall", "0.25", "--fall-every", "7"]
    words += ["--rate-cost", "3", "--stop-score", "0", "--gradient", "online", "--batch", "5"]
    args = parse("--task", "cues", *words)
    settings = settings_of(args)
    assert settings.optimiser == Optimiser("sgd", 0.5, fall=0.25, fall_every=7)
    assert (settings.rule.rate_cost, settings.rule.gradient) == (3.0, "online")
    assert (settings.stop_score, settings.batch) == (0.0, 5)
    own = settings_of(parse("--task", "cues"))
    assert own.optimiser == RECIPES["cues"].optimiser
    assert own.stop_score == RECIPES["cues"].stop_score
    assert own.iterations == RECIPES["cues"].iterations


def test_the_trace_holds_the_test_trials(tmp_path):
    trace_path = tmp_path / "traces" / "t.npz"
    assert run(*words_of("cues", tmp_path / "net.pt", "--trace", trace_path)) == 0
    trace = read_trace(trace_path)
    assert trace.spikes.shape == (4, 2250, 40)
    record = json.loads((tmp_path / "net.training.json").read_text())
    weights = save.load_weights(read_checkpoint(tmp_path / "net.pt").tensors)
    args = parse(*words_of("cues", tmp_path / "net.pt"))
    settings = settings_of(args)
    assert save.plain(settings) == record["settings"]
    trials = list(job.test_trials(settings, 4))
    assert [trial.target[0].label for trial in trials] == list(trace.labels)
    for trial, spikes in zip(trials, trace.spikes, strict=True):
        np.testing.assert_array_equal(raster(trial.inputs, 40), spikes)
    constants = batch.constants_of(settings.neurons, np.float32)
    result = batch.run_batch(constants, weights, trials, None)
    assert result.score == record["result"]["score"]


def test_a_described_network_is_the_trained_one(tmp_path):
    """`chipsim map` reads it, and the float reference fires where the trainer does."""
    from chipsim.load.description import read_model
    from chipsim.simulate.float_reference import run_float

    out, trace_path = tmp_path / "net.pt", tmp_path / "t.npz"
    assert run(*words_of("pattern", out, "--trace", trace_path, "--iterations", "60")) == 0
    description = yaml.safe_load(out.with_suffix(".yaml").read_text())
    assert description["trace"] == "t.npz"
    model = read_model(out)
    answers = run_float(model.network, read_trace(trace_path))
    args = parse(*words_of("pattern", out))
    settings = replace(settings_of(args), iterations=60)
    weights = save.load_weights(read_checkpoint(out).tensors)
    (trial,) = job.test_trials(settings, 1)
    constants = batch.constants_of(settings.neurons, np.float32)
    tape = batch.run(constants, weights, trial)
    hidden = answers.spikes[0][:, :20]
    ours = raster(tape.spikes, 20)
    assert ours.sum() > 200
    # The threshold is scaled, so that single precision may flip a spike late in the trial.
    np.testing.assert_array_equal(hidden[:200], ours[:200])
    assert np.mean(hidden != ours) < 0.02
    gain = float(constants.readout_gain)
    if np.array_equal(hidden, ours):
        np.testing.assert_allclose(answers.potential[0] * gain, tape.output[-1], rtol=1e-3)


def test_help_loads_nothing_heavy():
    program = (
        "import sys, contextlib\n"
        "from chipsim.cli.main import main\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main(['train', 'eprop', '--help'])\n"
        "sys.exit(bool({'numpy', 'numba', 'torch', 'yaml'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--feedback" in done.stdout


def test_needs_no_torch(tmp_path):
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from chipsim.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["train", "eprop", *words_of("pattern", tmp_path / "net.pt")]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "net.pt").exists()
    assert "iteration 9/9" in done.stderr


def test_a_described_network_spikes_as_the_trainer_says(tmp_path):
    """ALIF neurons and refractory times mean the same to the trainer and to the float reference."""
    out, trace = tmp_path / "net.pt", tmp_path / "trials.npz"
    assert run(*words_of("cues", out, "--trace", trace)) == 0
    model = read_model(out)
    trials = read_trace(trace)
    answers = run_float(model.network, trials)
    record = json.loads((tmp_path / "net.training.json").read_text())
    neurons, result = record["settings"]["neurons"], record["result"]
    spikes = answers.of("hidden").mean(axis=(0, 1)) * 1000.0
    assert spikes[: neurons["lif"]].mean() == pytest.approx(result["lif_rate"], rel=0.02)
    assert spikes[neurons["lif"] :].mean() == pytest.approx(result["alif_rate"], rel=0.02)
