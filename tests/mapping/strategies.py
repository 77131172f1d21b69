"""Random networks and chips for property tests."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

from chipsim.chip import Chip
from chipsim.network import Network, PlasticityMode
from tests.mapping.cases import adaptive, dense, inputs, network, neurons, tianjic, with_bits

MODES: st.SearchStrategy[PlasticityMode] = st.sampled_from(["running", "frozen", "off"])


@st.composite
def networks(draw: st.DrawFn, largest: int = 600) -> Network:
    """Layers with random sizes, plasticity, recurrence, skip and feedback projections."""
    size = st.integers(1, largest)
    kind = draw(st.sampled_from(["graded", "spikes"]))
    layers = [inputs(draw(size), "graded" if kind == "graded" else "spikes")]
    layers += [neurons(f"layer{i}", draw(size)) for i in range(1, draw(st.integers(2, 4)))]
    joined = [
        dense(a, b, draw(st.sampled_from([0, 0, 1])), draw(st.booleans()))
        for a, b in pairwise(layers)
    ]
    for i, layer in enumerate(layers[1:], 1):
        if draw(st.booleans()) and layer.size <= 300:
            delay = draw(st.integers(1, 3))
            joined.append(dense(layer, layer, delay, draw(st.booleans())))
        for later in layers[i + 1 :]:
            if draw(st.integers(0, 3)) == 0:
                joined.append(dense(layer, later, draw(st.integers(0, 1)), name=f"s{len(joined)}"))
            if draw(st.integers(0, 3)) == 0:
                joined.append(dense(later, layer, draw(st.integers(1, 3)), draw(st.booleans())))
    return network(layers, joined, steps=draw(st.integers(1, 20)))


@st.composite
def chips(draw: st.DrawFn) -> Chip:
    """Tianjic with other widths, sometimes with phases that wait for the slowest core."""
    bits = draw(st.sampled_from([(16, 16), (8, 16), (8, 8), (4, 8)]))
    chip = with_bits(tianjic(), *bits)
    return adaptive(chip) if draw(st.booleans()) else chip
