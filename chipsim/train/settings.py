"""What a training run is asked to do, and the record it leaves.  No torch needed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dynamics:
    """Constants of the network that are not trained; see `chipsim.train.hp`.

    The defaults are those of the authors' fully connected demo (published).
    """

    steps: int = 10
    threshold: float = 0.35
    decay: float = 0.4
    tau: float = 40.0
    rho: float = 0.95
    clamp: float = 4.0

    def attenuation(self, step: int) -> float:
        """``d_t`` of step ``step``."""
        return math.exp(-step / self.tau)


@dataclass(frozen=True)
class Settings:
    """Settings of one training run; two runs with equal settings end in equal weights.

    ``weight_rate`` and ``rule_rate`` are Adam's first learning rates for weights and biases and
    for the local rule (alpha, beta, eta); both fall to 0 along a half cosine.  ``alpha`` is where
    both layers' alpha starts; beta and eta start uniform in ``[0, rule_spread)``.  With ``alpha``
    and ``rule_rate`` 0 this is plain backpropagation through time.  ``limit`` keeps the first so
    many training images only.
    """

    seed: int = 0
    epochs: int = 10
    hidden: int = 512
    batch: int = 100
    weight_rate: float = 1e-3
    rule_rate: float = 5e-4
    alpha: float = 0.05
    rule_spread: float = 0.01
    limit: int | None = None

    def cosine(self, batch: int, batches: int) -> float:
        """Return the share of the learning rates in force at batch ``batch`` of ``batches``."""
        return 0.5 * (1.0 + math.cos(math.pi * batch / batches))


@dataclass(frozen=True)
class EpochRecord:
    """How an epoch went: mean loss, accuracies in percent, largest possible trace per layer.

    ``train`` is measured on the batches while they are trained on; ``test`` on the whole test
    set afterwards, with plasticity running.
    """

    epoch: int
    loss: float
    train: float
    test: float
    trace_bounds: tuple[float, float]
    seconds: float


@dataclass(frozen=True)
class Summary:
    """What the trained network does on the whole test set.

    Accuracies in percent, with plasticity ``running``, ``frozen`` at the stored trace and
    ``off``; ``hidden_spikes`` per sample, ``rule`` the learnt alpha, beta and eta in figures.
    """

    running: float
    frozen: float
    off: float
    hidden_spikes: float
    rule: dict[str, float] = field(default_factory=dict)
