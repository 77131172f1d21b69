"""Where torch computes; a machine without a GPU still checks that nothing is left behind."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from chipsim.errors import InputError  # noqa: E402
from chipsim.train import continual, device, fewshot, net, readout  # noqa: E402
from chipsim.train.fewshot_training import dynamics as fewshot_dynamics  # noqa: E402
from chipsim.train.settings import (  # noqa: E402
    VARIANTS,
    ContinualSettings,
    Dynamics,
    FewShotSettings,
    Settings,
)
from chipsim.train.state import start  # noqa: E402

META = torch.device("meta")
"""Its tensors have no values; most operations refuse to mix them with those of the CPU."""


def test_a_forgotten_tensor_would_show():
    with pytest.raises(RuntimeError, match="device"):
        torch.zeros(3, device=META) + torch.zeros(3)


@pytest.mark.parametrize("changes", [{}, {"readout": "first_spike"}, {"reset": "zero", "tau": 3.0}])
@pytest.mark.parametrize("channels", [(), (2, 3)])
def test_image_network(changes, channels):
    dynamics = replace(Dynamics(), **changes)
    made = start(Settings(hidden=6, channels=channels), dynamics, 64, META).net
    run = net.forward(made, torch.zeros(4, 64, device=META), dynamics)
    labels = torch.zeros(4, dtype=torch.int64, device=META)
    assert readout.loss(run.output, labels, dynamics).device.type == "meta"
    assert readout.decide(run.output, dynamics).steps.device.type == "meta"


def test_continual():
    settings = ContinualSettings(hidden=8)
    made = continual.new_net(settings, 20, META)
    task = continual.new_task(settings, 1, 20, META)
    image = torch.zeros(3, 20, device=META)
    assert continual.forward(made, task, image, VARIANTS["E"]).device.type == "meta"


def test_fewshot():
    settings = FewShotSettings(ways=3, channels=2)
    layer = fewshot.FewShotNet(3, 2, torch.Generator()).to(META).plastic_layer(3)
    support, query = (torch.zeros(1, n, 8, device=META) for n in (3, 2))
    shown = torch.zeros(1, 3, dtype=torch.int64, device=META)
    got = fewshot.answer(layer, support, shown, query, fewshot_dynamics(settings))
    assert got.device.type == "meta"


def test_choice(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose("auto").type == device.choose("cpu").type == "cpu"
    with pytest.raises(InputError, match=r"finds no CUDA GPU.*--device cpu"):
        device.choose("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    kinds = [device.choose(name).type for name in ("auto", "cpu", "cuda")]
    assert kinds == ["cuda", "cpu", "cuda"]
