"""The published core counts and memory sizes of SpiNNaker come out of the mapper."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from chipsim.mapping.processor.compress import Entries, compress
from chipsim.mapping.processor.demand import Demand, make_demands
from chipsim.mapping.processor.mapper import map_on_processors
from chipsim.mapping.processor.memory import core_memory
from chipsim.mapping.processor.model import DELAY, CoreSlice
from chipsim.mapping.processor.partition import cut
from chipsim.mapping.processor.place import ORDERS, place
from chipsim.mesh.spinnaker_tables import KeyTables, follow_keys
from chipsim.mesh.topology import triangular
from chipsim.processor_chip import ProcessorChip
from chipsim.validation import spinnaker_memory
from chipsim.validation.microcircuit import DELAYS, SIZES, STEP_MS, microcircuit, synapses
from chipsim.validation.rows import Row, table

RUN = Path(__file__).parents[3] / "shared" / "validation" / "spinnaker_microcircuit_run"
real_run = pytest.mark.skipif(not RUN.exists(), reason="the real run's figures are not here")
COLUMNS, ROWS = 15, 24

TOLERANCE = {
    "cores of 250,000 neurons (board of 48 x 16 = 768)": 0.01,
    "learning 25 K weights by e-prop and Adam: data": 0.15,
}
"""All other rows must come out exactly."""


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return spinnaker_memory.rows()


def test_every_row_is_within_its_tolerance(rows: list[Row]) -> None:
    assert set(TOLERANCE) <= {row.quantity for row in rows}
    for row in rows:
        assert abs(row.deviation) <= TOLERANCE.get(row.quantity, 0.0), row


def test_the_table_in_the_docs_is_what_comes_out(
    rows: list[Row], request: pytest.FixtureRequest
) -> None:
    text = (request.config.rootpath / "docs" / "validation.md").read_text()
    assert table(rows) in text


def test_deep_r_fits_64_kb_and_a_dense_network_does_not() -> None:
    """Liu et al. 2018: 1.3 % of LeNet-300-100's 266,200 weights train inside one prototype core."""
    weights = 784 * 300 + 300 * 100 + 100 * 10
    assert weights == 266_200
    kept = round(weights * 0.013)
    assert kept == 3461
    state = spinnaker_memory.processor_chip("spinnaker2").sizes["eprop_synapse"]
    assert kept * state == 55_376 <= 64 * 1024
    assert weights * 2 > 64 * 1024


def test_learning_25_k_weights_takes_six_processors_or_more() -> None:
    network = spinnaker_memory.eprop_network(40, 134, 12, recurrent=True, optimiser="adam")
    assert sum(p.weight.size for p in network.projections) == 24_924
    mapping = map_on_processors(network, spinnaker_memory.processor_chip("spinnaker2"))
    assert sum(piece.program == "neurons" for piece in mapping.slices) == 8 >= 680e3 / 2**17


def cores() -> list[dict[str, str]]:
    with open(RUN / "cores.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@real_run
def test_the_microcircuit_is_cut_as_in_the_real_run() -> None:
    _, _, slices = real_microcircuit()
    ours = sorted(
        (s.population + "_delayed" * (s.program == DELAY), s.first, s.first + s.count - 1)
        for s in slices
    )
    real = sorted(
        (row["population"], int(row["first_atom"]), int(row["last_atom"])) for row in cores()
    )
    assert len(ours) == 1934
    assert ours == real


@cache
def real_microcircuit() -> tuple[ProcessorChip, Mapping[str, Demand], tuple[CoreSlice, ...]]:
    chip = spinnaker_memory.processor_chip("spinnaker1", ["core.max_neurons=80"])
    demands = make_demands(microcircuit(), chip, "off")
    return chip, demands, cut(chip, demands)[0]


@real_run
def test_delay_stages_are_those_of_the_real_keys() -> None:
    """A delay core's mask leaves 256 keys for 80 (or 43) neurons: three stages; or 128: one."""
    real: dict[str, int] = {}
    for row in cores():
        if row["population"].endswith("_delayed"):
            atoms = int(row["last_atom"]) + 1 - int(row["first_atom"])
            keys = 2**32 - int(row["mask"], 16)
            stages = [s for s in range(1, 9) if 1 << (s * atoms - 1).bit_length() == keys]
            name = row["population"].removesuffix("_delayed")
            real[name] = max(real.get(name, 0), min(stages))
    _, demands, _ = real_microcircuit()
    assert {name: stages > 1 for name, stages in real.items()} == {
        name: demand.stages > 1 for name, demand in demands.items()
    }
    assert real["L23E"] == demands["L23E"].stages == 3
    assert real["L23I"] == demands["L23I"].stages == 1


@real_run
def test_delay_cores_send_at_the_stages_a_neuron_needs() -> None:
    """The real ones sent 2.01 packets for each one of an excitatory neuron, of three stages."""
    counts = {"E": [0, 0], "I": [0, 0]}
    for row in cores():
        if row["population"].endswith("_delayed"):
            kind = counts[row["population"].removesuffix("_delayed")[-1]]
            kind[0] += int(row["number_of_packets_received"])
            kind[1] += int(row["number_of_packets_sent"])
    for kind, (received, sent) in counts.items():
        sources = [name for name in SIZES if name.endswith(kind)]
        neurons = sum(SIZES[name] for name in sources)
        fan_out = sum(synapses(a, b) for a in sources for b in SIZES) / neurons
        mean, deviation = DELAYS[kind]
        expected = 0.0
        for stage in (1, 2, 3):
            low, high = ((16 * s + 0.5) * STEP_MS for s in (stage, stage + 1))
            part = NormalDist(mean, deviation).cdf(high) - NormalDist(mean, deviation).cdf(low)
            expected += 1.0 - math.exp(-fan_out * part)
        assert received > 1000
        assert sent / received == pytest.approx(expected, rel=0.005)


@real_run
def test_delay_stages_explain_part_of_the_sdram() -> None:
    """A third of the planner's: as much a core as rows by stage take, in all populations alike."""
    chip, demands, slices = real_microcircuit()
    share = {}
    for piece in slices:
        if piece.first == 0 and piece.program != DELAY:
            rows = core_memory(chip, demands[piece.population], piece)[-1].items
            planned = [int(r["sdram_kb"]) for r in cores() if r["population"] == piece.population]
            share[piece.population] = sum(rows.values()) / (np.median(planned) * 1000)
            assert sum(size for name, size in rows.items() if "stage" not in name) < 5.1e6
            assert 6.5e6 < sum(rows.values()) < 11e6
    assert min(share.values()) > 0.31
    assert max(share.values()) < 0.36


@real_run
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("app_cores", [10, 16])
def test_sdram_spreads_the_microcircuit_over_218_chips(order: str, app_cores: int) -> None:
    """The planner's 14 to 31 MB a core leave 8 to 10 application cores a chip, however many it has.

    Slices come population by population, each with its delay extension right behind it.
    """
    names = list(SIZES)
    ordered = sorted(
        cores(),
        key=lambda row: (
            names.index(row["population"].removesuffix("_delayed")),
            int(row["first_atom"]),
            row["population"],
        ),
    )
    chip = spinnaker_memory.processor_chip(
        "spinnaker1",
        ["machine.shape=torus", "machine.width=2", f"machine.app_cores={app_cores}"],
    )
    sizes = [int(row["sdram_kb"]) * 1000 for row in ordered]
    placed = place(chip, sizes, ORDERS[order])
    by_chip = Counter(core // chip.machine.cores for core in placed)
    real = Counter((row["x"], row["y"]) for row in cores())
    assert len(real) == 218
    assert len(by_chip) == 217
    counts, real_counts = Counter(by_chip.values()), Counter(real.values())
    assert set(real_counts) == {6, 8, 10}
    assert counts[8] == pytest.approx(real_counts[8], rel=0.1)
    assert counts[10] == pytest.approx(real_counts[10], rel=0.1)


@pytest.fixture(scope="module")
def real_tables() -> list[Entries]:
    """The uncompressed tables of the real run, by chip number ``15 y + x``."""
    data = np.load(RUN / "routing_tables_uncompressed.npz")
    chip = data["y"].astype(np.int64) * COLUMNS + data["x"]
    order = np.argsort(chip, kind="stable")
    columns = [data[name][order].astype(np.uint32) for name in ("key", "mask", "route")]
    default = data["default_route"][order].astype(bool)
    ends = np.cumsum(np.bincount(chip, minlength=COLUMNS * ROWS))
    whole = Entries(columns[0], columns[1], columns[2], default)
    return [
        whole.where(np.arange(low, high)) for low, high in zip([0, *ends[:-1]], ends, strict=True)
    ]


def followed(parts: list[Entries]):
    """Send every key of the real run through the tables."""
    ptr = np.concatenate([[0], np.cumsum([part.key.size for part in parts])]).astype(np.int64)
    key, mask, route = (np.concatenate([part[i] for part in parts]) for i in range(3))
    keys = np.array([int(row["key"], 16) for row in cores()], np.uint32)
    source = np.array([int(row["y"]) * COLUMNS + int(row["x"]) for row in cores()], np.int32)
    leads = np.ascontiguousarray(triangular(COLUMNS, ROWS).leads[:, :6])
    return KeyTables(ptr, key, mask, route), follow_keys(
        leads, KeyTables(ptr, key, mask, route), keys, source
    )


@real_run
def test_the_real_tables_are_too_long_and_can_be_compressed(real_tables: list[Entries]) -> None:
    """Every eighth of the chips over the limit is compressed: no key changes its way.

    docs/validation.md has the figures of all 218; compressing them takes 25 s.
    """
    before, routes = followed(real_tables)
    used = np.diff(before.ptr)[np.diff(before.ptr) > 0]
    assert (used.size, before.key.size) == (237, 412_532)
    assert used.mean() == pytest.approx(1740.6, abs=0.05)
    long = before.too_long()
    assert long.size == 218
    shorter = list(real_tables)
    for chip in long[::8].tolist():
        shorter[chip] = compress(real_tables[chip])
        assert shorter[chip].key.size <= 457
    _, again = followed(shorter)
    assert not routes.broken.any()
    assert not again.broken.any()
    for field in ("chip", "route", "child", "deliveries", "link_count"):
        assert np.array_equal(getattr(routes, field), getattr(again, field)), field


@real_run
def test_a_spike_of_the_microcircuit_costs_213_nj_of_packets(real_tables: list[Entries]) -> None:
    """1.0 nJ a router passed: that of the source and one for each link."""
    chip = spinnaker_memory.processor_chip("spinnaker1")
    _, routes = followed(real_tables)
    joules = (routes.link_count + 1) * chip.prices["packet"].value
    assert joules.mean() == pytest.approx(213.3e-9, rel=1e-3)
    assert routes.deliveries.mean() == pytest.approx(933.0, abs=0.05)
