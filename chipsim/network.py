"""What is mapped: populations of neurons joined by projections, in floating point.

A network knows no chip, no file and no fixed point.  Equations are in discrete time, one
application per *step*; ``u`` is the membrane potential, ``s`` the spike (0 or 1), ``I`` the
input current, ``theta`` the threshold, ``k`` the decay factor of one step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chipsim.connectivity import Convolution, Sparse
from chipsim.plasticity import Eprop, FloatArray, HybridPlasticity, PairSTDP

ReadoutKind = Literal["spike_count", "first_spike", "membrane"]
"""How the readout answers; see `Network`."""

PlasticityMode = Literal["running", "frozen", "off"]
"""Plastic synapses learn, stay at their stored trace, or have none (`quantise.plasticity_mode`)."""


@dataclass(frozen=True)
class Input:
    """A population that is driven from outside by a trace.

    ``kind`` is ``"graded"`` (a value in ``[0, maximum]`` per neuron and step) or ``"spikes"``
    (0 or 1).
    """

    kind: Literal["graded", "spikes"]
    maximum: float = 1.0


@dataclass(frozen=True)
class Adaptation:
    """A threshold that rises with each spike: the ALIF neuron of Bellec et al. 2020.

    ``a' = decay a + s``, with ``s`` the spike of the step before, and the neuron fires against
    ``theta + strength a'``.  ``strength`` is beta, shape ``(size,)``, zero where a neuron does not
    adapt.  A reset subtracts ``theta`` alone.
    """

    decay: float
    strength: FloatArray


@dataclass(frozen=True)
class LIF:
    """Leaky integrate-and-fire neuron, one update a step.

    ``u' = k (u - theta s) + I`` for ``reset="subtract"``, ``reset_order="before_leak"``
    (Wu et al. 2022, variants A, B, E); ``u' = k u - theta s + I`` for ``"after_leak"``
    (snnTorch); ``u' = k u (1 - s) + I`` for ``reset="zero"``; ``u' = k u + I`` for ``"none"``,
    which makes a leaky integrator.  ``s`` is the spike of the step before.  The new spike is
    ``u' > theta`` (``fires="above"``) or ``u' >= theta`` (``fires="at"``).

    After a spike the neuron cannot fire for ``refractory`` steps; its membrane goes on.
    ``adaptation`` makes the threshold rise with spikes.
    """

    threshold: float
    decay: float
    reset: Literal["subtract", "zero", "none"] = "subtract"
    reset_order: Literal["before_leak", "after_leak"] = "before_leak"
    fires: Literal["above", "at"] = "above"
    refractory: int = 0
    adaptation: Adaptation | None = None


@dataclass(frozen=True)
class Graded:
    """A neuron without memory that sends a number each step: ``u = I``, output ``f(u)``.

    ``f`` is ``tanh(u)``, ``min(max(u, 0), maximum)`` (``"relu"``) or ``min(max(u, -maximum),
    maximum)`` (``"linear"``).  The output of ``"tanh"`` ends at ``maximum = 1``.
    """

    activation: Literal["tanh", "relu", "linear"]
    maximum: float = 1.0


@dataclass(frozen=True)
class SentMembrane:
    """Membrane potentials sent on as numbers: ``min(max(u, -maximum), maximum)``.

    ``u`` is that after integration, before a reset.  It is sent in every step (``steps="all"``) or,
    once a sample, in the last one (``"last"``: what variant E of Wu et al. 2022 reads out).
    """

    maximum: float
    steps: Literal["all", "last"] = "all"


@dataclass(frozen=True)
class Population:
    """``size`` neurons of one model."""

    name: str
    size: int
    model: Input | LIF | Graded


@dataclass(frozen=True)
class Projection:
    """Synapses from population ``source`` to population ``target``.

    ``weight`` has shape ``(n_post, n_pre)``, as frameworks store it, unless ``connectivity`` says
    how else it is laid out; ``bias`` is ``(n_post,)`` or None.  ``delay`` counts steps: 0 acts in
    the same step (feed-forward), 1 in the next (recurrent).  ``attenuation_tau``, in steps, makes
    the presynaptic activity of step t count ``d_t = exp(-t / tau)`` (Wu et al. 2022); None means 1.
    With ``membrane`` that activity is the source's membrane potential instead of its spikes.
    """

    name: str
    source: str
    target: str
    weight: FloatArray
    bias: FloatArray | None = None
    delay: int = 0
    attenuation_tau: float | None = None
    plasticity: HybridPlasticity | None = None
    stdp: PairSTDP | None = None
    connectivity: Convolution | Sparse | None = None
    membrane: SentMembrane | None = None

    @property
    def synapses(self) -> int:
        """Number of synapses."""
        if isinstance(self.connectivity, Convolution):
            height, width = self.weight.shape[2:]
            return self.connectivity.synapses((height, width))
        return self.weight.size


@dataclass(frozen=True)
class Network:
    """Populations and projections, with how a sample is presented and read out.

    ``steps`` is the number of steps of one sample.  ``readout`` names the population whose
    answer counts and ``readout_kind`` how: ``"spike_count"`` (most spikes; ties go to the higher
    final membrane potential, then the lower index), ``"first_spike"`` (rank order: the neuron that
    fires first; ties go to the higher ``u`` of that step, before reset, then the lower index; the
    highest final ``u`` if none fires) or ``"membrane"`` (highest final ``u``).
    ``learning`` is a rule of the whole network.
    """

    name: str
    steps: int
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    readout: str
    readout_kind: ReadoutKind = "spike_count"
    notes: tuple[str, ...] = field(default=())
    learning: Eprop | None = None

    def population(self, name: str) -> Population:
        """Return the population called ``name``; KeyError if there is none."""
        for population in self.populations:
            if population.name == name:
                return population
        raise KeyError(name)

    def incoming(self, name: str) -> tuple[Projection, ...]:
        """Return the projections onto population ``name``, in file order."""
        return tuple(p for p in self.projections if p.target == name)

    def sent_membrane(self, name: str) -> SentMembrane | None:
        """Return how population ``name`` sends its membrane potentials, None if it does not."""
        sent = (p.membrane for p in self.projections if p.source == name)
        return next((membrane for membrane in sent if membrane is not None), None)


@dataclass(frozen=True)
class Trace:
    """Input samples for a network, with labels where they are known.

    Exactly one of the three forms is set:

    - ``held (samples, neurons)``: values held for all steps of a sample (a static image);
    - ``graded (samples, steps, neurons)``: a value per step;
    - ``spikes (samples, steps, neurons)``: 0 or 1.

    ``scale`` turns a stored value into the network's input value (1/255 for 8-bit images).
    ``labels (samples,)`` are class indices, or None; ``targets (samples, steps, n_out)`` or
    ``(steps, n_out)`` what the readout should follow, or None.
    """

    name: str
    scale: float = 1.0
    held: NDArray[np.generic] | None = None
    graded: NDArray[np.generic] | None = None
    spikes: NDArray[np.generic] | None = None
    labels: NDArray[np.int64] | None = None
    targets: NDArray[np.float32] | None = None

    @property
    def values(self) -> NDArray[np.generic]:
        """The one form that is set."""
        for form in (self.held, self.graded, self.spikes):
            if form is not None:
                return form
        raise ValueError(f"trace {self.name!r} holds no values")

    @property
    def samples(self) -> int:
        """Number of samples."""
        return int(self.values.shape[0])

    @property
    def neurons(self) -> int:
        """Number of input neurons."""
        return int(self.values.shape[-1])


def evaluation_order(network: Network) -> tuple[str, ...]:
    """Return the non-input populations in the order one step evaluates them.

    A population follows every source of its delay-0 projections; otherwise file order.  Raises
    ValueError naming the populations of a delay-0 loop.
    """
    waiting = {p.name: p for p in network.populations if not isinstance(p.model, Input)}
    order: list[str] = []
    while waiting:
        ready = [
            name
            for name in waiting
            if not any(p.delay == 0 and p.source in waiting for p in network.incoming(name))
        ]
        if not ready:
            raise ValueError(f"delay-0 loop through {', '.join(sorted(waiting))}")
        for name in ready:
            del waiting[name]
        order += ready
    return tuple(order)


def disagreement(projections: Iterable[Projection]) -> str:
    """Say which projections want the membranes of one population sent in two ways, "" if none."""
    first: dict[str, Projection] = {}
    for projection in projections:
        if projection.membrane is None:
            continue
        other = first.setdefault(projection.source, projection)
        if other.membrane != projection.membrane:
            return (
                f"{other.name} and {projection.name} disagree about the membranes of "
                f"{projection.source}; a neuron sends one number, so give both the same maximum "
                "and steps"
            )
    return ""


def attenuation(projection: Projection, steps: int) -> NDArray[np.float64]:
    """Return the factor ``d_t`` on presynaptic activity at each step, shape ``(steps,)``."""
    if projection.attenuation_tau is None:
        return np.ones(steps)
    return np.asarray(np.exp(-np.arange(steps) / projection.attenuation_tau))
