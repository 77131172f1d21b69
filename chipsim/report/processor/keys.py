"""Keys and arrays of the report of a run on processors (docs/spinnaker.md prints them).

Most are those of `chipsim.report.schema`; energies may be null where a price is not known.
"""

from __future__ import annotations

from dataclasses import replace

from chipsim.report.schema import ARRAYS, KEYS, ArrayKey, Key
from chipsim.simulate.tick.records import COUNTS

_LEFT_OUT = ("schedule.", "critical_core.", "neurobench.")
_MAYBE_UNKNOWN = ("energy_per_inference_j.", "energy_per_step_j.", "power_w.")
_ALSO_UNKNOWN = ("cores[].energy_per_inference_j", "assumed.energy_share")

_SHARED = tuple(
    replace(key, kind="number?")
    if key.path.startswith(_MAYBE_UNKNOWN) or key.path in _ALSO_UNKNOWN
    else key
    for key in KEYS
    if not key.path.startswith(_LEFT_OUT)
)

PROCESSOR_KEYS: tuple[Key, ...] = (
    *_SHARED,
    Key("kind", "text", "", "processors"),
    Key("chip.chips", "integer", "", "chips of the machine"),
    Key("chip.boards", "integer", "", "boards; 0: chips by themselves"),
    Key("chip.gone[].x", "integer", "", "place without a chip, or with a dead one"),
    Key("chip.gone[].y", "integer", "", "its row"),
    Key("chip.cores_per_router", "integer", "", "cores at each router"),
    Key("schedule.ticks_per_inference", "integer", "ticks", "ticks between two inferences"),
    Key("schedule.depth_ticks", "integer", "ticks", "ticks by which the last population lags"),
    Key("schedule.offsets.*", "integer", "ticks", "lag of a population behind the input"),
    Key("schedule.signal_delay", "integer", "ticks", "by how much learning signals come late"),
    Key("cores[].number", "integer", "", "number of the core at its router"),
    Key("cores[].bound", "text", "", "what most of its time goes to"),
    *(Key(f"cores[].counts.{name}", "integer", "", "see ticks.counts") for name in COUNTS),
    Key("critical_core.core", "integer?", "", "the core with the most work in a tick"),
    Key("critical_core.slice", "text", "", "its slice"),
    Key("critical_core.cycles", "integer", "cycles", "that work"),
    Key("critical_core.bound", "text", "", "what most of its time goes to"),
    Key("ticks.mesh", "text", "", "real, or ideal: packets arrive at once, unlimited time"),
    Key("ticks.count", "integer", "ticks", "ticks of the run"),
    Key("ticks.seconds", "number", "s", "length of a tick"),
    Key("ticks.cycles", "integer", "cycles", "core cycles of a tick"),
    Key("ticks.real_time", "flag", "", "no deadline missed, no packet late, early or lost"),
    Key("ticks.slowdown", "number", "", "longest work of a core in a tick over the tick's cycles"),
    Key("ticks.deadline_misses", "integer", "", "ticks of cores that had more work than time"),
    Key("ticks.missing_cores", "integer", "", "cores that missed a deadline"),
    Key("ticks.over_cycles_max", "integer", "cycles", "most by which a deadline was missed"),
    Key("ticks.over_cycles_mean", "number?", "cycles", "mean of those missed; null: none"),
    Key("ticks.late_ticks_mean", "number?", "ticks", "by which late packets are late; null: none"),
    Key("ticks.drain_ticks", "integer", "ticks", "after samples' ends, until all is accounted for"),
    Key("ticks.pause_ticks", "integer", "ticks", "between samples, in which weights were sent"),
    Key("ticks.by_cost[].action", "text", "", "key of cycles.* that is varied"),
    Key("ticks.by_cost[].cycles", "integer", "cycles", "what it costs"),
    Key("ticks.by_cost[].core", "integer", "", "the core with the most work then"),
    Key("ticks.by_cost[].tick_cycles", "integer", "cycles", "its work in its busiest tick"),
    Key("ticks.by_cost[].met", "flag", "", "whether that fits into a tick"),
    *(
        Key(f"ticks.counts.{name}", "integer", "", "over all cores: sum or maximum")
        for name in COUNTS
    ),
    Key("traffic.due", "integer", "", "deliveries due: packets times the cores they are for"),
    Key(
        "traffic.delayed_packets",
        "integer",
        "",
        "packets of kind spike, sent again by delay extensions",
    ),
    Key("traffic.in_time", "integer", "", "of these, acted in the sender's tick"),
    Key("traffic.late", "integer", "", "acted in a later one"),
    Key("traffic.early", "integer", "", "acted in an earlier one of a receiver that lags behind"),
    Key("traffic.dropped_in_mesh", "integer", "", "lost with copies that routers dropped"),
    Key("traffic.dropped_in_queues", "integer", "", "lost at full spike queues"),
    Key("traffic.emergencies", "integer", "", "copies sent by emergency routes"),
    Key("traffic.reinjected", "integer", "", "dropped copies that monitor cores sent again"),
    Key("traffic.lost_at_registers", "integer", "", "dropped while a router's registers were full"),
    Key("traffic.lost_at_monitors", "integer", "", "found no room to wait to be sent again"),
    Key("traffic.drops[].x", "integer", "", "router that dropped copies"),
    Key("traffic.drops[].y", "integer", "", "its row"),
    Key("traffic.drops[].link", "text", "", "link that refused them for too long"),
    Key("traffic.drops[].copies", "integer", "", "copies dropped"),
    Key("traffic.waits", "integer", "", "copies that waited for a link, dropped ones too"),
    Key("traffic.waiting_cycles", "integer", "cycles", "router cycles they waited in all"),
    Key("traffic.blocking_links[].x", "integer", "", "router with a link waited for; worst 50"),
    Key("traffic.blocking_links[].y", "integer", "", "its row"),
    Key("traffic.blocking_links[].link", "text", "", "the link"),
    Key("traffic.blocking_links[].copies", "integer", "", "copies that waited for it"),
    Key("traffic.blocking_links[].cycles", "integer", "cycles", "router cycles they waited in all"),
    Key("energy_formula.idle_j", "number?", "J", "toolchain's formula, an inference: idle"),
    Key("energy_formula.cores_j", "number?", "J", "active cores"),
    Key("energy_formula.packets_j", "number?", "J", "packets through routers"),
    Key("energy_formula.total_j", "number?", "J", "all of it"),
    Key("energy_unknown[]", "text", "", "key paths of prices that are not known"),
    Key("error.chip", "number?", "", "mean error where a rule of learning asks; null: none does"),
    Key("error.float", "number?", "", "the same in float, with plasticity off"),
    Key("learning.samples", "integer", "", "samples learned from on chip; 0: it did not learn"),
    Key("learning.updates", "integer", "", "times the weights moved at the end of a batch"),
    Key(
        "learning.error[]",
        "number",
        "",
        "of each sample: part of answers wrong, or normalised square",
    ),
    Key("learning.float_error[]", "number", "", "the same in float, with plasticity off"),
    Key("learning.by_batch[].samples", "integer", "", "samples between two updates"),
    Key("learning.by_batch[].error", "number", "", "their mean error"),
    Key("learning.by_batch[].float_error", "number?", "", "the same in float, plasticity off"),
    Key("saturated.*.ring", "integer", "", "ring buffer entries beyond their range"),
    Key("saturated.*.membrane", "integer", "", "membranes beyond 32 bits"),
    Key("saturated.*.weight", "integer", "", "weights that learning moved to their limit"),
)

_KEPT = ("link_flits", "raster_*", "timeline")

PROCESSOR_ARRAYS: tuple[ArrayKey, ...] = (
    *(array for array in ARRAYS if array.name in _KEPT),
    ArrayKey("core_numbers", "integer", ("slots",), "", "the cores in use"),
    ArrayKey("core_counts", "integer", ("slots", "counts"), "", "what each did"),
    ArrayKey("count_names", "text", ("counts",), "", "the names of the counts"),
    ArrayKey("drops", "integer", ("routers", "6"), "", "copies dropped by router and link"),
    ArrayKey("waits", "integer", ("routers", "6"), "", "copies that waited for the link"),
    ArrayKey(
        "waiting_cycles", "integer", ("routers", "6"), "cycles", "router cycles they waited in all"
    ),
    ArrayKey("tick_busiest", "integer", ("ticks",), "cycles", "work of the busiest core, sample 0"),
    ArrayKey("tick_packets", "integer", ("ticks",), "", "packets sent in each tick of sample 0"),
    ArrayKey("tick_late", "integer", ("ticks",), "", "late packets in each tick of sample 0"),
)
