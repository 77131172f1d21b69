"""The STDP network of docs/model-file.md runs as it stands there, and learns what is said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chipsim.cli.main import main


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of ``language``."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [body for written_in, body in fenced if written_in == language]


@pytest.fixture(scope="module")
def example(request: pytest.FixtureRequest) -> str:
    text = (request.config.rootpath / "docs" / "model-file.md").read_text()
    return text[text.index("### A small STDP network") :]


@pytest.fixture(scope="module")
def folder(example: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do what the docs say; return the folder it was done in."""
    here = tmp_path_factory.mktemp("stdp")
    (program,), (description,) = blocks(example, "python"), blocks(example, "yaml")
    subprocess.run([sys.executable, "-c", program], cwd=here, check=True)
    (here / "stdp.yaml").write_text(description)
    (_, command) = blocks(example, "")[0].splitlines()
    arguments = command.split()[1:]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        assert main([*arguments, "--quiet", "--out", "run"]) == 0
    return here / "run"


def test_the_weights_are_those_told(example: str, folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    (loss,) = report["quantisation"]
    stored = np.load(folder / "weights.npz")["weights"]
    weights = stored.reshape(8, 2) * loss["lsb"]
    told = re.search(r"first four inputs are (\S+), those of the others (\S+)\.\n", example)
    assert told is not None
    together, apart = (float(number) for number in told.groups())
    assert weights[:4] == pytest.approx(together, abs=5e-4)
    assert weights[4:] == pytest.approx(apart, abs=5e-4)
    assert apart < 0.2 < together


def test_it_learns_in_real_time(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert report["ticks"]["real_time"]
    assert report["learning"]["samples"] == 4
    assert [p["plasticity"] for p in report["model"]["projections"]] == ["stdp"]
