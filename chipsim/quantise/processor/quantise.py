"""From a network to a `ProcessorNetwork`: integers, rows, delays in ticks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chipsim.errors import DoesNotFitError
from chipsim.kernels.processor.layout import (
    FORMATS,
    NO_RESET,
    POPULATION,
    PROJECTION,
    SUBTRACT,
    ZERO,
    Fanout,
    Program,
)
from chipsim.network import LIF, Network, Population, Projection
from chipsim.processor_chip import Processor, ProcessorChip
from chipsim.quantise.fixed import QuantisationLoss
from chipsim.quantise.formats import FixedFormat
from chipsim.quantise.loss import measure_loss
from chipsim.quantise.processor.checks import check
from chipsim.quantise.processor.connections import Rows, rows_of
from chipsim.quantise.processor.learning import learners_of, quantise_learning
from chipsim.quantise.processor.model import (
    ProcessorNetwork,
    ProcessorPopulation,
    ProcessorProjection,
)
from chipsim.quantise.processor.numbers import fixed, fixed_array, fraction, resolution
from chipsim.quantise.processor.shifts import GROWTH, covering_shift, expected_sum
from chipsim.quantise.processor.stdp import quantise_stdp

_RESETS = {"none": NO_RESET, "subtract": SUBTRACT, "zero": ZERO}


def quantise_for_processor(
    network: Network, chip: ProcessorChip, offsets: Mapping[str, int], seed: int = 0
) -> ProcessorNetwork:
    """Return ``network`` in the arithmetic of ``chip``'s cores.

    ``offsets`` are the ticks by which each population lags behind the input
    (`chipsim.mapping.processor.model`); ``seed`` that of stochastic rounding.  InputError for what
    processors do not run and for numbers beyond S16.15, DoesNotFitError for a delay beyond ring
    buffers and delay stages.
    """
    check(network, chip)
    rows = {p.name: _rows(network, p.name) for p in network.projections}
    populations = _populations(network, rows)
    projections, losses = _projections(network, populations, rows, offsets, chip)
    program = _program(network, chip, populations, projections, seed)
    fanout = _fanout(network, populations, projections, offsets, chip.core.delay_slots)
    learning, feedback = quantise_learning(network, populations, projections, program)
    return ProcessorNetwork(
        network=network,
        offsets=dict(offsets),
        populations=populations,
        projections=projections,
        program=program,
        fanout=fanout,
        learning=learning,
        feedback=feedback,
        stdp=quantise_stdp(populations, projections),
        losses=losses,
    )


def _rows(network: Network, name: str) -> Rows:
    projection = next(p for p in network.projections if p.name == name)
    source, target = network.population(projection.source), network.population(projection.target)
    return rows_of(projection, source.size, target.size)


def _populations(network: Network, rows: Mapping[str, Rows]) -> tuple[ProcessorPopulation, ...]:
    found = []
    first = 0
    learners = learners_of(network)
    for population in network.populations:
        incoming = [_fullest(p, rows[p.name]) for p in network.incoming(population.name)]
        found.append(_population(population, first, incoming, population.name in learners))
        first += population.size
    return tuple(found)


def _fullest(projection: Projection, rows: Rows) -> Rows:
    """Return ``rows`` with the largest weights that learning by STDP may make of them."""
    if projection.stdp is None:
        return rows
    return rows._replace(weight=np.full_like(rows.weight, projection.stdp.high))


def _population(
    population: Population, first: int, incoming: Sequence[Rows], learns: bool
) -> ProcessorPopulation:
    size = population.size
    if not isinstance(population.model, LIF):
        return ProcessorPopulation(population.name, first, size, "source", 0, ())
    if learns:
        shifts: tuple[int, ...] = (covering_shift(GROWTH * expected_sum(incoming, size, 0)),)
    else:
        shifts = tuple(covering_shift(expected_sum(incoming, size, sign)) for sign in (1, -1))
    return ProcessorPopulation(population.name, first, size, "lif", len(shifts), shifts)


def _projections(
    network: Network,
    populations: Sequence[ProcessorPopulation],
    rows: Mapping[str, Rows],
    offsets: Mapping[str, int],
    chip: ProcessorChip,
) -> tuple[tuple[ProcessorProjection, ...], tuple[QuantisationLoss, ...]]:
    by_name = {population.name: population for population in populations}
    columns = dict.fromkeys(learners_of(network), 0)
    found, losses = [], []
    first = 0
    for projection in network.projections:
        part, target = rows[projection.name], by_name[projection.target]
        weight, kind, loss = _weights(projection.name, part, target)
        column = columns.get(projection.target)
        if column is not None:
            columns[projection.target] += by_name[projection.source].size
        losses.append(loss)
        lag = offsets[projection.target] - offsets[projection.source]
        ticks = _checked(projection.name, part.delay + lag, chip.core)
        stages = (ticks - 1) // chip.core.delay_slots
        for stage in np.unique(stages).tolist() or [0]:
            kept = stages == stage
            before = np.concatenate([[0], np.cumsum(kept)])
            found.append(
                ProcessorProjection(
                    name=projection.name,
                    source=projection.source,
                    target=projection.target,
                    first_synapse=first,
                    starts=before[part.starts],
                    post=part.post[kept],
                    weight=weight[kept],
                    type=kind[kept],
                    delay=(ticks[kept] - stage * chip.core.delay_slots).astype(np.uint16),
                    first_column=column,
                    stdp=projection.stdp,
                    stage=stage,
                )
            )
            first += int(before[-1])
    return tuple(found), tuple(losses)


def _weights(
    name: str, part: Rows, target: ProcessorPopulation
) -> tuple[NDArray[np.uint16], NDArray[np.uint8], QuantisationLoss]:
    """Return weights and synapse types in integers, and what rounding cost."""
    values = part.weight.astype(np.float64)
    kind = np.zeros(len(values), np.uint8)
    if target.types == 1:
        lsb = np.full(len(values), resolution(target.shifts[0]))
        whole = np.clip(np.round(values / lsb), -32767, 32767).astype(np.int64)
        weight = whole.astype(np.int16).view(np.uint16)
    else:
        kind[values < 0] = 1
        lsb = np.where(kind == 1, *(resolution(shift) for shift in target.shifts[::-1]))
        weight = np.minimum(np.round(np.abs(values) / lsb), 65535).astype(np.uint16)
        whole = np.where(kind == 1, -weight.astype(np.int64), weight.astype(np.int64))
    # Two scales have no one format: the loss is told in steps of the finer.
    finest = float(lsb.min(initial=resolution(max(target.shifts))))
    stands_for = np.round(whole * lsb / finest).astype(np.int64)
    fmt = FixedFormat(17, finest * float(lsb.max(initial=finest) / finest), True)
    if fmt.lsb != finest:
        fmt = FixedFormat(17 + round(np.log2(fmt.lsb / finest)), finest, True)
    return weight, kind, measure_loss(name, "weight", values, stands_for, fmt)


def _checked(name: str, ticks: NDArray[np.int64], core: Processor) -> NDArray[np.int64]:
    """Return delays in ``ticks``; DoesNotFitError unless ring buffers and delay stages reach."""
    if len(ticks) and (ticks.min() < 1 or ticks.max() > core.longest_delay):
        raise DoesNotFitError(
            f"projection {name}: delays take {ticks.min()} to {ticks.max()} ticks; ring buffers of "
            f"{core.delay_slots} slots after up to {core.delay_stages} delay stages make 1 to "
            f"{core.longest_delay} (core.delay_slots, core.delay_stages)"
        )
    return ticks


def _program(
    network: Network,
    chip: ProcessorChip,
    populations: Sequence[ProcessorPopulation],
    projections: Sequence[ProcessorProjection],
    seed: int,
) -> Program:
    neurons = sum(population.size for population in populations)
    nearest = chip.core.rounding == "nearest"
    formats = np.zeros(1, FORMATS)
    formats[0] = (
        neurons,
        chip.core.delay_slots,
        chip.core.rounding == "stochastic",
        (1 << 14) * nearest,
        (1 << 31) * nearest,
        seed,
    )
    bias, strength = np.zeros((2, neurons), np.int32)
    records = np.zeros(len(populations), POPULATION)
    for number, (population, own) in enumerate(zip(network.populations, populations, strict=True)):
        part = slice(own.first, own.first + own.size)
        records[number] = _record(population, own)
        if isinstance(population.model, LIF):
            bias[part] = fixed_array(_bias(network, population), f"bias of {own.name}")
            if population.model.adaptation is not None:
                strengths = population.model.adaptation.strength
                strength[part] = fixed_array(strengths, f"adaptation of {own.name}")
    by_name = {population.name: population for population in populations}
    places = [np.zeros(0, np.uint32)]
    for projection in projections:
        row = 2 * projection.delay.astype(np.uint32) + projection.type
        place = row * np.uint32(neurons) + projection.post
        places.append(place + np.uint32(by_name[projection.target].first))
    weight = np.concatenate([np.zeros(0, np.uint16), *(p.weight for p in projections)])
    return Program(formats, records, bias, strength, np.concatenate(places), weight)


def _bias(network: Network, population: Population) -> NDArray[np.float64]:
    total = np.zeros(population.size)
    for projection in network.incoming(population.name):
        if projection.bias is not None:
            total += projection.bias
    return total


def _record(population: Population, own: ProcessorPopulation) -> tuple[int, ...]:
    model = population.model
    fields = POPULATION.names or ()
    if not isinstance(model, LIF):
        return (1, own.first, own.size, *(0 for _ in fields[3:]))
    adaptation = model.adaptation
    return (
        0,
        own.first,
        own.size,
        own.types,
        own.shifts[0],
        own.shifts[-1],
        _RESETS[model.reset],
        model.reset_order == "before_leak",
        model.fires == "at",
        model.refractory,
        fixed(model.threshold, f"threshold of {own.name}"),
        fraction(model.decay),
        adaptation is not None,
        0 if adaptation is None else fraction(adaptation.decay),
    )


def _fanout(
    network: Network,
    populations: Sequence[ProcessorPopulation],
    projections: Sequence[ProcessorProjection],
    offsets: Mapping[str, int],
    slots: int,
) -> Fanout:
    numbers = {population.name: number for number, population in enumerate(populations)}
    learners = learners_of(network)
    ordered = sorted(projections, key=lambda projection: numbers[projection.source])
    records = np.zeros(len(ordered), PROJECTION)
    plastic = [id(projection) for projection in projections if projection.stdp is not None]
    starts = []
    before = 0
    for record, projection in zip(records, ordered, strict=True):
        target = populations[numbers[projection.target]]
        learner = learners.index(target.name) if target.name in learners else -1
        record["source"], record["target"] = numbers[projection.source], numbers[target.name]
        record["size"], record["first"] = len(projection.starts) - 1, projection.first_synapse
        record["starts"], record["signed"] = before, target.types == 1
        record["learner"], record["column"] = learner, projection.first_column or 0
        record["delay"] = projection.delay[0] if learner >= 0 else 0
        record["stdp"] = plastic.index(id(projection)) if projection.stdp is not None else -1
        record["later"] = projection.stage * slots
        starts.append(projection.starts)
        before += len(projection.starts)
    by_source = np.searchsorted(records["source"], np.arange(len(populations) + 1))
    lags = np.array([offsets[population.name] for population in populations], np.int64)
    joined = np.concatenate([np.zeros(0, np.int64), *starts])
    return Fanout(records, by_source.astype(np.int64), joined, lags)
