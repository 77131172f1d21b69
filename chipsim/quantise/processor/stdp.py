"""STDP rules in integers: steps of weights, tables of exponentials."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.kernels.processor.layout import ONE, STDP, Stdp
from chipsim.plasticity import PairSTDP
from chipsim.quantise.processor.model import ProcessorPopulation, ProcessorProjection
from chipsim.quantise.processor.numbers import resolution

LONGEST = 2**14
"""Entries of a table at most; it ends where the exponential is 0 in s16.15."""


def quantise_stdp(
    populations: Sequence[ProcessorPopulation], projections: Sequence[ProcessorProjection]
) -> Stdp:
    """Return the STDP rules of ``projections``, in their order.

    InputError where weights are not within the rule's bounds, or its bounds or steps do not fit a
    weight.
    """
    by_name = {population.name: population for population in populations}
    plastic = [projection for projection in projections if projection.stdp is not None]
    rules = np.zeros(len(plastic), STDP)
    tables: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    history = eligibles = 0
    for record, projection in zip(rules, plastic, strict=True):
        rule, target = projection.stdp, by_name[projection.target]
        assert rule is not None
        _set_rule(record, rule, projection, target)
        record["target"], record["post"] = populations.index(target), target.first
        record["history"], record["synapse"] = history, projection.first_synapse
        record["eligibles"] = eligibles
        history += target.size
        taus = [("plus", rule.tau_plus), ("minus", rule.tau_minus)]
        if rule.reward is not None:
            record["rewarded"], record["reward"] = 1, by_name[rule.reward.population].first
            record["eligibility"] = round(math.exp(-1.0 / rule.reward.tau_eligibility) * ONE)
            record["dopamine"] = round(math.exp(-1.0 / rule.reward.tau_dopamine) * ONE)
            eligibles += len(projection.post)
            taus.append(("slow", rule.reward.tau_eligibility))
        for name, tau in taus:
            table = _exponential(tau)
            record[name] = sum(len(before) for before in tables)
            record[f"{name}_length"] = len(table)
            tables.append(table)
    return Stdp(rules, np.concatenate(tables))


def _set_rule(
    record: np.void, rule: PairSTDP, projection: ProcessorProjection, target: ProcessorPopulation
) -> None:
    step = resolution(target.shifts[0])
    where = f"projection {projection.name}"
    record["low"], record["high"] = round(rule.low / step), round(rule.high / step)
    for name in ("potentiation", "depression"):
        value = getattr(rule, name)
        record[name] = round(value / step * ONE)
        if value and not record[name]:
            raise InputError(f"{where}: {name} {value:g} is 0 in steps of {step / ONE:g}")
    weight = projection.weight
    outside = (weight < record["low"]) | (weight > record["high"]) | (projection.type != 0)
    if outside.any():
        raise InputError(
            f"{where}: {int(outside.sum())} weights are outside stdp's {rule.low:g} to "
            f"{rule.high:g}; its rows keep excitatory weights within these bounds"
        )


def _exponential(tau: float) -> NDArray[np.int32]:
    length = min(LONGEST, math.ceil(tau * math.log(2.0 * ONE)) + 1)
    return np.round(np.exp(-np.arange(length) / tau) * ONE).astype(np.int32)
