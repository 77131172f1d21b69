"""The Pareto front equals its definition, tried on every pair of points."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chipsim.study.pareto import pareto_front


def brute_force(costs):
    def beaten(row):
        return any((other <= row).all() and (other < row).any() for other in costs)

    return np.array([not beaten(row) for row in costs], bool)


tables = st.tuples(st.integers(0, 12), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0, 3.0]))
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(tables)
def test_it_is_what_the_definition_says(costs):
    np.testing.assert_array_equal(pareto_front(costs), brute_force(costs))


def test_equal_points_are_on_it_together():
    assert pareto_front(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]])).tolist() == [
        True,
        True,
        False,
    ]
