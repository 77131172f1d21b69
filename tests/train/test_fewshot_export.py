"""The few-shot network as a model computes what the trained one does."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from chipsim.load.description import read_model  # noqa: E402
from chipsim.load.traces import check_trace, read_trace  # noqa: E402
from chipsim.simulate.float_reference import run_float  # noqa: E402
from chipsim.train import fewshot_export  # noqa: E402
from chipsim.train.fewshot import FewShotNet, answer  # noqa: E402
from chipsim.train.fewshot_training import dynamics  # noqa: E402
from chipsim.train.omniglot import DRAWERS, SIDE  # noqa: E402
from chipsim.train.settings import FewShotSettings  # noqa: E402

SETTINGS = FewShotSettings(ways=4, channels=6)


@pytest.fixture(scope="module")
def net():
    """A network whose batch normalisation has seen something."""
    made = FewShotNet(SETTINGS.ways, SETTINGS.channels, torch.Generator().manual_seed(3))
    with torch.no_grad():
        for norm in made.norms:
            norm.running_mean.normal_(0, 0.5)
            norm.running_var.uniform_(0.5, 2.0)
            norm.weight.normal_(1, 0.3)
            norm.bias.normal_(0, 0.3)
    return made.eval()


@pytest.mark.parametrize("ways", [3, 4])
def test_answers_as_the_trained_network(net, ways, tmp_path):
    rng = np.random.default_rng(0)
    characters = rng.integers(0, 256, (7, DRAWERS, SIDE, SIDE)).astype(np.uint8)
    state = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    out = tmp_path / "models" / "net.pt"
    out.parent.mkdir()
    fewshot_export.save_models(out, state, characters, (ways, 2), 1)
    assert (tmp_path / "models" / "net2.pt").exists()
    model = read_model(out)
    trace = read_trace(model.trace)
    check_trace(trace, model.network)
    episodes = 5
    values = trace.graded[:episodes].astype(np.float32) / 255
    images, labels = values[..., : SIDE * SIDE], values[..., SIDE * SIDE :]
    assert (labels[:, :-1].sum(axis=2) == 1).all()
    assert (labels[:, -1] == 0).all()
    with torch.no_grad():
        ink = torch.from_numpy(images.reshape(-1, SIDE, SIDE))
        features = net(ink).reshape(episodes, ways + 1, -1)
        shown = torch.from_numpy(labels[:, :-1].argmax(axis=2))
        layer = net.plastic_layer(ways)
        support, query = features[:, :-1], features[:, -1:]
        membranes = answer(layer, support, shown, query, dynamics(SETTINGS))[:, 0].numpy()
    answers = run_float(model.network, trace)
    np.testing.assert_allclose(answers.potential[:episodes], membranes, rtol=1e-3, atol=1e-3)


def test_episodes_show_each_class_and_ask_what_was_not_shown():
    characters = np.zeros((9, DRAWERS, SIDE, SIDE), np.uint8)
    characters[:] = np.arange(9 * DRAWERS).reshape(9, DRAWERS, 1, 1)
    trace = fewshot_export.episodes(characters, 3, 2, count=6, seed=1, queries=2)
    values = trace.graded.reshape(6, 2, 7, -1)
    assert trace.labels.shape == (12,)
    for episode, asked in zip(values, trace.labels.reshape(6, 2), strict=True):
        np.testing.assert_array_equal(episode[0, :-1], episode[1, :-1])
        drawings = episode[0, :-1, 0].astype(int)
        classes = episode[0, :-1, SIDE * SIDE :].argmax(axis=1)
        assert sorted(classes) == [0, 0, 1, 1, 2, 2]
        assert len(set(asked)) == 2
        for query, label in zip(episode[:, -1, 0].astype(int), asked, strict=True):
            assert query not in drawings
            assert set(drawings[classes == label] // DRAWERS) == {query // DRAWERS}
