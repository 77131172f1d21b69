from pathlib import Path

import numpy as np
import pytest
import yaml
from build_checkpoint import Call, Name, Persistent, archive, pickled

from chipsim.errors import InputError
from chipsim.load.description import read_model
from chipsim.network import LIF, Input

RNG = np.random.default_rng(3)
SHAPES = {
    "fc1.weight": (3, 4),
    "fc1.bias": (3,),
    "fc2.weight": (2, 3),
    "fc2.bias": (2,),
    "rec.weight": (3, 3),
    "alpha1": (1,),
    "beta1": (4,),
    "eta1": (3,),
    "hebb1": (4, 3),
    "theta": (),
    "bad": (3, 4),
}
TENSORS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
TENSORS["theta"] = np.float32(0.35)
TENSORS["bad"][1, 2] = np.nan

TEXT = """\
model: small
steps: 5
populations:
  - {name: image, size: 4, model: input, kind: graded, maximum: 2.0}
  - {name: hidden, size: 3, model: lif, threshold: theta, decay: 0.4, reset: zero, fires: at}
  - {name: output, size: 2, model: lif, threshold: 0.5, decay: 1}
projections:
  - name: fc1
    source: image
    target: hidden
    weight: fc1.weight
    bias: fc1.bias
    attenuation_tau: 40
    plasticity: {rule: hp, alpha: alpha1, beta: beta1, eta: eta1, rho: 0.95, clamp: 4.0,
                 stored_trace: hebb1}
  - {name: fc2, source: hidden, target: output, weight: fc2.weight}
  - {name: rec, source: hidden, target: hidden, weight: rec.weight, delay: 1}
readout: {population: output, kind: membrane}
trace: ../traces/small.npz
"""


def model(folder, text=TEXT, **changes):
    np.savez(folder / "net.npz", **{**TENSORS, **changes})
    (folder / "net.npz").rename(folder / "net.pt")
    if text is not None:
        (folder / "net.yaml").write_text(text)
    return folder / "net.pt"


@pytest.mark.parametrize("kind", ["spike_count", "first_spike", "membrane"])
def test_every_kind_of_readout_is_taken_over(tmp_path, kind):
    text = TEXT.replace("kind: membrane", f"kind: {kind}")
    assert read_model(model(tmp_path, text)).network.readout_kind == kind


def test_everything_is_taken_over(tmp_path):
    path = model(tmp_path)
    loaded = read_model(path)
    network = loaded.network
    assert (network.name, network.steps, network.readout) == ("small", 5, "output")
    assert network.readout_kind == "membrane"
    image, hidden, output = network.populations
    assert image.model == Input("graded", 2.0)
    assert hidden.model == LIF(float(np.float32(0.35)), 0.4, "zero", "before_leak", "at")
    assert output.model == LIF(0.5, 1.0, "subtract", "before_leak", "above")
    fc1, fc2, rec = network.projections
    np.testing.assert_array_equal(fc1.weight, TENSORS["fc1.weight"])
    np.testing.assert_array_equal(fc1.bias, TENSORS["fc1.bias"])
    assert fc1.attenuation_tau == 40
    assert fc2.bias is None
    assert fc2.attenuation_tau is None
    assert fc2.plasticity is None
    assert (fc2.delay, rec.delay) == (0, 1)
    rule = fc1.plasticity
    assert rule.alpha == pytest.approx(float(TENSORS["alpha1"][0]))
    assert (rule.rho, rule.clamp) == (0.95, 4.0)
    np.testing.assert_array_equal(rule.beta, TENSORS["beta1"])
    np.testing.assert_array_equal(rule.eta, TENSORS["eta1"])
    np.testing.assert_array_equal(rule.stored_trace, TENSORS["hebb1"])
    for array in (fc1.weight, fc1.bias, rule.beta, rule.eta, rule.stored_trace):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert array.flags.writeable
    assert loaded.checkpoint == path
    assert loaded.description == tmp_path / "net.yaml"
    assert loaded.trace == tmp_path / "../traces/small.npz"
    assert loaded.notes == ("tensors of the checkpoint not used: fc2.bias, bad",)
    assert network.notes == ()


def test_other_element_types_and_layouts(tmp_path):
    weight = np.asfortranarray(TENSORS["fc1.weight"].astype(np.float64))
    path = model(tmp_path, **{"fc1.weight": weight, "fc2.weight": np.ones((2, 3), np.int8)})
    fc1, fc2, _ = read_model(path).network.projections
    np.testing.assert_array_equal(fc1.weight, TENSORS["fc1.weight"])
    assert fc1.weight.flags.c_contiguous
    assert fc2.weight.dtype == np.float32


def test_missing_stored_trace_is_noted(tmp_path):
    text = TEXT.replace("\n                 stored_trace: hebb1", "")
    network = read_model(model(tmp_path, text)).network
    assert network.projections[0].plasticity.stored_trace is None
    assert network.notes == ("fc1: no stored trace; a frozen network has none (H = 0)",)


def with_description(description):
    """Return a torch file that carries ``description``."""
    state = {}
    for key, (name, array) in enumerate(TENSORS.items()):
        storage = Persistent(
            ("storage", Name("torch FloatStorage"), str(key), "cpu", int(array.size))
        )
        strides = tuple(step // 4 for step in array.strides)
        arguments = (storage, 0, array.shape, strides, False, {})
        state[name] = Call("torch._utils _rebuild_tensor_v2", arguments)
    storages = {str(key): array.tobytes() for key, array in enumerate(TENSORS.values())}
    return archive(pickled({"state_dict": state, "chipsim": description}), storages)


def test_description_inside_the_checkpoint_wins(tmp_path):
    path = tmp_path / "net.pt"
    path.write_bytes(with_description(yaml.safe_load(TEXT)))
    loaded = read_model(path)
    assert loaded.description == "inside the checkpoint"
    np.testing.assert_array_equal(loaded.network.projections[0].weight, TENSORS["fc1.weight"])
    (tmp_path / "net.yaml").write_text("nonsense: 1\n")
    assert any("net.yaml is not read" in note for note in read_model(path).notes)


def test_mistake_inside_the_checkpoint_is_located(tmp_path):
    description = yaml.safe_load(TEXT)
    description["populations"][1]["size"] = -3
    path = tmp_path / "net.pt"
    path.write_bytes(with_description(description))
    with pytest.raises(InputError, match=r"net\.pt \(chipsim\): populations\[1\]\.size: expected"):
        read_model(path)


def test_no_description(tmp_path):
    path = model(tmp_path, None)
    with pytest.raises(InputError, match=r"chipsim describe .*net\.pt"):
        read_model(path)


@pytest.mark.parametrize(
    ("old", "new", "where", "part"),
    [
        ("weight: fc1.weight", "weight: fc1.wieght", "11:13", 'did you mean "fc1.weight"'),
        ("weight: fc1.weight", "weight: zzz", "11:13", "it has fc1.weight, fc1.bias"),
        ("size: 4", "size: 7", "11:13", "fc1.weight is (3, 4), needs (3, 7)"),
        ("weight: fc1.weight", "weight: hebb1", "11:13", "hebb1 is (4, 3), needs (3, 4); it is tr"),
        ("weight: fc1.weight", "weight: bad", "11:13", "bad has 1 values that are not finite"),
        ("bias: fc1.bias", "bias: fc2.bias", "12:11", "fc2.bias is (2,), needs (3,)"),
        ("alpha: alpha1", "alpha: beta1", "", "beta1 is (4,), needs one number"),
        ("beta: beta1", "beta: eta1", "", "eta1 is (3,), needs (4,)"),
        ("eta: eta1", "eta: beta1", "", "beta1 is (4,), needs (3,)"),
        ("trace: hebb1", "trace: fc1.weight", "15:32", "fc1.weight is (3, 4), needs (4, 3)"),
        ("rho: 0.95", "rho: 1.5", "", "from 0 to 1,"),
        ("clamp: 4.0", "clamp: 0", "", "above 0"),
        ("rule: hp", "rule: stdp", "14:24", "expected hp"),
        ("decay: 0.4", "decay: 1.4", "", "from 0 to 1,"),
        ("threshold: theta", "threshold: 0", "", "above 0"),
        ("threshold: theta", "threshold: zzz", "", "no tensor zzz"),
        ("threshold: theta", "threshold: null", "", "number"),
        ("decay: 0.4", "decay: theta2", "", 'did you mean "theta"'),
        ("size: 3", "size: 0", "5:26", "from 1 to"),
        ("reset: zero", "reset: soft", "", "subtract, zero, none"),
        ("name: output, size", "name: hidden, size", "6:12", "names must differ"),
        ("name: fc2", "name: fc1", "16:12", "names must differ"),
        ("name: output, size", "name: out put, size", "6:12", "without spaces"),
        ("source: image", "source: imgae", "9:13", 'did you mean "image"'),
        ("target: output", "target: zzz", "16:41", "known: image, hidden, output"),
        ("target: output", "target: image", "16:41", "nothing projects onto it"),
        ("delay: 1", "delay: 0", "8:3", "delay-0 loop"),
        ("delay: 1", "delay: -1", "17:76", "from 0 to"),
        ("attenuation_tau: 40", "attenuation_tau: 0", "13:22", "above 0"),
        ("population: output", "population: image", "18:23", "gives no answer"),
        ("population: output", "population: outputs", "18:23", 'did you mean "output"'),
        ("kind: membrane", "kind: rate", "18:37", "spike_count"),
        ("kind: graded, maximum: 2.0", "kind: spikes, maximum: 2.0", "4:65", "leave maximum out"),
        ("kind: graded, maximum: 2.0", "kind: graded, maximum: -1", "4:65", "above 0"),
        ("steps: 5", "steps: 0", "2:8", "from 1 to"),
        ("steps: 5", "steps: TODO", "2:8", "still says TODO"),
        ("steps: 5\n", "", "1:1", "steps: missing"),
        ("steps: 5", "steps: 5\nstesp: 6", "3:1", "unknown key"),
        ("threshold: 0.5", "threshold: 0.5, tau: 3", "6:57", "unknown key"),
    ],
)
def test_mistakes_are_located(tmp_path, old, new, where, part):
    assert TEXT.count(old) >= 1
    path = model(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_model(path)
    message = str(caught.value)
    assert part in message
    assert message.startswith(f"{tmp_path / 'net.yaml'}:{where or place_of_value(old, new)}: ")


def place_of_value(old, new):
    """Return line:column, counted from 1, of the value of the key that was changed."""
    before = TEXT[: TEXT.index(old)] + new[: new.index(": ") + 2]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_no_input_population(tmp_path):
    lif = "model: lif, threshold: 1, decay: 1"
    text = TEXT.replace("model: input, kind: graded, maximum: 2.0", lif)
    with pytest.raises(InputError, match="one population must be an input"):
        read_model(model(tmp_path, text))


def test_population_nothing_drives(tmp_path):
    text = TEXT.replace("target: output", "target: hidden").replace("fc2.weight", "rec.weight")
    with pytest.raises(InputError, match="nothing projects onto population output"):
        read_model(model(tmp_path, text))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_scalar_tensors_are_bounded(tmp_path, value):
    with pytest.raises(InputError, match="theta h"):
        read_model(model(tmp_path, theta=np.float32(value)))


def test_values_too_large_for_float32(tmp_path):
    with pytest.raises(InputError, match="not finite in float32"):
        read_model(model(tmp_path, **{"fc1.bias": np.array([0.0, 1e300, 0.0])}))


def test_text_tensors_are_refused(tmp_path):
    with pytest.raises(InputError, match="numbers are needed"):
        read_model(model(tmp_path, **{"fc1.bias": np.array(["a", "b", "c"])}))


def test_shipped_models_load():
    root = Path(__file__).parents[2]
    for path in sorted((root / "models").glob("*.pt")):
        loaded = read_model(path)
        assert loaded.network.projections, path
        assert all("tensors of the checkpoint not used" in note for note in loaded.notes), path
