"""What is published of SpiNNaker's memories and core counts, beside what the mapper gives.

Nothing here is simulated: networks of the published sizes are cut into slices and placed.  Figures
and their sources are those of the e-prop and SpiNNaker facts: Perrett et al. (NICE 2022), Rostami
et al. 2022, Liu et al. 2018, Stromatias et al. 2013 and the reports of a real run of the cortical
microcircuit (Potjans & Diesmann 2014; SpiNNakerManchester/microcircuit_model, 2017).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chipsim.errors import InputError
from chipsim.load.chip_file import read_chip
from chipsim.mapping.processor.demand import make_demands
from chipsim.mapping.processor.mapper import map_on_processors
from chipsim.mapping.processor.model import ProcessorMapping
from chipsim.mapping.processor.partition import cut, largest_slice
from chipsim.network import LIF, Input, Network, Population, Projection
from chipsim.plasticity import Eprop
from chipsim.processor_chip import ProcessorChip
from chipsim.validation.microcircuit import NEURONS_A_CORE, microcircuit
from chipsim.validation.rows import Row

STEP_STATE = ("neuron state", "synapse state")
PROGRAM = ("program", "loader", "static", "stack")
SPIKING = LIF(threshold=1.0, decay=0.95)
LEAKY = LIF(threshold=1.0, decay=0.95, reset="none")


def rows() -> list[Row]:
    """Return every comparison that needs no file beyond chipsim's own."""
    return [*_eprop_core(), *_perrett_network(), *_cores(), *_spinnaker2()]


def processor_chip(name: str, overrides: Sequence[str] = ()) -> ProcessorChip:
    """Return a shipped chip of processors; InputError if it has none."""
    chip = read_chip(name, overrides)
    if not isinstance(chip, ProcessorChip):
        raise InputError(f"chip {name}: a chip of processors is needed here")
    return chip


def eprop_network(
    inputs: int, hidden: int, outputs: int, recurrent: bool, optimiser: str = "sgd"
) -> Network:
    """Return an e-prop network with zero weights: only its shape counts here."""
    projections = [
        _dense("in", "input", "hidden", inputs, hidden, 0),
        _dense("out", "hidden", "readout", hidden, outputs, 0),
    ]
    if recurrent:
        projections.insert(1, _dense("recurrent", "hidden", "hidden", hidden, hidden, 1))
    return Network(
        name="e-prop",
        steps=1000,
        populations=(
            Population("input", inputs, Input("spikes")),
            Population("hidden", hidden, SPIKING),
            Population("readout", outputs, LEAKY),
        ),
        projections=tuple(projections),
        readout="readout",
        learning=Eprop(
            layer="hidden", readout="out", kind="random",
            feedback=np.zeros((outputs, hidden), np.float32), task="classification", window=0,
            dampening=0.3, tau_readout=20.0, rate_cost=0.0, rate_target=0.01,
            optimiser="adam" if optimiser == "adam" else "sgd", learning_rate=1e-3,
        ),
    )  # fmt: skip


def credit_assignment() -> Network:
    """Return the shape of Perrett et al.'s credit assignment network: 40 - 100 - 2."""
    return eprop_network(40, 100, 2, recurrent=False)


def _dense(name: str, source: str, target: str, n_pre: int, n_post: int, delay: int) -> Projection:
    return Projection(name, source, target, np.zeros((n_post, n_pre), np.float32), delay=delay)


def _eprop_core() -> list[Row]:
    """How many e-prop neurons a core holds, and why."""
    chip = processor_chip("spinnaker1")
    demand = make_demands(credit_assignment(), chip, "running")["hidden"]
    packed = processor_chip("spinnaker1", ["core.ring_index=packed"])
    eight = largest_slice(chip, demand)
    mapping = map_on_processors(credit_assignment(), chip)
    core = next(p.index for p in mapping.slices if p.population == "hidden")
    state = sum(mapping.memory[core][1].items[line] for line in STEP_STATE)
    return [
        Row("e-prop: state of a core of 8 neurons x 250 synapses", 48832, state, "B",
            "Perrett 2022: 8 x (104 + 250 x 24) B"),
        Row("e-prop: neurons a core", 8, eight, "", "Perrett 2022 (code and slides)"),
        Row("e-prop: neurons a core if ring buffers were packed", 9, largest_slice(packed, demand),
            "", "derived: 10 x 6,104 B exceed the 60,820 B that program data and stack leave"),
    ]  # fmt: skip


def _perrett_network() -> list[Row]:
    chip = processor_chip("spinnaker1", ["machine.shape=chip"])
    mapping = map_on_processors(credit_assignment(), chip)
    count = {name: _cores_of(mapping, name) for name in ("hidden", "readout", "input")}
    return [
        Row("credit assignment network: hidden cores", 13, count["hidden"], "",
            "derived: 100 neurons, 8 a core; one chip holds the network"),
        Row("credit assignment network: readout cores", 1, count["readout"], "", "Perrett 2022"),
        Row("credit assignment network: source cores", 1, count["input"], "", "Perrett 2022"),
    ]  # fmt: skip


def _cores_of(mapping: ProcessorMapping, population: str) -> int:
    return sum(piece.population == population for piece in mapping.slices)


def _cores() -> list[Row]:
    """Cores of two large networks."""
    eighty = processor_chip("spinnaker1", [f"core.max_neurons={NEURONS_A_CORE}"])
    slices, _ = cut(eighty, make_demands(microcircuit(), eighty, "off"))
    neurons = sum(piece.program == "neurons" for piece in slices)
    board = processor_chip("spinnaker1", ["core.max_neurons=326"])
    network = Network("board", 1, (Population("all", 250_000, SPIKING),), (), "all")
    on_board, _ = cut(board, make_demands(network, board, "running"))
    return [
        Row("microcircuit at 80 neurons a core: neuron cores", 967, neurons, "",
            "real run, 2017"),
        Row("microcircuit: with delay extensions, delays above 16 ticks", 1934, len(slices), "",
            "real run, 2017"),
        Row("cores of 250,000 neurons (board of 48 x 16 = 768)", 768, len(on_board), "",
            "Stromatias 2013; takes core.max_neurons=326"),
    ]  # fmt: skip


def _spinnaker2() -> list[Row]:
    """Memory of learning on SpiNNaker 2: the shape 40 - 134 - 12 has 24,924 weights."""
    network = eprop_network(40, 134, 12, recurrent=True, optimiser="adam")
    mapping = map_on_processors(network, processor_chip("spinnaker2"))
    data = sum(
        size
        for piece, uses in zip(mapping.slices, mapping.memory, strict=True)
        if piece.program == "neurons"
        for line, size in uses[0].items.items()
        if line not in PROGRAM
    )
    return [
        Row("learning 25 K weights by e-prop and Adam: data", 680e3, data, "B",
            "Rostami 2022 (abstract); shape of the network assumed"),
    ]  # fmt: skip
