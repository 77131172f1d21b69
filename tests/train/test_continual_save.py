"""The files of a continual learning network: what they hold is what was trained."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from mnist_files import SIDE, write_set
from plain_hp import run_variant

torch = pytest.importorskip("torch")

from chipsim.errors import InputError  # noqa: E402
from chipsim.load.description import read_model  # noqa: E402
from chipsim.load.traces import read_trace  # noqa: E402
from chipsim.network import Trace  # noqa: E402
from chipsim.simulate.float_reference import run_float  # noqa: E402
from chipsim.simulate.samples import classes  # noqa: E402
from chipsim.train import continual  # noqa: E402
from chipsim.train.continual_job import ContinualJob, train_continual  # noqa: E402
from chipsim.train.data import read_mnist  # noqa: E402
from chipsim.train.settings import VARIANTS, ContinualSettings  # noqa: E402

PIXELS, HIDDEN = SIDE * SIDE, 32
SETTINGS = ContinualSettings(
    tasks=3, hidden=HIDDEN, density=0.3, batch=20, weight_rate=5e-3, epochs=3
)


READOUTS = {name: replace(VARIANTS["E"], readout=name) for name in ("membrane", "integrated")}


def make_job(folder, **changes):
    data = write_set(folder / "data", train=200, test=60)
    job = ContinualJob(
        data, folder / "m" / "net.pt", SETTINGS, VARIANTS["E"], trace=folder / "t.npz"
    )
    return replace(job, **changes)


@pytest.fixture(scope="module", params=READOUTS)
def job(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("continual")
    job = make_job(folder, task=1, dynamics=READOUTS[request.param])
    train_continual(job, lambda line: None)
    return job


@pytest.fixture(scope="module")
def state(job):
    return {name: t.numpy() for name, t in torch.load(job.out, weights_only=True).items()}


def test_orders_and_masks_of_all_tasks(state):
    shapes = ((HIDDEN, PIXELS), (HIDDEN, HIDDEN), (10, HIDDEN))
    for number in range(SETTINGS.tasks):
        task = continual.new_task(SETTINGS, number, PIXELS)
        assert np.array_equal(state["tasks.order"][number], task.order)
        for n, shape in enumerate(shapes, start=1):
            bits = np.unpackbits(state[f"tasks.mask{n}"][number], count=np.prod(shape))
            assert np.array_equal(bits.reshape(shape), task.masks[n - 1].numpy())


def test_described_task_is_one_of_them(state):
    masks = continual.new_task(SETTINGS, 1, PIXELS).masks
    for n in (1, 2):
        assert np.array_equal(state[f"task.mask{n}"], masks[n - 1].numpy() == 1)
    assert np.array_equal(state["task.fc3.weight"], state["fc3.weight"] * masks[2].numpy())


def test_description_and_trace_make_the_network_that_was_trained(job, state):
    description = yaml.safe_load(job.out.with_suffix(".yaml").read_text())
    trace = read_trace(job.out.parent / description["trace"])
    task = continual.new_task(SETTINGS, 1, PIXELS)
    images = read_mnist(job.data, "t10k")
    assert np.array_equal(trace.held, images.pixels[:, task.order])
    assert np.array_equal(trace.labels, images.labels)

    neurons = description["populations"][1:]
    integrated = job.dynamics.readout == "integrated"
    lif = neurons if integrated else neurons[:2]
    assert all((p["threshold"], p["decay"]) == (0.5, 0.8) for p in lif)
    assert [p["reset"] for p in lif] == ["subtract", "subtract", "none"][: len(lif)]
    plain = []
    for projection in description["projections"][:2]:
        rule = projection["plasticity"]
        mask = state[rule["mask"]]
        weight = state[projection["weight"]] * mask
        gate = state[rule["alpha"]] * (1.0 - mask.T)
        none = np.zeros(len(weight))
        plain.append((weight, none, gate, state[rule["beta"]], state[rule["eta"]]))
        assert (rule["rho"], projection["attenuation_tau"]) == (job.dynamics.rho, job.dynamics.tau)
    output = state[description["projections"][2]["weight"]]

    net = continual.ContinualNet(
        *(
            tuple(torch.tensor(state[key.format(n)]) for n in range(1, count + 1))
            for key, count in (("fc{}.weight", 3), ("alpha{}", 2), ("beta{}", 2), ("eta{}", 2))
        )
    )
    shown = torch.tensor(images.pixels[:20] / 255.0, dtype=torch.float32)
    wanted = continual.forward(net, task, shown, job.dynamics).numpy()
    for sample in range(20):
        arriving = np.tile(trace.held[sample] * trace.scale, (1, description["steps"], 1))
        for parts in plain:
            arriving, _, last, _ = run_variant(*parts, arriving, job.dynamics)
        u = np.zeros(10) if integrated else output @ last[0]
        for spikes in arriving[0] if integrated else ():
            u = neurons[2]["decay"] * u + output @ spikes
        np.testing.assert_allclose(wanted[sample], u, atol=1e-4)


def test_no_such_task(tmp_path):
    with pytest.raises(InputError, match="--describe 3, but the tasks are 0 to 2"):
        train_continual(make_job(tmp_path, task=3), lambda line: None)


def test_answers_of_the_description_are_those_of_the_training(job):
    model = read_model(job.out)
    answers = run_float(model.network, read_trace(model.trace))
    got = classes(answers, model.network.readout, model.network.readout_kind)
    images = read_mnist(job.data, "t10k")
    record = json.loads(job.out.with_suffix(".training.json").read_text())
    share = 100.0 * float(np.mean(got == images.labels))
    # A potential within rounding of its threshold may change an answer.
    assert share == pytest.approx(record["tasks"][-1]["test"][1], abs=100.0 / images.count)


def test_membranes_are_sent_up_to_the_largest_in_training(tmp_path):
    settings = replace(SETTINGS, tasks=1, epochs=1)
    job = make_job(tmp_path, settings=settings)
    train_continual(job, lambda line: None)
    network = read_model(job.out).network
    (sent,) = (p.membrane for p in network.projections if p.membrane)
    images = read_mnist(job.data, "train")
    wide = replace(
        network,
        projections=tuple(p for p in network.projections if p.name != "fc3"),
        readout="hidden2",
        readout_kind="membrane",
        populations=network.populations[:3],
    )
    order = continual.new_task(settings, 0, PIXELS).order
    trace = Trace("train", scale=1 / 255, held=images.pixels[:, order])
    largest = np.abs(run_float(wide, trace).potential).max()
    assert sent.steps == "last"
    assert largest <= sent.maximum <= largest + 0.0101
