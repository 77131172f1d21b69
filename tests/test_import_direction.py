"""Imports point one way (DESIGN section 3), and ``chipsim --help`` loads next to nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import chipsim

PACKAGE = Path(chipsim.__file__).parent

GROUND = {"errors", "units", "network", "connectivity", "plasticity", "chip", "processor_chip"}
"""Modules that know nobody in chipsim but each other: the words everything is told in."""

READERS = {"config", "provenance", "yaml_reader", "yaml_tree"}
"""How files with quantities are read: they know the ground only."""

PARTS = {"kernels", "load", "quantise", "mapping", "cores", "mesh", "faults"}
JOINED = {"simulate", "results", "tick_results"}
ACCOUNT = {"energy", "report"}

MAY_IMPORT = {
    **dict.fromkeys(GROUND, GROUND),
    **dict.fromkeys(READERS, GROUND | READERS),
    "kernels": set(),
    "cores": GROUND,
    "mesh": GROUND | {"kernels"},
    "quantise": GROUND | {"kernels"},
    "faults": GROUND | {"quantise"},
    "load": GROUND | READERS,
    "mapping": GROUND | {"cores", "mesh"},
    "simulate": GROUND | PARTS,
    "results": GROUND | PARTS | {"simulate", "energy"},
    "tick_results": GROUND | PARTS | {"simulate", "results", "energy"},
    "energy": GROUND,
    "report": GROUND | PARTS | JOINED | {"energy"},
    "learning_cost": GROUND | PARTS | JOINED | ACCOUNT,
    "job": GROUND | PARTS | JOINED,
    "pipeline_processors": GROUND | PARTS | JOINED | ACCOUNT | {"job"},
    "pipeline": GROUND
    | READERS
    | PARTS
    | JOINED
    | ACCOUNT
    | {"learning_cost", "job", "pipeline_processors"},
    "validation": GROUND | READERS | PARTS | JOINED | ACCOUNT | {"job", "pipeline"},
    "study": GROUND
    | READERS
    | PARTS
    | JOINED
    | ACCOUNT
    | {"learning_cost", "job", "pipeline", "pipeline_processors"},
    "train": GROUND | READERS | {"kernels", "load", "quantise"},
}
"""What each part of the house may know besides itself; ``cli`` and ``__main__`` may know all."""

LIBRARIES = {
    "kernels": {"numpy", "numba", "llvmlite"},
    "errors": set(),
    "units": set(),
    "network": {"numpy"},
    "connectivity": {"numpy"},
    "plasticity": {"numpy"},
    "processor_chip": set(),
    "chip": set(),
    "cores": set(),
    "cli": {"numpy", "torch"},
}
"""Third-party packages of those parts that keep to few.  ``chipsim train`` looks whether torch is
there before it does anything."""


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(module: str) -> str:
    """``chipsim.mapping.model`` belongs to ``mapping``; ``chipsim`` itself to ``""``."""
    return module.split(".")[1] if "." in module else ""


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Every module a file imports anywhere in it, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            if node.module == "chipsim":
                yield from (f"chipsim.{name.name}" for name in node.names)
            else:
                yield node.module


def edges() -> Iterator[tuple[str, str]]:
    """Pairs of modules of chipsim, importer and imported."""
    for path in sources():
        for name in imports_of(path):
            if name.split(".")[0] == "chipsim" and name != "chipsim.__version__":
                yield module_of(path), name


def test_the_rules_cover_every_part_of_the_house() -> None:
    parts = {part_of(module_of(path)) for path in sources()} - {""}
    assert parts <= set(MAY_IMPORT) | {"cli", "__main__"}


def test_imports_point_one_way() -> None:
    wrong = [
        f"{importer} imports {imported}"
        for importer, imported in edges()
        if (mine := part_of(importer)) not in ("cli", "__main__")
        and (other := part_of(imported)) not in ("", mine)
        and other not in MAY_IMPORT[mine]
    ]
    assert not wrong


def test_no_two_parts_import_each_other() -> None:
    """Also through others: following imports from a part never leads back to it."""
    known: dict[str, set[str]] = {}
    for importer, imported in edges():
        if part_of(imported) != part_of(importer):
            known.setdefault(part_of(importer), set()).add(part_of(imported))
    for start in known:
        reached: set[str] = set()
        waiting = list(known[start])
        while waiting:
            part = waiting.pop()
            if part not in reached:
                reached.add(part)
                waiting += known.get(part, ())
        assert start not in reached, f"{start} knows itself through {sorted(reached)}"


def test_only_the_top_knows_the_pipeline() -> None:
    users = {part_of(importer) for importer, imported in edges() if part_of(imported) == "pipeline"}
    assert users <= {"cli", "validation", "study"}
    users = {part_of(importer) for importer, imported in edges() if part_of(imported) == "cli"}
    assert users <= {"cli", "__main__"}


@pytest.mark.parametrize("part", LIBRARIES)
def test_libraries_of_the_light_parts(part: str) -> None:
    found = {
        name.split(".")[0]
        for path in sources()
        if part_of(module_of(path)) == part
        for name in imports_of(path)
    }
    assert found - {"chipsim"} - set(sys.stdlib_module_names) <= LIBRARIES[part]


def test_torch_is_for_training_only() -> None:
    users = {
        module_of(path)
        for path in sources()
        for name in imports_of(path)
        if name.split(".")[0] == "torch"
    }
    elsewhere = {module for module in users if part_of(module) != "train"}
    assert all(module.startswith("chipsim.cli.train") for module in elsewhere)


def test_simpy_is_for_references_only() -> None:
    users = {
        module_of(path)
        for path in sources()
        for name in imports_of(path)
        if name.split(".")[0] == "simpy"
    }
    assert users
    assert all("reference" in module for module in users)


def loaded_by(*argv: str) -> set[str]:
    """Top-level modules that are loaded once ``chipsim argv`` has run."""
    program = (
        "import sys, json, contextlib, io\n"
        "from chipsim.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    main({list(argv)!r})\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("argv", [["--help"], ["map", "--help"], ["--version"], ["chips"]])
def test_help_loads_nothing_heavy(argv: list[str]) -> None:
    heavy = {"numba", "llvmlite", "matplotlib", "simpy", "torch"}
    assert not loaded_by(*argv) & (heavy if argv == ["chips"] else {*heavy, "numpy", "yaml"})


def test_a_run_without_training_never_loads_torch() -> None:
    """Nor does a report load simpy: references are for tests."""
    assert not loaded_by("report", "nowhere") & {"torch", "simpy"}
