"""The report's energy: by inference, step, action and layer, and what of it was assumed."""

from __future__ import annotations

from typing import Any

from chipsim.energy.amount import Amount
from chipsim.energy.price import STATIC
from chipsim.results import Results
from chipsim.simulate.counters import actions_of


def energy(results: Results) -> dict[str, Any]:
    """Return the keys of energy and power, in joules and watts."""
    bill, samples = results.bill, results.counters.samples
    per_inference = bill.total.times(1 / samples)
    seconds = results.phases_per_inference * results.phase_seconds
    actions = actions_of(results.chip)
    totals = dict(zip(actions, results.counters.by_core.sum(axis=0), strict=True))
    totals[STATIC] = results.counters.total_cycles / results.chip.clock_hz
    constants = {**results.chip.prices, STATIC: results.chip.static_power}
    return {
        "energy_per_inference_j": per_inference.as_dict(),
        "energy_per_step_j": per_inference.times(1 / results.network.steps).as_dict(),
        "power_w": per_inference.times(1 / seconds).as_dict(),
        "energy_by_action": {
            action: {
                "count_per_inference": float(totals[action]) / samples,
                "price_j": constants[action].value,
                "mark": constants[action].mark,
                "source": constants[action].source,
                **_joules(amount.times(1 / samples)),
            }
            for action, amount in bill.by_action.items()
        },
        "energy_by_layer": {
            layer: _joules(amount.times(1 / samples)) for layer, amount in bill.by_layer.items()
        },
        "assumed": {
            "energy_share": bill.assumed_share,
            "constants": [
                {
                    "path": path,
                    "value": constant.value,
                    "unit": constant.unit,
                    "source": constant.source,
                    "energy_share": bill.shares.get(path, 0.0),
                }
                for path, constant in sorted(results.chip.constants.items())
                if constant.mark == "assumed"
            ],
        },
    }


def _joules(amount: Amount) -> dict[str, float]:
    return {"value_j": amount.value, "low_j": amount.low, "high_j": amount.high}
