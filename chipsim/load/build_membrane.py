"""Reads ``membrane`` of a projection: potentials that are sent instead of spikes."""

from __future__ import annotations

from typing import Literal, cast

from chipsim.config import Section
from chipsim.load.tensors import Tensors
from chipsim.network import LIF, Input, Population, SentMembrane


def sent_membrane(section: Section, tensors: Tensors, source: Population) -> SentMembrane | None:
    """Return how the projection in ``section`` takes its source's membrane; None: it takes spikes.

    Raises InputError at the place of the first bad value.
    """
    if not section.has("membrane"):
        return None
    if not isinstance(source.model, LIF):
        what = "an input" if isinstance(source.model, Input) else "graded"
        raise section.error(
            "membrane",
            f"{source.name} is {what} and sends numbers already; only neurons of model lif send "
            "their membrane instead of spikes, so leave membrane out",
        )
    if section.has("stdp"):
        raise section.error("stdp", "STDP pairs spikes, and this projection carries a membrane")
    membrane = section.section("membrane")
    steps = membrane.choice("steps", ("all", "last"), default="all")
    delayed = section.integer("delay", at_least=0, default=0) > 0
    if steps == "last" and delayed:
        raise section.error(
            "delay", "what is sent in the last step would arrive after it; remove the delay"
        )
    maximum = tensors.number(membrane, "maximum", above=0.0)
    return SentMembrane(maximum, cast(Literal["all", "last"], steps))
