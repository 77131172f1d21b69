"""Counters times prices: what a run cost, by action, core and layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Chip, Constant, price_path
from chipsim.energy.amount import Amount, of
from chipsim.errors import ConservationError, InputError

STATIC = "static"
MESH = "mesh"
MESH_ACTIONS = ("router_hop", "hop_bit", "chip_hop", "board_hop")


@dataclass(frozen=True)
class Bill:
    """The energy of a whole run in joules.

    ``by_action`` sums the priced actions and ``static``; ``by_core (cores,)`` what cores and their
    routers took (without static power); ``by_layer`` what the cores of each population took, with
    ``mesh`` and ``static`` apart.  ``assumed_share`` is the share of ``total`` whose price is
    assumed, ``shares`` the share of each constant, by key path.
    """

    total: Amount
    by_action: Mapping[str, Amount]
    by_core: NDArray[np.float64]
    by_layer: Mapping[str, Amount]
    shares: Mapping[str, float]
    assumed_share: float


def price(
    chip: Chip,
    actions: Sequence[str],
    by_core: NDArray[np.int64],
    layer_of_core: Mapping[int, str],
    seconds: float,
) -> Bill:
    """Price ``by_core (cores, actions)`` counts and ``seconds`` of static power.

    Raises
    ------
    InputError
        If the chip has no price for an action that happened.
    ConservationError
        If the parts do not add up to the whole.
    """
    totals = by_core.sum(axis=0)
    prices = {a: _price_of(chip, a) for a, n in zip(actions, totals, strict=True) if n}
    by_action = {
        a: of(prices[a]).times(float(n)) for a, n in zip(actions, totals, strict=True) if n
    }
    by_action[STATIC] = of(chip.static_power).times(seconds)
    priced = [i for i, a in enumerate(actions) if a in chip.prices]
    values = np.array([prices[a].value if a in prices else 0.0 for a in actions])[priced]
    total = reduce(Amount.__add__, by_action.values())
    by_layer = _by_layer(actions, by_core, layer_of_core, prices)
    by_layer[STATIC] = by_action[STATIC]
    _check(total, by_layer)
    shares, assumed = _shares(chip, by_action, prices, total)
    return Bill(total, by_action, by_core[:, priced] @ values, by_layer, shares, assumed)


def _price_of(chip: Chip, action: str) -> Constant:
    if action not in chip.prices:
        raise InputError(
            f"chip {chip.name!r} has no price for {action!r}, which happened; add "
            f"{price_path(action)}, "
            'such as {value: 1 pJ, assumed: "why"}'
        )
    return chip.prices[action]


def _by_layer(
    actions: Sequence[str],
    by_core: NDArray[np.int64],
    layer_of_core: Mapping[int, str],
    prices: Mapping[str, Constant],
) -> dict[str, Amount]:
    layers: dict[str, Amount] = {}
    for core, index in np.argwhere(by_core):
        action = actions[index]
        on_mesh = action in MESH_ACTIONS or action.startswith("links[")
        layer = MESH if on_mesh else layer_of_core[int(core)]
        amount = of(prices[action]).times(float(by_core[core, index]))
        layers[layer] = layers.get(layer, Amount()) + amount
    return layers


def _check(total: Amount, by_layer: Mapping[str, Amount]) -> None:
    parts = sum(amount.value for amount in by_layer.values())
    if not math.isclose(parts, total.value, rel_tol=1e-9, abs_tol=1e-18):
        raise ConservationError(
            f"the layers' energies add up to {parts} J, the actions' to {total.value} J"
        )


def _shares(
    chip: Chip, by_action: Mapping[str, Amount], prices: Mapping[str, Constant], total: Amount
) -> tuple[dict[str, float], float]:
    shares, assumed = {}, 0.0
    for action, amount in by_action.items():
        constant = chip.static_power if action == STATIC else prices[action]
        share = amount.value / total.value if total.value else 0.0
        shares["power.static" if action == STATIC else price_path(action)] = share
        assumed += share if constant.mark == "assumed" else 0.0
    return shares, assumed
