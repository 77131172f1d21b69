import argparse
import subprocess
import sys

import numpy as np
import pytest

from chipsim.cli import describe
from chipsim.errors import InputError
from chipsim.load.checkpoint import read_checkpoint
from chipsim.load.describe import skeleton
from chipsim.load.description import read_model

HP = {
    "fc1.weight": (6, 8),
    "fc1.bias": (6,),
    "alpha1": (1,),
    "beta1": (8,),
    "eta1": (6,),
    "hebb1": (8, 6),
    "fc2.weight": (3, 6),
    "fc2.bias": (3,),
    "alpha2": (1,),
    "beta2": (6,),
    "eta2": (3,),
}


def checkpoint(folder, shapes, name="net.npz"):
    tensors = {key: np.ones(shape, dtype=np.float32) for key, shape in shapes.items()}
    np.savez(folder / "made.npz", **tensors)
    return (folder / "made.npz").rename(folder / name)


def run(*arguments):
    parser = argparse.ArgumentParser()
    describe.add_parser(parser.add_subparsers())
    args = parser.parse_args(["describe", *map(str, arguments)])
    return args.run(args)


ANSWERS = {
    "steps: TODO": "steps: 10",
    "kind: TODO  # TODO: graded": "kind: graded  #",
    "maximum: TODO": "maximum: 1.0",
    "threshold: TODO": "threshold: 0.35",
    "decay: TODO": "decay: 0.4",
    "reset: TODO": "reset: subtract",
    "reset_order: TODO": "reset_order: before_leak",
    "fires: TODO": "fires: above",
    "attenuation_tau: TODO": "attenuation_tau: 40",
    "rho: TODO": "rho: 0.95",
    "clamp: TODO": "clamp: 4.0",
    "kind: TODO  # TODO: spike_count": "kind: spike_count  #",
}


def test_hp_skeleton_is_refused_until_completed(tmp_path, capsys):
    path = checkpoint(tmp_path, HP)
    assert run(path) == 0
    printed = capsys.readouterr()
    assert "fc1.weight  float32  (6, 8)" in printed.out
    assert "replace every TODO" in printed.err
    written = tmp_path / "net.yaml"
    text = written.read_text()
    while ": TODO" in text:
        with pytest.raises(InputError, match=r"net\.yaml:\d+:\d+: .*: still says TODO"):
            read_model(path)
        before = text
        for old, new in ANSWERS.items():
            if old in text:
                text = text.replace(old, new, 1)
                break
        assert text != before
        written.write_text(text)
    loaded = read_model(path)
    assert [(p.name, p.size) for p in loaded.network.populations] == [
        ("input", 8),
        ("hidden", 6),
        ("output", 3),
    ]
    first, second = loaded.network.projections
    assert first.plasticity.stored_trace.shape == (8, 6)
    assert second.plasticity is not None
    assert second.plasticity.stored_trace is None
    assert first.bias.shape == (6,)
    assert loaded.notes == ()


def test_never_overwrites_without_force(tmp_path):
    path = checkpoint(tmp_path, HP)
    target = tmp_path / "mine.yaml"
    target.write_text("mine")
    with pytest.raises(InputError, match="--force"):
        run(path, "-o", target)
    assert target.read_text() == "mine"
    assert run(path, "-o", target, "--force") == 0
    assert "steps: TODO" in target.read_text()
    with pytest.raises(InputError, match="cannot be written"):
        run(path, "-o", tmp_path / "none" / "x.yaml")


def test_recurrent_deep_and_left_over_weights(tmp_path):
    shapes = {
        "0.weight": (5, 4),
        "lif.recurrent.weight": (5, 5),
        "1.weight": (5, 5),
        "odd.weight": (2, 9),
        "2.weight": (2, 5),
        "conv.weight": (3, 1, 2, 2),
    }
    text = skeleton(read_checkpoint(checkpoint(tmp_path, shapes)))
    assert "# odd.weight fits no layer of the guess" in text
    assert "recurrent_hidden1" in text
    assert "delay: 1" in text
    (tmp_path / "net.yaml").write_text("\n".join(complete(line) for line in text.splitlines()))
    network = read_model(tmp_path / "net.npz").network
    assert [p.size for p in network.populations] == [4, 5, 5, 2]
    assert [(p.source, p.target, p.delay) for p in network.projections] == [
        ("input", "hidden1", 0),
        ("hidden1", "hidden1", 1),
        ("hidden1", "hidden2", 0),
        ("hidden2", "output", 0),
    ]


def complete(line):
    for old, new in ANSWERS.items():
        line = line.replace(old, new)
    return line


@pytest.mark.parametrize("name", ["a: b.weight", "x\ny.weight", "- weight", "weight#", "{weight"])
def test_strange_names_survive(tmp_path, name):
    path = checkpoint(tmp_path, {name: (2, 3)})
    run(path)
    text = (tmp_path / "net.yaml").read_text()
    (tmp_path / "net.yaml").write_text("\n".join(complete(line) for line in text.splitlines()))
    assert read_model(path).network.projections[0].weight.shape == (2, 3)


def test_nothing_to_guess_from(tmp_path):
    with pytest.raises(InputError, match="nothing to guess"):
        skeleton(read_checkpoint(checkpoint(tmp_path, {"conv.weight": (3, 1, 2, 2)})))


def test_a_convolution_is_named_and_left_to_its_maker(tmp_path):
    shapes = {"conv.weight": (3, 1, 2, 2), "fc.weight": (2, 12)}
    text = skeleton(read_checkpoint(checkpoint(tmp_path, shapes)))
    assert "# conv.weight fits no layer of the guess" in text
    assert "weight: fc.weight" in text


def test_command_is_light_until_run():
    code = (
        "import sys; import chipsim.cli.describe; "
        "assert not {'numpy', 'numba', 'yaml'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
