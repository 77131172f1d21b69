"""What backpropagation through time sends from core to core, on the mapping of the forward pass.

With ``d_j`` the gradient of the loss by neuron j's membrane in one step, a step of the backward
pass is, population by population against the order of the forward pass::

    error of the spike of i  =  sum over synapses i -> j of  w_ij d_j
    d_i  =  surrogate(u_i) * (error of its spike) + k * (d_i of the step after)
    gradient of w_ij        +=  x_i d_j

Along a projection that carries membranes, the error is one of the membrane: it needs no surrogate.
The synapses of j may lie on other cores than j: then ``d_j`` travels there (``error``, the way of
the post factor of local plasticity).  Each slice adds up its part of the error of a presynaptic
neuron and sends it to the core that owns that neuron (``feedback``, at accumulator width, one word
a neuron as partial sums go).  Once a sample the readout is told what was right (``label``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from chipsim.chip import Chip
from chipsim.cores.crossbar import ceil_div
from chipsim.errors import InputError
from chipsim.mapping.model import INPUT_PORT, Flow, FlowKind, Slice
from chipsim.mapping.shapes import projections_by_name
from chipsim.network import Input, Network, Projection

MessageKind = Literal["error", "feedback", "label"]


@dataclass(frozen=True)
class Message:
    """Words of one sender that go the same way in ``steps`` steps of every sample.

    ``flow`` names sender, neurons, targets and bits; ``position`` counts the words its sender's
    task has sent before.
    """

    kind: MessageKind
    flow: Flow
    steps: int
    position: int = 0

    @property
    def packets(self) -> int:
        """Packets of one sample."""
        return self.flow.count * self.flow.packets_per_neuron * self.steps


def error_steps(network: Network, projection: Projection) -> int:
    """Return the steps of a sample in which errors go back along ``projection``."""
    if projection.membrane is not None and projection.membrane.steps == "last":
        return int(projection.delay == 0)
    return max(0, network.steps - projection.delay)


def owners_of(slices: Sequence[Slice], population: str) -> tuple[Slice, ...]:
    """Return the slices that hold the membranes of ``population``."""
    return tuple(s for s in slices if s.population == population and s.role != "dendrite")


def backward_messages(network: Network, chip: Chip, slices: Sequence[Slice]) -> tuple[Message, ...]:
    """Return all messages of a backward pass over ``network.steps`` steps.

    Raises InputError for projections that are not dense, whose backward pass this model does not
    know.
    """
    _refuse_other_than_dense(network)
    messages = [*_labels(network, slices)]
    for piece in slices:
        messages += _errors(network, chip, slices, piece)
        messages += _feedback(network, chip, slices, piece)
    if chip.mesh.multicast == "unicast":
        return tuple(
            replace(message, flow=replace(message.flow, targets=(target,)))
            for message in messages
            for target in message.flow.targets
        )
    return tuple(messages)


def _refuse_other_than_dense(network: Network) -> None:
    other = next((p.name for p in network.projections if p.connectivity is not None), None)
    if other is not None:
        raise InputError(
            f"network {network.name}: projection {other!r} is not dense; the cost of learning is "
            "known for dense projections only"
        )


def _labels(network: Network, slices: Sequence[Slice]) -> list[Message]:
    targets = tuple(piece.index for piece in owners_of(slices, network.readout))
    return [Message("label", Flow("input", INPUT_PORT, network.readout, 0, 1, targets), 1)]


def _errors(network: Network, chip: Chip, slices: Sequence[Slice], piece: Slice) -> list[Message]:
    """Errors of a soma slice's neurons to the dendrite slices that hold their synapses."""
    if piece.role != "soma":
        return []
    holding = [
        (s.index, max(s.first, piece.first), min(s.first + s.count, piece.first + piece.count))
        for s in slices
        if s.population == piece.population and s.role == "dendrite"
    ]
    edges = sorted({edge for _, low, high in holding for edge in (low, high) if low < high})
    messages = []
    for low, high in pairwise(edges):
        targets = tuple(s for s, first, last in holding if first <= low and high <= last)
        if targets:
            flow = _words(chip, "post", piece, (low, high - low), targets, _error_bits(chip))
            messages.append(Message("error", flow, network.steps, low - piece.first))
    return messages


def _feedback(network: Network, chip: Chip, slices: Sequence[Slice], piece: Slice) -> list[Message]:
    """Parts of the errors of presynaptic neurons to the slices that own these neurons."""
    projections = projections_by_name(network)
    bits = chip.core.arithmetic.accumulator_bits
    messages, position = [], 0
    for run in piece.axons:
        projection = projections[run.projection]
        if isinstance(network.population(projection.source).model, Input):
            continue
        steps = error_steps(network, projection)
        for owner in owners_of(slices, projection.source):
            low = max(owner.first, run.first)
            high = min(owner.first + owner.count, run.first + run.count)
            if low < high:
                flow = _words(chip, "sum", piece, (low, high - low), (owner.index,), bits)
                flow = replace(flow, population=projection.source)
                messages.append(Message("feedback", flow, steps, position + low - run.first))
        position += run.count
    return messages


def _words(
    chip: Chip,
    kind: FlowKind,
    sender: Slice,
    neurons: tuple[int, int],
    targets: tuple[int, ...],
    bits: int,
) -> Flow:
    packets = ceil_div(bits, chip.mesh.payload_bits)
    return Flow(
        kind, sender.index, sender.population, *neurons, targets,
        packets_per_neuron=packets, bits=ceil_div(bits, packets),
    )  # fmt: skip


def _error_bits(chip: Chip) -> int:
    return chip.core.arithmetic.post_bits
