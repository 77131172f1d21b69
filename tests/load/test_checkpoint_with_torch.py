"""The reader against torch itself: torch writes, chipsim reads, value for value."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from chipsim.errors import InputError
from chipsim.load.checkpoint import read_checkpoint

torch = pytest.importorskip("torch")


def saved(folder, content, **options):
    path = folder / "model.pt"
    torch.save(content, path, **options)
    return path


def assert_same(path, tensors):
    got = read_checkpoint(path).tensors
    assert set(got) == set(tensors)
    for name, tensor in tensors.items():
        expected = tensor.detach()
        if expected.dtype == torch.bfloat16:
            expected = expected.float()
        assert got[name].dtype == expected.numpy().dtype, name
        np.testing.assert_array_equal(got[name], expected.numpy(), err_msg=name)


def odd_tensors():
    generator = torch.Generator().manual_seed(1)
    base = torch.randn(6, 8, generator=generator)
    tied = torch.randn(5, 3, generator=generator)
    dtypes = "float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 bool uint16 uint32"
    return {
        **{f"type.{d}": (base * 3).abs().to(getattr(torch, d)) for d in dtypes.split()},
        "view.transposed": base.t(),
        "view.strided": base[1::2, ::3],
        "view.narrow": base.narrow(1, 2, 3),
        "view.diagonal": base.diagonal(),
        "view.expanded": base[0].expand(4, 8),
        "view.broadcast": torch.tensor(2.5).expand(3, 3, 3),
        "view.windows": base.flatten().unfold(0, 5, 2),
        "view.permuted": base.reshape(2, 3, 8).permute(2, 0, 1),
        "tied.a": tied,
        "tied.b": tied,
        "tied.row": tied[2],
        "shape.scalar": torch.tensor(0.35),
        "shape.one": torch.tensor([-0.1]),
        "shape.empty": torch.zeros(0),
        "shape.empty2": torch.zeros(3, 0, 2),
        "parameter": torch.nn.Parameter(base * 2),
        "needs_grad": (base * 1).requires_grad_(),
        "nan": torch.tensor([float("nan"), float("inf"), -0.0]),
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_odd_tensors(tmp_path, protocol):
    tensors = odd_tensors()
    if protocol == 2:
        # Attributes on a tensor change how torch pickles it; they must not matter.
        tensors["parameter"].comment = "a state"
    assert_same(saved(tmp_path, tensors, pickle_protocol=protocol), tensors)


def test_state_dict_of_a_module(tmp_path):
    model = torch.nn.Sequential(
        torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Conv2d(1, 2, 3), torch.nn.GRU(3, 2)
    )
    state = model.state_dict()
    assert isinstance(state, collections.OrderedDict)
    assert_same(saved(tmp_path, state), state)
    prefixed = {f"module.{name}": value for name, value in state.items()}
    assert_same(saved(tmp_path, {"epoch": 3, "model_state_dict": prefixed}), state)


def test_training_checkpoint_with_optimiser_and_history(tmp_path):
    model = torch.nn.Linear(4, 3)
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optimiser.step()
    content = {
        "model": model.state_dict(),
        "optimizer": optimiser.state_dict(),
        "size": torch.Size([3, 4]),
        "device": torch.device("cuda", 0),
        "dtype": torch.float32,
        "best": np.float64(0.98),
        "history": {"loss": [1.0, 0.5], "accuracy": np.array([0.5, 0.9])},
        "ranks": collections.defaultdict(list, {"a": [1]}),
    }
    assert_same(saved(tmp_path, content), model.state_dict())


def test_few_shot_dict(tmp_path):
    net = {"fc1.weight": torch.ones(5, 4), "alpha": torch.ones(4, 5)}
    hebb = torch.ones(4, 5, requires_grad=True)
    records = {"acc_record": [np.float64(98.8)], "loss_record": [np.float32(0.1), np.bool_(True)]}
    path = saved(tmp_path, {"net": net, "hebb": hebb, **records})
    assert_same(path, {**net, "hebb": hebb})


@pytest.mark.parametrize("order", ["little", "big"])
def test_byte_order(tmp_path, order, monkeypatch):
    weight = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    kinds = {"w": weight, "h": weight.half(), "b": weight.bfloat16(), "i": weight.long()}
    path = tmp_path / "model.pt"
    torch.save(kinds, path)
    if order == "big":
        rewrite_big_endian(path)
    assert_same(path, kinds)


def rewrite_big_endian(path):
    import zipfile

    widths = {"0": 4, "1": 2, "2": 2, "3": 8}
    with zipfile.ZipFile(path) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in entries.items():
            folder, _, key = name.rpartition("/")
            if folder.endswith("/data"):
                data = np.frombuffer(data, f"u{widths[key]}").byteswap().tobytes()
            file.writestr(name, b"big" if key == "byteorder" else data)


class Custom(torch.nn.Module):
    pass


@pytest.mark.parametrize("model", [torch.nn.Linear(2, 2), Custom(), {"net": Custom()}])
def test_pickled_modules_are_refused(tmp_path, model):
    with pytest.raises(InputError, match=r"torch\.save\(model\.state_dict\(\)"):
        read_checkpoint(saved(tmp_path, model))


def test_legacy_format_is_refused(tmp_path):
    path = saved(tmp_path, {"w": torch.ones(2)}, _use_new_zipfile_serialization=False)
    with pytest.raises(InputError, match=r"before torch 1\.6.*torch\.save\(model\.state_dict"):
        read_checkpoint(path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    with pytest.raises(InputError, match="TorchScript"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2).to(torch.float8_e4m3fn),
        torch.ones(2, 2).to_sparse(),
    ],
)
def test_unsupported_tensors_are_refused(tmp_path, tensor):
    with pytest.raises(InputError):
        read_checkpoint(saved(tmp_path, {"w": tensor}))
