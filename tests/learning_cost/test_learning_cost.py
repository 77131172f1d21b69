"""Ways to learn side by side: sums, shares, what is refused, what the command prints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chipsim.cli.main import main
from chipsim.errors import InputError
from chipsim.job import Choices
from chipsim.learning_cost.cost import METHODS, backward, learning_cost
from chipsim.learning_cost.forward import without_traces
from chipsim.learning_cost.keys import KEYS, as_dict
from chipsim.mapping.mapper import map_network
from chipsim.network import LIF, Input, Network, Population, Projection, Trace
from chipsim.pipeline import simulate_learning
from chipsim.plasticity import HybridPlasticity
from chipsim.report.check import _check_kind, _values
from chipsim.results import Results
from chipsim.simulate.counters import actions_of
from tests.simulate.tiny import TINY, random_trace, relay, save_model, spike_trace, tiny_chip


def plastic_case() -> tuple[Network, Trace]:
    """9-7-4 neurons, every layer wider than a tiny core, all synapses plastic."""
    rng = np.random.default_rng(21)

    def layer(name: str, source: str, target: str, n_pre: int, n_post: int) -> Projection:
        rule = HybridPlasticity(
            alpha=0.5,
            beta=rng.normal(0, 0.3, n_pre).astype(np.float32),
            eta=rng.normal(0, 0.3, n_post).astype(np.float32),
            rho=0.95,
            clamp=4.0,
        )
        weight = rng.normal(0, 0.6, (n_post, n_pre)).astype(np.float32)
        return Projection(name, source, target, weight, plasticity=rule)

    neuron = LIF(threshold=0.4, decay=0.5)
    network = Network(
        name="plastic",
        steps=5,
        populations=(
            Population("in", 9, Input("graded")),
            Population("hidden", 7, neuron),
            Population("out", 4, neuron),
        ),
        projections=(layer("a", "in", "hidden", 9, 7), layer("b", "hidden", "out", 7, 4)),
        readout="out",
    )
    return network, random_trace(network, rng, 3)


@pytest.fixture(scope="module")
def runs() -> dict[bool, Results]:
    network, trace = plastic_case()
    return {
        local: simulate_learning("lp" if local else "gp", network, tiny_chip(), trace, Choices())
        for local in (True, False)
    }


def test_all_learn_on_the_same_slices_and_places(runs: dict[bool, Results]) -> None:
    local, other = runs[True].mapping, runs[False].mapping
    assert local.placement == other.placement
    assert [replace(s, plastic=False) for s in local.slices] == list(other.slices)
    assert any(flow.kind == "post" for flow in local.flows)
    assert not any(flow.kind == "post" for flow in other.flows)
    again = without_traces(other, runs[False].network, tiny_chip())
    assert again == other


def test_stripping_leaves_a_mapping_without_traces_as_it_is() -> None:
    network, chip = relay(layers=2), tiny_chip()
    mapping = map_network(network, chip, "off")
    assert without_traces(mapping, network, chip) == mapping


def test_local_learning_costs_what_its_run_cost(runs: dict[bool, Results]) -> None:
    results = runs[True]
    cost = learning_cost("lp", results)
    assert cost.energy.value == pytest.approx(results.bill.total.value / 3)
    assert sum(cost.packets.values()) == pytest.approx(results.mesh.packets.sum() / 3)
    hops = results.counters.by_core[:, actions_of(results.chip).index("router_hop")].sum()
    assert sum(cost.hops.values()) == pytest.approx(hops / 3)
    assert cost.phases == results.phases_per_inference
    assert cost.seconds == pytest.approx(cost.phases * 5040 / 300e6)
    assert cost.assumed_share == pytest.approx(results.bill.assumed_share)
    assert cost.fits
    assert cost.weights_every is None


def test_backpropagation_adds_its_backward_pass(runs: dict[bool, Results]) -> None:
    results = runs[False]
    none, gp, back = learning_cost("none", results), learning_cost("gp", results), backward(results)
    assert gp.energy.value == pytest.approx(none.energy.value + back.bill.total.value / 3)
    added = back.drain_phases + back.schedule.phases + back.schedule.update_phases
    assert gp.phases == none.phases + added
    assert gp.seconds == pytest.approx(none.seconds + added * 5040 / 300e6)
    assert sum(gp.packets.values()) == pytest.approx(
        sum(none.packets.values()) + sum(m.packets for m in back.messages)
    )
    stored = sum(u.used for uses in gp.memory for u in uses)
    assert stored > sum(u.used for uses in none.memory for u in uses)


@pytest.mark.parametrize("every", [1, 4, 1000])
def test_hybrid_learning_adds_a_share_of_a_backward_pass(
    runs: dict[bool, Results], every: int
) -> None:
    results = runs[True]
    lp, hp = learning_cost("lp", results), learning_cost("hp", results, every)
    back = backward(results)
    assert hp.energy.value == pytest.approx(lp.energy.value + back.bill.total.value / 3 / every)
    assert hp.seconds == pytest.approx(lp.seconds + back.cycles / 300e6 / every)
    for kind in ("error", "feedback", "label"):
        sent = sum(m.packets for m in back.messages if m.kind == kind)
        assert hp.packets.get(kind, 0.0) == pytest.approx(sent / every)


def test_parts_add_up(runs: dict[bool, Results]) -> None:
    for method in METHODS:
        cost = learning_cost(method, runs[method in ("lp", "hp")])
        parts = sum(amount.value for amount in cost.by_action.values())
        assert parts == pytest.approx(cost.energy.value)
        assert cost.energy.low <= cost.energy.value <= cost.energy.high
        assert 0 < cost.assumed_share <= 1


def test_its_keys_are_all_there(runs: dict[bool, Results]) -> None:
    for method in METHODS:
        cost = learning_cost(method, runs[method in ("lp", "hp")])
        report = {"learning": json.loads(json.dumps(as_dict(cost, tiny_chip())))}
        named = set()
        for key in KEYS:
            for where, value in _values(report, key.path):
                _check_kind(where, value, key.kind)
                named.add(where.split(".")[1])
        assert named == set(report["learning"])


def test_docs_list_the_keys() -> None:
    page = (Path(__file__).parents[2] / "docs" / "learning-cost.md").read_text(encoding="utf-8")
    table = page[page.index("## Keys") :].split("\n\n")[2].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    names = [f"`{key.path.removeprefix('learning.')}`" for key in KEYS]
    assert rows == [[n, k.kind, k.unit, k.meaning] for n, k in zip(names, KEYS, strict=True)]


def test_what_cannot_be_is_refused(runs: dict[bool, Results]) -> None:
    with pytest.raises(InputError, match="run the network without it"):
        learning_cost("gp", runs[True])
    with pytest.raises(InputError, match="nothing to learn by hp"):
        learning_cost("hp", runs[False])
    with pytest.raises(InputError, match="weights_every: 0 given"):
        learning_cost("hp", runs[True], 0)


def options() -> list[str]:
    return [word for override in TINY for word in ("--set", override)]


def test_the_command_prints_all_four(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_model(tmp_path, *plastic_case())
    words = ["learning-cost", str(model), "-q", *options()]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[2].split()[:6] == ["a", "sample", "none", "LP", "HP", "GP"]
    assert "errors to the layer before" in printed
    assert main([*words, "--json", "--weights-every", "7"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert list(figures) == ["gp", "hp", "lp", "none"]
    assert figures["hp"]["weights_every"] == 7
    assert figures["gp"]["packets_per_sample"] > figures["none"]["packets_per_sample"]


def test_a_network_without_plasticity_has_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_model(tmp_path, relay(layers=2), spike_trace([[[1] * 3] * 4]))
    assert main(["learning-cost", str(model), "-q", *options()]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[2].split()[:4] == ["a", "sample", "none", "GP"]
    assert "nothing to learn by" in printed
