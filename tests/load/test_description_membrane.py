"""``membrane`` of a projection, as a description says it."""

from pathlib import Path

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.load.description import read_model
from chipsim.network import Network, SentMembrane

TEXT = """\
steps: 4
populations:
  - {name: image, size: 3, model: input, kind: graded}
  - {name: hidden, size: 5, model: lif, threshold: 0.5, decay: 0.8}
  - {name: mean, size: 5, model: graded, activation: tanh}
  - {name: output, size: 2, model: graded, activation: linear, maximum: 1}
projections:
  - {name: first, source: image, target: hidden, weight: first}
  - {name: second, source: hidden, target: output, weight: second, membrane: {maximum: most}}
  - {name: side, source: hidden, target: mean, weight: side}
  - {name: third, source: mean, target: output, weight: second}
readout: {population: output, kind: membrane}
"""
MEMBRANE = "membrane: {maximum: most}"
TENSORS = {
    "first": np.ones((5, 3), np.float32),
    "second": np.ones((2, 5), np.float32),
    "side": np.ones((5, 5), np.float32),
    "most": np.array([2.5], np.float32),
}


def read(folder: Path, old: str = "", new: str = "") -> Network:
    assert old in TEXT
    np.savez(folder / "net.npz", **TENSORS)
    (folder / "net.yaml").write_text(TEXT.replace(old, new, 1))
    return read_model(folder / "net.npz").network


def test_carries_membranes_beside_spikes(tmp_path):
    network = read(tmp_path)
    assert [p.membrane for p in network.projections] == [None, SentMembrane(2.5), None, None]
    assert network.sent_membrane("hidden") == SentMembrane(2.5)
    assert network.sent_membrane("mean") is None


def test_in_the_last_step(tmp_path):
    network = read(tmp_path, MEMBRANE, "membrane: {maximum: 3, steps: last}")
    assert network.projections[1].membrane == SentMembrane(3.0, "last")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (MEMBRANE, "membrane: {}", "maximum"),
        (MEMBRANE, "membrane: 2", "membrane"),
        (MEMBRANE, "membrane: {maximum: 0}", "above 0"),
        (MEMBRANE, "membrane: {maximum: 1, steps: first}", "steps: expected one of all, last"),
        (MEMBRANE, "membrane: {maximum: 1, reset: 2}", "reset"),
        (MEMBRANE, "membrane: {maximum: 1, steps: last}, delay: 1", "would arrive after it"),
        (
            MEMBRANE,
            f"{MEMBRANE}, stdp: {{potentiation: 1, depression: 1, tau_plus: 1, tau_minus: 1, "
            "high: 1}",
            "STDP pairs spikes",
        ),
        (
            "target: hidden, weight: first",
            "target: hidden, weight: first, membrane: {maximum: 1}",
            "image is an input and sends numbers already",
        ),
        (
            "source: mean, target: output, weight: second",
            "source: mean, target: output, weight: second, membrane: {maximum: 1}",
            "mean is graded and sends numbers already",
        ),
        (
            "weight: side",
            "weight: side, membrane: {maximum: 1}",
            "second and side disagree about the membranes of hidden",
        ),
    ],
)
def test_mistakes_are_told(tmp_path, old, new, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, old, new)
