"""e-prop (Bellec et al. 2020, Nature Communications 11:3625) as equations.

Steps of 1 ms; everything is 0 before the first.  ``x_t`` are the input spikes of step t, ``z_t``
those of the recurrent neurons, ``y_t`` the readout; no neuron projects onto itself::

    alpha = exp(-1 / tau_membrane)   kappa = exp(-1 / tau_readout)   rho = exp(-1 / tau_adaptation)
    zeta  = 1 - alpha, or 1 (`Neurons.leak_scales_input`)            theta = threshold

Network, each step in this order (``beta`` is 0 for LIF neurons)::

    r_t = max(r_{t-1} - 1, 0)                                              refractory steps left
    v_t = alpha v_{t-1} + zeta (W_in x_t + W_rec z_{t-1}) - theta z_{t-1}
    a_t = rho a_{t-1} + z_{t-1}
    A_t = theta + beta a_t                                                 threshold of ALIF
    z_t = 1 if v_t >= A_t and r_t = 0, else 0;   on a spike r_t = refractory
    y_t = kappa y_{t-1} + (1 - kappa) W_out z_t

Eligibility of the synapse from i to j (``x_i,t`` stands for ``z_i,t-1`` if i is recurrent)::

    psi_j,t = (dampening / theta) max(0, 1 - |v_j,t - A_j,t| / theta) if r_j,t = 0, else 0
    xbar_i,t   = alpha xbar_i,t-1 + zeta x_i,t
    e_ji,t     = psi_j,t (xbar_i,t - beta_j epsilon_ji,t-1)
    epsilon_ji,t = rho epsilon_ji,t-1 + e_ji,t
    ebar_ji,t  = kappa ebar_ji,t-1 + (1 - kappa) e_ji,t

Learning, with ``E_k,t = dLoss/dy_k,t`` (0 outside the learning window) and feedback weights B::

    L_j,t    = sum_k B_jk E_k,t
    G_ji     = sum_t L_j,t ebar_ji,t + rate_cost (spikes_j / T - rate_target) / T sum_t e_ji,t
    G_out,kj = sum_t E_k,t zbar_j,t;      zbar_j,t = kappa zbar_j,t-1 + (1 - kappa) z_j,t

The rate term is the e-prop gradient of ``rate_cost / 2 sum_j (spikes_j / T - rate_target)^2``;
``spikes_j / T`` is the mean over the batch of trials, and so is G.
``B`` is fixed and random, ``W_out^T`` (symmetric), or adaptive: it starts random and gets the
updates of ``W_out^T``, and both lose a share of themselves at each update (Kolen-Pollack).

The same gradient without traces per synapse, running time backwards from 0 (all per neuron)::

    Ebar_k,t = kappa Ebar_k,t+1 + (1 - kappa) E_k,t
    d_j,t    = psi_j,t (sum_k B_jk Ebar_k,t + rate_j + lb_j,t+1);   rate_j: factor of sum_t e
    lb_j,t   = rho lb_j,t+1 - beta_j d_j,t
    lv_j,t   = alpha lv_j,t+1 + d_j,t
    G_ji     = sum_t zeta lv_j,t x_i,t;      G_out,kj = sum_t Ebar_k,t z_j,t
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Feedback = Literal["random", "symmetric", "adaptive"]
FEEDBACKS: tuple[Feedback, ...] = ("random", "symmetric", "adaptive")

Gradient = Literal["adjoint", "online"]
FORMS: tuple[Gradient, ...] = ("adjoint", "online")


@dataclass(frozen=True)
class Neurons:
    """A recurrent layer of LIF, then ALIF neurons, and what its equations are given.

    Time constants and ``refractory`` in steps of 1 ms; ``adaptation`` is beta, the rise of the
    threshold by a spike; ``threshold`` in the unit of v.  Where not ``recurrent``, W_rec
    stays 0.
    """

    lif: int
    alif: int
    tau_membrane: float
    tau_readout: float
    tau_adaptation: float
    threshold: float
    adaptation: float
    refractory: int
    dampening: float
    leak_scales_input: bool
    recurrent: bool = True

    @property
    def count(self) -> int:
        """Number of recurrent neurons."""
        return self.lif + self.alif

    @property
    def input_gain(self) -> float:
        """``zeta``."""
        return 1.0 - math.exp(-1.0 / self.tau_membrane) if self.leak_scales_input else 1.0


@dataclass(frozen=True)
class Rule:
    """How the network learns.

    ``rate_target`` in spikes per step.  ``feedback_spread`` is the standard deviation of random
    feedback weights, ``feedback_decay`` the share that adaptive feedback and the readout lose at
    each update.  ``gradient`` names the form in which it is computed (`batch.GRADIENTS`).  The
    layer gets the error ``signal_delay`` steps late: ``L_j,t = sum_k B_jk E_k,t-delay``, as on a
    chip that sends it; the readout has its own at once.
    """

    feedback: Feedback
    rate_cost: float
    rate_target: float
    feedback_spread: float
    feedback_decay: float
    gradient: Gradient = "adjoint"
    signal_delay: int = 0


@dataclass(frozen=True)
class Optimiser:
    """How weights follow the mean gradient of a batch of trials.

    ``kind`` ``"sgd"``: ``w -= rate g``.  ``"adam"``: Kingma & Ba 2015 with the step size
    ``rate sqrt(1 - decay2^n) / (1 - decay1^n)`` and ``epsilon`` beside the root, as TensorFlow
    has it.  ``rate`` is multiplied by ``fall`` after every ``fall_every`` updates (0: never).
    """

    kind: Literal["sgd", "adam"]
    rate: float
    decay1: float = 0.9
    decay2: float = 0.999
    epsilon: float = 1e-8
    fall: float = 1.0
    fall_every: int = 0

    def rate_at(self, update: int) -> float:
        """Return the learning rate of update number ``update``, counted from 0."""
        return self.rate * (self.fall ** (update // self.fall_every) if self.fall_every else 1.0)
