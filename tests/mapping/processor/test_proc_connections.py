"""Synapses counted cleverly are those of the whole matrix."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.connectivity import Convolution, Sparse
from chipsim.mapping.processor import connections
from chipsim.network import Projection
from tests.mapping.processor.proc_cases import convolution, dense, sparse_projection


def matrix(projection: Projection) -> np.ndarray:
    """All synapses, bool (n_pre, n_post)."""
    kind = projection.connectivity
    if isinstance(kind, Convolution):
        ones = np.ones_like(projection.weight)
        pre, post = np.arange(kind.n_pre), np.arange(kind.n_post)
        return kind.block(ones, pre, post) > 0
    if isinstance(kind, Sparse):
        n_post = int(kind.post.max(initial=0)) + 1
        there = np.zeros((kind.starts.size - 1, n_post), bool)
        for pre in range(kind.starts.size - 1):
            there[pre, kind.post[kind.starts[pre] : kind.starts[pre + 1]]] = True
        return there
    return np.ones(projection.weight.shape[::-1], bool)


@st.composite
def projections(draw: st.DrawFn) -> Projection:
    kind = draw(st.sampled_from(["dense", "sparse", "conv"]))
    if kind == "dense":
        return dense("in", "out", draw(st.integers(1, 30)), draw(st.integers(1, 30)))
    if kind == "sparse":
        rng = np.random.default_rng(draw(st.integers(0, 999)))
        share = draw(st.floats(0, 1))
        return sparse_projection(rng, draw(st.integers(1, 30)), draw(st.integers(1, 30)), share)
    size = draw(st.integers(3, 7))
    return convolution(
        (draw(st.integers(1, 3)), size, draw(st.integers(3, 6))),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 2)),
        draw(st.integers(0, 1)),
        draw(st.booleans()),
    )


@given(projections(), st.data())
@settings(derandomize=True, max_examples=60, deadline=None)
def test_counts_are_those_of_the_matrix(projection: Projection, data: st.DataObject) -> None:
    there = matrix(projection)
    count_onto = connections.synapse_counter(projection)
    first = data.draw(st.integers(0, there.shape[1] - 1))
    count = data.draw(st.integers(1, there.shape[1] - first))
    wanted = there[:, first : first + count].sum(axis=1)
    assert np.array_equal(count_onto(first, count), wanted)
    if connections.is_uniform(projection):
        assert np.array_equal(count_onto(0, count), wanted)
    most = int(there.sum(axis=0).max())
    assert connections.fan_in(projection) >= most
    if not isinstance(projection.connectivity, Convolution):
        assert connections.fan_in(projection) == most


def test_delays() -> None:
    projection = sparse_projection(np.random.default_rng(0), 20, 20, 0.5)
    assert connections.shortest_delay(projection) == 1
    assert connections.longest_delay(projection) == 4
    assert connections.longest_delay(dense("in", "out", 2, 2, delay=3)) == 3
    assert connections.shortest_delay(dense("in", "out", 2, 2, delay=3)) == 3
