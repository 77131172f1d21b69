"""Budgets in bytes: what takes what, what fits, and the reasons given."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chipsim.errors import DoesNotFitError
from chipsim.mapping.processor.demand import Demand, make_demands
from chipsim.mapping.processor.memory import core_memory, core_uses, ring_entries
from chipsim.mapping.processor.model import CoreSlice
from chipsim.mapping.processor.partition import cut, largest_slice
from chipsim.network import Input, Population
from chipsim.processor_chip import ProcessorChip
from chipsim.validation.spinnaker_memory import credit_assignment, eprop_network, processor_chip
from tests.mapping.processor.proc_cases import (
    CELL,
    adaptive,
    chain,
    convolution,
    dense,
    net,
    spinnaker1,
    stdp,
)


def lines(chip: ProcessorChip, demand: Demand, count: int, memory: str) -> dict[str, int]:
    piece = CoreSlice(0, demand.population, demand.runs, 0, count)
    use = next(use for use in core_memory(chip, demand, piece) if use.memory == memory)
    return dict(use.items)


def hidden(chip: ProcessorChip | None = None, optimiser: str = "sgd") -> Demand:
    network = eprop_network(40, 100, 2, recurrent=False, optimiser=optimiser)
    return make_demands(network, spinnaker1(), "running")["hidden"]


def test_perretts_eight_neurons_are_derived() -> None:
    """104 B a neuron and 250 x 24 B of synapses; 9 only without power-of-two ring buffers."""
    chip = spinnaker1()
    held = lines(chip, hidden(), 8, "dtcm")
    assert held["neuron state"] == 8 * 104
    assert held["neuron state"] + held["synapse state"] == 8 * 6104 == 48832
    assert 48832 / chip.core.dtcm_bytes == pytest.approx(0.745, abs=0.0005)
    assert largest_slice(chip, hidden()) == 8
    packed = spinnaker1("core.ring_index=packed")
    assert largest_slice(packed, hidden()) == 9
    assert largest_slice(spinnaker1("core.ring_index=packed", "core.spike_queue=1"), hidden()) == 9
    nine = lines(chip, hidden(), 9, "dtcm")
    assert nine["neuron state"] + nine["synapse state"] == 54936
    assert nine["ring buffers"] == 2 * lines(chip, hidden(), 8, "dtcm")["ring buffers"]
    ten = lines(packed, hidden(), 10, "dtcm")
    free = chip.core.dtcm_bytes - chip.sizes["static"] - chip.sizes["stack"]
    assert free == 60820
    assert ten["neuron state"] + ten["synapse state"] == 61040 > free


def test_the_limit_follows_the_struct() -> None:
    """Nothing knows the number 8: other sizes give other numbers."""
    assert largest_slice(spinnaker1("sizes.eprop_synapse=12 B"), hidden()) == 16
    assert largest_slice(spinnaker1("core.dtcm=128 KiB"), hidden()) == 17
    assert largest_slice(spinnaker1("core.eprop_synapses=100"), hidden()) > 16
    assert largest_slice(spinnaker1(), hidden(optimiser="adam")) == 6


def test_the_reason_names_budget_bytes_and_lines() -> None:
    _, reasons = cut(spinnaker1(), make_demands(credit_assignment(), spinnaker1(), "running"))
    assert reasons[1] == (
        "hidden: 13 cores of up to 8 neurons; with 9: dtcm 69024 B exceeded max 65536 by 3488 B "
        "(synapse state 54000, ring buffers 8192, static 2668, stack 2048, spike queue 1024, "
        "neuron state 936, DMA buffers 96, feedback 36, master population table 20, "
        "address list 4)"
    )
    assert reasons[0] == "input: 1 core of up to 40 neurons; all of it fits one core"


def test_an_ordinary_core_line_by_line() -> None:
    demands = make_demands(chain(300, 200), spinnaker1(), "running")
    chip = spinnaker1()
    assert lines(chip, demands["l1"], 200, "itcm") == {"program": 29624, "loader": 256}
    row = 12 + 200 * 4
    assert lines(chip, demands["l1"], 200, "dtcm") == {
        "static": 2668,
        "stack": 2048,
        "ring buffers": 256 * 2 * 16 * 2,
        "spike queue": 256 * 4,
        "DMA buffers": 2 * row,
        "neuron state": 200 * 64,
        "master population table": 20,
        "address list": 4,
    }
    assert lines(chip, demands["l1"], 200, "sdram") == {"rows of in-l1": 300 * row}
    assert lines(chip, demands["in"], 100, "dtcm") == {
        "static": 2668,
        "stack": 2048,
        "source neurons": 400,
    }


def test_the_standard_ring_buffers_of_256_neurons_take_32_kib_at_most() -> None:
    demand = make_demands(chain(300, 300), spinnaker1(), "running")["l1"]
    assert ring_entries(spinnaker1(), demand, 256) == 2**13
    assert ring_entries(spinnaker1("core.delay_slots=32"), demand, 256) == 2**14
    chip = spinnaker1("core.delay_slots=64")
    use = next(u for u in core_uses(chip, demand, CoreSlice(0, "l1", "neurons", 0, 256))
               if u.budget == "ring buffer entries")  # fmt: skip
    assert str(use) == "ring buffer entries 32768 exceeded max 16384 by 16384"
    assert largest_slice(chip, demand) == 128
    assert ring_entries(spinnaker1("core.ring_index=packed"), demand, 200) == 200 * 2 * 16


def test_plastic_rows_and_adaptation() -> None:
    cells = Population("l1", 100, adaptive(100))
    network = net(Population("in", 50, Input("spikes")), cells, stdp(dense("in", "l1", 50, 100)))
    demand = make_demands(network, spinnaker1(), "running")["l1"]
    chip = spinnaker1()
    assert lines(chip, demand, 100, "itcm")["program"] == 31960
    assert lines(chip, demand, 100, "dtcm")["neuron state"] == 100 * (64 + 136 + 12)
    assert lines(chip, demand, 100, "sdram") == {"rows of in-l1": 50 * (12 + 8 + 400)}
    # 256 words a row, two of them the pre-synaptic trace.
    wide = net(Population("in", 50, Input("spikes")), Population("l1", 300, CELL),
               stdp(dense("in", "l1", 50, 300)))  # fmt: skip
    roomy = spinnaker1("core.dtcm=1 MiB", "core.max_neurons=300", "core.ring_entries=65536")
    assert largest_slice(roomy, make_demands(wide, spinnaker1(), "running")["l1"]) == 254


def test_rows_of_a_convolution_are_padded_to_the_longest() -> None:
    projection = convolution((2, 6, 6), 3, 3, 1, 1)
    network = net(Population("in", 72, Input("spikes")), Population("out", 108, CELL), projection)
    demand = make_demands(network, spinnaker1(), "running")["out"]
    # All three maps on one core: an inner pixel has 3 x 9 synapses.
    assert lines(spinnaker1(), demand, 108, "sdram") == {"rows of conv": 72 * (12 + 27 * 4)}
    assert lines(spinnaker1(), demand, 36, "sdram") == {"rows of conv": 72 * (12 + 9 * 4)}


def test_frozen_learning_takes_no_state() -> None:
    demand = make_demands(credit_assignment(), spinnaker1(), "frozen")["hidden"]
    assert (demand.role, demand.program, demand.types) == (None, "program_lif", 2)
    assert "synapse state" not in lines(spinnaker1(), demand, 100, "dtcm")


def test_feedback_that_follows_the_readout_takes_no_more_state() -> None:
    network = eprop_network(40, 100, 3, recurrent=True)
    assert network.learning is not None
    symmetric = replace(network, learning=replace(network.learning, kind="symmetric"))
    chip = spinnaker1()
    random = make_demands(network, spinnaker1(), "running")["hidden"]
    assert lines(chip, random, 8, "dtcm")["feedback"] == 8 * 2 * 4
    told = make_demands(symmetric, spinnaker1(), "running")["hidden"]
    assert lines(chip, told, 8, "dtcm")["feedback"] == 8 * 2 * 4
    readout = make_demands(symmetric, spinnaker1(), "running")["readout"]
    assert lines(chip, readout, 3, "dtcm")["synapse state"] == 3 * 250 * 16


def test_one_memory_for_program_and_data() -> None:
    chip = processor_chip("spinnaker2")
    demand = make_demands(chain(10, 100), spinnaker1(), "running")["l1"]
    uses = core_memory(chip, demand, CoreSlice(0, "l1", "neurons", 0, 100))
    assert [use.memory for use in uses] == ["sram", "sdram"]
    assert uses[0].items["program"] == 30000
    assert uses[0].budget == 128 * 1024


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("core.itcm=28 KiB", r"itcm 29880 B exceeded max 28672 by 1208 B \(program 29624, loader"),
        ("core.itcm=28 KiB", "--set core.itcm=29880B would hold it"),
        ("core.dtcm=4 KiB", r"dtcm \d+ B exceeded max 4096 by \d+ B \(static 2668, stack 2048"),
        ("sdram.size=1 KiB", r"sdram 1600 B exceeded max 1024 by 576 B \(rows of in-l1 1600\)"),
        ("core.ring_entries=16", "ring buffer entries 32 exceeded max 16 by 16"),
    ],
)
def test_not_even_one_neuron(override: str, message: str) -> None:
    with pytest.raises(DoesNotFitError, match=message) as caught:
        cut(spinnaker1(override), make_demands(chain(100, 10), spinnaker1(), "running"))
    assert "a core cannot hold even one neuron" in str(caught.value)


def test_more_synapses_than_the_array_holds() -> None:
    demands = make_demands(eprop_network(200, 60, 2, recurrent=True), spinnaker1(), "running")
    message = "e-prop synapses a neuron 260 exceeded max 250 by 10; --set core.eprop_synapses=260"
    with pytest.raises(DoesNotFitError, match=message):
        cut(spinnaker1(), demands)
    assert cut(spinnaker1("core.eprop_synapses=0"), demands)


def test_the_readout_of_a_learning_network_stays_on_one_core() -> None:
    """A readout neuron has 104 + 250 x 16 B of state: 12 of them fit, 13 do not."""
    demands = make_demands(eprop_network(40, 20, 12, recurrent=False), spinnaker1(), "running")
    slices, _ = cut(spinnaker1(), demands)
    assert [piece.count for piece in slices if piece.population == "readout"] == [12]
    wider = eprop_network(40, 20, 13, recurrent=False)
    message = r"readout: 2 cores of up to 12 neurons; with 13: dtcm .* must be on one core"
    with pytest.raises(DoesNotFitError, match=message):
        cut(spinnaker1(), make_demands(wider, spinnaker1(), "running"))
    assert cut(spinnaker1(), make_demands(wider, spinnaker1(), "frozen"))
