"""The float reference kernel follows the network's equations."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.simulate.float_reference import input_values, run_float
from tests import naive
from tests.kernels.test_crossbar import MAKERS, random_trace


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    make=st.sampled_from(MAKERS),
)
def test_equals_the_plain_twin(seed, make):
    rng = np.random.default_rng(seed)
    network = make(rng)
    trace = random_trace(network, rng, samples=2)
    answers = run_float(network, trace)
    spikes, potentials = naive.run_float(network, input_values(network, trace))
    # Single against double precision: a potential within 1e-5 of its threshold may fall either way.
    if np.array_equal(answers.spikes, spikes):
        np.testing.assert_allclose(answers.potential, potentials, rtol=1e-4, atol=1e-4)
    else:
        assert np.mean(answers.spikes != spikes) < 0.2
