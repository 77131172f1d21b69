"""The memory a run needs, known before it starts."""

from __future__ import annotations

import os

from chipsim.errors import InputError
from chipsim.mapping.model import Mapping
from chipsim.network import Trace
from chipsim.quantise.fixed import FixedNetwork

INTERPRETER_BYTES = 300 << 20
"""Python, numpy, numba and the compiled kernels (measured: 250 MB peak for 1,000 MNIST images)."""


def needed_bytes(fixed: FixedNetwork, mapping: Mapping, trace: Trace) -> int:
    """Return the bytes a run of ``trace`` takes at its peak, as an upper estimate.

    By sample and step: the input integers (4 bytes a neuron), the spikes of chip and float
    reference (1 each), the active and learning axons of each run (2 each) and the cycles of each
    integrate task (8, three times while they are counted).
    """
    inputs = sum(p.size for p in fixed.inputs)
    neurons = sum(p.size for p in fixed.populations)
    runs = sum(len(part.axons) for part in mapping.slices)
    integrating = sum(bool(part.axons) for part in mapping.slices)
    by_step = 2 * neurons + 4 * runs + 24 * integrating
    held = trace.held is not None
    input_bytes = 8 * inputs * (1 if held else fixed.steps)
    dense = sum(p.weight.size for p in fixed.projections)
    blocks = sum(part.fan_in * part.count for part in mapping.slices)
    by_sample = fixed.steps * by_step + input_bytes
    return INTERPRETER_BYTES + 12 * max(dense, blocks) + trace.samples * by_sample


def check_memory(fixed: FixedNetwork, mapping: Mapping, trace: Trace) -> None:
    """Raise InputError if a run needs more memory than the machine has."""
    if not hasattr(os, "sysconf"):
        return  # Windows does not tell
    needed = needed_bytes(fixed, mapping, trace)
    present = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > present:
        fits = trace.samples * (present - INTERPRETER_BYTES) // needed
        raise InputError(
            f"{trace.samples} samples need about {needed / 2**30:.1f} GiB of memory, this machine "
            f"has {present / 2**30:.1f}; run fewer at a time with --limit {max(1, fits)}"
        )
