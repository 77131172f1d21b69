"""A file written without torch is one that torch, and chipsim, read."""

import numpy as np
import pytest

from chipsim.load.checkpoint import read_checkpoint
from chipsim.train.eprop.torch_file import torch_bytes

TENSORS = {
    "readout.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "adaptation": np.array([0.5, -1.0], np.float32),
    "one": np.array(3.0, np.float32),
}


def assert_same(read):
    assert list(read) == list(TENSORS)
    for name, values in TENSORS.items():
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], values)


def test_chipsim_reads_it(tmp_path):
    path = tmp_path / "net.pt"
    path.write_bytes(torch_bytes(TENSORS))
    assert_same(read_checkpoint(path).tensors)


def test_torch_reads_it(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "net.pt"
    path.write_bytes(torch_bytes(TENSORS))
    state = torch.load(path, weights_only=True)
    assert_same({name: tensor.numpy() for name, tensor in state.items()})


def test_equal_tensors_make_equal_bytes():
    assert torch_bytes(TENSORS) == torch_bytes({k: v.copy() for k, v in TENSORS.items()})
