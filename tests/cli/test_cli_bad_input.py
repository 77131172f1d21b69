"""Bad input at the command line: exit code, a message that helps, and nothing half-written."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chipsim.cli.main import main
from chipsim.load.traces import write_trace
from chipsim.network import Trace
from tests.conftest import random_rule
from tests.load.build_checkpoint import Call, archive, pickled, tensor
from tests.simulate.tiny import TINY, relay, save_model

MODELS = Path(__file__).parents[2] / "models"
SETS = tuple(word for override in TINY for word in ("--set", override))

Refused = Callable[..., str]


def contents(folder: Path) -> set[str]:
    """Every path below a folder, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own working folder, so that the default ``runs/`` would show."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(work: Path) -> Path:
    return save_model(work, relay(), Trace("t", spikes=np.ones((2, 4, 3), np.uint8)))


@pytest.fixture
def refused(work: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run the command line, which must end with ``code``, write nothing and say why in words."""

    def run(*argv: str | Path, code: int = 2) -> str:
        before = contents(work)
        words = [str(word) for word in argv]
        try:
            got = main(words)
        except SystemExit as stop:  # argparse
            got = int(stop.code or 0)
        captured = capsys.readouterr()
        assert got == code, captured.err
        assert captured.out == ""
        assert contents(work) == before
        assert "Traceback" not in captured.err
        message = [line for line in captured.err.splitlines() if "chipsim" in line][-1:]
        assert message, captured.err
        return captured.err

    return run


def checkpoint(work: Path, data: bytes) -> Path:
    """A file of torch.save beside a description of a 4-to-3 layer."""
    path = work / "bad.pt"
    path.write_bytes(data)
    path.with_suffix(".yaml").write_text(
        "steps: 2\n"
        "populations:\n"
        "- {name: in, size: 4, model: input, kind: spikes}\n"
        "- {name: out, size: 3, model: lif, threshold: 1, decay: 0.5}\n"
        "projections:\n"
        "- {name: p, source: in, target: out, weight: w}\n"
        "readout: {population: out}\n"
    )
    return path


GOOD = archive(pickled({"w": tensor(12, size=(3, 4), stride=(4, 1))}), {"0": bytes(48)})


def test_the_good_checkpoint_of_these_tests_is_good(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = checkpoint(work, GOOD)
    write_trace(work / "t.npz", Trace("t", spikes=np.ones((1, 2, 4), np.uint8)))
    assert main(["map", str(path), *SETS, "--trace", "t.npz", "-o", "run", "-q"]) == 0
    assert (work / "run" / "report.json").is_file()
    capsys.readouterr()


class Shell:
    """Pickles to a call of os.system."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("form", ["zip", "legacy", "stored state"])
def test_a_checkpoint_that_calls_the_shell(work: Path, refused: Refused, form: str) -> None:
    mark = work / "ran"
    shell = Shell(f"touch {mark}")
    data = {
        "zip": archive(pickle.dumps({"w": shell}, protocol=2)),
        "legacy": pickle.dumps({"w": shell}, protocol=2),
        "stored state": archive(
            pickled({"w": Call("posix system", (f"touch {mark}",)), "x": 1}), {"0": bytes(48)}
        ),
    }[form]
    path = checkpoint(work, data)
    message = refused("map", path)
    assert not mark.exists()
    assert str(path) in message
    if form != "legacy":
        assert "system" in message
    # The same bytes do call the shell when unpickled: the test above is not for nothing.
    if form == "legacy":
        pickle.loads(data)
        assert mark.exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint(work: Path, refused: Refused, share: float) -> None:
    path = checkpoint(work, GOOD[: int(len(GOOD) * share)])
    assert str(path) in refused("map", path)


def test_the_shipped_checkpoint_truncated(work: Path, refused: Refused) -> None:
    data = (MODELS / "hp_mnist.pt").read_bytes()
    path = work / "hp_mnist.pt"
    path.write_bytes(data[: len(data) // 2])
    shutil.copy(MODELS / "hp_mnist.yaml", work)
    assert str(path) in refused("map", path)


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": (3, 5), "stride": (5, 1)},
        {"size": (3, 4), "stride": (100, 1)},
        {"size": (3, 4), "stride": (4, 1), "offset": 1},
        {"size": (3, 4), "stride": (4, 1), "offset": -1},
        {"size": (3, 4), "stride": (-4, 1)},
        {"size": (3, 4), "stride": (2**62, 1)},
    ],
)
def test_a_view_larger_than_its_storage(
    work: Path, refused: Refused, arguments: dict[str, object]
) -> None:
    path = checkpoint(work, archive(pickled({"w": tensor(12, **arguments)}), {"0": bytes(48)}))
    message = refused("map", path)
    assert str(path) in message


def test_a_small_file_that_claims_two_gigabytes(work: Path, refused: Refused) -> None:
    claims = {
        "storage": archive(
            pickled({"w": tensor(2**29, size=(2**15, 2**14), stride=(2**14, 1))}), {"0": bytes(48)}
        ),
        "bomb": archive(
            pickled({"w": tensor(2**29, size=(2**15, 2**14), stride=(2**14, 1))}),
            {"0": bytes(2**24)},
            compression=zipfile.ZIP_DEFLATED,
        ),
    }
    for data in claims.values():
        path = checkpoint(work, data)
        assert str(path) in refused("map", path)
        path.unlink()


def test_missing_files(work: Path, model: Path, refused: Refused) -> None:
    assert "nowhere.pt: there is no such file" in refused("map", "nowhere.pt")
    assert "nochip" in (message := refused("map", model, "--chip", "nochip"))
    assert "tianjic" in message
    assert "nowhere.npz" in refused("map", model, "--trace", "nowhere.npz")
    assert "nowhere.json" in refused("run", "nowhere.json", "--model", model)


def test_a_missing_description(work: Path, model: Path, refused: Refused) -> None:
    model.with_suffix(".yaml").unlink()
    message = refused("map", model)
    assert str(model) in message
    assert "chipsim describe" in message


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("core.weigth_bits=8", ["core.weigth_bits", "did you mean", "core.weight_bits"]),
        ("clock=-300MHz", ["clock", "above 0 Hz", "-300MHz"]),
        ("clock=0Hz", ["clock", "above 0 Hz"]),
        ("clock=300mJ", ["clock", "frequency", "units: Hz"]),
        ("energy.sop=3 MHz", ["energy.sop", "energy", "3 MHz"]),
        ("core.weight_bits=8bit", ["core.weight_bits", "whole number from 2 to 16"]),
        ("core.weight_bits=17", ["core.weight_bits", "17"]),
        ("phase.mode=quick", ["phase.mode", "adaptive", "fixed"]),
        ("phase.cycles=100", ["phase.sync_cycles", "100 cycles"]),
        ("mesh.io=[3,3]", ["mesh.io"]),
        ("foo", ["PATH=VALUE"]),
        ("clock=nan", ["clock"]),
    ],
)
def test_bad_overrides(model: Path, refused: Refused, override: str, said: list[str]) -> None:
    message = refused("map", model, "--set", override)
    assert all(word in message for word in said), message


@pytest.mark.parametrize(
    ("find", "put", "said"),
    [
        ("clock: {value: 300 MHz", "clok: {value: 300 MHz", ["clock"]),
        ("value: 300 MHz", "value: -300 MHz", ["clock", "-300 MHz"]),
        ("value: 300 MHz", "value: 300 ms", ["clock", "300 ms", "frequency"]),
        ("  soma_cycles:", "  axon: 3\n  soma_cycles:", ["core.axon", "did you mean", "axons"]),
        ("routing: {value: xy", "routing: {value: yx", ["mesh.routing", "yx", "xy"]),
        ("phase:\n", "phase:\n  mode: fixed\n", ["mode"]),
    ],
)
def test_bad_chip_files(
    work: Path, model: Path, refused: Refused, find: str, put: str, said: list[str]
) -> None:
    """The message gives file, line and column."""
    text = (MODELS.parent / "chipsim" / "chips" / "tianjic.yaml").read_text()
    assert find in text
    chip = work / "mine.yaml"
    chip.write_text(text.replace(find, put, 1))
    message = refused("map", model, "--chip", chip)
    assert all(word in message for word in said), message
    assert any(f"{chip}:{line}:" in message for line in range(1, text.count("\n") + 3)), message


def test_a_network_that_does_not_fit(model: Path, refused: Refused) -> None:
    small = ("--set", "mesh.width=3", "--set", "mesh.height=3")
    message = refused("map", MODELS / "hp_mnist.pt", *small, "--limit", "2", "-q", code=3)
    assert "cores 39 exceeded max 9 by 30" in message
    assert "would fit: a mesh of at least 39 cores" in message
    assert "plasticity frozen" in message


def test_a_budget_that_nothing_fits(refused: Refused) -> None:
    message = refused(
        "map", MODELS / "hp_mnist.pt", "--set", "core.memory.soma=2 B", "--limit", "2", "-q", code=3
    )
    assert "soma memory" in message
    assert "2" in message


def test_a_trace_of_the_wrong_shape(work: Path, model: Path, refused: Refused) -> None:
    write_trace(work / "wide.npz", Trace("wide", spikes=np.ones((2, 4, 5), np.uint8)))
    message = refused("map", model, "--trace", "wide.npz")
    assert "wide" in message
    assert "5 inputs" in message
    assert "'in' has 3" in message
    write_trace(work / "long.npz", Trace("long", spikes=np.ones((2, 9, 3), np.uint8)))
    message = refused("map", model, "--trace", "long.npz")
    assert "9 steps a sample" in message


def test_a_limit_beyond_the_trace(model: Path, refused: Refused) -> None:
    message = refused("map", model, "--limit", "3")
    assert "2 samples" in message
    assert "3" in message


@pytest.mark.parametrize("option", ["--threads", "--limit", "--batch", "--mesh-phases"])
@pytest.mark.parametrize("value", ["0", "-3", "two", "1.5", ""])
def test_numbers_that_must_be_positive(
    model: Path, refused: Refused, option: str, value: str
) -> None:
    assert option in refused("map", model, f"{option}={value}")


def test_choices(work: Path, model: Path, refused: Refused) -> None:
    message = refused("map", model, *SETS, "--placer", "random")
    assert "'random'" in message
    assert "hilbert, sequential, snake" in message
    assert "frosen" in refused("map", model, "--plasticity", "frosen")
    assert "seed -1" in refused("map", model, *SETS, "--seed", "-1")
    huge = str(10**30)
    assert f"seed {huge}" in refused("map", model, *SETS, "--seed", huge)
    assert "'stored_trace'" in refused(
        "map", no_stored_trace(work), *SETS, "--plasticity", "frozen"
    )


def no_stored_trace(work: Path) -> Path:
    network = relay()
    rule = replace(random_rule(np.random.default_rng(0), 3, 3), stored_trace=None)
    plastic = (replace(network.projections[0], plasticity=rule),)
    network = replace(network, name="plastic", projections=plastic)
    return save_model(work, network, Trace("t", spikes=np.ones((2, 4, 3), np.uint8)))


def test_weights_no_membrane_can_cover(work: Path, refused: Refused) -> None:
    path = save_model(work, relay(weight=1e30), Trace("t", spikes=np.ones((2, 4, 3), np.uint8)))
    message = refused("map", path, *SETS)
    assert "threshold" in message
    assert "core.membrane_bits" in message


def test_strict_with_an_overrun(model: Path, refused: Refused) -> None:
    """Links of 300 cycles a hop: packets come after the end of a phase of 400 cycles."""
    slow = ("--set", "mesh.hop_cycles=300", "--set", "phase.cycles=400")
    message = refused("map", model, *SETS, *slow, "--strict", code=3)
    assert "overran their 400 cycles" in message
    assert "phase.mode=adaptive" in message


def test_an_output_folder_that_cannot_be(work: Path, model: Path, refused: Refused) -> None:
    (work / "file").write_text("not a folder")
    message = refused("map", model, *SETS, "-q", "-o", work / "file" / "run")
    assert str(work / "file" / "run") in message
    assert "choose another -o" in message
    message = refused("map", model, *SETS, "-o", work / "file")
    assert "is a file" in message
    message = refused("map", model, *SETS, "-q", "-o", "/proc/run")
    assert "/proc/run: cannot be written" in message


def test_a_folder_that_is_not_a_run_is_left_alone(
    work: Path, model: Path, refused: Refused
) -> None:
    foreign = work / "thesis"
    foreign.mkdir()
    (foreign / "chapter1.tex").write_text("precious")
    for options in ([], ["--force"]):
        message = refused("map", model, *SETS, "-o", foreign, *options)
        assert "left alone" in message
    assert (foreign / "chapter1.tex").read_text() == "precious"


def test_an_existing_run_is_replaced_by_force_only(
    work: Path, model: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["map", str(model), *SETS, "-q", "-o", "run"]
    assert main(arguments) == 0
    first = (work / "run" / "report.json").read_bytes()
    capsys.readouterr()
    assert "--force" in refused(*arguments)
    # A run that fails leaves the old one as it was.
    message = refused(*arguments, "--force", "--placer", "random")
    assert "'random'" in message
    assert (work / "run" / "report.json").read_bytes() == first
    assert main([*arguments, "--force", "--limit", "1"]) == 0
    assert (work / "run" / "report.json").read_bytes() != first
    assert sorted(path.name for path in work.iterdir() if path.is_dir()) == ["run"]


def test_a_writer_that_fails_leaves_nothing(
    model: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the disk is full while the last file is written."""
    from chipsim.cli import run_job

    def full(path: Path, text: str) -> None:
        path.write_text(text[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_job, "_write_text", full)
    message = refused("map", model, *SETS, "-q", "-o", "run")
    assert "No space left on device" in message


def test_no_command_and_unknown_commands(refused: Refused) -> None:
    refused()
    assert "fly" in refused("fly")
