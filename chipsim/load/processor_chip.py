"""Reads the file of a processor chip (``docs/chip-file.md``) into a `ProcessorChip`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from chipsim.chip import STEP_NAMES, TRIANGLE_STEPS, Constant, Dead
from chipsim.config import Section
from chipsim.errors import InputError
from chipsim.load import processor_schema as schema
from chipsim.load.chip_leaves import Leaves
from chipsim.processor_chip import Machine, Processor, ProcessorChip, Router, Sdram
from chipsim.provenance import Quantity
from chipsim.yaml_tree import MapNode, Node, Scalar, shown

_DEAD = re.compile(r"(core|router|link) (\d{1,4}),(\d{1,4})(?:,(\d{1,2}))?(?: ([a-z-]+))?", re.A)
_LINK_NAMES = tuple(STEP_NAMES[step] for step in TRIANGLE_STEPS)


def processor_chip_from_section(root: Section, name: str) -> ProcessorChip:
    """Build a processor chip called ``name`` of the parsed chip file; raises `InputError`."""
    leaves = Leaves()
    tick = leaves.number(root, "tick", schema.TICK)
    machine = _machine(root.section("machine"), leaves)
    core = _core(root.section("core"), leaves)
    sdram = _sdram(root.section("sdram"), leaves)
    router = _router(root.section("router"), leaves)
    work = root.section("cycles")
    cycles = leaves.whole(work, schema.CYCLES)
    sizes = leaves.whole(root.section("sizes"), schema.SIZES)
    prices = _prices(root.section("energy"), leaves)
    root.finish()
    chip = ProcessorChip(
        name, tick, machine, core, sdram, router, cycles, sizes, prices,
        leaves.constants, leaves.choices,
    )  # fmt: skip
    if core.priority == "rows" and cycles["timer"] < 1:
        raise work.error("timer", "expected at least 1 where core.priority is rows, got 0")
    if chip.tick_cycles < 1:
        raise root.error("tick", f"expected at least one cycle of core.clock, got {tick:g} s")
    return chip


def _machine(section: Section, leaves: Leaves) -> Machine:
    shape = leaves.word(section, "shape", Machine)
    values = leaves.whole(section, schema.MACHINE)
    machine = Machine(
        shape, values["width"], values["height"], values["cores"], values["app_cores"]
    )
    if machine.app_cores > machine.cores:
        raise section.error(
            "app_cores", f"expected at most the {machine.cores} cores, got {machine.app_cores}"
        )
    if machine.shape not in ("torus", "mesh") and (machine.width, machine.height) != (1, 1):
        raise section.error(
            "width" if machine.width != 1 else "height",
            f"counts only for shape torus (triads of boards) and mesh (routers); a "
            f"{machine.shape} takes 1, got {machine.width} x {machine.height}",
        )
    if section.has("dead"):
        machine = replace(machine, dead=_dead(section, machine))
    if not any(machine.working_cores(router) for router in machine.working_routers):
        raise section.error("dead", "no application core is left")
    return machine


def _dead(section: Section, machine: Machine) -> Dead:
    """Read the list of what does not work: "core 3,4,7", "router 5,5", "link 0,1 east"."""
    cores, routers, links = [], [], []
    for number, text in enumerate(section.texts("dead")):
        try:
            kind, router, detail = _dead_item(machine, text)
        except InputError as error:
            raise section.error("dead", f"item {number}, {shown(text)}: {error}") from None
        if kind == "core":
            cores.append(router * machine.cores + detail)
        elif kind == "link":
            links.append((router, detail))
        else:
            routers.append(router)
    return Dead(tuple(cores), tuple(routers), tuple(links))


def _dead_item(machine: Machine, text: str) -> tuple[str, int, int]:
    """Return the kind, the router and the core's or link's number; InputError if it is none."""
    match = _DEAD.fullmatch(text)
    kind, x, y, core, direction = match.groups("") if match else ("", "0", "0", "", "")
    wanted = {"core": (True, False), "router": (False, False), "link": (False, True)}
    if (bool(core), bool(direction)) != wanted.get(kind):
        raise InputError('expected "core x,y,n", "router x,y" or "link x,y DIRECTION"')
    if int(x) >= machine.columns or int(y) >= machine.rows:
        raise InputError(f"{x},{y} is not on the {machine.columns} x {machine.rows} machine")
    router = int(y) * machine.columns + int(x)
    if router in machine.absent:
        raise InputError(f"there is no chip at {x},{y} of a {machine.shape}")
    if kind == "link":
        return kind, router, _port(machine, router, direction)
    number = int(core or 0)
    if number >= machine.cores:
        raise InputError(f"cores are numbered 0 to {machine.cores - 1}")
    return kind, router, number


def _port(machine: Machine, router: int, direction: str) -> int:
    """Return the port of a link; InputError if there is none."""
    if direction not in _LINK_NAMES:
        raise InputError(f"directions are {', '.join(_LINK_NAMES)}")
    port = _LINK_NAMES.index(direction)
    dx, dy = TRIANGLE_STEPS[port]
    x, y = router % machine.columns + dx, router // machine.columns + dy
    inside = 0 <= x < machine.columns and 0 <= y < machine.rows
    wraps = machine.shape in ("board4", "torus")
    there = wraps or (inside and y * machine.columns + x not in machine.absent)
    if not there or (machine.shape == "mesh" and dx and dy):
        raise InputError("there is no such link")
    return port


def _core(section: Section, leaves: Leaves) -> Processor:
    kind = leaves.word(section, "kind", Processor)
    memory = leaves.whole(section, schema.CORE_MEMORY)
    if (kind == "sram") != (memory["itcm"] == 0):
        raise section.error(
            "itcm",
            "expected 0 B where kind is sram (program and data share dtcm), more where it is tcm, "
            f"got {memory['itcm']} B for {kind}",
        )
    return Processor(
        kind=kind,
        clock_hz=leaves.number(section, "clock", schema.CLOCK),
        itcm_bytes=memory["itcm"],
        dtcm_bytes=memory["dtcm"],
        rounding=leaves.word(section, "rounding", Processor),
        ring_index=leaves.word(section, "ring_index", Processor),
        delay_cores=leaves.word(section, "delay_cores", Processor),
        priority=leaves.word(section, "priority", Processor),
        send_spread=leaves.number(section, "send_spread", schema.SEND_SPREAD),
        **leaves.whole(section, schema.CORE),
    )


def _sdram(section: Section, leaves: Leaves) -> Sdram:
    values = leaves.whole(section, schema.SDRAM)
    return Sdram(
        size_bytes=values["size"],
        bytes_per_s=float(values["bytes_per_second"]),
        latency_cycles=values["latency_cycles"],
        shared_by=leaves.word(section, "shared_by", Sdram),
    )


def _router(section: Section, leaves: Leaves) -> Router:
    clock = leaves.number(section, "clock", schema.CLOCK)
    reinjection = leaves.word(section, "reinjection", Router)
    return Router(clock_hz=clock, reinjection=reinjection, **leaves.whole(section, schema.ROUTER))


def _prices(section: Section, leaves: Leaves) -> Mapping[str, Constant]:
    """Read the prices that are known; an unknown one is kept among the choices."""
    prices = {}
    for key, quantity in schema.PRICES.items():
        if not section.has(key):
            continue
        if _is_unknown(section.node.entries[key]):
            choice = section.sourced_choice(key, (schema.UNKNOWN,))
            leaves.choices[section.path_of(key)] = choice
        else:
            prices[key] = _price(section, key, quantity, leaves)
    return prices


def _price(section: Section, key: str, quantity: Quantity, leaves: Leaves) -> Constant:
    leaves.number(section, key, quantity)
    return leaves.constants[section.path_of(key)]


def _is_unknown(node: Node) -> bool:
    value = node.entries.get("value") if isinstance(node, MapNode) else node
    return isinstance(value, Scalar) and value.value == schema.UNKNOWN
