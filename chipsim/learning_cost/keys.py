"""The cost of learning as plain data, and the keys it has there (docs/learning-cost.md)."""

from __future__ import annotations

from typing import Any

from chipsim.chip import Chip
from chipsim.energy.amount import Amount
from chipsim.energy.price import STATIC
from chipsim.learning_cost.cost import LearningCost
from chipsim.report.schema import Key

KEYS: tuple[Key, ...] = (
    Key("learning.method", "text", "", "none, lp, hp or gp"),
    Key("learning.weights_every", "integer?", "samples", "between weight updates; null: none"),
    Key("learning.packets_per_sample", "number", "", "packets of one sample"),
    Key("learning.hops_per_sample", "number", "", "routers they pass"),
    Key("learning.bits_per_sample", "number", "bits", "their payload, at the sender"),
    Key("learning.packets.*", "number", "", "packets of a kind"),
    Key("learning.hops.*", "number", "", "hops of a kind"),
    Key("learning.energy_per_sample_j.value", "number", "J", "energy of learning one sample"),
    Key("learning.energy_per_sample_j.low", "number", "J", "its low end"),
    Key("learning.energy_per_sample_j.high", "number", "J", "its high end"),
    Key("learning.energy_by_action.*.value_j", "number", "J", "energy of an action"),
    Key("learning.energy_by_action.*.mark", "text", "", "where its price comes from"),
    Key("learning.assumed_energy_share", "number", "fraction", "energy whose price is assumed"),
    Key("learning.phases_per_sample", "number", "phases", "from one sample to the next"),
    Key("learning.samples_per_s", "number", "1/s", "samples learned a second"),
    Key("learning.fits", "flag", "", "whether what is stored fits the cores' memories"),
    Key("learning.stored_bytes", "integer", "B", "memory in use on all cores"),
    Key("learning.cores", "integer", "", "cores of the mapping"),
    Key("learning.cores_needed", "integer", "", "fewest cores that could hold what is stored"),
    Key("learning.late", "flag", "", "whether packets miss the end of a phase going back"),
)


def as_dict(cost: LearningCost, chip: Chip) -> dict[str, Any]:
    """Return a cost as plain data, SI units."""
    constants = {**chip.prices, STATIC: chip.static_power}
    return {
        "method": cost.method,
        "weights_every": cost.weights_every,
        "packets_per_sample": sum(cost.packets.values()),
        "hops_per_sample": sum(cost.hops.values()),
        "bits_per_sample": sum(cost.bits.values()),
        "packets": dict(cost.packets),
        "hops": dict(cost.hops),
        "energy_per_sample_j": cost.energy.as_dict(),
        "energy_by_action": {
            action: {"mark": constants[action].mark, **_joules(amount)}
            for action, amount in cost.by_action.items()
        },
        "assumed_energy_share": cost.assumed_share,
        "phases_per_sample": cost.phases,
        "samples_per_s": cost.samples_per_s,
        "fits": cost.fits,
        "stored_bytes": sum(use.used for uses in cost.memory for use in uses),
        "cores": cost.cores,
        "cores_needed": cost.cores_needed,
        "late": cost.late,
    }


def _joules(amount: Amount) -> dict[str, float]:
    return {"value_j": amount.value, "low_j": amount.low, "high_j": amount.high}
