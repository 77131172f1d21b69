"""A machine that is never late computes the pure function of the network, learning included."""

from __future__ import annotations

import numpy as np
import pytest

from chipsim.network import Network, Trace
from chipsim.simulate.tick.ideal import run_ideal_samples
from chipsim.simulate.tick.records import COUNTS
from chipsim.simulate.tick.run import MeshKind, run_on_processors
from tests.simulate.tick.networks import chip_with, laid_out, learner, recurrent, spikes, stdp

NETWORKS = {
    "recurrent": (recurrent(4), 20),
    "e-prop": (learner(4, 2, "symmetric", 30), 10),
    "e-prop at every step": (learner(4, 0, "random", 30), 10),
    "stdp": (stdp(4, rewarded=False), 13),
    "stdp with reward": (stdp(4, rewarded=True), 13),
}


@pytest.mark.parametrize("mesh", ["real", "ideal"])
@pytest.mark.parametrize("name", NETWORKS)
def test_equals_the_pure_function(name: str, mesh: MeshKind) -> None:
    network, inputs = NETWORKS[name]
    trace = taught(network, inputs)
    chip = chip_with("core.max_neurons=4", "core.max_sources=5", "core.rounding=stochastic")
    fixed, layout = laid_out(network, chip)
    activity = run_on_processors(fixed, layout, trace, mesh=mesh)
    pure = run_ideal_samples(fixed, trace, trace.samples, learns=activity.learned is not None)
    names = [population.name for population in fixed.populations if population.kind == "lif"]
    for name in names:
        part = fixed.population(name)
        expected = pure.outcome.raster[:, :, part.first : part.first + part.size]
        assert expected.any() or name == network.readout
        assert np.array_equal(activity.answers.of(name), expected)
    if activity.learned is not None:
        assert np.array_equal(activity.learned.weights, pure.program.weight)
        assert not np.array_equal(activity.learned.weights, fixed.program.weight)
    pairs = activity.counts[:, COUNTS.index("spike_pairs")].sum()
    assert (pairs > 0) == network.name.startswith("stdp")


def taught(network: Network, inputs: int) -> Trace:
    drawn = spikes(9, 4, network.steps, inputs, 0.15)
    return Trace("taught", spikes=drawn.spikes, labels=np.arange(4) % 2)
