"""From slices of a network to the shapes a core's budgets are counted by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from chipsim.connectivity import Convolution
from chipsim.cores.crossbar import Shape
from chipsim.mapping.model import Axons, Role, Slice
from chipsim.network import LIF, Graded, Input, Network, PlasticityMode, Projection
from chipsim.plasticity import HybridPlasticity


def is_plastic(projection: Projection, plasticity: PlasticityMode) -> bool:
    """Whether a projection's synapses learn on the chip in this mode."""
    return plasticity == "running" and projection.plasticity is not None


def axons_of(network: Network, population: str) -> tuple[Axons, ...]:
    """All axons that lead to a population: its incoming projections, one after the other."""
    return tuple(
        Axons(projection.name, 0, network.population(projection.source).size)
        for projection in network.incoming(population)
    )


def axons_onto(network: Network, population: str, first: int, count: int) -> tuple[Axons, ...]:
    """All axons with a synapse onto the neurons ``first .. first+count-1`` of a population.

    A convolution's neurons see a window each; whatever else projects reaches them all.
    """
    axons: list[Axons] = []
    for projection in network.incoming(population):
        runs: tuple[tuple[int, int], ...] = ((0, network.population(projection.source).size),)
        if isinstance(projection.connectivity, Convolution):
            height, width = projection.weight.shape[2:]
            # Neurons that see nothing but padding still stand on a core, with an axon of zeros.
            runs = projection.connectivity.window((height, width), first, count) or ((0, 1),)
        axons += [Axons(projection.name, *run) for run in runs]
    return tuple(axons)


def projections_by_name(network: Network) -> dict[str, Projection]:
    """Return the projections of a network by their name."""
    return {projection.name: projection for projection in network.projections}


def shape_for(
    network: Network,
    plasticity: PlasticityMode,
    role: Role,
    population: str,
    axons: Sequence[Axons],
    count: int,
    parts: int = 1,
) -> Shape:
    """Return the shape of a slice that is described by its parts (``axons`` empty for a soma)."""
    incoming = {projection.name: projection for projection in network.incoming(population)}
    here = _axons_a_projection(axons)
    model = network.population(population).model
    held = list(incoming.values()) if role == "soma" else [incoming[name] for name in here]
    plastic_here = [name for name in here if is_plastic(incoming[name], plasticity)]
    rules = _rules(incoming.values(), plasticity)
    graded = [n for name, n in here.items() if _is_graded(network, incoming[name])]
    spiking = [n for name, n in here.items() if not _is_graded(network, incoming[name])]
    return Shape(
        role=role,
        count=count,
        fan_in=sum(here.values()),
        graded_axons=max(graded, default=0),
        spiking_axons=max(spiking, default=0),
        channels=len(held) + sum(is_plastic(projection, plasticity) for projection in held),
        parts=parts,
        plastic=bool(plastic_here),
        learns=bool(rules),
        adapts=isinstance(model, LIF) and model.adaptation is not None,
        refractory=isinstance(model, LIF) and model.refractory > 0,
        factor=_factor(_rules((incoming[name] for name in here), plasticity)),
        table=any(rule.post != "linear" for rule in rules),
        softmax=role != "dendrite" and any(rule.post == "softmax" for rule in rules),
        graded=isinstance(model, Graded),
    )


def _rules(projections: Iterable[Projection], plasticity: PlasticityMode) -> list[HybridPlasticity]:
    """Return the rules that run."""
    if plasticity != "running":
        return []
    return [p.plasticity for p in projections if p.plasticity is not None]


def _factor(rules: Sequence[HybridPlasticity]) -> Literal["none", "mask", "matrix"]:
    """Return the widest factor that traces of a slice have."""
    factors = [rule.factor for rule in rules if rule.factor is not None]
    if any(((factor != 0) & (factor != 1)).any() for factor in factors):
        return "matrix"
    return "mask" if factors else "none"


def shapes_of(
    network: Network, slices: Sequence[Slice], plasticity: PlasticityMode
) -> tuple[Shape, ...]:
    """Return the shape of every slice; the parts of a soma slice are counted from its dendrites."""
    return tuple(
        shape_for(
            network, plasticity, piece.role, piece.population, piece.axons, piece.count,
            parts=_parts(piece, slices) if piece.role == "soma" else 1,
        )
        for piece in slices
    )  # fmt: skip


def slice_name(piece: Slice) -> str:
    """Name a slice for people: ``hidden[0:64] dendrite, slice 3``."""
    return (
        f"{piece.population}[{piece.first}:{piece.first + piece.count}] {piece.role}, "
        f"slice {piece.index}"
    )


def _axons_a_projection(axons: Sequence[Axons]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for run in axons:
        counts[run.projection] = counts.get(run.projection, 0) + run.count
    return counts


def _is_graded(network: Network, projection: Projection) -> bool:
    model = network.population(projection.source).model
    if projection.membrane is not None:
        return True
    return isinstance(model, Graded) or (isinstance(model, Input) and model.kind == "graded")


def _parts(soma: Slice, slices: Sequence[Slice]) -> int:
    """Most dendrite slices that any one neuron of a soma slice gets partial sums from."""
    changes: dict[int, int] = {}
    for piece in slices:
        if piece.role == "dendrite" and piece.population == soma.population:
            first = max(piece.first, soma.first)
            last = min(piece.first + piece.count, soma.first + soma.count)
            if first < last:
                changes[first] = changes.get(first, 0) + 1
                changes[last] = changes.get(last, 0) - 1
    parts = most = 0
    for neuron in sorted(changes):
        parts += changes[neuron]
        most = max(most, parts)
    return most
