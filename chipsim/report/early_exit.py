"""How soon a first-spike readout decides, and the throughput if each inference stopped then."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chipsim.network import Network
from chipsim.report.numbers import count
from chipsim.report.schema import Summary
from chipsim.simulate.samples import Answers, decision_steps


def early_exit(
    network: Network, answers: Answers, seconds: Callable[[int], float]
) -> dict[str, float | None]:
    """Return the mean steps to a decision and the inferences a second with early exit.

    ``seconds(step)`` is what passes from the start of an inference decided in ``step`` (from 1) to
    that of the next.  All None where the readout is another: it needs all steps.
    """
    if network.readout_kind != "first_spike":
        return {"mean_steps": None, "inferences_per_s": None}
    found, times = np.unique(decision_steps(answers, network.readout), return_counts=True)
    total = sum(seconds(int(step)) * int(n) for step, n in zip(found, times, strict=True))
    samples = int(times.sum())
    return {
        "mean_steps": float(found @ times) / samples,
        "inferences_per_s": samples / total,
    }


def early_exit_text(summary: Summary) -> str | None:
    """Return the same in words, or None where the readout needs all steps."""
    found = summary["early_exit"]
    if found["mean_steps"] is None:
        return None
    return (
        f"first spike after {found['mean_steps']:.2f} of {summary['model']['steps']} steps on "
        f"average; stopping there: {count(found['inferences_per_s'])} inferences/s"
    )
