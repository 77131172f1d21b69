"""The report's keys: what ``report.json`` and ``counters.npz`` hold, with units.

`KEYS` and `ARRAYS` are the one list of what a report is made from; docs/report.md prints them and
`chipsim.report.check` holds a report against them.  Under one `SCHEMA` number keys are only
added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

SCHEMA = 1

TASKS = ("integrate", "soma", "learn")
"""Names of the task codes in the array ``timeline``."""
PROCESSOR_TASKS = (*TASKS, "timer", "row")
"""As `TASKS`, with those of processors."""

Summary = Mapping[str, Any]
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Key:
    """One value of ``report.json``.

    In ``path``, ``[]`` stands for every item of a list and ``*`` for every key of an object.
    ``kind`` is text, integer, number or flag; a ``?`` after it allows null.
    """

    path: str
    kind: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class ArrayKey:
    """One array of ``counters.npz``; ``shape`` names its axes, ``kind`` its sort of number."""

    name: str
    kind: str
    shape: tuple[str, ...]
    unit: str
    meaning: str


def _spread(path: str, unit: str, meaning: str, mid: str = "value") -> tuple[Key, ...]:
    """Return the three keys of a value with its range."""
    return (
        Key(f"{path}.{mid}", "number", unit, meaning),
        Key(f"{path}.{mid.replace('value', 'low')}", "number", unit, "its low end"),
        Key(f"{path}.{mid.replace('value', 'high')}", "number", unit, "its high end"),
    )


KEYS: tuple[Key, ...] = (
    Key("schema", "integer", "", "version of this list"),
    Key("chipsim_version", "text", "", "version that made the report"),
    Key("model.name", "text", "", "the network"),
    Key("model.file", "text", "", "file it was read from"),
    Key("model.neurons", "integer", "", "neurons, without inputs"),
    Key("model.synapses", "integer", "", "synapses"),
    Key("model.steps", "integer", "steps", "steps of one inference"),
    Key("model.populations[].name", "text", "", "population"),
    Key("model.populations[].neurons", "integer", "", "its neurons"),
    Key("model.populations[].model", "text", "", "neuron model, or the kind of input"),
    Key("model.projections[].name", "text", "", "projection"),
    Key("model.projections[].source", "text", "", "population it comes from"),
    Key("model.projections[].target", "text", "", "population it goes to"),
    Key("model.projections[].synapses", "integer", "", "its synapses"),
    Key("model.projections[].plasticity", "text?", "", "plasticity rule; null: none"),
    Key("chip.name", "text", "", "the chip"),
    Key("chip.file", "text", "", "its description"),
    Key("chip.overrides[]", "text", "", "values set on the command line"),
    Key("chip.width", "integer", "routers", "routers in x"),
    Key("chip.height", "integer", "routers", "routers in y"),
    Key("chip.cores", "integer", "", "cores, the same number at each router"),
    Key("chip.clock_hz", "number", "Hz", "clock"),
    Key("chip.phase_s", "number", "s", "length of a phase (its mean, where it adapts)"),
    Key("chip.weight_bits", "integer", "bits", "weight width"),
    Key("trace.name", "text", "", "input trace"),
    Key("trace.samples", "integer", "", "samples simulated; an inference is one sample"),
    Key("trace.labels", "flag", "", "whether the trace has labels"),
    Key("plasticity", "text", "", "running, frozen or off"),
    Key("fits", "flag", "", "whether the network fits the chip"),
    Key("cores_used", "integer", "", "cores that hold a slice"),
    Key("cores_available", "integer", "", "cores of the chip"),
    Key("cores[].core", "integer", "", "core number"),
    Key("cores[].x", "integer", "", "column of its router"),
    Key("cores[].y", "integer", "", "row of its router"),
    Key("cores[].population", "text", "", "population of its slice"),
    Key("cores[].role", "text", "", "whole, dendrite or soma"),
    Key("cores[].slice", "text", "", "its neurons and axons, in words"),
    Key("cores[].neurons", "integer", "", "neurons of the slice"),
    Key("cores[].fan_in", "integer", "axons", "axons of the slice"),
    Key("cores[].memory.*.used_bytes", "integer", "B", "bytes used of a memory"),
    Key("cores[].memory.*.budget_bytes", "integer", "B", "bytes it has"),
    Key("cores[].memory.*.items.*", "integer", "B", "what uses it"),
    Key("cores[].fill", "number", "fraction", "fullest memory of the core"),
    Key("cores[].busy_cycles_mean", "number", "cycles", "work a phase, mean over phases"),
    Key(
        "cores[].busy_cycles_max",
        "number",
        "cycles",
        "cycle of a phase at which it is done, at worst",
    ),
    Key("cores[].energy_per_inference_j", "number", "J", "energy of the core"),
    Key("why_cores[]", "text", "", "why the network takes these cores"),
    Key("schedule.phases_per_step", "integer", "phases", "phases between two steps"),
    Key("schedule.steps", "integer", "steps", "steps of one inference"),
    Key("schedule.phases_per_inference", "integer", "phases", "phases between two inferences"),
    Key("schedule.depth_phases", "integer", "phases", "phases from a step's input to its readout"),
    Key("schedule.why[]", "text", "", "why the schedule is as it is"),
    Key("quantisation[].projection", "text", "", "projection (or population) that was rounded"),
    Key("quantisation[].quantity", "text", "", "weight, trace, ..."),
    Key("quantisation[].bits", "integer", "bits", "width"),
    Key("quantisation[].format", "text", "", "fixed-point format"),
    Key("quantisation[].lsb", "number", "", "value of the lowest bit"),
    Key("quantisation[].clipped", "integer", "", "values clipped"),
    Key("quantisation[].values", "integer", "", "values in all"),
    Key(
        "quantisation[].sqnr_db", "number?", "dB", "signal to rounding noise; null: not applicable"
    ),
    Key("accuracy.float", "number?", "fraction", "accuracy in floating point; null: no labels"),
    Key("accuracy.chip", "number?", "fraction", "accuracy on the chip; null: no labels"),
    Key("accuracy.agreement", "number?", "fraction", "samples with the same answer"),
    *_spread("energy_per_inference_j", "J", "energy of one inference"),
    *_spread("energy_per_step_j", "J", "energy of one step"),
    Key("energy_by_action.*.count_per_inference", "number", "", "actions (static: seconds)"),
    Key("energy_by_action.*.price_j", "number", "J", "price of an action (static: watts)"),
    *_spread("energy_by_action.*", "J", "energy of the action, an inference", "value_j"),
    Key("energy_by_action.*.mark", "text", "", "published, derived, measured or assumed"),
    Key("energy_by_action.*.source", "text", "", "where the price comes from"),
    *_spread("energy_by_layer.*", "J", "energy of a population, mesh or static", "value_j"),
    *_spread("power_w", "W", "power at full throughput"),
    Key("assumed.energy_share", "number", "fraction", "energy that rests on assumed constants"),
    Key("assumed.constants[].path", "text", "", "key path in the chip file"),
    Key("assumed.constants[].value", "number", "unit", "its value"),
    Key("assumed.constants[].unit", "text", "", "its SI unit"),
    Key("assumed.constants[].source", "text", "", "why this value"),
    Key("assumed.constants[].energy_share", "number", "fraction", "energy that rests on it"),
    Key("throughput_inferences_per_s", "number", "1/s", "inferences a second"),
    Key("latency_s", "number", "s", "from first input to the answer"),
    Key(
        "early_exit.mean_steps",
        "number?",
        "steps",
        "until the readout first fires; null: it does not decide by first spike",
    ),
    Key(
        "early_exit.inferences_per_s",
        "number?",
        "1/s",
        "inferences a second if each stopped then; null: as above",
    ),
    Key("bounded_by", "text", "", "what bounds throughput and latency"),
    Key("critical_core.core", "integer?", "", "the core with the longest work in any phase"),
    Key("critical_core.slice", "text", "", "its slice"),
    Key("critical_core.task", "text", "", "that work: integrate, soma or learn"),
    Key("critical_core.cycles", "integer", "cycles", "cycle of the phase in which it ends"),
    Key("critical_core.sample", "integer", "", "sample in which it happened"),
    Key("critical_core.step", "integer", "", "and step"),
    Key("synaptic_events_per_inference", "number", "", "synaptic events"),
    Key("spikes_per_inference.*", "number", "", "spikes of a population"),
    Key("traffic.packets", "integer", "", "packets sent in the run"),
    Key("traffic.deliveries", "integer", "", "copies delivered to cores"),
    Key("traffic.hops", "integer", "", "routers passed, the destination's included"),
    Key("traffic.packets_per_inference", "number", "", "packets"),
    Key("traffic.hops_per_inference", "number", "", "hops"),
    Key(
        "traffic.by_kind.*.packets",
        "integer",
        "",
        "packets of a kind: input, sum, spike, membrane, post",
    ),
    Key("traffic.by_kind.*.hops", "integer", "", "hops of that kind"),
    Key(
        "traffic.max_link_load",
        "number",
        "fraction",
        "share of all cycles the hottest link is busy",
    ),
    Key("traffic.mean_link_load", "number", "fraction", "mean over the links in use"),
    Key("traffic.hottest_link", "text?", "", "the link, from->to; null: no link was used"),
    Key("traffic.mean_latency_cycles", "number?", "cycles", "of a delivery; null: none"),
    Key("traffic.max_latency_cycles", "number?", "cycles", "of the slowest delivery; null: none"),
    Key(
        "traffic.overruns",
        "integer",
        "",
        "simulated phases that ended before all cores and packets were done",
    ),
    Key(
        "traffic.simulated_phases",
        "integer",
        "phases",
        "phases timed on the mesh (latencies and overruns)",
    ),
    Key("neurobench.footprint_bytes", "integer", "B", "memory used"),
    Key("neurobench.connection_sparsity", "number", "fraction", "weights that are zero"),
    Key("neurobench.activation_sparsity.*", "number", "fraction", "neuron-steps without a spike"),
    Key("neurobench.synaptic_operations.effective_macs", "number", "", "an inference, graded"),
    Key("neurobench.synaptic_operations.effective_acs", "number", "", "an inference, spikes"),
    Key("neurobench.synaptic_operations.dense", "number", "", "an inference, all synapses"),
    Key("neurobench.membrane_updates", "number", "", "neuron updates of an inference"),
    Key("warnings[]", "text", "", "what the reader should know"),
)

ARRAYS: tuple[ArrayKey, ...] = (
    ArrayKey(
        "link_flits",
        "integer",
        ("routers", "ports"),
        "flits",
        "through output ports east, west, north (y+1), south, local of each router (triangular: "
        "east, north-east, north, west, south-west, south, local)",
    ),
    ArrayKey(
        "traffic_matrix", "integer", ("cores", "cores"), "packets", "from source to destination"
    ),
    ArrayKey("core_actions", "integer", ("cores", "actions"), "", "actions of each core"),
    ArrayKey("action_names", "text", ("actions",), "", "their names"),
    ArrayKey("core_busy_cycles", "number", ("cores",), "cycles", "work of each core in the run"),
    ArrayKey("core_energy_j", "number", ("cores",), "J", "energy of each core in the run"),
    ArrayKey(
        "phase_drain_cycles",
        "integer",
        ("phases",),
        "cycles",
        "last arrival in each simulated phase, from its start; -1 without packets",
    ),
    ArrayKey(
        "raster_*", "flag", ("steps", "neurons"), "", "spikes of a population in the first sample"
    ),
    ArrayKey(
        "timeline",
        "integer",
        ("tasks", "5"),
        "",
        "first inference: core, task (0 integrate, 1 soma, 2 learn), phase, start cycle counted "
        "from the start of the inference, cycles",
    ),
)
