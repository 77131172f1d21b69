"""Learning rules in descriptions: read as they stand, refused where they cannot be."""

import numpy as np
import pytest
import yaml

from chipsim.errors import InputError
from chipsim.load.description import read_model
from chipsim.plasticity import PairSTDP, Reward

EPROP = {
    "rule": "eprop",
    "layer": "hidden",
    "readout": "out",
    "feedback": "random",
    "feedback_weight": "B",
    "task": "classification",
    "window": 20,
    "tau_readout": 10,
    "rate_cost": 2.0,
    "optimiser": "adam",
    "learning_rate": 0.01,
    "batch": 8,
}
STDP = {
    "potentiation": 0.01,
    "depression": 0.012,
    "tau_plus": 20,
    "tau_minus": 25,
    "high": 1.0,
    "reward": {"population": "reward", "tau_eligibility": 1000, "tau_dopamine": 200},
}
TENSORS = {
    "w": np.ones((4, 3), np.float32),
    "o": np.ones((2, 4), np.float32),
    "B": np.arange(8, dtype=np.float32).reshape(4, 2),
}


def description(learning=None, stdp=None):
    first = {"name": "in", "source": "input", "target": "hidden", "weight": "w"}
    text = {
        "steps": 30,
        "populations": [
            {"name": "input", "size": 3, "model": "input", "kind": "spikes"},
            {"name": "reward", "size": 1, "model": "input", "kind": "spikes"},
            {"name": "hidden", "size": 4, "model": "lif", "threshold": 1.0, "decay": 0.9},
            {"name": "y", "size": 2, "model": "lif", "threshold": 1.0, "decay": 0.9,
             "reset": "none"},
        ],
        "projections": [
            first | ({"stdp": stdp} if stdp else {}),
            {"name": "out", "source": "hidden", "target": "y", "weight": "o"},
        ],
        "readout": {"population": "y", "kind": "membrane"},
    }  # fmt: skip
    return text | ({"learning": learning} if learning else {})


def read(tmp_path, **parts):
    np.savez(tmp_path / "net.npz", **TENSORS)
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(description(**parts)))
    return read_model(tmp_path / "net.npz").network


def test_eprop_is_read(tmp_path):
    rule = read(tmp_path, learning=EPROP).learning
    assert (rule.layer, rule.readout, rule.kind, rule.task) == (
        "hidden", "out", "random", "classification",
    )  # fmt: skip
    np.testing.assert_array_equal(rule.feedback, TENSORS["B"].T)
    assert (rule.window, rule.batch, rule.tau_readout, rule.rate_cost) == (20, 8, 10.0, 2.0)
    assert (rule.dampening, rule.rate_target, rule.decay2) == (0.3, 0.01, 0.999)


def test_symmetric_feedback_needs_no_weights(tmp_path):
    learning = EPROP | {"feedback": "symmetric"}
    assert read(tmp_path, learning=learning).learning.feedback is None
    del learning["feedback_weight"]
    assert read(tmp_path, learning=learning).learning.feedback is None


def test_a_network_without_rules_has_none(tmp_path):
    network = read(tmp_path)
    assert network.learning is None
    assert all(projection.stdp is None for projection in network.projections)


def test_stdp_is_read(tmp_path):
    rule = read(tmp_path, stdp=STDP).projections[0].stdp
    assert rule == PairSTDP(0.01, 0.012, 20.0, 25.0, 0.0, 1.0, Reward("reward", 1000.0, 200.0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layer": "hiden"}, "did you mean"),
        ({"layer": "input"}, "model: lif"),
        ({"readout": "in"}, "comes from input, not from hidden"),
        ({"readout": "nothing"}, "no projection is called"),
        ({"feedback": "none"}, "random"),
        ({"feedback_weight": "o"}, "transposed"),
        ({"window": 31}, "30"),
        ({"optimiser": "lion"}, "sgd"),
        ({"learning_rate": 0}, "above 0"),
        ({"learning_rat": 1}, "learning_rate"),
    ],
)
def test_a_wrong_rule_is_refused_at_its_place(tmp_path, change, words):
    with pytest.raises(InputError, match=words) as raised:
        read(tmp_path, learning=EPROP | change)
    assert "net.yaml:" in str(raised.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"high": -1.0}, "above 0"),
        ({"low": 2.0}, "not above low"),
        ({"tau_plus": 0}, "above 0"),
        ({"reward": {"population": "hidden", "tau_eligibility": 9, "tau_dopamine": 9}}, "input"),
    ],
)
def test_wrong_stdp_is_refused_at_its_place(tmp_path, change, words):
    with pytest.raises(InputError, match=words) as raised:
        read(tmp_path, stdp=STDP | change)
    assert "net.yaml:" in str(raised.value)


def test_the_readout_must_be_a_leaky_integrator(tmp_path):
    text = description(learning=EPROP)
    del text["populations"][3]["reset"]
    np.savez(tmp_path / "net.npz", **TENSORS)
    (tmp_path / "net.yaml").write_text(yaml.safe_dump(text))
    with pytest.raises(InputError, match="reset: none"):
        read_model(tmp_path / "net.npz")
