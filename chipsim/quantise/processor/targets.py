"""What the readout should say, step by step, as its core knows it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import InputError
from chipsim.network import Network, Trace
from chipsim.plasticity import Eprop
from chipsim.quantise.processor.learning import learners_of
from chipsim.quantise.processor.numbers import fixed_array


def targets_of(
    network: Network, trace: Trace, sample: int
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return target ``(steps, outputs)`` in s16.15 and in which steps the readout is ``asked``.

    From the trace's targets (for classification rows of one 1, or of zeros where nothing is
    asked), else its labels in the rule's window.  InputError if the trace has neither.
    """
    rule = network.learning
    if rule is None:
        raise InputError(f"network {network.name}: has no learning rule, so nothing to aim at")
    outputs = network.population(learners_of(network)[1]).size
    values = _values(network, rule, trace, sample, outputs)
    asked = np.ones(network.steps, np.uint8)
    if rule.window:
        asked[: network.steps - rule.window] = 0
    if rule.task == "classification":
        asked[~values.any(axis=1)] = 0
    return fixed_array(values, f"targets of {trace.name}"), asked


def _values(
    network: Network, rule: Eprop, trace: Trace, sample: int, outputs: int
) -> NDArray[np.float32]:
    shape = (network.steps, outputs)
    if trace.targets is not None:
        values = trace.targets if trace.targets.ndim == 2 else trace.targets[sample]
        if values.shape != shape:
            raise InputError(
                f"trace {trace.name}: targets are {values.shape}, needed are {shape}: "
                "steps x readout neurons"
            )
        return values
    if trace.labels is None or rule.task != "classification":
        raise InputError(
            f"trace {trace.name}: learning by e-prop needs targets (or labels, for "
            "classification) to know the error; the trace has none"
        )
    values = np.zeros(shape, np.float32)
    label = int(trace.labels[sample])
    if not 0 <= label < outputs:
        raise InputError(f"trace {trace.name}: label {label} of sample {sample}, outputs {outputs}")
    values[:, label] = 1.0
    return values
