"""Plasticity running, frozen or off: the network that each mode means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chipsim.errors import InputError
from chipsim.network import Network, PlasticityMode, Projection


def in_mode(network: Network, mode: PlasticityMode) -> Network:
    """Return ``network`` as it computes in ``mode``.

    ``running`` leaves it as it is.  ``frozen`` holds every trace at its stored value, which folds
    into the weights (``W + alpha (factor H)^T``) and needs no second matrix.  ``off`` drops traces.

    Raises
    ------
    InputError
        If ``frozen`` is asked for and a plastic projection has no stored trace.
    """
    if mode == "running":
        return network
    projections = tuple(_without_plasticity(p, mode) for p in network.projections)
    return replace(network, projections=projections)


def _without_plasticity(projection: Projection, mode: PlasticityMode) -> Projection:
    rule = projection.plasticity
    if rule is None or mode == "off":
        return replace(projection, plasticity=None)
    if rule.stored_trace is None:
        raise InputError(
            f"projection {projection.name!r}: plasticity frozen needs a stored trace, and the "
            "model has none; give 'stored_trace' in its description, or use running or off"
        )
    trace = rule.stored_trace if rule.factor is None else rule.factor * rule.stored_trace
    folded = projection.weight + np.float32(rule.alpha) * trace.T
    return replace(projection, weight=np.ascontiguousarray(folded), plasticity=None)
