"""Every partitioner cuts any network into slices that fit, each synapse once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from chipsim.chip import Chip
from chipsim.mapping.model import Partition, Slice
from chipsim.mapping.partition.partitioners import PARTITIONERS
from chipsim.network import Input, Network, PlasticityMode
from tests.mapping.strategies import MODES, chips, networks


def covered(network: Network, partition: Partition) -> None:
    """Count every neuron and synapse one by one."""
    for population in network.populations:
        if isinstance(population.model, Input):
            continue
        mine = [s for s in partition.slices if s.population == population.name]
        owners = np.zeros(population.size, int)
        for s in mine:
            if s.role != "dendrite":
                owners[s.first : s.first + s.count] += 1
        assert (owners == 1).all()
        for projection in network.incoming(population.name):
            held = np.zeros(projection.weight.shape, int)
            for s in mine:
                for run in s.axons:
                    if run.projection == projection.name:
                        rows = slice(s.first, s.first + s.count)
                        held[rows, run.first : run.first + run.count] += 1
            assert (held == 1).all()


def plastic_here(network: Network, piece: Slice, mode: PlasticityMode) -> set[str]:
    rules = {p.name for p in network.projections if p.plasticity is not None}
    return {r.projection for r in piece.axons} & rules if mode == "running" else set()


def within_budgets(network: Network, chip: Chip, piece: Slice, mode: PlasticityMode) -> None:
    """The budgets as the facts state them, written out once more for one slice."""
    core, bits = chip.core, chip.core.arithmetic
    learning = plastic_here(network, piece, mode)
    assert piece.plastic == bool(learning)
    columns = bits.weight_bits // 8 or 1
    columns += (bits.trace_bits // 8 or 1) if learning else 0
    assert piece.fan_in <= core.axons
    assert piece.count * (columns if piece.axons else 1) <= core.columns
    width = bits.weight_bits + (bits.trace_bits if learning else 0)
    assert piece.fan_in * piece.count * width / 8 <= core.memory["synapse"]
    assert piece.fan_in * (4 if learning and bits.trace_bits == 16 else 2 + bool(learning)) <= 1024
    if piece.role == "dendrite":
        names = {run.projection for run in piece.axons}
        sums = 4 * (len(names) + len(learning))
        assert piece.count * (sums + (4 if learning else 0)) <= core.memory["soma"]
    if piece.axons and chip.phase.mode == "fixed":
        forward = piece.fan_in * piece.count * columns / 16 + 3 * piece.count
        assert forward <= 5040 - 176
        learn = piece.fan_in * piece.count * 2 * bits.trace_bits // 8 / 16
        assert not learning or learn <= 5040 - 176


@pytest.mark.parametrize("name", PARTITIONERS)
@given(net=networks(), chip=chips(), mode=MODES)
@settings(derandomize=True, max_examples=60, deadline=None)
def test_every_synapse_once_and_all_budgets(
    name: str, net: Network, chip: Chip, mode: PlasticityMode
) -> None:
    partition = PARTITIONERS[name](net, chip, mode)
    assert [s.index for s in partition.slices] == list(range(len(partition.slices)))
    covered(net, partition)
    for piece in partition.slices:
        within_budgets(net, chip, piece, mode)
    assert partition == PARTITIONERS[name](net, chip, mode)
    assert len(partition.reasons) == len(net.populations) - 1
