"""Graded neurons, convolutions and the variants of hybrid plasticity, as descriptions say them."""

from pathlib import Path

import numpy as np
import pytest

from chipsim.connectivity import Convolution
from chipsim.errors import InputError
from chipsim.load.description import read_model
from chipsim.network import Graded

RNG = np.random.default_rng(5)
SHAPES = {
    "conv.weight": (3, 2, 3, 3),
    "conv.bias": (3,),
    "long.bias": (12,),
    "fc.weight": (5, 12),
    "mix": (12, 5),
    "scalar": (1,),
    "beta": (12,),
    "eta": (5,),
    "hebb": (12, 5),
}
TENSORS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
TENSORS["mask"] = (RNG.random((5, 12)) < 0.5).astype(np.float32)

TEXT = """\
steps: 5
populations:
  - {name: image, size: 32, model: input, kind: graded}
  - {name: map, size: 12, model: graded, activation: tanh}
  - {name: output, size: 5, model: lif, threshold: 0.5, decay: 0.2, reset: zero}
projections:
  - name: conv
    source: image
    target: map
    weight: conv.weight
    bias: conv.bias
    convolution: {source_shape: [2, 4, 4], target_shape: [3, 2, 2], stride: 2, padding: 1}
  - name: fc
    source: map
    target: output
    weight: fc.weight
    plasticity: {rule: hp, alpha: scalar, beta: beta, eta: eta, rho: 0.9}
readout: {population: output, kind: membrane}
"""
RULE = "{rule: hp, alpha: scalar, beta: beta, eta: eta, rho: 0.9}"


def read(folder: Path, old: str = "", new: str = ""):
    assert old in TEXT
    np.savez(folder / "net.npz", **TENSORS)
    (folder / "net.yaml").write_text(TEXT.replace(old, new, 1))
    return read_model(folder / "net.npz").network


def test_convolution_and_graded_neurons(tmp_path):
    network = read(tmp_path)
    assert network.population("map").model == Graded("tanh", 1.0)
    conv = network.projections[0]
    assert conv.connectivity == Convolution((2, 4, 4), (3, 2, 2), 2, 1, channels_last=False)
    np.testing.assert_array_equal(conv.weight, TENSORS["conv.weight"])
    np.testing.assert_array_equal(conv.bias, np.repeat(TENSORS["conv.bias"], 4))


def test_channels_last_and_a_bias_for_each_neuron(tmp_path):
    conv = read(tmp_path, "padding: 1}", "padding: 1, channels_last: true}").projections[0]
    assert conv.connectivity.channels_last
    np.testing.assert_array_equal(conv.bias, np.tile(TENSORS["conv.bias"], 4))
    conv = read(tmp_path, "bias: conv.bias", "bias: long.bias").projections[0]
    np.testing.assert_array_equal(conv.bias, TENSORS["long.bias"])


def test_variant_a_without_clamp(tmp_path):
    rule = read(tmp_path).projections[1].plasticity
    assert (rule.post, rule.sign, rule.state, rule.clamp) == ("tanh", 1, "reset", None)
    assert rule.factor is None
    np.testing.assert_array_equal(rule.beta, TENSORS["beta"])


def test_variant_b(tmp_path):
    new = RULE.replace("rho: 0.9", "rho: 0.9, clamp: 2, post: linear, sign: minus, state: carried")
    rule = read(tmp_path, RULE, new).projections[1].plasticity
    assert (rule.post, rule.sign, rule.state, rule.clamp) == ("linear", -1, "carried", 2.0)


def test_variant_d(tmp_path):
    """x (a W + (1 - a) H), one rate for all, bounded."""
    new = "{rule: hp, mix: mix, beta: scalar, beta_high: -5, eta: eta, rho: 0.9, post: softmax}"
    fc = read(tmp_path, RULE, new).projections[1]
    np.testing.assert_array_equal(fc.weight, TENSORS["mix"].T * TENSORS["fc.weight"])
    np.testing.assert_array_equal(fc.plasticity.factor, 1 - TENSORS["mix"])
    assert fc.plasticity.alpha == 1.0
    assert fc.plasticity.beta.tolist() == [-5.0] * 12
    rule = read(tmp_path, RULE, new.replace("beta_high: -5", "beta_low: 7")).projections[1]
    assert rule.plasticity.beta.tolist() == [7.0] * 12


def test_variant_e(tmp_path):
    """x (m W + alpha (1 - m) H)."""
    fc = read(tmp_path, RULE, RULE.replace("rho", "mask: mask, rho")).projections[1]
    np.testing.assert_array_equal(fc.weight, TENSORS["mask"] * TENSORS["fc.weight"])
    np.testing.assert_array_equal(fc.plasticity.factor, 1 - TENSORS["mask"].T)
    assert fc.plasticity.alpha == pytest.approx(float(TENSORS["scalar"][0]))


def test_an_alpha_for_each_synapse(tmp_path):
    fc = read(tmp_path, RULE, RULE.replace("alpha: scalar", "alpha: mix")).projections[1]
    assert fc.plasticity.alpha == 1.0
    np.testing.assert_array_equal(fc.plasticity.factor, TENSORS["mix"])
    np.testing.assert_array_equal(fc.weight, TENSORS["fc.weight"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("activation: tanh", "activation: sine", 'expected one of "tanh"|activation'),
        ("activation: tanh", "activation: tanh, maximum: 2", "tanh ends at 1"),
        ("activation: tanh", "activation: relu", "where does relu end"),
        ("[2, 4, 4]", "[2, 4]", r"\[2, 4\] given; needed are \[channels, height, width\]"),
        ("[2, 4, 4]", "[2, 4, 5]", "whose product is the 32 neurons of image"),
        ("[2, 4, 4]", "[1, 8, 4]", r"needed is \(3, 1, kernel height, kernel width\)"),
        ("stride: 2, padding: 1", "stride: 1, padding: 1", "make 4 of 4"),
        ("weight: conv.weight", "weight: fc.weight", "needs 4 extents"),
        ("bias: conv.bias", "bias: eta", r"eta is \(5,\), needs \(12,\)"),
        ("alpha: scalar", "alpha: scalar, mix: mix", "give one"),
        ("alpha: scalar", "alpha: beta", "needs one number"),
        ("beta: beta", "beta: eta", r"eta is \(5,\), needs \(12,\)"),
        ("beta: beta", "beta: beta, beta_low: 1, beta_high: 0", "1 is above beta_high, 0"),
        ("rho: 0.9", "rho: 0.9, mask: fc.weight", "a mask holds zeros and ones"),
        ("rho: 0.9", "rho: 0.9, post: sine", "post"),
        ("weight: fc.weight", "weight: fc.weight\n    convolution: {}", "cannot learn"),
    ],
)
def test_mistakes_are_told(tmp_path, old, new, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, old, new)


def test_a_graded_readout_has_no_spikes(tmp_path):
    graded = "model: graded, activation: linear, maximum: 3"
    text = "model: lif, threshold: 0.5, decay: 0.2, reset: zero"
    assert read(tmp_path, text, graded).population("output").model == Graded("linear", 3.0)
    for kind in ("spike_count", "first_spike"):
        both = TEXT.replace(text, graded).replace("kind: membrane", f"kind: {kind}")
        (tmp_path / "net.yaml").write_text(both)
        with pytest.raises(InputError, match="output is graded and does not spike; use membrane"):
            read_model(tmp_path / "net.npz")


def test_convolutions_that_disagree_about_a_map(tmp_path):
    second = (
        "  - {name: again, source: image, target: map, weight: conv.weight, convolution: "
        "{source_shape: [2, 4, 4], target_shape: [3, 2, 2], stride: 2, padding: 1, "
        "channels_last: true}}\nreadout:"
    )
    with pytest.raises(InputError, match="conv and again disagree about image"):
        read(tmp_path, "readout:", second)
