"""What a processor's program does not run is refused before anything is made."""

from __future__ import annotations

from chipsim.errors import InputError
from chipsim.network import LIF, Graded, Input, Network
from chipsim.plasticity import Eprop
from chipsim.processor_chip import ProcessorChip


def check(network: Network, chip: ProcessorChip) -> None:
    """Raise InputError for what the programs do not do.

    A chip that is not S16.15 with 16-bit weights; graded inputs or neurons, attenuated or
    hybrid-plastic projections; an e-prop rule that the program does not know.
    """
    core = chip.core
    if (core.state_bits, core.fraction_bits) != (32, 15):
        raise InputError(
            f"chip {chip.name}: states of {core.state_bits} bits, {core.fraction_bits} of them a "
            "fraction; the programs are written for S16.15 (core.state_bits 32, "
            "core.fraction_bits 15)"
        )
    if (core.weight_bits, core.ring_bits) != (16, 16):
        raise InputError(
            f"chip {chip.name}: weights of {core.weight_bits} bits and ring buffers of "
            f"{core.ring_bits}; the programs are written for 16 and 16"
        )
    for population in network.populations:
        graded = isinstance(population.model, Graded)
        if graded or (isinstance(population.model, Input) and population.model.kind != "spikes"):
            raise InputError(
                f"population {population.name}: has graded values; cores of {chip.name} send "
                "spikes only: an input must be kind: spikes, neurons model: lif"
            )
    for projection in network.projections:
        if projection.attenuation_tau is not None or projection.plasticity is not None:
            what = "hybrid plasticity" if projection.plasticity is not None else "attenuation_tau"
            raise InputError(
                f"projection {projection.name}: {what} is not something {chip.name}'s programs "
                "do; they learn by e-prop or STDP"
            )
    _check_stdp(network)
    if network.learning is not None:
        _check_learning(network, network.learning)


def _check_stdp(network: Network) -> None:
    rule = network.learning
    layer = () if rule is None else (rule.layer, _readout(network, rule))
    for projection in network.projections:
        if projection.stdp is not None and projection.target in layer:
            raise InputError(
                f"projection {projection.name}: its target {projection.target} learns by e-prop; "
                "a population learns by one rule"
            )


def _check_learning(network: Network, rule: Eprop) -> None:
    layer = network.population(rule.layer)
    readout = _readout(network, rule)
    model, out = layer.model, network.population(readout).model
    if not isinstance(model, LIF) or (model.reset, model.reset_order, model.fires) != (
        "subtract",
        "after_leak",
        "at",
    ):
        raise InputError(
            f"population {layer.name}: e-prop is defined for neurons with reset: subtract, "
            "reset_order: after_leak, fires: at"
        )
    if not isinstance(out, LIF) or out.reset != "none":
        raise InputError(
            f"population {readout}: e-prop's readout is a leaky integrator: reset: none"
        )
    for name in (rule.layer, readout):
        for projection in network.incoming(name):
            if projection.connectivity is not None:
                raise InputError(
                    f"projection {projection.name}: e-prop's program keeps state for all pairs of "
                    "neurons; onto its layer and readout projections must be dense"
                )
    if rule.batch == 0 and (
        rule.optimiser != "sgd" or rule.kind != "random" or rule.rate_cost != 0.0
    ):
        raise InputError(
            "learning: a rule that learns at every step (batch: 0) needs optimiser: sgd, feedback: "
            f"random and rate_cost: 0, not {rule.optimiser}, {rule.kind} and {rule.rate_cost:g}"
        )


def _readout(network: Network, rule: Eprop) -> str:
    return next(p.target for p in network.projections if p.name == rule.readout)
