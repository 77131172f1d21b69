"""Keys: blocks that do not overlap, and exactly the slices that have a synapse as targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.errors import DoesNotFitError
from chipsim.mapping.processor.demand import make_demands
from chipsim.mapping.processor.keys import make_keys
from chipsim.mapping.processor.model import KeySpace
from chipsim.mapping.processor.partition import cut
from chipsim.network import Input, Network, Population
from chipsim.processor_chip import ProcessorChip
from chipsim.validation.spinnaker_memory import credit_assignment
from tests.mapping.processor.proc_cases import (
    CELL,
    chain,
    convolution,
    dense,
    net,
    sparse_projection,
    spinnaker1,
    stdp,
)
from tests.mapping.processor.test_proc_connections import matrix


def keys_of(network: Network, chip: ProcessorChip) -> tuple[KeySpace, ...]:
    demands = make_demands(network, chip, "running")
    return make_keys(network, demands, cut(chip, demands)[0])


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_no_two_slices_share_a_key(first: int, second: int, neurons: int) -> None:
    network = chain(first, second, 7)
    chip = spinnaker1(f"core.max_neurons={neurons}", f"core.max_sources={neurons}")
    demands = make_demands(network, chip, "running")
    slices, _ = cut(chip, demands)
    keys = make_keys(network, demands, slices)
    owned: set[int] = set()
    for space in keys:
        size = 0x100000000 - space.mask
        assert size & (size - 1) == 0
        assert space.key % size == 0
        assert slices[space.slice].count <= size
        block = set(range(space.key, space.key + size))
        assert not block & owned
        owned |= block
    # A population's slices are one aligned block, so that one entry can name them all.
    per = 0x100000000 - keys[0].mask
    assert [space.key // per for space in keys if slices[space.slice].population == "in"] == list(
        range(-(-first // neurons))
    )


def test_dense_slices_send_to_all_slices() -> None:
    network = chain(100, 60, 30)
    keys = keys_of(network, spinnaker1("core.max_neurons=20", "core.max_sources=50"))
    assert [space.targets for space in keys] == [(2, 3, 4)] * 2 + [(5, 6)] * 3
    assert {space.kind for space in keys} == {"spike"}


@given(st.integers(0, 99), st.floats(0.0, 0.1))
@settings(derandomize=True, max_examples=30, deadline=None)
def test_sparse_slices_send_where_they_have_synapses(seed: int, share: float) -> None:
    projection = sparse_projection(np.random.default_rng(seed), 40, 40, share)
    check_targets(projection, 40, 40)


def test_convolutions_send_where_their_kernels_reach() -> None:
    projection = convolution((2, 8, 8), 2, 3, 1, 1)
    sent = check_targets(projection, 128, 128)
    assert sent < 13 * 13


def check_targets(projection, n_pre: int, n_post: int) -> int:
    """Compare with the matrix; return the number of pairs of slices that talk."""
    network = net(Population("in", n_pre, Input("spikes")), Population("out", n_post, CELL),
                  projection)  # fmt: skip
    chip = spinnaker1("core.max_neurons=10", "core.max_sources=10")
    slices, _ = cut(chip, make_demands(network, chip, "running"))
    there = np.zeros((n_pre, n_post), bool)
    found = matrix(projection)
    there[:, : found.shape[1]] = found
    targets = {space.slice: set(space.targets) for space in keys_of(network, chip)}
    for sender in slices:
        for taker in slices:
            if (sender.population, taker.population) == ("in", "out"):
                part = there[sender.first : sender.first + sender.count]
                joined = part[:, taker.first : taker.first + taker.count].any()
                assert joined == (taker.index in targets.get(sender.index, ()))
    return sum(len(reached) for reached in targets.values())


def test_learning_signals_go_back_to_the_layer() -> None:
    keys = keys_of(credit_assignment(), spinnaker1())
    hidden = tuple(range(1, 14))
    assert keys[0].targets == hidden
    assert all(space.targets == (14,) for space in keys[1:14])
    assert (keys[14].kind, keys[14].slice, keys[14].targets) == ("signal", 14, hidden)
    assert len(keys) == 15


@pytest.mark.parametrize("kind", ["symmetric", "adaptive"])
def test_weights_go_to_the_one_core_that_follows_them(kind: str) -> None:
    network = credit_assignment()
    assert network.learning is not None
    network = replace(network, learning=replace(network.learning, kind=kind))
    weights = keys_of(network, spinnaker1())[15:]
    assert [space.targets for space in weights] == [(number,) for number in range(1, 14)]
    assert all((space.kind, space.slice) == ("weight", 14) for space in weights)
    # 8 neurons and 2 outputs: room for 16 packets a core, 256 in all, in an aligned block.
    assert [space.key - weights[0].key for space in weights] == [16 * n for n in range(13)]
    assert weights[0].key % 256 == 0
    assert {space.mask for space in weights} == {0xFFFFFFF0}


def test_reward_reaches_the_cores_it_changes() -> None:
    network = net(
        Population("in", 20, Input("spikes")),
        Population("reward", 1, Input("spikes")),
        Population("l1", 30, CELL),
        stdp(dense("in", "l1", 20, 30), reward="reward"),
    )
    keys = keys_of(network, spinnaker1("core.max_neurons=10"))
    assert [space.targets for space in keys] == [(2, 3, 4), (2, 3, 4)]


def test_more_neurons_than_keys() -> None:
    network = chain(2, 2)
    demands = make_demands(network, spinnaker1(), "running")
    huge = [
        piece.__class__(piece.index, piece.population, piece.program, piece.first, 1 << 32)
        for piece in cut(spinnaker1(), demands)[0]
    ]
    with pytest.raises(DoesNotFitError, match=r"keys: .* exceeded max 4294967296"):
        make_keys(network, demands, [*huge, huge[0]])
