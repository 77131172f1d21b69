"""The postsynaptic factors of hybrid plasticity on crossbar cores, in integers, by look-up table.

Written out in `chipsim.quantise.fixed.FixedPlasticity`; the plain twin is in ``tests/naive.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import inner
from chipsim.kernels.integers import round_all, round_shift, stream
from chipsim.kernels.layout import LINEAR, SOFTMAX

POST, SHARE = 5, 9
"""What a rounding is for: part of its noise's key."""


@inner
def post_factors(program: Any, k: int, sample: int, t: int, first: int, state: Any) -> None:
    """Give every neuron that rule ``k`` ends on, from number ``first`` on, its factor."""
    rule, f = program.rules[k], program.formats[0]
    u, drive = state.u[first : first + rule.post_size], state.drive
    sliding = program.sliding[rule.sliding : rule.sliding + rule.post_size]
    size = np.uint64(rule.post_size)
    post = state.post[rule.sliding : rule.sliding + rule.post_size]
    noise = stream(f.seed, sample, t, POST, k)
    for j in range(size):
        drive[j] = u[j] * rule.post_gain
    round_all(drive, rule.post_size, rule.post_shift, f.rounding, noise, 0)
    for j in range(size):
        drive[j] -= sliding[j]
    if rule.post == SOFTMAX:
        _softmax(program, k, stream(f.seed, sample, t, SHARE, k), state)
    elif rule.post == LINEAR:
        for j in range(size):
            post[j] = min(max(drive[j], -rule.post_high), rule.post_high)
    else:
        table, entries = program.table[k], program.table.shape[1]
        for j in range(size):
            post[j] = table[np.uint64(min(max(drive[j] + entries // 2, 0), entries - 1))]


@inner
def _softmax(program: Any, k: int, noise: Any, state: Any) -> None:
    """Turn the drives into shares: exponentials over their sum, by tables of both."""
    rule, table, rounding = program.rules[k], program.table, program.formats[0].rounding
    post, drive = state.post[rule.sliding : rule.sliding + rule.post_size], state.drive
    half = table.shape[1] // 2
    most = drive[0]
    for j in range(1, rule.post_size):
        most = max(most, drive[j])
    total = np.int64(0)
    for j in range(rule.post_size):
        drive[j] = table[k, min(most - drive[j], half - 1)]
        total += drive[j]
    # The sum as a number of 1 to 2 times a power of two; a share is divided by both.
    shift, scaled = np.int64(0), total
    while scaled >= 2 * half:
        scaled >>= 1
        shift += 1
    while scaled < half:
        scaled <<= 1
        shift -= 1
    reciprocal, places = table[k, scaled], half
    while places > 1:
        places >>= 1
        shift += 1
    for j in range(rule.post_size):
        share = round_shift(drive[j] * reciprocal, shift, rounding, noise, j)
        post[j] = min(share, rule.post_high)
