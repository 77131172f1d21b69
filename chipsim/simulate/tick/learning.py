"""Who learns on which core, and what happens between samples, compiled: a fresh start, updates."""

from __future__ import annotations

from typing import Any

import numpy as np

from chipsim.kernels.compiled import compiled
from chipsim.kernels.processor.eprop import forget
from chipsim.kernels.processor.ideal import Tutors
from chipsim.kernels.processor.layout import (
    LEVELS,
    STDP_CORE,
    learning_cores,
    new_plastic,
    no_learning,
    spike_pairs,
)
from chipsim.kernels.processor.neurons import rest
from chipsim.kernels.processor.stdp import forget_spikes
from chipsim.kernels.processor.update import next_batch, update
from chipsim.quantise.processor.model import ProcessorNetwork
from chipsim.simulate.tick.program import Layout
from chipsim.simulate.tick.records import Int32
from chipsim.simulate.tick.transport import tell


def tutors_of(layout: Layout, fixed: ProcessorNetwork) -> Tutors:
    """Return what learns on the cores of ``layout``, having learnt nothing."""
    slots = int(fixed.program.formats[0]["slots"])
    learning = fixed.learning or no_learning()
    cores, traces = learning_cores(learning, slots, layout.learner_slices)
    stdp_cores = np.zeros(len(layout.teacher_slices), STDP_CORE)
    for number, (rule, first, count) in enumerate(layout.teacher_slices):
        stdp_cores[number] = (rule, first, count, number * LEVELS)
    rules = fixed.stdp.rules
    sizes = fixed.program.populations["size"][rules["target"]]
    history = int((rules["history"] + sizes).max(initial=0))
    return Tutors(
        learning=learning,
        plastic=new_plastic(learning, fixed.feedback),
        traces=traces,
        cores=cores,
        stdp=fixed.stdp,
        pairs=spike_pairs(
            layout.rows.low.size if len(rules) else 0,
            history,
            fixed.program.weight.size if rules["rewarded"].any() else 0,
            len(stdp_cores),
        ),
        stdp_cores=stdp_cores,
        rewards=np.zeros(len(stdp_cores), np.int64),
    )


@compiled
def start_sample(state: Any, tutors: Any) -> None:
    """Bring neurons, ring buffers, eligibilities and spike histories to rest; gradients stay."""
    rest(state)
    forget(tutors.plastic, tutors.traces)
    forget_spikes(tutors.pairs)
    tutors.rewards[:] = 0


@compiled
def finish_batch(
    program: Any, state: Any, tutors: Any, tick: int, rate: int, weights: Int32
) -> None:
    """Let the weights of every core follow the batch's gradient, and begin the next batch.

    ``weights`` gets what the readout's core tells the layer's, neuron by neuron, if it has room.
    """
    for number in range(len(tutors.cores)):
        core = tutors.cores[number]
        update(program, state, tutors.learning, tutors.plastic, core, tick, rate)
    tell(program, state, tutors.learning, tutors.plastic, weights)
    next_batch(tutors.plastic)
