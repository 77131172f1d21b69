"""Reads how a network learns: ``learning`` (e-prop) and a projection's ``stdp``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import numpy as np

from chipsim.config import Section
from chipsim.load.tensors import Tensors
from chipsim.network import LIF, Input, Population, Projection
from chipsim.plasticity import Eprop, FloatArray, PairSTDP, Reward
from chipsim.yaml_tree import hint, shown

_MOST_BATCH = 2**16
_MOST_DELAY = 255


def read_learning(
    root: Section,
    tensors: Tensors,
    populations: Mapping[str, Population],
    projections: Mapping[str, Projection],
    steps: int,
) -> Eprop | None:
    """Return the e-prop rule under ``learning`` of a description, None if it has none.

    The keys are in ``docs/eprop.md``.  InputError at the place of the first bad value.
    """
    if not root.has("learning"):
        return None
    section = root.section("learning")
    section.choice("rule", ("eprop",))
    layer = _lif(section, "layer", section.text("layer"), populations)
    readout = _readout(section, layer, projections)
    output = _lif(section, "readout", readout.target, populations)
    if cast(LIF, output.model).reset != "none":
        raise section.error(
            "readout", f"{output.name} must be a leaky integrator for e-prop: reset: none"
        )
    kind = section.choice("feedback", ("random", "symmetric", "adaptive"))
    task = section.choice("task", ("regression", "classification"))
    optimiser = section.choice("optimiser", ("sgd", "adam"))
    return Eprop(
        layer=layer.name,
        readout=readout.name,
        kind=cast(Literal["random", "symmetric", "adaptive"], kind),
        feedback=_feedback(section, tensors, kind, layer.size, output.size),
        task=cast(Literal["regression", "classification"], task),
        window=section.integer("window", at_least=0, at_most=steps, default=0),
        dampening=section.number("dampening", above=0.0, default=0.3),
        tau_readout=section.number("tau_readout", above=0.0),
        rate_cost=section.number("rate_cost", at_least=0.0, default=0.0),
        rate_target=section.number("rate_target", at_least=0.0, at_most=1.0, default=0.01),
        optimiser=cast(Literal["sgd", "adam"], optimiser),
        learning_rate=section.number("learning_rate", above=0.0),
        batch=section.integer("batch", at_least=0, at_most=_MOST_BATCH, default=1),
        feedback_decay=section.number("feedback_decay", at_least=0.0, at_most=1.0, default=0.0),
        decay1=section.number("decay1", at_least=0.0, at_most=1.0, default=0.9),
        decay2=section.number("decay2", at_least=0.0, at_most=1.0, default=0.999),
        epsilon=section.number("epsilon", above=0.0, default=1e-8),
        signal_delay=section.integer("signal_delay", at_least=0, at_most=_MOST_DELAY, default=0),
    )


def read_stdp(section: Section, populations: Mapping[str, Population]) -> PairSTDP | None:
    """Return the rule under ``stdp`` of a projection, None if it has none; InputError as above."""
    if not section.has("stdp"):
        return None
    rule = section.section("stdp")
    low = rule.number("low", at_least=0.0, default=0.0)
    high = rule.number("high", above=0.0)
    if high <= low:
        raise rule.error("high", f"{high:g} is not above low, {low:g}")
    return PairSTDP(
        potentiation=rule.number("potentiation", at_least=0.0),
        depression=rule.number("depression", at_least=0.0),
        tau_plus=rule.number("tau_plus", above=0.0),
        tau_minus=rule.number("tau_minus", above=0.0),
        low=low,
        high=high,
        reward=_reward(rule, populations),
    )


def _lif(
    section: Section, key: str, name: str, populations: Mapping[str, Population]
) -> Population:
    if name not in populations:
        near = hint(name, populations) or "; known: " + ", ".join(populations)
        raise section.error(key, f"no population is called {shown(name)}{near}")
    if not isinstance(populations[name].model, LIF):
        raise section.error(key, f"{name} is no population of model: lif")
    return populations[name]


def _readout(
    section: Section, layer: Population, projections: Mapping[str, Projection]
) -> Projection:
    name = section.text("readout")
    if name not in projections:
        near = hint(name, projections) or "; known: " + ", ".join(projections)
        raise section.error("readout", f"no projection is called {shown(name)}{near}")
    if projections[name].source != layer.name:
        raise section.error(
            "readout", f"{name} comes from {projections[name].source}, not from {layer.name}"
        )
    return projections[name]


def _feedback(
    section: Section, tensors: Tensors, kind: str, n: int, outputs: int
) -> FloatArray | None:
    """Return B ``(outputs, n)``; a checkpoint has it as ``(n_post, n_pre)`` of the error."""
    if kind == "symmetric":
        # The weights it starts from may be in the checkpoint: they are the readout's.
        tensors.optional(section, "feedback_weight", (n, outputs))
        return None
    weight = tensors.array(section, "feedback_weight", (n, outputs))
    return np.ascontiguousarray(weight.T)


def _reward(rule: Section, populations: Mapping[str, Population]) -> Reward | None:
    if not rule.has("reward"):
        return None
    section = rule.section("reward")
    name = section.text("population")
    if name not in populations or not isinstance(populations[name].model, Input):
        inputs = [p.name for p in populations.values() if isinstance(p.model, Input)]
        raise section.error("population", f"{shown(name)} is no input; inputs: {', '.join(inputs)}")
    return Reward(
        population=name,
        tau_eligibility=section.number("tau_eligibility", above=0.0),
        tau_dopamine=section.number("tau_dopamine", above=0.0),
    )
