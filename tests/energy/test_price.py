"""Counters times prices: every joule is accounted for, and only once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chipsim.chip import Chip, Constant
from chipsim.energy.amount import Amount, of
from chipsim.energy.price import MESH_ACTIONS, price
from chipsim.errors import ConservationError, InputError
from chipsim.pipeline import bill_for
from chipsim.simulate.counters import ACTIONS
from tests.simulate.tiny import random_run, tiny_chip

CORES = 9


def random_bill(seed: int) -> tuple[Chip, Any, dict[int, str], float]:
    """A chip with random prices and ranges, and counts on nine cores, the last ones idle."""
    rng = np.random.default_rng(seed)

    def constant(size: float) -> Constant:
        low, value, high = sorted(rng.uniform(0, size, 3).tolist())
        mark = str(rng.choice(["assumed", "derived", "published"]))
        return Constant(value, low, high, "J", mark, "random")  # type: ignore[arg-type]

    chip = replace(
        tiny_chip(),
        prices={action: constant(1e-11) for action in ACTIONS},
        static_power=constant(0.2),
    )
    counts = rng.integers(0, 10**6, (CORES, len(ACTIONS))) * (
        rng.random((CORES, len(ACTIONS))) < 0.6
    )
    counts[6:, [i for i, action in enumerate(ACTIONS) if action != "router_hop"]] = 0
    layers = {core: str(rng.choice(["hidden", "out"])) for core in range(6)}
    return chip, counts, layers, float(rng.uniform(0, 1e-2))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_the_bill_is_counts_times_prices(seed: int) -> None:
    chip, counts, layers, seconds = random_bill(seed)
    bill = price(chip, ACTIONS, counts, layers, seconds)
    for end in ("value", "low", "high"):
        static = getattr(chip.static_power, end) * seconds
        total = static
        by_layer: dict[str, float] = {"static": static}
        by_action: dict[str, float] = {"static": static}
        by_core = [0.0] * CORES
        for core in range(CORES):
            for index, action in enumerate(ACTIONS):
                joules = int(counts[core, index]) * getattr(chip.prices[action], end)
                layer = "mesh" if action in MESH_ACTIONS else layers.get(core, "nobody")
                total += joules
                by_core[core] += joules
                by_action[action] = by_action.get(action, 0.0) + joules
                by_layer[layer] = by_layer.get(layer, 0.0) + joules
        assert getattr(bill.total, end) == pytest.approx(total, rel=1e-12)
        for found, expected in ((bill.by_action, by_action), (bill.by_layer, by_layer)):
            assert set(found) <= set(expected)
            for name, joules in expected.items():
                got = getattr(found.get(name, Amount()), end)
                assert got == pytest.approx(joules, rel=1e-12, abs=1e-30)
        if end == "value":
            np.testing.assert_allclose(bill.by_core, by_core, rtol=1e-12)
    check_identities(bill)


def check_identities(bill: Any) -> None:
    for end in ("value", "low", "high"):
        total = getattr(bill.total, end)
        for parts in (bill.by_action, bill.by_layer):
            assert sum(getattr(a, end) for a in parts.values()) == pytest.approx(total, rel=1e-9)
    dynamic = bill.total.value - bill.by_action["static"].value
    assert float(bill.by_core.sum()) == pytest.approx(dynamic, rel=1e-9, abs=1e-24)
    for amount in (bill.total, *bill.by_action.values(), *bill.by_layer.values()):
        assert amount.low <= amount.value <= amount.high
    if bill.total.value:
        assert sum(bill.shares.values()) == pytest.approx(1.0)
    assert 0.0 <= bill.assumed_share <= 1.0 + 1e-12


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_the_assumed_share(seed: int) -> None:
    chip, counts, layers, seconds = random_bill(seed)
    bill = price(chip, ACTIONS, counts, layers, seconds)
    assumed = chip.static_power.value * seconds if chip.static_power.mark == "assumed" else 0.0
    for index, action in enumerate(ACTIONS):
        constant = chip.prices[action]
        joules = int(counts[:, index].sum()) * constant.value
        assumed += joules if constant.mark == "assumed" else 0.0
        share = bill.shares.get(f"energy.{action}", 0.0)
        assert share == pytest.approx(joules / bill.total.value, rel=1e-12)
    assert bill.assumed_share == pytest.approx(assumed / bill.total.value, rel=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_bills_of_real_runs(seed: int) -> None:
    results = random_run(seed, plasticity=["running", "off"][seed % 2])
    check_identities(results.bill)
    used = set(results.mapping.placement)
    passed = set(np.flatnonzero(results.counters.by_core[:, ACTIONS.index("router_hop")]))
    assert set(np.flatnonzero(results.bill.by_core)) == used | passed
    populations = {piece.population for piece in results.mapping.slices}
    assert set(results.bill.by_layer) <= populations | {"mesh", "static"}


def dearer(chip: Chip, factor: float, static: float = 1.0) -> Chip:
    def times(c: Constant, by: float) -> Constant:
        return replace(c, value=c.value * by, low=c.low * by, high=c.high * by)

    prices = {action: times(c, factor) for action, c in chip.prices.items()}
    return replace(chip, prices=prices, static_power=times(chip.static_power, static))


@pytest.mark.parametrize("seed", range(6))
def test_double_prices_double_the_dynamic_energy(seed: int) -> None:
    """And nothing else: re-pricing never simulates again."""
    results = random_run(seed)
    twice = bill_for(dearer(results.chip, 2.0), results.mapping, results.counters)
    assert twice.by_action["static"] == results.bill.by_action["static"]
    dynamic = results.bill.total.value - results.bill.by_action["static"].value
    assert twice.total.value == pytest.approx(results.bill.total.value + dynamic, rel=1e-12)
    np.testing.assert_array_equal(twice.by_core, 2 * results.bill.by_core)
    idle = bill_for(dearer(results.chip, 0.0), results.mapping, results.counters)
    assert idle.total == results.bill.by_action["static"]
    nothing = bill_for(dearer(results.chip, 0.0, 0.0), results.mapping, results.counters)
    assert nothing.total == Amount()
    assert nothing.assumed_share == 0.0


def test_repricing_is_running_again_at_that_price() -> None:
    dear = tiny_chip("energy.sop=7pJ", "energy.mac=9pJ", "power.static=0.3W")
    for seed in range(4):
        cheap = random_run(seed)
        again = bill_for(dear, cheap.mapping, cheap.counters)
        simulated = random_run(seed, chip=dear).bill
        assert again.total == simulated.total
        assert again.by_action == simulated.by_action
        assert again.by_layer == simulated.by_layer


def test_an_action_without_a_price_is_named() -> None:
    chip, counts, layers, seconds = random_bill(0)
    short = replace(chip, prices={a: c for a, c in chip.prices.items() if a != "mac"})
    with pytest.raises(InputError, match=r"no price for 'mac'.*energy\.mac"):
        price(short, ACTIONS, counts, layers, seconds)
    counts[:, ACTIONS.index("mac")] = 0
    assert "mac" not in price(short, ACTIONS, counts, layers, seconds).by_action


def test_a_bill_that_does_not_add_up_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    from chipsim.energy import price as module

    chip, counts, layers, seconds = random_bill(1)
    monkeypatch.setattr(module, "_by_layer", lambda *_: {"hidden": Amount(1.0, 1.0, 1.0)})
    with pytest.raises(ConservationError, match="add up"):
        price(chip, ACTIONS, counts, layers, seconds)


def test_amounts() -> None:
    constant = Constant(2.0, 1.0, 4.0, "J", "assumed", "why")
    total = of(constant).times(3.0) + Amount(1.0, 0.5, 1.5)
    assert total == Amount(7.0, 3.5, 13.5)
    assert total.as_dict() == {"value": 7.0, "low": 3.5, "high": 13.5}
