"""Balanced partitions worked by hand."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import Chip
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.model import Axons
from chipsim.mapping.partition.balanced import axon_range, evenly, partition
from chipsim.network import PlasticityMode
from tests.mapping.cases import (
    chain,
    dense,
    inputs,
    network,
    neurons,
    recurrent,
    tianjic,
    with_bits,
    with_memory,
)


def roles(sizes: tuple[int, ...], chip: Chip, mode: PlasticityMode) -> dict[str, int]:
    slices = partition(chain(*sizes, plastic=True), chip, mode).slices
    return dict(Counter(f"{s.population} {s.role}" for s in slices))


@pytest.mark.parametrize(
    ("weight_bits", "trace_bits", "mode", "dendrites", "somas", "cores"),
    [
        # 784 = 4 x 196 axons; 16-bit weights take 2 of 256 columns: 128 neurons a core, 4 blocks.
        # A soma takes 3 + 3 + 8 of 3072 bytes: 219 a core, 3 cores.  The readout takes 2 + 1.
        (16, 16, "off", 16, 3, 22),
        # With traces 4 columns: 64 neurons, 8 blocks; a soma 3 + 3 + 2 + 16 bytes: 128, 4 cores.
        (16, 16, "running", 32, 4, 39),
        (8, 16, "off", 8, 3, 14),
        (8, 16, "running", 28, 4, 35),  # 3 columns: 85 neurons, 7 blocks
        (8, 8, "running", 16, 4, 23),
    ],
)
def test_784_512_10(
    weight_bits: int, trace_bits: int, mode: PlasticityMode, dendrites: int, somas: int, cores: int
) -> None:
    chip = with_bits(tianjic(), weight_bits, trace_bits)
    count = roles((784, 512, 10), chip, mode)
    assert count == {
        "layer1 dendrite": dendrites,
        "layer1 soma": somas,
        "layer2 dendrite": 2,
        "layer2 soma": 1,
    }
    assert sum(count.values()) == cores


def test_frozen_takes_the_cores_of_off() -> None:
    net = chain(784, 512, 10, plastic=True)
    assert partition(net, tianjic(), "frozen") == partition(net, tianjic(), "off")


def test_reasons_name_the_binding_budgets() -> None:
    hidden, out = partition(chain(784, 512, 10, plastic=True), tianjic(), "running").reasons
    assert hidden == (
        "layer1: 784 inputs exceed 256 axons a core, so the fan-in is split over 4 cores; "
        "64 neurons fit a core because 16-bit weights and 16-bit traces take 4 of 256 columns a "
        "synapse: 32 cores for synapses; 128 somas fit a core because one more would need soma "
        "memory 3096 bytes of 3072: 4 cores for somas"
    )
    assert "all 10 neurons fit a core: 2 cores for synapses" in out


def test_a_full_8_bit_core_is_one_whole_slice() -> None:
    cut = partition(chain(256, 256, kind="spikes"), with_bits(tianjic(), 8), "off")
    assert [(s.role, s.count, s.fan_in) for s in cut.slices] == [("whole", 256, 256)]
    assert cut.reasons == ("layer1: 256 inputs fit a core; all 256 neurons fit a core: 1 core",)


def test_whole_blocks_are_balanced() -> None:
    cut = partition(chain(100, 300), tianjic(), "off")
    assert [s.count for s in cut.slices] == [100, 100, 100]
    assert "128 neurons fit a core because 16-bit weights take 2 of 256 columns" in cut.reasons[0]


def test_axon_runs_straddle_projections() -> None:
    # 300 + 20 axons in 2 parts of 160: the second part holds 140 of one and all 20 of the other.
    slices = partition(recurrent(300, 20), tianjic(), "off").slices
    assert [(s.role, s.axons) for s in slices] == [
        ("dendrite", (Axons("input-hidden", 0, 160),)),
        ("dendrite", (Axons("input-hidden", 160, 140), Axons("hidden-hidden", 0, 20))),
        ("soma", ()),
    ]


def test_only_slices_of_plastic_axons_are_plastic() -> None:
    source, hidden = inputs(256), neurons("hidden", 100)
    net = network((source, hidden), (dense(source, hidden), dense(hidden, hidden, 1, plastic=True)))
    slices = partition(net, tianjic(), "running").slices
    # 356 axons in 2 parts of 178: one without, one with plastic axons, 2 blocks of it.  A soma
    # takes 3 + 3 + 2 and 3 channels of 8 bytes: 96 a core.
    assert [(s.role, s.count, s.plastic) for s in slices] == [
        ("dendrite", 100, False),
        ("dendrite", 50, True),
        ("soma", 50, False),
        ("dendrite", 50, True),
        ("soma", 50, False),
    ]


def test_one_neuron_too_large_for_any_core() -> None:
    with pytest.raises(DoesNotFitError) as caught:
        partition(chain(784, 10), with_memory(tianjic(), soma=10), "off")
    assert "layer1: even one soma alone on a core: soma memory 14 bytes exceeded" in str(
        caught.value
    )


def test_the_table_of_a_plastic_population_does_not_fit() -> None:
    with pytest.raises(DoesNotFitError, match="lut memory 1024 bytes exceeded max 1000 by 24 byt"):
        partition(chain(784, 10, plastic=True), with_memory(tianjic(), lut=1000), "running")


def test_a_population_that_nothing_drives() -> None:
    net = network((inputs(4), neurons("alone", 3)), ())
    with pytest.raises(InputError, match="'alone' has no incoming projection"):
        partition(net, tianjic(), "off")


def test_a_memory_the_chip_does_not_state() -> None:
    chip = tianjic()
    memory = {k: v for k, v in chip.core.memory.items() if k != "axon"}
    broken = with_memory(chip)
    object.__setattr__(broken.core, "memory", memory)
    with pytest.raises(InputError, match=r"core\.memory\.axon is missing"):
        partition(chain(4, 3), broken, "off")


@given(st.integers(1, 2000), st.integers(1, 50))
@settings(derandomize=True, max_examples=100)
def test_evenly(total: int, parts: int) -> None:
    runs = evenly(total, parts)
    assert [n for first, count in runs for n in range(first, first + count)] == list(range(total))
    counts = {count for _, count in runs}
    assert len(runs) == parts
    assert max(counts) - min(counts) <= 1


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.data())
@settings(derandomize=True, max_examples=100)
def test_axon_range_is_a_slice_of_the_list(sizes: list[int], data: st.DataObject) -> None:
    runs = [Axons(f"p{i}", 0, size) for i, size in enumerate(sizes)]
    everything = [(r.projection, n) for r in runs for n in range(r.count)]
    first = data.draw(st.integers(0, len(everything) - 1))
    count = data.draw(st.integers(1, len(everything) - first))
    got = axon_range(runs, first, count)
    flat = [(r.projection, n) for r in got for n in range(r.first, r.first + r.count)]
    assert flat == everything[first : first + count]


def test_learning_can_be_what_fills_the_phase() -> None:
    # 8-bit weights, 16-bit traces: 85 neurons fit the columns, but their 256 x 85 traces take
    # 5440 cycles to learn; 76 x 256 x 4 / 16 = 4864.
    cut = partition(chain(256, 85, plastic=True, kind="spikes"), with_bits(tianjic(), 8), "running")
    assert [s.count for s in cut.slices] == [42, 43]
    assert "76 neurons fit a core because one more would need 4928 cycles" in cut.reasons[0]


@given(
    st.integers(257, 900),
    st.integers(1, 300),
    st.booleans(),
    st.sampled_from([65536, 16384, 9000, 3000]),
)
@settings(derandomize=True, max_examples=60, deadline=None)
def test_no_other_number_of_parts_takes_fewer_cores(
    fan_in: int, size: int, plastic: bool, synapse: int
) -> None:
    """Against the plain count: every number of parts, limits written out."""
    net = chain(fan_in, size, plastic=plastic, kind="spikes")
    got = partition(net, with_memory(tianjic(), synapse=synapse), "running")
    parts = len({s.axons for s in got.slices if s.axons})
    columns, channels = (4, 2) if plastic else (2, 1)
    options = []
    for p in range(2, fan_in + 1):
        dendrites = 0
        for fan in (fan_in * (i + 1) // p - fan_in * i // p for i in range(p)):
            block = min(256 // columns, synapse // (fan * columns))
            block = min(block, 3072 // (channels * 4 + (4 if plastic else 0)), size)
            while -(-fan * block * columns // 16) + 3 * block > 4864:
                block -= 1
            dendrites += -(-size // block) if block and fan <= 256 else 10**9
        soma = min(256, 3072 // (6 + channels * 8 + (2 if plastic else 0)), size)
        while -(-soma * p * channels * 4 // 16) + 3 * soma > 4864:
            soma -= 1
        options.append((dendrites + -(-size // soma) if soma else 10**9, p))
    assert (len(got.slices), parts) == min(options)
