"""What the kernels need to know of a run's faults: thresholds, packets, who sends sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chipsim.chip import Arithmetic
from chipsim.errors import InputError
from chipsim.faults.model import Faults
from chipsim.kernels import layout
from chipsim.mapping.model import Mapping
from chipsim.quantise.fixed import FixedNetwork
from chipsim.simulate.program_rows import ordered_slices, records

RATE_BITS = 53
"""Thresholds are in units of 2**-53, the precision of a rate."""


@dataclass(frozen=True)
class FaultArrays:
    """The faults of a run as the kernels take them.

    ``rates`` is one `layout.FAULTS` record; ``packets (slices, activity)`` the number of the packet
    that brings a neuron's output to a slice, ``sends (slices,)`` whether a slice's sums go out as
    packets.  Both are empty where no packet is lost.
    """

    rates: layout.Records
    packets: NDArray[np.int64]
    sends: NDArray[np.int64]


def fault_arrays(
    fixed: FixedNetwork, mapping: Mapping, faults: Faults, held: bool, offsets: dict[str, int]
) -> FaultArrays:
    """Return the arrays of a run's faults.

    ``held`` says that the input's values are held for all steps, so that they are sent once a
    sample; ``offsets`` is where each population starts in the activity.  Raises InputError where
    bits of state flip and traces decay lazily, since the order of both would matter.
    """
    arithmetic = fixed.arithmetic
    plastic = any(p.plasticity is not None for p in fixed.projections)
    if faults.state_flip and plastic and arithmetic.trace_decay == "lazy":
        raise InputError(
            "fault state_flip needs traces that decay in every step; use core.trace_decay=dense"
        )
    rates = records(layout.FAULTS, [_rates(arithmetic, faults, held)])
    if not faults.packet_drop:
        return FaultArrays(rates, np.zeros((0, 0), np.int64), np.zeros(0, np.int64))
    slices = ordered_slices(fixed, mapping)
    total = sum(p.size for p in fixed.inputs) + sum(p.size for p in fixed.populations)
    total += sum(p.size for p in fixed.populations if p.sent_membrane)
    packets = np.tile(np.arange(total), (len(slices), 1))
    places = {part.index: s for s, part in enumerate(slices)}
    for flow in mapping.flows:
        if flow.kind == "input" and flow.neurons_per_packet > 1:
            first = offsets[flow.population] + flow.first
            along = np.arange(flow.count) // flow.neurons_per_packet * flow.neurons_per_packet
            for target in flow.targets:
                packets[places[target], first : first + flow.count] = first + along
    sends = [part.role == "dendrite" for part in slices]
    return FaultArrays(rates, packets.astype(np.int64), np.array(sends, np.int64))


def _rates(arithmetic: Arithmetic, faults: Faults, held: bool) -> tuple[int, ...]:
    return (
        _threshold(faults.packet_drop),
        _threshold(_any_of(arithmetic.membrane_bits, faults.state_flip)),
        _threshold(_any_of(arithmetic.trace_bits, faults.state_flip)),
        arithmetic.trace_bits,
        int(held),
    )


def _any_of(bits: int, rate: float) -> float:
    """Return the probability that one or more of ``bits`` flip."""
    return 1.0 - (1.0 - rate) ** bits


def _threshold(rate: float) -> int:
    return round(rate * 2.0**RATE_BITS)
