"""A run that cannot fit the machine's memory is refused before it starts."""

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.network import Trace
from chipsim.quantise.quantise_network import quantise_network
from chipsim.simulate.memory import check_memory, needed_bytes
from tests.conftest import ARITHMETIC, random_network, random_slicing


def trace_of(network, samples):
    inputs = network.populations[0].size
    return Trace("t", held=np.broadcast_to(np.uint8(0), (samples, inputs)))


def test_refuses_more_samples_than_memory_holds():
    rng = np.random.default_rng(0)
    network = random_network(rng)
    fixed, mapping = quantise_network(network, ARITHMETIC), random_slicing(network, rng)
    check_memory(fixed, mapping, trace_of(network, 100))
    with pytest.raises(InputError, match=r"GiB of memory.*--limit"):
        check_memory(fixed, mapping, trace_of(network, 10**12))


def test_grows_with_samples_and_steps():
    rng = np.random.default_rng(0)
    network = random_network(rng)
    fixed, mapping = quantise_network(network, ARITHMETIC), random_slicing(network, rng)
    one, two = (needed_bytes(fixed, mapping, trace_of(network, n)) for n in (1, 2))
    spikes = 2 * network.steps * sum(p.size for p in fixed.populations)
    assert two - one >= spikes
