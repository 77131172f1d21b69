"""Which populations of a network learn by e-prop."""

from __future__ import annotations

from chipsim.errors import InputError
from chipsim.network import Network, PlasticityMode


def learning_populations(network: Network, mode: PlasticityMode) -> tuple[str, ...]:
    """Return the layer that learns and its readout, or nothing where the network does not learn.

    It does where it has a rule and ``mode`` is ``running``.  InputError if the rule names what the
    network does not have.
    """
    rule = network.learning
    if rule is None or mode != "running":
        return ()
    layers = {p.name for p in network.populations}
    readouts = {p.name: p for p in network.projections if p.source == rule.layer}
    if rule.layer not in layers or rule.readout not in readouts:
        raise InputError(
            f"network {network.name}: learning: layer {rule.layer!r} and readout "
            f"{rule.readout!r} given; a population and a projection from it are due"
        )
    return rule.layer, readouts[rule.readout].target
