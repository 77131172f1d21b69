"""Whole mappings: the shipped e-prop networks and others, their tables, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chipsim.errors import DoesNotFitError, InputError
from chipsim.load.description import read_model
from chipsim.mapping.processor.mapper import map_on_processors
from chipsim.mapping.processor.model import ProcessorMapping
from chipsim.mapping.processor.place import ORDERS
from chipsim.mapping.processor.tables import key_routes
from chipsim.network import Graded, Input, Network, Population
from chipsim.plasticity import Eprop
from chipsim.processor_chip import ProcessorChip
from chipsim.validation.spinnaker_memory import (
    credit_assignment,
    eprop_network,
    processor_chip,
)
from tests.mapping.processor.proc_cases import CELL, chain, convolution, dense, net, spinnaker1

ROOT = Path(__file__).parents[3]
RULE = eprop_network(1, 1, 1, recurrent=False).learning


def shipped(name: str, learns: bool) -> Network:
    """A shipped network, without a rule or with one of its shape."""
    network = read_model(ROOT / "models" / f"{name}.pt").network
    assert RULE is not None
    n_out = network.population("readout").size
    feedback = np.zeros((n_out, network.population("hidden").size), np.float32)
    rule: Eprop = replace(RULE, readout="hidden_readout", feedback=feedback)
    return replace(network, learning=rule if learns else None)


def check_routes(mapping: ProcessorMapping, chip: ProcessorChip) -> None:
    """Every key comes to exactly the cores of its targets."""
    tables, routes = key_routes(mapping, chip)
    assert not tables.too_long(chip.router.entries).size
    for number, space in enumerate(mapping.keys):
        cores = set()
        for node in range(routes.ptr[number], routes.ptr[number + 1]):
            word = int(routes.route[node]) >> 6
            base = int(routes.chip[node]) * chip.machine.cores
            cores |= {base + core for core in range(18) if word >> core & 1}
        assert cores == {mapping.placement[index] for index in space.targets}


@pytest.mark.parametrize("placer", ORDERS)
@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("name", ["eprop_cues", "eprop_pattern"])
@pytest.mark.parametrize("chip", ["spinnaker1", "spinnaker2"])
def test_shipped_networks_map(chip: str, name: str, learns: bool, placer: str) -> None:
    target = processor_chip(chip)
    mapping = map_on_processors(shipped(name, learns), target, "running", placer)
    count = {"input": 0, "hidden": 0, "readout": 0}
    for piece in mapping.slices:
        count[piece.population] += 1
    if chip == "spinnaker1":
        assert count == {"input": 1, "hidden": 13 if learns else 1, "readout": 1}
    assert mapping.offsets == {"input": 0, "hidden": 1, "readout": 2}
    assert (mapping.depth, mapping.signal_delay) == (2, 2 if learns else 0)
    for uses in mapping.memory:
        assert all(use.used <= use.budget for use in uses)
    check_routes(mapping, target)


def test_perretts_network_fits_one_chip() -> None:
    """13 hidden cores, a readout core and a source core; one neuron more does too, 109 do not."""
    chip = spinnaker1("machine.shape=chip")
    assert len(map_on_processors(credit_assignment(), chip).slices) == 15
    with pytest.raises(DoesNotFitError, match=r"cores 17 exceeded max 16 .*machine.shape=board48"):
        map_on_processors(eprop_network(40, 113, 2, recurrent=False), chip)


def test_mode_decides_whether_learning_counts() -> None:
    assert len(map_on_processors(credit_assignment(), spinnaker1(), "frozen").slices) == 3
    assert len(map_on_processors(credit_assignment(), spinnaker1(), "running").slices) == 15


@pytest.mark.parametrize("shape", ["board4", "board48", "torus"])
def test_many_cores_over_many_chips(shape: str) -> None:
    chip = spinnaker1(f"machine.shape={shape}", "core.max_neurons=20", "core.max_sources=20")
    mapping = map_on_processors(chain(300, 400, 400, 60), chip, placer="hilbert")
    assert len(mapping.slices) == 15 + 20 + 20 + 3
    check_routes(mapping, chip)


def test_around_dead_parts() -> None:
    dead = '["router 1,0", "router 1,1", "link 0,1 east", "core 2,0,5", "link 2,2 east"]'
    chip = spinnaker1(f"machine.dead={dead}", "core.max_neurons=4", "core.max_sources=4")
    mapping = map_on_processors(chain(100, 200, 50), chip)
    assert not {core // 18 for core in mapping.placement} & {1, 9}
    assert 2 * 18 + 5 not in mapping.placement
    check_routes(mapping, chip)


def test_a_convolution_over_cores() -> None:
    projection = convolution((2, 12, 12), 4, 3, 1, 1)
    network = net(Population("in", 288, Input("spikes")), Population("out", 576, CELL), projection)
    chip = spinnaker1("core.max_neurons=48", "core.max_sources=48")
    mapping = map_on_processors(network, chip)
    assert sum(len(space.targets) for space in mapping.keys) < 6 * 12
    check_routes(mapping, chip)


def test_tables_that_do_not_fit() -> None:
    chip = spinnaker1("router.entries=1", "core.max_neurons=20", "core.max_sources=20")
    mapping = map_on_processors(chain(300, 400, 60), chip)
    with pytest.raises(DoesNotFitError, match=r"exceeded max 1 on chip \d,\d by \d+"):
        key_routes(mapping, chip)


def test_what_has_no_program() -> None:
    network = chain(4, 3)
    graded = replace(network.populations[0], model=Input("graded"))
    with pytest.raises(InputError, match="population in: a graded input"):
        map_on_processors(
            replace(network, populations=(graded, *network.populations[1:])), spinnaker1()
        )
    numbers = replace(network.populations[1], model=Graded("relu"))
    with pytest.raises(InputError, match="population l1: graded neurons"):
        map_on_processors(
            replace(network, populations=(network.populations[0], numbers)), spinnaker1()
        )
    faded = replace(network.projections[0], attenuation_tau=3.0)
    with pytest.raises(InputError, match="projection in-l1: attenuation_tau"):
        map_on_processors(replace(network, projections=(faded,)), spinnaker1())
    with pytest.raises(InputError, match=r"placer: 'best' is unknown .allowed: hilbert, radial"):
        map_on_processors(network, spinnaker1(), placer="best")


def test_errors_name_the_network() -> None:
    network = net(
        Population("in", 2, Input("spikes")), Population("l1", 2, CELL),
        dense("in", "l1", 2, 2, delay=200),
    )  # fmt: skip
    with pytest.raises(DoesNotFitError, match=r"^net: projection in-l1: delay 200 ticks"):
        map_on_processors(network, spinnaker1())
