"""What a training run is asked to do, and the record it leaves.  No torch needed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

Readout = Literal["spike_count", "first_spike", "membrane", "integrated"]
"""How the output layer answers; see `chipsim.train.readout` and, for the latter two,
`chipsim.train.continual`."""


def cosine(done: int, total: int) -> float:
    """Return the share of the learning rates in force after ``done`` of ``total`` steps."""
    return 0.5 * (1.0 + math.cos(math.pi * done / total))


@dataclass(frozen=True)
class Dynamics:
    """Constants of a hybrid-plasticity network that are not trained, and which variant it is.

    ``reset`` is how a spike lowers the membrane potential, ``post`` the postsynaptic factor of the
    trace (``"tanh"`` of ``u / theta - eta``, ``"linear"`` without the tanh, ``"softmax"`` of
    ``u - eta`` over the layer) and ``sign`` that of its update; see `chipsim.train.hp`.  ``tau``
    None means no attenuation, ``clamp`` None an unbounded trace; with ``positive_rates`` a
    negative beta counts as 0.  ``plastic`` says which of an image network's layers are; the output
    layer is neither plastic nor attenuated where the hidden layer alone is.  ``readout`` is how the
    output layer answers.  The defaults are variant A.
    """

    steps: int = 10
    threshold: float = 0.35
    decay: float = 0.4
    tau: float | None = 40.0
    rho: float = 0.95
    clamp: float | None = 4.0
    reset: Literal["subtract", "zero"] = "subtract"
    post: Literal["tanh", "linear", "softmax"] = "tanh"
    sign: Literal[1, -1] = 1
    positive_rates: bool = False
    plastic: Literal["both", "hidden"] = "both"
    readout: Readout = "spike_count"

    def of_output(self) -> Dynamics:
        """Return the constants of an image network's output layer."""
        return self if self.plastic == "both" else replace(self, tau=None)

    def attenuation(self, step: int) -> float:
        """``d_t`` of step ``step``."""
        return 1.0 if self.tau is None else math.exp(-step / self.tau)


VARIANTS = {
    "A": Dynamics(),
    "A fault tolerance": Dynamics(steps=5, threshold=0.4, rho=0.99),
    "B": Dynamics(threshold=0.3, decay=0.6, clamp=2.0, post="linear", sign=-1, plastic="hidden"),
    "C": Dynamics(
        threshold=0.45,
        decay=0.75,
        tau=30.0,
        rho=0.9,
        reset="zero",
        post="linear",
        sign=-1,
        positive_rates=True,
        plastic="hidden",
    ),
    "D": Dynamics(
        6, threshold=0.5, decay=0.2, tau=None, rho=0.99, clamp=None, reset="zero", post="softmax"
    ),
    "E": Dynamics(3, threshold=0.5, decay=0.8, tau=50.0, rho=0.8, clamp=None, readout="membrane"),
}
"""The variants of the authors' code (published; the letters are of this project).

A: fully connected demo.  B, C: their MNIST and Fashion-MNIST convolutional networks.  D: few-shot
learning.  E: continual learning.
"""


@dataclass(frozen=True)
class Settings:
    """Settings of one training run; two runs with equal settings end in equal weights.

    ``rule`` is what learns: ``"hp"`` weights and local rule together; ``"gp"`` weights alone,
    without plasticity; ``"lp"`` the hidden layer by its local rule alone (its weights stay as
    drawn, no error reaches it), with a trained output layer, as in the authors' LP demo.
    ``trace`` says whether every sample has its own H, which starts at zero (``"sample"``), or, as
    in the authors' code, one H is shared by a batch and carried from batch to batch
    (``"batch"``, for comparison: a chip that sees one sample at a time cannot do that).

    ``channels`` are those of 3 x 3 spiking convolutions, each followed by a 2 x 2 average pooling,
    in front of the ``hidden`` neurons; none makes a fully connected network.

    ``weight_rate`` and ``rule_rate`` are Adam's first learning rates for weights and biases and
    for the local rule (alpha, beta, eta); both fall to 0 along a half cosine.  ``alpha`` is where
    both layers' alpha starts; beta and eta start uniform in ``[0, rule_spread)``; the output
    weights start at ``output_scale`` times the usual ones.  ``limit`` keeps the first so many
    training images only.

    ``validation`` above 0 makes the training bilevel: so many of the last training images are held
    out, the weights follow the others and the local rule the held out ones; see
    `chipsim.train.bilevel`.  With 0 one step trains both.
    """

    seed: int = 0
    epochs: int = 10
    channels: tuple[int, ...] = ()
    hidden: int = 512
    batch: int = 100
    weight_rate: float = 1e-3
    rule_rate: float = 5e-4
    alpha: float = 0.05
    rule_spread: float = 0.01
    output_scale: float = 1.0
    rule: Literal["hp", "gp", "lp"] = "hp"
    trace: Literal["sample", "batch"] = "sample"
    validation: int = 0
    limit: int | None = None


TASKS = {"mnist": Settings(), "fashion": Settings(output_scale=0.1)}
"""What each image classification task starts from.

Fashion-MNIST drives the hidden layer so hard that whole classes of output neurons fall silent,
beyond the reach of the surrogate gradient, unless they start with small weights (measured).
"""


@dataclass(frozen=True)
class EpochRecord:
    """How an epoch went: mean loss, accuracies in percent, largest possible trace per layer.

    ``trace_bounds`` is None where the postsynaptic factor is linear and every batch is checked.
    ``train`` is measured on the batches while they are trained on; ``test`` on the whole test
    set afterwards, with plasticity running.
    """

    epoch: int
    loss: float
    train: float
    test: float
    trace_bounds: tuple[float, float] | None
    seconds: float


@dataclass(frozen=True)
class Summary:
    """What the trained network does on the whole test set.

    Accuracies in percent, with plasticity ``running``, ``frozen`` at the stored trace and
    ``off``; ``hidden_spikes`` per sample and ``steps`` taken until the decision, ``rule`` the
    learnt alpha, beta and eta in figures.
    """

    running: float
    frozen: float
    off: float
    hidden_spikes: float
    steps: float
    rule: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FewShotSettings:
    """Settings of one few-shot training run (variant D); equal settings end in equal weights.

    An update of the optimiser sees ``groups`` times ``shots + queries`` drawings of each of
    ``ways`` characters, in episodes where each drawing takes its turn in being shown.  ``distort``
    is the strength of the random affine map that every drawing is seen through in training; see
    `chipsim.train.distort`.  The learning rates fall to 0 along a half cosine over ``updates``.
    """

    seed: int = 0
    ways: int = 20
    shots: int = 1
    channels: int = 32
    updates: int = 8000
    groups: int = 1
    queries: int = 4
    distort: float = 0.1
    weight_rate: float = 2e-3
    rule_rate: float = 1e-3


@dataclass(frozen=True)
class Progressed:
    """A stretch of few-shot updates: mean loss, training accuracy in percent, seconds."""

    updates: int
    loss: float
    train: float
    seconds: float


@dataclass(frozen=True)
class ContinualSettings:
    """Settings of one continual learning run (variant E); equal settings end in equal weights.

    Tasks are learnt one after the other, ``epochs`` passes each over the first ``limit`` images,
    through a random mask of ``density`` for each; the learning rates fall to 0 along a half cosine
    within each task.  After a task the local rule is trained for ``rule_images`` images of tasks
    met so far, weights fixed, up to task ``rule_tasks``.  ``rule`` is ``"hp"``, or ``"gp"`` for
    weights and masks alone.  Published, for longer training: 50 tasks, 10 epochs, rates 5e-4
    (constant) and 5e-5, 60,000 images for the rule.
    """

    seed: int = 0
    tasks: int = 10
    epochs: int = 1
    hidden: int = 1024
    density: float = 0.03
    batch: int = 100
    weight_rate: float = 1e-2
    rule_rate: float = 5e-4
    rule_images: int = 2_000
    rule_tasks: int = 35
    rule: Literal["hp", "gp"] = "hp"
    limit: int | None = None


@dataclass(frozen=True)
class Learnt:
    """After a task: test accuracy in percent as each task met so far, seconds it took.

    After the last task on all test images, before on the first 200.
    """

    test: list[float]
    seconds: float
