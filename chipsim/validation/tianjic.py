"""What is published of Tianjic, beside what the chip model gives when it runs.

Published figures: Pei et al. 2019 and Deng et al. 2020 (peak rate and efficiency), Zhao et al. 2022
(frames a second).  The energies of `tianjic.yaml` are calibrated on the two efficiencies, so those
rows check the accounting, not the calibration.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chipsim.chip import Chip
from chipsim.job import Choices
from chipsim.load.chip_file import read_crossbar_chip
from chipsim.network import LIF, Input, Network, Population, Projection, Trace
from chipsim.pipeline import simulate
from chipsim.results import Results
from chipsim.validation.rows import Row

NEURONS = 256
NATIVE = ("core.weight_bits=8",)

ALWAYS_FIRING = LIF(threshold=0.5, decay=0.0)


def rows() -> list[Row]:
    """Run every comparison; takes some seconds."""
    chip = read_crossbar_chip("tianjic", NATIVE)
    spiking = _steady_step(chip, _ring, Trace("none", held=np.zeros((1, 1), np.uint8)))
    graded = _steady_step(chip, _fan, Trace("ones", held=np.ones((1, NEURONS), np.uint8)))
    return [
        Row("phase", 16.8e-6, spiking.results.phase_seconds, "s",
            "derived from Zhao 2022: 300 MHz / 5952.4 FPS / 10 phases"),
        Row("peak rate, spiking", 608.5e9, spiking.operations_per_second, "SOP/s",
            "derived: 156 x 65,536 / 16.8 us"),
        Row("peak efficiency, spiking", 649e9, spiking.operations_per_joule, "SOP/J",
            "Deng 2020 via SENECA (calibrated on)"),
        Row("peak rate, graded", 1.217e12, 2 * graded.operations_per_second, "OP/s",
            "derived: 2 x 156 x 65,536 / 16.8 us"),
        Row("peak efficiency, graded", 1.28e12, 2 * graded.operations_per_joule, "OP/J",
            "Pei 2019 (calibrated on; this run sends no packets, the calibration 2 hops a neuron)"),
        Row("frames a second, 9 phases", 6613.8, _frames_per_second(chip, 9), "FPS",
            "Zhao 2022, SNN tracker"),
        Row("frames a second, 10 phases", 5952.4, _frames_per_second(chip, 10), "FPS",
            "Zhao 2022, hybrid tracker"),
        Row("power, all cores busy", 0.938, spiking.power, "W",
            "derived: 608.5 GSOPS / 649 GSOPS/W; published as about 1 W at most"),
    ]  # fmt: skip


class _SteadyStep:
    """One step in steady state: what three steps do beyond what two do."""

    def __init__(self, two: Results, three: Results) -> None:
        self.results = three
        self._operations = three.counters.synaptic_events - two.counters.synaptic_events
        self._joules = three.bill.total.value - two.bill.total.value
        self._seconds = three.phase_seconds * three.mapping.schedule.interval

    @property
    def operations_per_second(self) -> float:
        return self._operations / self._seconds

    @property
    def operations_per_joule(self) -> float:
        return self._operations / self._joules

    @property
    def power(self) -> float:
        return self._joules / self._seconds


def _steady_step(chip: Chip, network: Callable[[Chip, int], Network], trace: Trace) -> _SteadyStep:
    choices = Choices(placer="snake")
    two = simulate(network(chip, 2), chip, trace, choices)
    return _SteadyStep(two, simulate(network(chip, 3), chip, trace, choices))


def _full(name: str, source: str, target: str, bias: float, delay: int = 0) -> Projection:
    """Return 256 x 256 synapses so weak that only the bias decides who fires."""
    rng = np.random.default_rng(0)
    weight = rng.uniform(-0.001, 0.001, (NEURONS, NEURONS)).astype(np.float32)
    return Projection(
        name, source, target, weight, bias=np.full(NEURONS, bias, np.float32), delay=delay
    )


def _ring(chip: Chip, steps: int) -> Network:
    """Every core full and every neuron firing every step, each core feeding the next."""
    names = [f"p{i}" for i in range(chip.cores)]
    return Network(
        name="full load, spiking",
        steps=steps,
        populations=(
            Population("none", 1, Input("graded")),
            *(Population(name, NEURONS, ALWAYS_FIRING) for name in names),
        ),
        projections=tuple(
            _full(f"{a}-{b}", a, b, bias=1.0, delay=1)
            for a, b in zip(names, names[1:] + names[:1], strict=True)
        ),
        readout=names[0],
    )


def _fan(chip: Chip, steps: int) -> Network:
    """Every core full of synapses with graded input."""
    names = [f"p{i}" for i in range(chip.cores)]
    return Network(
        name="full load, graded",
        steps=steps,
        populations=(
            Population("ones", NEURONS, Input("graded")),
            *(Population(name, NEURONS, ALWAYS_FIRING) for name in names),
        ),
        projections=tuple(_full(f"ones-{name}", "ones", name, bias=0.0) for name in names),
        readout=names[0],
    )


def _frames_per_second(chip: Chip, phases: int) -> float:
    """Frames a second of a feed-forward network that needs ``phases`` phases a frame."""
    network = Network(
        name="feed-forward",
        steps=phases,
        populations=(
            Population("in", NEURONS, Input("graded")),
            Population("out", NEURONS, ALWAYS_FIRING),
        ),
        projections=(_full("in-out", "in", "out", bias=0.0),),
        readout="out",
    )
    trace = Trace("ones", held=np.ones((2, NEURONS), np.uint8))
    results = simulate(network, chip, trace, Choices())
    return 1.0 / (results.phases_per_inference * results.phase_seconds)
