"""The mesh obeys the closed forms, and agrees with BookSim 2 where that was measured."""

import numpy as np
import pytest

from chipsim.mesh import engine
from chipsim.mesh.fabric import Packets, make_fabric
from chipsim.mesh.trees import unicast_trees


def one_phase(injector, inject, tree):
    return Packets(
        np.array([0, len(tree)], dtype=np.int64),
        np.asarray(injector, dtype=np.int32),
        np.asarray(inject, dtype=np.int64),
        np.asarray(tree, dtype=np.int32),
    )


@pytest.mark.parametrize(("hop_cycles", "constant"), [(3, 5), (5, 7)])
def test_zero_load_latency_of_every_pair(hop_cycles, constant):
    fabric = make_fabric(8, 8, hop_cycles=hop_cycles)
    source, target = (a.reshape(-1) for a in np.meshgrid(range(64), range(64), indexing="ij"))
    alone = Packets(
        np.arange(4097, dtype=np.int64),
        source.astype(np.int32),
        np.zeros(4096, dtype=np.int64),
        target.astype(np.int32),
    )
    result = engine.run_phases(fabric, unicast_trees(fabric), alone)
    distance = abs(source % 8 - target % 8) + abs(source // 8 - target // 8)
    assert np.array_equal(result.latency_sum, constant + hop_cycles * distance)
    assert fabric.zero_load_latency(4) == constant + 4 * hop_cycles


@pytest.mark.parametrize("buffer_flits", range(1, 9))
@pytest.mark.parametrize(("hop_cycles", "credit_cycles"), [(3, 2), (5, 2), (1, 1)])
def test_one_channel_carries_buffer_over_round_trip(buffer_flits, hop_cycles, credit_cycles):
    fabric = make_fabric(
        3, 1, hop_cycles=hop_cycles, buffer_flits=buffer_flits, credit_cycles=credit_cycles
    )
    count = 7 * 8 * 9 * 10
    traffic = one_phase([0] * count, range(count), [2] * count)
    result = engine.run_phases(fabric, unicast_trees(fabric), traffic, detail=True)
    round_trip = hop_cycles + credit_cycles
    arrivals = result.arrivals.cycle
    slots = min(buffer_flits, round_trip)
    assert ((arrivals[slots:] - arrivals[:-slots])[50:] == max(round_trip, slots)).all()


BOOKSIM_UNIFORM = {0.02: 20.97, 0.1: 20.98, 0.2: 21.55, 0.3: 23.11, 0.33: 24.15, 0.36: 27.2}
"""Mean latency of BookSim 2 on 8x8, 1 flit, 1 VC, 8 slots, lookahead and speculation (facts A2)."""


def uniform(fabric, load, cycles, seed):
    rng = np.random.default_rng(seed)
    cycle, source = np.nonzero(rng.random((cycles, fabric.routers)) < load)
    return cycle, one_phase(source, cycle, rng.integers(0, fabric.routers, cycle.size))


@pytest.mark.parametrize(("load", "latency"), BOOKSIM_UNIFORM.items())
def test_uniform_latency_is_that_of_booksim(load, latency):
    fabric = make_fabric(8, 8)
    cycle, traffic = uniform(fabric, load, 40_000, seed=5)
    result = engine.run_phases(fabric, unicast_trees(fabric), traffic, detail=True)
    waits = (result.arrivals.cycle - traffic.inject)[cycle > 5_000]
    tolerance = 0.01 if load <= 0.33 else 0.03  # BookSim's own seed noise near saturation
    assert waits.mean() == pytest.approx(latency, rel=tolerance)


def test_uniform_saturation_is_that_of_booksim():
    fabric = make_fabric(8, 8)
    cycles = 20_000
    _, traffic = uniform(fabric, 0.95, cycles, seed=6)
    result = engine.run_phases(fabric, unicast_trees(fabric), traffic, detail=True)
    window = (result.arrivals.cycle > cycles // 2) & (result.arrivals.cycle <= cycles)
    assert window.sum() / (cycles // 2) / 64 == pytest.approx(0.376, rel=0.05)
