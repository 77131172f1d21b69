"""The energy keys of a run on processors; null where a price is not known."""

from __future__ import annotations

from typing import Any

from chipsim.energy.amount import Amount
from chipsim.energy.processors import PACKET, PAYLOAD, Line
from chipsim.tick_results import TickResults

_UNKNOWN = {"value": None, "low": None, "high": None}


def energy(results: TickResults) -> dict[str, Any]:
    """Return the keys of energy and power, in joules and watts, an inference."""
    bill, samples = results.bill, results.samples
    total = None if bill.total is None else bill.total.times(1 / samples)
    steps = 1 / results.network.steps
    return {
        "energy_per_inference_j": _amount(total),
        "energy_per_step_j": _amount(None if total is None else total.times(steps)),
        "power_w": _amount(None if bill.total is None else bill.total.times(1 / results.seconds)),
        "energy_by_action": {line.action: _line(line, samples) for line in bill.lines},
        "energy_by_layer": {
            layer: _joules(amount.times(1 / samples)) for layer, amount in bill.by_layer.items()
        },
        "energy_formula": _formula(results),
        "energy_unknown": list(bill.unknown),
        "assumed": _assumed(results),
    }


def _amount(amount: Amount | None) -> dict[str, float | None]:
    return dict(_UNKNOWN) if amount is None else dict(amount.as_dict())


def _line(line: Line, samples: int) -> dict[str, Any]:
    return {
        "count_per_inference": line.count / samples,
        "price_j": line.price.value,
        "mark": line.mark,
        "source": line.source,
        **_joules(line.energy.times(1 / samples)),
    }


def _joules(amount: Amount) -> dict[str, float]:
    return {"value_j": amount.value, "low_j": amount.low, "high_j": amount.high}


def _formula(results: TickResults) -> dict[str, float | None]:
    """Return the parts of the toolchain's formula (`chipsim.energy.processors`)."""
    bill = results.bill
    if bill.total is None:
        return dict.fromkeys(("idle_j", "cores_j", "packets_j", "total_j"))
    parts = {"idle_j": 0.0, "cores_j": 0.0, "packets_j": 0.0}
    for line in bill.lines:
        if line.path == "energy.core_active":
            parts["cores_j"] += line.energy.value
        elif line.action in (PACKET, PAYLOAD):
            parts["packets_j"] += line.energy.value
        elif line.path != "energy.sdram_byte":
            parts["idle_j"] += line.energy.value
    found: dict[str, float | None] = {k: results.per_inference(v) for k, v in parts.items()}
    return {**found, "total_j": results.per_inference(sum(parts.values()))}


def _assumed(results: TickResults) -> dict[str, Any]:
    bill, chip = results.bill, results.chip
    shares: dict[str, float] = {}
    if bill.total is not None and bill.total.value:
        for line in bill.lines:
            share = line.energy.value / bill.total.value
            shares[line.path] = shares.get(line.path, 0.0) + share
    return {
        "energy_share": None if bill.total is None else bill.share_of_assumed(),
        "constants": [
            {
                "path": path,
                "value": constant.value,
                "unit": constant.unit,
                "source": constant.source,
                "energy_share": shares.get(path, 0.0),
            }
            for path, constant in sorted(chip.constants.items())
            if constant.mark == "assumed"
        ],
    }
