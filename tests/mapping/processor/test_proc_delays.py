"""Delay extensions in a mapping: which slices have one, their keys, memory, place and file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.connectivity import Sparse
from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.processor.demand import make_demands
from chipsim.mapping.processor.mapper import map_on_processors
from chipsim.mapping.processor.mapping_file import read_mapping, write_mapping
from chipsim.mapping.processor.model import DELAY
from chipsim.mapping.processor.tables import key_routes
from chipsim.network import Input, Network, Population
from tests.mapping.processor.proc_cases import CELL, dense, net, sparse_projection, spinnaker1


def delayed_network(seed: int, longest: int, share: float = 0.05, size: int = 60) -> Network:
    rng = np.random.default_rng(seed)
    projection = sparse_projection(rng, size, size, share)
    form = projection.connectivity
    assert isinstance(form, Sparse)
    delay = rng.integers(1, longest + 1, form.post.size).astype(np.uint8)
    projection = replace(projection, connectivity=replace(form, delay=delay))
    return net(Population("in", size, Input("spikes")), Population("out", size, CELL), projection)


@given(st.integers(0, 999), st.sampled_from([3, 16]), st.sampled_from(["population", "slice"]))
@settings(derandomize=True, max_examples=25, deadline=None)
def test_keys_lead_to_exactly_the_synapses_of_their_stage(
    seed: int, slots: int, cores: str
) -> None:
    network = delayed_network(seed, 40)
    chip = spinnaker1(
        "core.max_neurons=11", "core.max_sources=7", f"core.delay_slots={slots}",
        f"core.delay_cores={cores}", "core.delay_stages=13",
    )  # fmt: skip
    mapping = map_on_processors(network, chip)
    form = network.projections[0].connectivity
    assert isinstance(form, Sparse)
    assert form.delay is not None
    pre = np.repeat(np.arange(60), np.diff(form.starts))
    due: dict[tuple[int, int], set[int]] = {}
    slices = mapping.slices
    of = {
        (s.population, n, s.program): s.index
        for s in slices
        for n in range(s.first, s.first + s.count)
    }
    for i, j, ticks in zip(pre.tolist(), form.post.tolist(), form.delay.tolist(), strict=True):
        stage = (ticks - 1) // slots
        sender = of["in", i, "source"]
        if stage:
            due.setdefault((sender, 0), set()).add(of["in", i, DELAY])
            sender = of["in", i, DELAY]
        due.setdefault((sender, stage), set()).add(of["out", j, "neurons"])
    assert {(s.slice, s.stage): set(s.targets) for s in mapping.keys} == due
    taken = [range(s.key, s.key + 2**32 - s.mask) for s in mapping.keys]
    assert len(set().union(*taken)) == sum(len(part) for part in taken)
    extended = [s for s in slices if s.program == DELAY]
    assert all(
        slices[s.index - 1] == replace(s, index=s.index - 1, program="source") for s in extended
    )
    long = {of["in", i, "source"] for i in pre[form.delay > slots].tolist()}
    if cores == "slice":
        assert {s.index - 1 for s in extended} == long
    else:
        assert len(extended) == (9 if long else 0)
    # Beside its source, on the same chip.
    chips = [core // chip.machine.cores for core in mapping.placement]
    assert all(chips[s.index] == chips[s.index - 1] for s in extended)
    key_routes(mapping, chip)


def test_memory_of_a_delay_extension() -> None:
    """80 neurons at three stages, as in the microcircuit: 64 ticks of counters, no SDRAM."""
    network = net(
        Population("in", 80, Input("spikes")), Population("out", 80, CELL),
        dense("in", "out", 80, 80, delay=60),
    )  # fmt: skip
    chip = spinnaker1()
    mapping = map_on_processors(network, chip)
    assert [piece.program for piece in mapping.slices] == ["source", DELAY, "neurons"]
    itcm, dtcm, sdram = mapping.memory[1]
    assert dict(itcm.items) == {"program": 13808, "loader": 256}
    assert dict(dtcm.items) == {
        "static": 2668,
        "stack": 2048,
        "spike queue": 1024,
        "spike counters": 64 * (80 + 4),
        "delay stages": 3 * 3 * 4,
        "parameters": 36,
    }
    assert sdram.used == 0
    assert [(s.kind, s.stage, s.targets) for s in mapping.keys] == [
        ("spike", 0, (1,)),
        ("delayed", 3, (2,)),
    ]
    assert "rows of in-out (stage 3)" in mapping.memory[2][-1].items
    assert any("1 core of up to 80 neurons, each with a delay extension of 3 stages" in reason
               for reason in mapping.reasons)  # fmt: skip


def test_an_extension_too_large_for_its_core_cuts_the_source() -> None:
    network = delayed_network(1, 140, size=256)
    whole = map_on_processors(network, spinnaker1())
    # 256 ticks of 228 counters and a pointer, 8 bit fields: 65,424 of 65,536 B with the rest.
    assert [s.count for s in whole.slices if s.population == "in"] == [228, 228, 28, 28]
    assert any("with 229: its delay extension: dtcm" in reason for reason in whole.reasons)
    assert [
        s.count
        for s in map_on_processors(network, spinnaker1("core.dtcm=128 KiB")).slices
        if s.population == "in"
    ] == [256, 256]


def test_no_delay_beyond_the_ring_no_extension() -> None:
    network = delayed_network(0, 16)
    assert all(s.program != DELAY for s in map_on_processors(network, spinnaker1()).slices)
    demands = make_demands(network, spinnaker1(), "off")
    assert demands["in"].stages == 0
    with pytest.raises(DoesNotFitError, match=r"delay 16 ticks .* max 8 by 8: 8 slots"):
        map_on_processors(network, spinnaker1("core.delay_slots=8", "core.delay_stages=0"))


def test_one_core_a_chip_still_fits() -> None:
    chip = spinnaker1("machine.shape=board4", "machine.app_cores=1", "core.max_sources=60")
    mapping = map_on_processors(delayed_network(0, 40), chip)
    assert len(mapping.slices) == 3
    # Three cores a chip: pairs leave one free, unless there are no more chips.
    wide = spinnaker1("machine.shape=board4", "machine.app_cores=3", "core.max_sources=10",
                      "core.max_neurons=60")  # fmt: skip
    assert len(map_on_processors(delayed_network(0, 40, size=50), wide).slices) == 11


def test_a_mapping_file_keeps_extensions(tmp_path: Path) -> None:
    network, chip = delayed_network(3, 40), spinnaker1("core.max_sources=20")
    mapping = map_on_processors(network, chip)
    path = tmp_path / "mapping.json"
    write_mapping(path, mapping, chip)
    assert read_mapping(path, network, chip) == mapping
    content = json.loads(path.read_text())
    assert {key["kind"] for key in content["keys"]} == {"spike", "stage 1", "stage 2"}
    assert content["slices"][1]["program"] == "delay extension"
    content["slices"][1]["program"] = "source"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"slices\[1\]: .* 'delay extension', 0\) is due"):
        read_mapping(path, network, chip)
