"""Convolutions in blocks and windows, beside the matrix written out from the definition."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.connectivity import Convolution
from tests.naive import unrolled


@st.composite
def convolutions(draw):
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    stride, padding = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    source = (
        draw(st.integers(1, 3)),
        draw(st.integers(max(1, kernel[0] - 2 * padding), 6)),
        draw(st.integers(max(1, kernel[1] - 2 * padding), 6)),
    )
    high, wide = ((source[axis + 1] + 2 * padding - kernel[axis]) // stride + 1 for axis in (0, 1))
    target = (draw(st.integers(1, 3)), high, wide)
    made = Convolution(source, target, stride, padding, draw(st.booleans()))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return made, rng.integers(1, 100, (target[0], source[0], *kernel))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(made=convolutions(), data=st.data())
def test_blocks_windows_and_synapses(made, data):
    convolution, weight = made
    matrix = unrolled(weight, convolution)
    assert matrix.shape == (convolution.n_pre, convolution.n_post)
    low = data.draw(st.integers(0, convolution.n_post - 1))
    count = data.draw(st.integers(1, convolution.n_post - low))
    post = np.arange(low, low + count)
    every = np.arange(convolution.n_pre)
    np.testing.assert_array_equal(convolution.block(weight, every, post), matrix[:, post])
    np.testing.assert_array_equal(convolution.block(weight, every[::2], post), matrix[::2, post])
    kernel = weight.shape[2], weight.shape[3]
    runs = convolution.window(kernel, low, count)
    seen = [pre for first, n in runs for pre in range(first, first + n)]
    assert seen == np.flatnonzero(matrix[:, post].any(axis=1)).tolist()
    assert all(a + n < b for (a, n), (b, _) in pairwise(runs))
    assert convolution.synapses(kernel) == np.count_nonzero(matrix)


@pytest.mark.parametrize(
    ("last", "expected"), [(False, [5, 5, 5, 5, 7, 7, 7, 7]), (True, [5, 7] * 4)]
)
def test_channels_in_both_orders(last, expected):
    made = Convolution((1, 2, 2), (2, 2, 2), channels_last=last)
    assert made.by_channel(np.array([5, 7])).tolist() == expected


def test_as_torch_has_it():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    weight, x = rng.normal(size=(4, 3, 3, 2)), rng.normal(size=(3, 7, 6))
    ours = Convolution((3, 7, 6), (4, 4, 4), stride=2, padding=1)
    mine = x.ravel() @ ours.block(weight, np.arange(ours.n_pre), np.arange(ours.n_post))
    theirs = torch.nn.functional.conv2d(
        torch.from_numpy(x)[None], torch.from_numpy(weight), stride=2, padding=1
    )
    np.testing.assert_allclose(mine, theirs.numpy().ravel(), atol=1e-12)
