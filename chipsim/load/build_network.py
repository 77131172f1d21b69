"""Makes a `Network` of a description and the tensors it names, checking everything."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal, cast, get_args

from chipsim.config import Section
from chipsim.load.build_convolution import channel_bias, check_maps, convolution
from chipsim.load.build_membrane import sent_membrane
from chipsim.load.build_plasticity import hybrid_plasticity
from chipsim.load.learning import read_learning, read_stdp
from chipsim.load.tensors import Tensors
from chipsim.network import (
    LIF,
    Adaptation,
    Graded,
    Input,
    Network,
    Population,
    Projection,
    ReadoutKind,
    disagreement,
    evaluation_order,
)
from chipsim.yaml_tree import hint, shown

_NAME = re.compile(r"[\w.+-]{1,64}")
_MOST_NEURONS = 2**31 - 1
_MOST_STEPS = 2**20
_MOST_DELAY = 2**15
_MOST_REFRACTORY = 255


def build_network(root: Section, tensors: Tensors, default_name: str) -> Network:
    """Return the network that the description ``root`` and ``tensors`` make.

    The format is in ``docs/model-file.md``.  All arrays are float32 and C-contiguous.  Raises
    InputError at the place of the first value that is missing, unknown or inconsistent.
    """
    name = root.text("model", default=default_name)
    steps = root.integer("steps", at_least=1, at_most=_MOST_STEPS)
    populations = _populations(root, tensors)
    notes: list[str] = []
    projections = _projections(root, tensors, populations, notes)
    readout = root.section("readout")
    output = _reference(readout, "population", populations)
    if isinstance(output.model, Input):
        raise readout.error("population", f"{output.name} is an input; it gives no answer")
    kind = readout.choice("kind", get_args(ReadoutKind), default="spike_count")
    if isinstance(output.model, Graded) and kind != "membrane":
        raise readout.error("kind", f"{output.name} is graded and does not spike; use membrane")
    network = Network(
        name=name,
        steps=steps,
        populations=tuple(populations.values()),
        projections=projections,
        readout=output.name,
        readout_kind=cast(ReadoutKind, kind),
        notes=tuple(notes),
        learning=read_learning(root, tensors, populations, {p.name: p for p in projections}, steps),
    )
    _check_driven(root, network)
    return network


def _populations(root: Section, tensors: Tensors) -> dict[str, Population]:
    populations: dict[str, Population] = {}
    for section in root.sections("populations"):
        name = _new_name(section, populations)
        size = section.integer("size", at_least=1, at_most=_MOST_NEURONS)
        kind = section.choice("model", ("input", "lif", "graded"))
        model: Input | LIF | Graded
        if kind == "input":
            model = _input(section, tensors)
        else:
            model = _graded(section, tensors) if kind == "graded" else _lif(section, tensors, size)
        populations[name] = Population(name, size, model)
    if not any(isinstance(p.model, Input) for p in populations.values()):
        raise root.error("populations", "one population must be an input (model: input)")
    return populations


def _input(section: Section, tensors: Tensors) -> Input:
    kind = section.choice("kind", ("graded", "spikes"))
    maximum = tensors.number(section, "maximum", above=0.0, default=1.0)
    if kind == "spikes" and maximum != 1.0:
        raise section.error("maximum", "a spiking input has values 0 and 1; leave maximum out")
    return Input(cast(Literal["graded", "spikes"], kind), maximum)


def _graded(section: Section, tensors: Tensors) -> Graded:
    activation = section.choice("activation", ("tanh", "relu", "linear"))
    maximum = tensors.number(section, "maximum", above=0.0, default=1.0)
    if activation == "tanh" and maximum != 1.0:
        raise section.error("maximum", "tanh ends at 1; leave maximum out")
    if activation != "tanh" and not section.has("maximum"):
        raise section.error("maximum", f"where does {activation} end? The chip's format needs it")
    return Graded(cast(Literal["tanh", "relu", "linear"], activation), maximum)


def _lif(section: Section, tensors: Tensors, size: int) -> LIF:
    reset = section.choice("reset", ("subtract", "zero", "none"), default="subtract")
    order = section.choice("reset_order", ("before_leak", "after_leak"), default="before_leak")
    fires = section.choice("fires", ("above", "at"), default="above")
    return LIF(
        threshold=tensors.number(section, "threshold", above=0.0),
        decay=tensors.number(section, "decay", at_least=0.0, at_most=1.0),
        reset=cast(Literal["subtract", "zero", "none"], reset),
        reset_order=cast(Literal["before_leak", "after_leak"], order),
        fires=cast(Literal["above", "at"], fires),
        refractory=section.integer("refractory", at_least=0, at_most=_MOST_REFRACTORY, default=0),
        adaptation=_adaptation(section, tensors, size),
    )


def _adaptation(section: Section, tensors: Tensors, size: int) -> Adaptation | None:
    if not section.has("adaptation"):
        return None
    adaptation = section.section("adaptation")
    strength = tensors.array(adaptation, "strength", (size,))
    if (strength < 0).any():
        raise adaptation.error("strength", "a threshold cannot fall with spikes; 0 or above")
    decay = tensors.number(adaptation, "decay", at_least=0.0, at_most=1.0)
    return Adaptation(decay, strength)


def _projections(
    root: Section, tensors: Tensors, populations: dict[str, Population], notes: list[str]
) -> tuple[Projection, ...]:
    projections: dict[str, Projection] = {}
    for section in root.sections("projections"):
        name = _new_name(section, projections)
        source = _reference(section, "source", populations)
        target = _reference(section, "target", populations)
        if isinstance(target.model, Input):
            raise section.error("target", f"{target.name} is an input; nothing projects onto it")
        made = _synapses(section, tensors, source, target)
        if made.plasticity is not None and made.plasticity.stored_trace is None:
            notes.append(f"{name}: no stored trace; a frozen network has none (H = 0)")
        projections[name] = replace(
            made,
            name=name,
            delay=section.integer("delay", at_least=0, at_most=_MOST_DELAY, default=0),
            attenuation_tau=section.number("attenuation_tau", above=0.0, default=None),
            stdp=read_stdp(section, populations),
            membrane=sent_membrane(section, tensors, source),
        )
    check_maps(root, projections.values())
    if wrong := disagreement(projections.values()):
        raise root.error("projections", wrong)
    return tuple(projections.values())


def _synapses(
    section: Section, tensors: Tensors, source: Population, target: Population
) -> Projection:
    """Return a projection, nameless yet: weights, bias, connectivity, plasticity."""
    ends = ("", source.name, target.name)
    if section.has("convolution"):
        if section.has("plasticity"):
            raise section.error("plasticity", "a convolution shares its weights and cannot learn")
        made, kernel = convolution(section, tensors, source, target)
        bias = channel_bias(section, tensors, made)
        return Projection(*ends, kernel, bias, connectivity=made)
    weight = tensors.array(section, "weight", (target.size, source.size))
    bias = tensors.optional(section, "bias", (target.size,))
    if not section.has("plasticity"):
        return Projection(*ends, weight, bias)
    plastic = hybrid_plasticity(section.section("plasticity"), tensors, weight)
    return Projection(*ends, plastic.weight, bias, plasticity=plastic.rule)


def _check_driven(root: Section, network: Network) -> None:
    """Refuse populations nothing drives, and loops that would act within one step."""
    for population in network.populations:
        if not isinstance(population.model, Input) and not network.incoming(population.name):
            raise root.error("projections", f"nothing projects onto population {population.name}")
    try:
        evaluation_order(network)
    except ValueError as error:
        raise root.error("projections", f"{error}; a loop needs a delay of 1 or more") from error


def _new_name(section: Section, taken: dict[str, Population] | dict[str, Projection]) -> str:
    name = section.text("name")
    if not _NAME.fullmatch(name):
        raise section.error(
            "name", "a name has 1 to 64 letters, digits or any of _ . + -, without spaces"
        )
    if name in taken:
        raise section.error("name", f"{name} is the name of an earlier one; names must differ")
    return name


def _reference(section: Section, key: str, populations: dict[str, Population]) -> Population:
    name = section.text(key)
    if name not in populations:
        near = hint(name, populations) or "; known: " + ", ".join(populations)
        raise section.error(key, f"no population is called {shown(name)}{near}")
    return populations[name]
