"""In which tick each population computes its steps, so that the chip computes exactly those.

A packet acts at the earliest in the tick after it was sent, so a synapse of d steps from p to q
acts ``D = d + offset(q) - offset(p)`` ticks after its spike, at least 1.  Inputs are at offset 0,
the others at the least that makes all D at least 1: longest paths with the weight ``1 - d``.
"""

from __future__ import annotations

from collections.abc import Mapping

from chipsim.errors import DoesNotFitError, InputError
from chipsim.mapping.processor.connections import longest_delay, shortest_delay
from chipsim.mapping.processor.learning import learning_populations
from chipsim.network import Input, Network, PlasticityMode, Projection
from chipsim.processor_chip import Processor, ProcessorChip

_MOST_STAGES = 31
_NO_DELAY = (
    "the e-prop program keeps the index of a synapse where its delay would be; "
    "--set core.eprop_synapses=0 keeps it elsewhere"
)


def make_offsets(network: Network) -> dict[str, int]:
    """Return the offset of each population in ticks; InputError for a loop that has none.

    That is a loop of projections without any delay, which no order of updates could compute.
    """
    offsets = {p.name: 0 for p in network.populations}
    inputs = {p.name for p in network.populations if isinstance(p.model, Input)}
    needs = [(p, 1 - shortest_delay(p)) for p in network.projections]
    came_by: dict[str, Projection] = {}
    for _ in range(len(offsets) + 1):
        moved = None
        for projection, ticks in needs:
            reached = offsets[projection.source] + ticks
            if reached > offsets[projection.target] and projection.target not in inputs:
                offsets[projection.target] = reached
                came_by[projection.target] = moved = projection
        if moved is None:
            return offsets
    assert moved is not None  # the last round still moved something, so there is a loop
    loop = _loop(came_by, moved.target, len(offsets))
    raise InputError(
        f"network {network.name}: {' -> '.join(loop)} is a loop without a delay: each would need "
        "the other's spikes of the same step; give one of its projections delay 1"
    )


def _loop(came_by: Mapping[str, Projection], name: str, count: int) -> list[str]:
    for _ in range(count):
        name = came_by[name].source
    loop = [name, came_by[name].source]
    while loop[-1] != name:
        loop.append(came_by[loop[-1]].source)
    return loop[::-1]


def check_delays(
    network: Network, chip: ProcessorChip, offsets: Mapping[str, int], mode: PlasticityMode
) -> None:
    """Raise DoesNotFitError for a synapse that acts later than the cores can make it."""
    learning = learning_populations(network, mode)
    for projection in network.projections:
        added = offsets[projection.target] - offsets[projection.source]
        ticks = longest_delay(projection) + added
        limit, why = chip.core.longest_delay, _reach(chip.core, ticks)
        if projection.target in learning and chip.core.eprop_synapses:
            limit, why = 1, _NO_DELAY
        if ticks > limit:
            raise DoesNotFitError(
                f"projection {projection.name}: delay {ticks} ticks ({longest_delay(projection)} "
                f"steps and {added} between the populations) exceeded max {limit} by "
                f"{ticks - limit}: {why}"
            )


def signal_delay(network: Network, offsets: Mapping[str, int], mode: PlasticityMode) -> int:
    """Return how many steps late a learning signal meets the eligibility traces.

    The readout computes and sends the error of step t in tick ``t + offset(readout)``; the layer
    uses it in the next tick, in which it computes step ``t + offset(readout) + 1 - offset(layer)``.
    """
    learning = learning_populations(network, mode)
    if not learning:
        return 0
    layer, readout = learning
    return offsets[readout] + 1 - offsets[layer]


def _reach(core: Processor, ticks: int) -> str:
    """Say what limits delays, and what would reach ``ticks``."""
    needed = (ticks - 1) // core.delay_slots
    how = f"--set core.delay_stages={needed} reaches further"
    if needed > _MOST_STAGES:
        how = "a chip with more core.delay_slots and core.delay_stages reaches further"
    return f"{core.delay_slots} slots of ring buffers after {core.delay_stages} delay stages; {how}"
