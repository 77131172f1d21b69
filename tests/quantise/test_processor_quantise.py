"""Networks in a processor's fixed point: what stands for what, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.connectivity import Convolution
from chipsim.errors import DoesNotFitError, InputError
from chipsim.kernels.processor.layout import ONE
from chipsim.network import LIF, Graded, Input, Network, Population, Projection, Trace
from chipsim.plasticity import HybridPlasticity
from chipsim.quantise.processor import shifts
from chipsim.quantise.processor.connections import rows_of
from chipsim.quantise.processor.learning import schedule, update_rate
from chipsim.quantise.processor.numbers import resolution
from chipsim.quantise.processor.quantise import quantise_for_processor
from chipsim.quantise.processor.targets import targets_of
from tests.quantise import processor_cases as cases

seeds = st.integers(0, 2**32 - 1)


def quantised(network, offsets=cases.OFFSETS, rounding="truncate", **core):
    return quantise_for_processor(network, cases.chip_with(rounding, **core), offsets)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=seeds)
def test_integers_stand_for_the_weights(seed):
    network = cases.static_network(np.random.default_rng(seed))
    processor = quantised(network)
    for given_, made in zip(network.projections, processor.projections, strict=True):
        target = processor.population(made.target)
        n_pre = network.population(given_.source).size
        rows = rows_of(given_, n_pre, target.size)
        step = np.array([resolution(shift) for shift in target.shifts])[made.type]
        values = np.where(made.type == 1, -1, 1) * made.weight.astype(np.float64) * step
        np.testing.assert_allclose(values, rows.weight, atol=0.5 * step.max(initial=0.0))
        assert made.weight.max(initial=0) <= 65535 // 2 + 1, "the scale leaves a factor of two"
        lag = cases.OFFSETS[made.target] - cases.OFFSETS[made.source]
        np.testing.assert_array_equal(made.delay, rows.delay + lag)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(seed=seeds)
def test_flat_synapses_are_those_of_the_projections(seed):
    network = cases.static_network(np.random.default_rng(seed))
    processor = quantised(network)
    neurons = sum(population.size for population in network.populations)
    for made in processor.projections:
        part = slice(made.first_synapse, made.first_synapse + len(made.post))
        row, post = np.divmod(processor.program.place[part].astype(np.int64), neurons)
        np.testing.assert_array_equal(row, 2 * made.delay.astype(np.int64) + made.type)
        np.testing.assert_array_equal(post - processor.population(made.target).first, made.post)
        np.testing.assert_array_equal(processor.program.weight[part], made.weight)
        for low, high in zip(made.starts, made.starts[1:], strict=False):
            assert (np.diff(made.post[low:high].astype(np.int64)) > 0).all()


def test_learning_weights_are_signed_and_have_room():
    network = cases.learning_network(np.random.default_rng(5))
    processor = quantised(network)
    for name in ("hidden", "readout"):
        population = processor.population(name)
        rows = [rows_of(p, network.population(p.source).size, population.size)
                for p in network.incoming(name)]  # fmt: skip
        assert population.types == 1
        # Of sums as of weights: a readout's grow most, as its weights come to agree.
        covered = 2.0 ** population.shifts[0] / shifts.GROWTH
        assert shifts.expected_sum(rows, population.size, 0) <= covered
        assert max(np.abs(p.weight).max() for p in network.incoming(name)) <= covered
    made = processor.projections[0]
    step = resolution(processor.population("hidden").shifts[0])
    values = made.weight.view(np.int16).astype(np.float64) * step
    np.testing.assert_allclose(values, network.projections[0].weight.T.ravel(), atol=step / 2)


def test_the_shift_is_that_of_spynnaker():
    """Mean plus five sigma of Poisson spikes, at least the largest weight."""
    weight = np.full((1, 400), 0.5, np.float32)
    projection = Projection("p", "a", "b", weight)
    rows = rows_of(projection, 400, 1)
    mean, sigma = 400 * 0.03 * 0.5, np.sqrt(400 * 0.03 * 0.25)
    assert shifts.expected_sum([rows], 1, 1) == pytest.approx(mean + 5 * sigma)
    assert shifts.expected_sum([rows], 1, -1) == 0.0
    one = rows_of(replace(projection, weight=weight[:, :1]), 1, 1)
    assert shifts.expected_sum([one], 1, 1) == 0.5
    assert [shifts.covering_shift(x) for x in (0.3, 1.0, 1.1, 14.7, 1e9)] == [0, 0, 1, 4, 16]


def test_a_convolution_is_its_matrix():
    rng = np.random.default_rng(2)
    form = Convolution((2, 5, 4), (3, 3, 2), stride=2, padding=1)
    kernel = rng.normal(size=(3, 2, 3, 3)).astype(np.float32)
    matrix = np.zeros((18, 40))
    for o, y, x, i, dy, dx in np.ndindex(3, 3, 2, 2, 3, 3):
        sy, sx = y * 2 + dy - 1, x * 2 + dx - 1
        if 0 <= sy < 5 and 0 <= sx < 4:
            matrix[(o * 3 + y) * 2 + x, (i * 5 + sy) * 4 + sx] = kernel[o, i, dy, dx]
    rows = rows_of(Projection("c", "a", "b", kernel, connectivity=form), 40, 18)
    found = np.zeros((18, 40))
    for i, (low, high) in enumerate(zip(rows.starts, rows.starts[1:], strict=False)):
        found[rows.post[low:high], i] = rows.weight[low:high]
    np.testing.assert_array_equal(found, matrix.astype(np.float32))


def test_parameters_are_s16_15_and_u0_32():
    network = cases.learning_network(np.random.default_rng(1))
    record = quantised(network).program.populations[1]
    model = network.population("hidden").model
    assert record["threshold"] == round(model.threshold * ONE)
    assert record["decay"] == round(model.decay * 2**32)
    assert record["refractory"] == model.refractory


def test_rates_of_updates():
    rule = cases.learning_network(np.random.default_rng(1)).learning
    sgd = replace(rule, optimiser="sgd", task="classification", window=10, batch=4)
    assert update_rate(sgd, 40, 3) == round(0.05 / 40 * 2**32)
    adam = replace(rule, optimiser="adam")
    corrected = np.sqrt(1 - 0.999**3) / (1 - 0.9**3)
    assert schedule(adam, 40, 2, 1)[0] == round(0.05 * corrected * 2**31)
    with pytest.raises(InputError, match="raise it"):
        update_rate(replace(sgd, learning_rate=1e-12), 40, 0)


def test_targets_come_from_labels_or_curves():
    rng = np.random.default_rng(1)
    network = cases.learning_network(rng, task="classification", window=10)
    outputs = network.population("readout").size
    spikes = np.zeros((1, 40, network.populations[0].size), np.uint8)
    target, asked = targets_of(network, Trace("t", spikes=spikes, labels=np.zeros(1, np.int64)), 0)
    assert asked.tolist() == [0] * 30 + [1] * 10
    assert (target[:, 0] == ONE).all()
    assert not target[:, 1:].any()
    curve = np.zeros((40, outputs), np.float32)
    curve[35, 0] = 1.0
    _, asked = targets_of(network, Trace("t", spikes=spikes, targets=curve), 0)
    assert np.flatnonzero(asked).tolist() == [35]
    with pytest.raises(InputError, match="targets"):
        targets_of(network, Trace("t", spikes=spikes), 0)
    with pytest.raises(InputError, match="steps x readout"):
        targets_of(network, Trace("t", spikes=spikes, targets=curve[:-1]), 0)


def changed(network, **parts):
    """Return ``network`` with its hidden population's model or its first projection changed."""
    populations, projections = list(network.populations), list(network.projections)
    if "hidden" in parts:
        populations[1] = replace(populations[1], model=parts["hidden"])
    if "source" in parts:
        populations[0] = replace(populations[0], model=parts["source"])
    if "first" in parts:
        projections[0] = replace(projections[0], **parts["first"])
    return replace(network, populations=tuple(populations), projections=tuple(projections))


RULE = HybridPlasticity(0.1, np.zeros(1), np.zeros(1), 0.9, 4.0)

REFUSED = {
    "graded": {"source": Input("graded")},
    "model: lif": {"hidden": Graded("relu")},
    "attenuation": {"first": {"attenuation_tau": 3.0}},
    "hybrid": {"first": {"plasticity": RULE}},
    "does not fit S16.15": {"hidden": LIF(1e6, 0.9)},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_the_programs_do_not_do_is_refused(words):
    network = changed(cases.static_network(np.random.default_rng(0)), **REFUSED[words])
    with pytest.raises(InputError, match=words):
        quantised(network)


def test_other_arithmetic_is_refused():
    network = cases.static_network(np.random.default_rng(0))
    with pytest.raises(InputError, match=r"S16\.15"):
        quantised(network, fraction_bits=8)
    with pytest.raises(InputError, match="16 and 16"):
        quantised(network, weight_bits=8)


@pytest.mark.parametrize("offset", [0, 145])
def test_a_delay_beyond_the_last_stage_does_not_fit(offset):
    network = cases.static_network(np.random.default_rng(0))
    with pytest.raises(DoesNotFitError, match="make 1 to 144"):
        quantised(network, {**cases.OFFSETS, "hidden": offset, "readout": offset + 1})


LEARNING_REFUSED = {
    "batch: 0": {"batch": 0},
    "must agree": {"tau_readout": 300.0},
    "needs weights": {"kind": "random", "feedback": np.zeros((1, 1), np.float32)},
}


@pytest.mark.parametrize("words", LEARNING_REFUSED)
def test_rules_that_do_not_fit_are_refused(words):
    rng = np.random.default_rng(8)
    network = cases.learning_network(rng, optimiser="adam", rate_cost=1.0)
    changes = LEARNING_REFUSED[words]
    with pytest.raises(InputError, match=words):
        quantised(replace(network, learning=replace(network.learning, **changes)))


def test_neurons_the_rule_is_not_defined_for_are_refused():
    network = cases.learning_network(np.random.default_rng(8))
    model = network.population("hidden").model
    with pytest.raises(InputError, match="fires: at"):
        quantised(changed(network, hidden=replace(model, fires="above")))
    with pytest.raises(InputError, match=r"1\.45 steps"):
        quantised(changed(network, hidden=replace(model, decay=0.3)))


def test_stdp_keeps_weights_within_its_bounds():
    network = cases.stdp_network(np.random.default_rng(0), False)
    first = network.projections[0]
    outside = replace(first, weight=first.weight - 2.0)
    with pytest.raises(InputError, match="outside stdp"):
        quantised(replace(network, projections=(outside, *network.projections[1:])))
    tiny = replace(first, stdp=replace(first.stdp, potentiation=1e-12))
    with pytest.raises(InputError, match="potentiation"):
        quantised(replace(network, projections=(tiny, *network.projections[1:])))


def test_losses_tell_what_rounding_cost():
    losses = quantised(cases.static_network(np.random.default_rng(0))).losses
    assert [loss.projection for loss in losses] == ["in", "loop", "skip", "out"]
    assert all(loss.clipped == 0 and loss.snr_db > 60 for loss in losses if loss.values)


def test_a_network_of_inputs_alone_is_nothing_to_add_up():
    population = Population("input", 3, Input("spikes"))
    network = Network("n", 5, (population,), (), "input")
    processor = quantised(network, {"input": 0})
    assert len(processor.program.place) == 0
    assert processor.learning is None
