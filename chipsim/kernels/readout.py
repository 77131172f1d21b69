"""Which membrane potentials of the readout count: those at the end, or at its first spike."""

from __future__ import annotations

from typing import Any

from chipsim.kernels.compiled import inlined


@inlined
def keep_potential(
    first_spike: bool, decided: bool, first: int, u: Any, spikes: Any, potential: Any
) -> bool:
    """Keep the readout's membranes after a step; return whether the sample is decided.

    ``potential (size,)`` takes ``u[first : first + size]`` until the step in which the first of
    these neurons fires, that step included, where ``first_spike``; else it takes every step's.
    """
    if decided:
        return True
    fired = False
    for j in range(len(potential)):
        potential[j] = u[first + j]
        fired = fired or spikes[first + j] != 0
    return first_spike and fired
