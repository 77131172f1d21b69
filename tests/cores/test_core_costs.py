"""What a slice costs on Tianjic, against figures worked by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import Core
from chipsim.cores import crossbar
from chipsim.cores.crossbar import Shape
from tests.mapping.cases import adaptive, tianjic, with_bits

CORE16 = tianjic().core
CORE8 = with_bits(tianjic(), 8).core


def test_a_full_slice_of_8_bit_fills_a_phase_exactly() -> None:
    shape = Shape("whole", count=256, fan_in=256, spiking_axons=256)
    cycles = crossbar.task_cycles(CORE8, shape)
    assert cycles == {"integrate": 4096, "soma": 768}
    assert sum(cycles.values()) == crossbar.phase_budget(tianjic().phase) == 5040 - 176


def test_an_adaptive_phase_has_no_budget() -> None:
    assert crossbar.phase_budget(adaptive(tianjic()).phase) is None


@pytest.mark.parametrize(
    ("core", "plastic", "columns"),
    [(CORE16, False, 2), (CORE16, True, 4), (CORE8, False, 1), (CORE8, True, 3)],
)
def test_columns_a_synapse(core: Core, plastic: bool, columns: int) -> None:
    shape = Shape("dendrite", count=10, fan_in=7, plastic=plastic)
    assert crossbar.columns_per_synapse(core, shape) == columns
    assert crossbar.columns_used(core, shape) == 10 * columns


def test_a_plastic_dendrite_slice() -> None:
    shape = Shape(
        "dendrite", 64, fan_in=196, graded_axons=196, channels=2, plastic=True, learns=True
    )
    assert crossbar.memory_items(CORE16, shape) == {
        "synapse": {"weights": 25088, "traces": 25088},
        "axon": {"input buffer": 392, "learning rates": 392},
        "soma": {"dendrite sums": 512, "post factors": 256},
        "lut": {},
    }
    assert crossbar.task_cycles(CORE16, shape) == {"integrate": 3136 + 192, "learn": 3136}
    assert crossbar.accumulator_peak(CORE16, shape) == 196 * 32768 * 255


def test_a_plastic_soma_slice() -> None:
    shape = Shape("soma", 128, channels=2, parts=4, learns=True)
    assert crossbar.memory_items(CORE16, shape) == {
        "synapse": {},
        "axon": {},
        "soma": {
            "membranes": 384,
            "biases": 384,
            "sliding thresholds": 256,
            "partial sums": 2048,
        },
        "lut": {"post factor table": 1024},
    }
    # 128 neurons x 4 parts x 2 channels x 4 bytes on 16 MACs, then 3 cycles a neuron
    assert crossbar.task_cycles(CORE16, shape) == {"soma": 256 + 384}


def test_a_plastic_whole_slice() -> None:
    shape = Shape("whole", 10, fan_in=100, spiking_axons=100, channels=3, plastic=True, learns=True)
    assert crossbar.memory_items(CORE16, shape)["soma"] == {
        "membranes": 30,
        "biases": 30,
        "sliding thresholds": 20,
        "dendrite sums": 120,
    }
    assert crossbar.task_cycles(CORE16, shape) == {"integrate": 250, "soma": 30, "learn": 250}


def test_waiting_inputs_take_axon_memory() -> None:
    shape = Shape("whole", 1, fan_in=10, waiting=30)
    items = crossbar.memory_items(CORE16, shape)
    assert items["axon"] == {"input buffer": 20, "waiting inputs": 30}


@pytest.mark.parametrize(("axons", "fits"), [(256, True), (257, True), (258, False)])
def test_the_accumulator_holds_256_graded_inputs_of_16_bit(axons: int, fits: bool) -> None:
    # 257 * 255 * 2**15 = 2**31 - 2**15, just inside; the 258th axon is one too many.
    shape = Shape("whole", 1, fan_in=axons, graded_axons=axons)
    peak = crossbar.accumulator_peak(CORE16, shape)
    assert (peak <= crossbar.accumulator_limit(CORE16)) == fits


def test_a_wide_trace_sets_the_accumulator_peak() -> None:
    plain = Shape("whole", 1, fan_in=4, spiking_axons=4)
    plastic = Shape("whole", 1, fan_in=4, spiking_axons=4, plastic=True)
    assert crossbar.accumulator_peak(CORE8, plain) == 4 * 128
    assert crossbar.accumulator_peak(CORE8, plastic) == 4 * 32768


def test_router_table() -> None:
    assert crossbar.router_items(tianjic().mesh, 7) == {"multicast trees": 28}
    assert crossbar.router_items(tianjic().mesh, 0) == {}


@given(st.integers(0, 256), st.integers(1, 256), st.booleans(), st.booleans())
@settings(derandomize=True, max_examples=100)
def test_active_axons_against_one_mac_at_a_time(
    active: int, count: int, plastic: bool, sends: bool
) -> None:
    shape = Shape("dendrite" if sends else "whole", count, fan_in=256, plastic=plastic)
    macs_left = active * count * (4 if plastic else 2)
    cycles = 3 * count if sends else 0
    while macs_left > 0:
        macs_left -= 16
        cycles += 1
    assert crossbar.integrate_task_cycles(CORE16, shape, active) == cycles
    assert cycles <= crossbar.task_cycles(CORE16, shape)["integrate"]


@given(st.integers(0, 10**6), st.integers(1, 10**4))
@settings(derandomize=True, max_examples=100)
def test_ceil_div(numerator: int, denominator: int) -> None:
    result = crossbar.ceil_div(numerator, denominator)
    assert (result - 1) * denominator < numerator <= result * denominator


def test_factors_of_traces() -> None:
    """A factor takes the columns and bytes of a trace, a mask a bit a synapse."""
    shape = Shape("whole", 10, fan_in=7, channels=2, plastic=True, learns=True, factor="matrix")
    assert crossbar.columns_per_synapse(CORE16, shape) == 6
    assert crossbar.memory_items(CORE16, shape)["synapse"]["trace factors"] == 140
    mask = replace(shape, factor="mask")
    assert crossbar.columns_per_synapse(CORE16, mask) == 4
    assert crossbar.memory_items(CORE16, mask)["synapse"]["trace factors"] == 9
    assert crossbar.integrate_cycles(CORE16, 7, shape, decays=3) == -(-(7 * 6 + 3 * 2) * 10 // 16)


def test_tables_and_softmax() -> None:
    graded = Shape("whole", 10, fan_in=7, graded=True)
    assert crossbar.memory_items(CORE16, graded)["lut"] == {"activation table": 512}
    linear = Shape("whole", 10, fan_in=7, plastic=True, learns=True, table=False)
    assert crossbar.memory_items(CORE16, linear)["lut"] == {}
    softmax = Shape("whole", 10, fan_in=7, plastic=True, learns=True, softmax=True)
    assert crossbar.memory_items(CORE16, softmax)["lut"] == {"post factor table": 1024}
    assert crossbar.task_cycles(CORE16, softmax)["soma"] == 10 * (3 + 3)
