import io
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chipsim.errors import InputError
from chipsim.load.traces import check_trace, first_samples, read_trace, write_trace
from chipsim.network import LIF, Input, Network, Population, Projection, Trace

HELD = Trace(
    "t",
    scale=1 / 255,
    held=np.arange(12, dtype=np.uint8).reshape(3, 4),
    labels=np.array([0, 1, 1], dtype=np.int64),
)
SPIKES = Trace("t", spikes=np.arange(24).reshape(2, 3, 4) % 2)
GRADED = Trace("t", graded=np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 4))


def network(kind="graded", sizes=(4,), steps=3, maximum=1.0):
    inputs = [Population(f"in{i}", n, Input(kind, maximum)) for i, n in enumerate(sizes)]
    out = Population("out", 2, LIF(1.0, 0.5))
    projections = [
        Projection(p.name, p.name, "out", np.ones((2, p.size), dtype=np.float32)) for p in inputs
    ]
    return Network("net", steps, (*inputs, out), tuple(projections), "out")


def save(path, **fields):
    np.savez(path, **{"format": "chipsim-trace-1", **fields})
    return path


def same(left, right):
    for form in ("held", "graded", "spikes", "labels"):
        a, b = getattr(left, form), getattr(right, form)
        assert (a is None) == (b is None), form
        if a is not None:
            np.testing.assert_array_equal(a, b)
    assert left.scale == right.scale


@pytest.mark.parametrize("trace", [HELD, SPIKES, GRADED])
def test_written_traces_come_back(tmp_path, trace):
    path = tmp_path / "digits.npz"
    write_trace(path, trace)
    got = read_trace(path)
    assert got.name == "digits"
    same(got, trace)
    if trace.spikes is None:
        assert got.values.dtype == trace.values.dtype
    assert os.listdir(tmp_path) == ["digits.npz"]
    # Read by numpy alone, without pickle.
    assert str(np.load(path, allow_pickle=False)["format"]) == "chipsim-trace-1"


@given(
    spikes=hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3), elements=st.integers(0, 1)),
    data=st.data(),
)
@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_events_equal_their_dense_form(tmp_path, spikes, data):
    samples, times, ids = np.nonzero(spikes)
    pointers = [0, *(int(np.sum(samples <= s)) for s in range(len(spikes)))]
    if len(times):  # an event given twice is one spike
        again = data.draw(st.integers(0, len(times) - 1))
        times, ids = np.insert(times, again, times[again]), np.insert(ids, again, ids[again])
        pointers = [p + (s > samples[again]) for s, p in enumerate(pointers)]
    path = save(
        tmp_path / "events.npz",
        sample_ptr=np.array(pointers),
        times=times.astype(np.uint32),
        ids=ids.astype(np.uint16),
        steps=spikes.shape[1],
        neurons=spikes.shape[2],
    )
    np.testing.assert_array_equal(read_trace(path).spikes, spikes)


def test_write_failure_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments, **fields):
        raise OSError(28, "No space left on device")

    path = tmp_path / "t.npz"
    write_trace(path, SPIKES)
    before = path.read_bytes()
    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(InputError, match="No space left"):
        write_trace(path, HELD)
    assert os.listdir(tmp_path) == ["t.npz"]
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="cannot be written"):
        write_trace(tmp_path / "none" / "t.npz", HELD)


@pytest.mark.parametrize(
    ("array", "form", "shape"),
    [
        (np.eye(3, 4, dtype=bool), "spikes", (1, 3, 4)),
        (np.ones((2, 3, 4)), "spikes", (2, 3, 4)),
        (np.full((3, 4), 0.5), "graded", (1, 3, 4)),
        (np.full((2, 3, 4), 7, dtype=np.uint8), "graded", (2, 3, 4)),
        (np.asfortranarray(np.full((2, 3, 4), 7, dtype=">i2")), "graded", (2, 3, 4)),
    ],
)
def test_dense_npy(tmp_path, array, form, shape):
    path = tmp_path / "dense.npy"
    np.save(path, array)
    got = read_trace(path)
    values = getattr(got, form)
    assert values.shape == shape
    np.testing.assert_array_equal(values, array.reshape(shape))


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.zeros((1, 2, 3, 4)), np.zeros((0, 4)), np.array([["a"]])]
)
def test_dense_npy_refused(tmp_path, array):
    np.save(tmp_path / "dense.npy", array)
    with pytest.raises(InputError, match=r"dense\.npy: the array has shape"):
        read_trace(tmp_path / "dense.npy")


EVENTS = {
    "sample_ptr": np.array([0, 2, 3]),
    "times": np.array([0, 2, 1]),
    "ids": np.array([0, 3, 1]),
    "steps": 3,
    "neurons": 4,
}
CUBE = np.zeros((2, 3, 4))


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({}, "exactly one of held"),
        ({"held": np.zeros((2, 4)), "spikes": CUBE}, "found: held, spikes"),
        ({"held": np.zeros((2, 4)), "times": np.zeros(2)}, "found: held, events"),
        ({"held": CUBE}, r"held has shape \(2, 3, 4\)"),
        ({"graded": np.zeros((2, 4))}, "numbers of shape"),
        ({"spikes": CUBE[:0]}, "numbers of shape"),
        ({"spikes": CUBE + 2}, "other than 0 and 1"),
        ({"spikes": CUBE * np.nan}, "other than 0 and 1"),
        ({"held": np.full((2, 4), "a")}, "numbers of shape"),
        ({"format": "chipsim-trace-9", "spikes": CUBE}, "chipsim-trace-9"),
        ({"format": 1, "spikes": CUBE}, "'format' is missing"),
        ({"spikes": CUBE, "lables": np.zeros(2, int)}, "unknown field 'lables'"),
        ({"spikes": CUBE, "labels": np.zeros(3, int)}, r"labels have shape \(3,\), needs \(2,\)"),
        ({"spikes": CUBE, "labels": np.zeros(2)}, "labels are float64"),
        ({"spikes": CUBE, "labels": np.array([0, -1])}, "label -1"),
        ({"spikes": CUBE, "labels": np.array([0, 2**64 - 1], np.uint64)}, "label -1"),
        ({"spikes": CUBE, "scale": 0.0}, "scale is 0"),
        ({"spikes": CUBE, "scale": np.nan}, "scale is nan"),
        ({"spikes": CUBE, "scale": np.inf}, "scale is inf"),
        ({"spikes": CUBE, "scale": np.ones(2)}, "one number"),
        ({"spikes": CUBE, "scale": "1"}, "one number"),
        ({**EVENTS, "ids": np.array([0, 4, 1])}, "ids must lie in 0 to 3"),
        ({**EVENTS, "times": np.array([0, -1, 1])}, "times must lie in 0 to 2"),
        ({**EVENTS, "times": np.array([0, 1])}, "sample_ptr must run"),
        ({**EVENTS, "times": np.zeros(3)}, "whole numbers"),
        ({**EVENTS, "sample_ptr": np.array([0, 4, 3])}, "must not decrease"),
        ({**EVENTS, "sample_ptr": np.array([0, -(2**63), 2**63 - 1, 3])}, "must not decrease"),
        ({**EVENTS, "sample_ptr": np.array([1, 3])}, "sample_ptr must run"),
        ({**EVENTS, "sample_ptr": np.array([0])}, "0 samples"),
        ({**EVENTS, "sample_ptr": np.array([], int)}, "-1 samples"),
        ({**EVENTS, "neurons": 10**12}, "when dense"),
        ({**EVENTS, "neurons": 2.5}, "when dense"),
        ({**EVENTS, "neurons": np.nan}, "neurons"),
        ({**EVENTS, "steps": 0}, "0 steps"),
        ({k: v for k, v in EVENTS.items() if k != "steps"}, "need the field 'steps'"),
        ({k: v for k, v in EVENTS.items() if k != "ids"}, "need the field 'ids'"),
    ],
)
def test_wrong_fields(tmp_path, fields, part):
    path = save(tmp_path / "trace.npz", **fields)
    with pytest.raises(InputError, match=part) as caught:
        read_trace(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_no_format_and_no_trace(tmp_path):
    np.savez(tmp_path / "a.npz", held=np.zeros((2, 4)))
    with pytest.raises(InputError, match="'format' is missing"):
        read_trace(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"\x80\x04.")
    with pytest.raises(InputError, match="a trace is an"):
        read_trace(tmp_path / "b.npz")
    with pytest.raises(InputError, match="no such file"):
        read_trace(tmp_path / "c.npz")


def good_trace() -> bytes:
    buffer = io.BytesIO()
    fields = {"format": "chipsim-trace-1", "scale": 0.5, "labels": np.zeros(2, int), "graded": CUBE}
    np.savez_compressed(buffer, **fields)
    return buffer.getvalue()


def good_npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, CUBE)
    return buffer.getvalue()


GOOD = [good_trace(), good_npy()]


@given(
    which=st.integers(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4),
    kept=st.floats(0.5, 1),
)
@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_flipped_bytes_give_a_trace_or_an_input_error(tmp_path, which, flips, kept):
    data = bytearray(GOOD[which])
    for place, value in flips:
        data[int(place * len(data))] = value
    if kept < 0.6:
        data = data[: int(kept * len(data))]
    path = tmp_path / "trace"
    path.write_bytes(data)
    try:
        trace = read_trace(path)
    except InputError as error:
        if str(path) not in str(error):
            raise
    else:
        assert trace.values.ndim == 3


@pytest.mark.parametrize("trace", [HELD, SPIKES, GRADED])
def test_good_traces_pass(trace):
    check_trace(trace, network())
    check_trace(trace, network(sizes=(1, 3)))


def test_spiking_inputs_take_only_zero_and_one():
    check_trace(SPIKES, network("spikes"))
    check_trace(Trace("t", held=np.eye(4)), network("spikes"))
    with pytest.raises(InputError, match="takes spikes"):
        check_trace(GRADED, network("spikes"))
    with pytest.raises(InputError, match="takes spikes"):
        check_trace(Trace("t", 0.5, spikes=SPIKES.spikes), network("spikes"))


@pytest.mark.parametrize(
    ("trace", "net", "part"),
    [
        (HELD, network(sizes=(5,)), "has 4 inputs, the network's input population 'in0' has 5"),
        (HELD, network(sizes=(1, 2)), "'in0', 'in1' together have 3"),
        (GRADED, network(steps=4), "has 3 steps a sample, the network 'net' runs 4"),
        (Trace("t", held=np.full((2, 4), 255)), network(), "run from 255 to 255"),
        (Trace("t", held=np.full((2, 4), -0.1)), network(), "from -0.1"),
        (Trace("t", held=np.full((2, 4), np.nan)), network(), "not finite"),
        (Trace("t", held=np.array([[0, 0, 0, np.inf]])), network(), "not finite"),
        (Trace("t", 2.0, held=np.ones((2, 4))), network(), "from 2 to 2"),
        (Trace("t", held=np.ones((2, 4)), labels=np.array([0, 2])), network(), "label 2 occurs"),
        (Trace("t", held=np.ones((2, 4)), labels=np.array([0, -1])), network(), "label -1"),
        (Trace("t", held=np.ones((2, 4)), labels=np.array([0])), network(), r"needs \(2,\)"),
    ],
)
def test_traces_that_do_not_suit(trace, net, part):
    with pytest.raises(InputError, match=part):
        check_trace(trace, net)


def test_second_input_is_checked_against_its_own_maximum():
    net = network(sizes=(3, 1))
    values = np.array([[0.0, 0, 0, 3.0]])
    with pytest.raises(InputError, match="'in1'"):
        check_trace(Trace("t", held=values), net)


def test_first_samples():
    got = first_samples(HELD, 2, first=1)
    np.testing.assert_array_equal(got.held, HELD.held[1:])
    np.testing.assert_array_equal(got.labels, [1, 1])
    assert got.scale == HELD.scale
    assert first_samples(GRADED, 1).graded.shape == (1, 3, 4)
    for count, first in ((0, 0), (4, 0), (3, 1), (1, -1)):
        with pytest.raises(InputError, match="3 samples"):
            first_samples(HELD, count, first=first)
