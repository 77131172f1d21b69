"""The learning rules a network may carry, as data; each cites the equations it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class HybridPlasticity:
    """Local plasticity of Wu et al. 2022; its fields make the variants of the authors' code.

    With ``x`` the presynaptic activity times the attenuation ``d_t`` (see `Projection`) and
    ``u`` the postsynaptic membrane potential after integration, before reset::

        I += alpha * (x @ (factor * H))
        H  = clip(rho * H + sign * outer(beta * x, post), -clamp, clamp)

    where ``post`` is ``tanh(u / theta - eta)``, ``u / theta - eta`` (``"linear"``) or ``exp(u -
    eta)`` over its sum over the population (``"softmax"``).  A graded neuron has ``theta = 1``.
    ``factor`` None means 1, ``clamp`` None no bound.

    ``H`` starts at zero for every sample (``state="reset"``), or goes on from the sample before
    (``"carried"``), from ``stored_trace`` in the first.  ``stored_trace`` is also the H that a
    frozen network uses (the authors keep it beside the weights as ``hebbN``).

    Shapes: ``beta (n_pre,)``, ``eta (n_post,)``, ``stored_trace`` and ``factor (n_pre, n_post)``
    or None.
    """

    alpha: float
    beta: FloatArray
    eta: FloatArray
    rho: float
    clamp: float | None
    stored_trace: FloatArray | None = None
    post: Literal["tanh", "linear", "softmax"] = "tanh"
    sign: Literal[1, -1] = 1
    factor: FloatArray | None = None
    state: Literal["reset", "carried"] = "reset"


@dataclass(frozen=True)
class Reward:
    """What makes STDP reward-modulated (Izhikevich 2007; Fremaux & Gerstner 2016).

    STDP moves the weight's eligibility ``c`` instead of the weight: ``dc/dt = -c /
    tau_eligibility`` and ``dw/dt = c * d`` with the dopamine level ``dd/dt = -d / tau_dopamine +
    reward``, all in steps.  ``population`` names the input whose neuron 0 carries the reward.
    """

    population: str
    tau_eligibility: float
    tau_dopamine: float


@dataclass(frozen=True)
class PairSTDP:
    """Pair-based STDP with exponential windows, all-to-all, additive weights in [low, high].

    A postsynaptic spike ``dt`` steps after a presynaptic one moves the weight by
    ``potentiation * exp(-dt / tau_plus)``, one before it by ``-depression * exp(-dt / tau_minus)``
    (Song, Miller & Abbott 2000); a pair in the same step counts for neither.
    """

    potentiation: float
    depression: float
    tau_plus: float
    tau_minus: float
    low: float
    high: float
    reward: Reward | None = None


@dataclass(frozen=True, eq=False)
class Eprop:
    """e-prop of Bellec et al. 2020 on the projections ``onto`` one recurrent layer and its readout.

    Symbols and equations are those of `chipsim.train.eprop.rule`.  ``layer`` is the population
    that learns (its incoming projections are plastic), ``readout`` the projection from it to the
    output population.  ``feedback (n_out, n)`` is B for random and adaptive feedback, None for
    symmetric.  The error is ``y - target`` (regression) or ``softmax(y) - onehot`` in the last
    ``window`` steps of a sample (all where it is 0).  A weight follows the mean gradient of
    ``batch`` samples by ``optimiser``; where ``batch`` is 0, it follows every step's (continuous).
    ``signal_delay`` is how many steps late the error meets the eligibility traces.
    """

    layer: str
    readout: str
    kind: Literal["random", "symmetric", "adaptive"]
    feedback: FloatArray | None
    task: Literal["regression", "classification"]
    window: int
    dampening: float
    tau_readout: float
    rate_cost: float
    rate_target: float
    optimiser: Literal["sgd", "adam"]
    learning_rate: float
    batch: int = 1
    feedback_decay: float = 0.0
    decay1: float = 0.9
    decay2: float = 0.999
    epsilon: float = 1e-8
    signal_delay: int = 0
