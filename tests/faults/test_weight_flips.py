"""Flipped bits of weights beside a plain twin, and what a run with them says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.cli.main import main
from chipsim.errors import InputError
from chipsim.faults.model import NO_FAULTS, Faults, parse_faults
from chipsim.faults.weights import flip_weights, stored_bits
from chipsim.load.chip_file import read_chip
from chipsim.mapping.mapper import map_network
from chipsim.plasticity import HybridPlasticity
from chipsim.quantise.quantise_network import quantise_network
from tests.naive import GOLDEN, mix
from tests.simulate.tiny import TINY, relay, save_model, simulated, spike_trace, tiny_chip


def network(bits: int, seed: int = 0) -> Any:
    """Two projections of random weights, which use the whole range of their bits."""
    rng = np.random.default_rng(seed)
    base = relay(neurons=6, layers=2)
    projections = tuple(
        replace(p, weight=rng.normal(0, 0.5, (6, 6)).astype(np.float32)) for p in base.projections
    )
    arithmetic = tiny_chip(f"core.weight_bits={bits}").core.arithmetic
    return quantise_network(replace(base, projections=projections), arithmetic)


def twin(fixed: Any, rate: float, seed: int) -> list[list[int]]:
    """Every stored bit, one after the other, in Python integers."""
    weights = []
    for p, projection in enumerate(fixed.projections):
        bits = projection.weight_format.bits
        key = mix(mix(seed + GOLDEN) + p)
        flat = []
        for n, weight in enumerate(projection.weight.ravel().tolist()):
            stored = weight % (1 << bits)
            for bit in range(bits):
                word = mix(key + (n * bits + bit) * GOLDEN)
                if (word >> 11) / 2**53 < rate:
                    stored ^= 1 << bit
            flat.append(stored - (1 << bits) if stored >> (bits - 1) else stored)
        weights.append(flat)
    return weights


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    bits=st.sampled_from([2, 4, 8, 13, 16]),
    rate=st.sampled_from([0.0, 1e-3, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 2**63 - 1),
)
def test_flips_equal_the_twin(bits: int, rate: float, seed: int) -> None:
    fixed = network(bits)
    flipped, count = flip_weights(fixed, rate, seed)
    found = [p.weight.ravel().tolist() for p in flipped.projections]
    assert found == twin(fixed, rate, seed)
    changed = sum(
        bin((a ^ b) & ((1 << bits) - 1)).count("1")
        for old, new in zip(fixed.projections, flipped.projections, strict=True)
        for a, b in zip(old.weight.ravel().tolist(), new.weight.ravel().tolist(), strict=True)
    )
    assert changed == count
    assert stored_bits(fixed) == 2 * 36 * bits


def test_all_bits_of_a_weight_are_as_likely() -> None:
    rng = np.random.default_rng(3)
    weight = rng.integers(-(2**15), 2**15, (300, 300)).astype(np.int16)
    fixed = network(16)
    fixed = replace(fixed, projections=(replace(fixed.projections[0], weight=weight),))
    flipped, count = flip_weights(fixed, 0.1, 7)
    difference = (flipped.projections[0].weight ^ weight).view(np.uint16)
    rates = [float(np.mean((difference >> bit) & 1)) for bit in range(16)]
    # 90,000 trials each: a standard deviation of 0.001.
    assert all(abs(rate - 0.1) < 0.005 for rate in rates)
    assert abs(count / weight.size / 16 - 0.1) < 0.002


def test_a_lower_rate_flips_a_part_of_what_a_higher_one_does() -> None:
    fixed = network(16)
    few, many = (flip_weights(fixed, rate, 5)[0] for rate in (0.05, 0.2))
    for clean, a, b in zip(fixed.projections, few.projections, many.projections, strict=True):
        some, all_ = clean.weight ^ a.weight, clean.weight ^ b.weight
        assert ((some & all_) == some).all()
    assert (few.projections[0].weight != many.projections[0].weight).any()


def test_traces_a_run_starts_from_flip_too() -> None:
    rng = np.random.default_rng(2)
    rule = HybridPlasticity(
        alpha=0.1,
        beta=np.full(6, 0.1, np.float32),
        eta=np.zeros(6, np.float32),
        rho=0.9,
        clamp=4.0,
        stored_trace=rng.normal(0, 0.1, (6, 6)).astype(np.float32),
        state="carried",
    )
    base = relay(neurons=6)
    plastic = replace(base, projections=(replace(base.projections[0], plasticity=rule),))
    fixed = quantise_network(plastic, tiny_chip().core.arithmetic)
    assert stored_bits(fixed) == 36 * (16 + 16)
    flipped, count = flip_weights(fixed, 1.0, 0)
    assert count == stored_bits(fixed)
    before, after = (net.projections[0].plasticity.initial for net in (fixed, flipped))
    np.testing.assert_array_equal(after, ~before)
    some, _ = flip_weights(fixed, 0.3, 0)
    changed = some.projections[0].plasticity.initial ^ before
    assert (changed != some.projections[0].weight ^ fixed.projections[0].weight).any()


def test_another_seed_flips_others() -> None:
    fixed = network(16)
    one, other = (flip_weights(fixed, 0.1, seed)[0] for seed in (1, 2))
    assert (one.projections[0].weight != other.projections[0].weight).any()
    assert (one.projections[0].weight != one.projections[1].weight).any()


@pytest.mark.parametrize(
    "text",
    [
        "weight_flip",
        "weight_flip=",
        "weight_flip=-1",
        "weight_flip=1.5",
        "weight_flip=nan",
        "x=0.1",
        "=1",
    ],
)
def test_a_wrong_fault_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected NAME=RATE, NAME one of weight_flip, "):
        parse_faults([text])


def test_faults_are_read() -> None:
    assert parse_faults([]) == NO_FAULTS
    assert parse_faults(["weight_flip=0.5", "weight_flip=1e-4"]) == Faults(weight_flip=1e-4)


def test_a_run_says_its_faults_and_does_not_depend_on_batches() -> None:
    spikes = np.random.default_rng(0).random((6, 4, 3)) < 0.7
    trace, chip, net = spike_trace(spikes), tiny_chip(), relay(weight=0.6, decay=0.5)
    faults = Faults(weight_flip=0.05)
    runs = [
        simulated(net, chip, trace, faults=faults, threads=threads, batch=batch)
        for threads, batch in ((1, 6), (2, 1), (2, 4))
    ]
    first = runs[0].activity.answers.spikes
    assert all(np.array_equal(first, run.activity.answers.spikes) for run in runs)
    (note,) = runs[0].notes
    assert note.startswith("fault: ")
    assert note.endswith("(weight_flip=0.05)")
    sound = simulated(net, chip, trace)
    assert sound.notes == ()
    # The reference is of the sound network.
    assert np.array_equal(sound.reference.spikes, runs[0].reference.spikes)  # type: ignore[union-attr]


def test_the_command_takes_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_model(tmp_path, relay(), spike_trace([[[1, 0, 1]] * 4]))
    words = ["map", str(model), "-q", "-o", str(tmp_path / "run")]
    words += [word for override in TINY for word in ("--set", override)]
    assert main([*words, "--fault", "weight_flip=1"]) == 0
    assert "144 of 144 stored bits of the weights are flipped" in capsys.readouterr().out
    assert main([*words, "--force", "--fault", "wait_flip=1"]) == 2
    assert "--fault wait_flip=1: expected NAME=RATE" in capsys.readouterr().err


def test_a_dead_part_can_be_set_on_the_command_line() -> None:
    chip = read_chip("tianjic", (*TINY, 'mesh.dead=["core 0,0", "link 1,0 east"]'))
    assert chip.mesh.dead.cores == (0,)
    assert 0 not in map_network(relay(), chip).placement  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r'did you mean "mesh\.dead"'):
        read_chip("tianjic", ("mesh.deaf=[]",))


def test_dead_parts_change_ways_but_no_bit() -> None:
    dead = 'mesh.dead=["core 0,0", "router 3,3", "link 1,0 east"]'
    spikes = np.random.default_rng(1).random((4, 4, 6)) < 0.7
    network = relay(neurons=6, weight=0.6, decay=0.5, layers=3)
    sound, around = (
        simulated(network, tiny_chip(*overrides), spike_trace(spikes))
        for overrides in ((), (dead,))
    )
    np.testing.assert_array_equal(sound.activity.answers.spikes, around.activity.answers.spikes)
    assert sound.mapping.placement != around.mapping.placement
    assert 0 not in around.mapping.placement
