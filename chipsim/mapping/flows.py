"""Which slice sends what to which slices, derived from the slices alone.

A flow is the longest run of neurons of one sender whose packets go to the same slices.  What the
readout population fires is read from its core by the host: there is no flow out of the chip.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from chipsim.chip import Chip
from chipsim.cores.crossbar import ceil_div
from chipsim.errors import DoesNotFitError
from chipsim.mapping.model import INPUT_PORT, Flow, FlowKind, Slice
from chipsim.mapping.shapes import projections_by_name, shape_for
from chipsim.network import Graded, Input, Network, PlasticityMode


def make_flows(
    network: Network, chip: Chip, slices: Sequence[Slice], plasticity: PlasticityMode
) -> tuple[Flow, ...]:
    """Return all flows: input, spike, membrane, sum and post, in the order of their senders.

    On a chip without multicast every flow has one target.  Raises DoesNotFitError if a single
    value is wider than a packet.
    """
    listeners = _listeners(network, slices)
    flows: list[Flow] = []
    for population in network.populations:
        if isinstance(population.model, Input):
            whole = (INPUT_PORT, 0, population.size)
            runs = _runs(whole, listeners[population.name, "spike"])
            flows += _input_flows(chip, population.name, population.model, runs)
    kin: dict[str, list[Slice]] = {population.name: [] for population in network.populations}
    for piece in slices:
        kin[piece.population].append(piece)
    for piece in slices:
        flows += _slice_flows(network, chip, plasticity, piece, kin[piece.population], listeners)
    if chip.mesh.multicast == "unicast":
        flows = [replace(flow, targets=(target,)) for flow in flows for target in flow.targets]
    return tuple(flows)


_Run = tuple[int, int, int]
"""A slice (or the input port) with the run of neurons ``first, count`` it sends or hears."""


_Listeners = Mapping[tuple[str, FlowKind], list[_Run]]
"""For every population, who hears which of its neurons: its membranes, or what else it sends."""


def _listeners(network: Network, slices: Sequence[Slice]) -> _Listeners:
    projections = projections_by_name(network)
    listeners: dict[tuple[str, FlowKind], list[_Run]] = defaultdict(list)
    for piece in slices:
        for run in piece.axons:
            projection = projections[run.projection]
            kind: FlowKind = "spike" if projection.membrane is None else "membrane"
            listeners[projection.source, kind].append((piece.index, run.first, run.count))
    return listeners


def _runs(sender: _Run, listeners: Iterable[_Run]) -> list[tuple[int, int, tuple[int, ...]]]:
    """Cut a sender's neurons into the longest runs ``first, count, targets`` of equal targets."""
    _, first, count = sender
    heard = [
        (slice_, max(low, first), min(low + n, first + count))
        for slice_, low, n in listeners
        if low < first + count and first < low + n
    ]
    edges = sorted({edge for _, low, high in heard for edge in (low, high)})
    runs: list[tuple[int, int, tuple[int, ...]]] = []
    for low, high in pairwise(edges):
        targets = tuple(sorted({slice_ for slice_, a, b in heard if a <= low and high <= b}))
        if runs and runs[-1][2] == targets and runs[-1][0] + runs[-1][1] == low:
            runs[-1] = (runs[-1][0], high - runs[-1][0], targets)
        elif targets:
            runs.append((low, high - low, targets))
    return runs


def _input_flows(
    chip: Chip, name: str, model: Input, runs: list[tuple[int, int, tuple[int, ...]]]
) -> list[Flow]:
    width = chip.core.arithmetic.activation_bits if model.kind == "graded" else 1
    values = _packed(chip, width, name) if model.kind == "graded" else 1
    return [
        Flow("input", INPUT_PORT, name, *run, neurons_per_packet=values, bits=values * width)
        for run in runs
    ]


def _slice_flows(
    network: Network,
    chip: Chip,
    plasticity: PlasticityMode,
    piece: Slice,
    kin: Sequence[Slice],
    listeners: _Listeners,
) -> list[Flow]:
    sender = (piece.index, piece.first, piece.count)
    if piece.role == "dendrite":
        shape = shape_for(
            network, plasticity, "dendrite", piece.population, piece.axons, piece.count
        )
        bits = shape.channels * chip.core.arithmetic.accumulator_bits
        packets = ceil_div(bits, chip.mesh.payload_bits)
        somas = [_run(other) for other in kin if other.role == "soma"]
        return [
            Flow(
                "sum", piece.index, piece.population, *run,
                packets_per_neuron=packets, bits=ceil_div(bits, packets),
            )
            for run in _runs(sender, somas)
        ]  # fmt: skip
    spikes = _runs(sender, listeners[piece.population, "spike"])
    graded = isinstance(network.population(piece.population).model, Graded)
    width = chip.core.arithmetic.activation_bits if graded else 1
    flows = [Flow("spike", piece.index, piece.population, *run, bits=width) for run in spikes]
    flows += _membrane_flows(chip, piece, _runs(sender, listeners[piece.population, "membrane"]))
    learners = [_run(other) for other in kin if other.role == "dendrite" and other.plastic]
    if piece.role == "soma" and learners:
        bits = chip.core.arithmetic.post_bits
        _packed(chip, bits, piece.population)
        posts = _runs(sender, learners)
        flows += [Flow("post", piece.index, piece.population, *run, bits=bits) for run in posts]
    return flows


def _membrane_flows(
    chip: Chip, piece: Slice, runs: list[tuple[int, int, tuple[int, ...]]]
) -> list[Flow]:
    bits = chip.core.arithmetic.activation_bits
    if runs:
        _packed(chip, bits, piece.population)
    return [Flow("membrane", piece.index, piece.population, *run, bits=bits) for run in runs]


def _run(piece: Slice) -> _Run:
    return piece.index, piece.first, piece.count


def _packed(chip: Chip, bits: int, population: str) -> int:
    """How many values of ``bits`` a packet carries, at least one."""
    values = chip.mesh.payload_bits // bits
    if values < 1:
        raise DoesNotFitError(
            f"{population}: a value of {bits} bits exceeded max {chip.mesh.payload_bits} bits of "
            f"a packet by {bits - chip.mesh.payload_bits}; raise mesh.payload_bits"
        )
    return values
