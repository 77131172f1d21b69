"""Small studies: a trace of random images and synthetic networks that run in no time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chipsim.load.traces import write_trace
from chipsim.network import Trace
from chipsim.study.model import Settings, SyntheticHP


def images(samples: int = 6) -> Trace:
    rng = np.random.default_rng(0)
    held = rng.integers(0, 256, (samples, 784)) * (rng.random((samples, 784)) < 0.2)
    return Trace("images", 1 / 255, held=held.astype(np.uint8), labels=np.arange(samples) % 10)


@pytest.fixture
def trace_file(tmp_path: Path) -> Path:
    path = tmp_path / "images.npz"
    write_trace(path, images())
    return path


@pytest.fixture
def settings(trace_file: Path) -> Settings:
    return Settings(SyntheticHP(16), "tianjic", trace=trace_file, limit=2)


STUDY = """\
study: tiny
base:
  model: {synthetic_hp: {hidden: 16}}
  chip: tianjic
  trace: images.npz
  limit: 2
axes:
- {name: weight bits, vary: core.weight_bits, values: [8, 16]}
- {name: plasticity, values: [running, frozen]}
measure: [energy_per_inference_j.value, cores_used]
pareto:
- {minimise: energy_per_inference_j.value}
- {minimise: latency_s}
plots:
- {x: weight bits, y: cores_used, series: plasticity}
- {x: energy_per_inference_j.value, y: latency_s}
"""


@pytest.fixture
def study_file(tmp_path: Path, trace_file: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(STUDY)
    return path
