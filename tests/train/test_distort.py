"""Random affine maps of drawings."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from chipsim.train.distort import distorted  # noqa: E402


def test_every_image_has_a_map_of_its_own():
    ink = torch.zeros(6, 31, 31)
    ink[:, 10:20, 14:17] = 1.0
    assert torch.allclose(distorted(ink, 0.0, np.random.default_rng(0)), ink, atol=1e-5)
    seen = distorted(ink, 0.2, np.random.default_rng(0))
    assert seen.shape == ink.shape
    assert float(seen.min()) >= 0.0
    assert float(seen.max()) <= 1.0 + 1e-6
    assert len({round(float(each.sum()), 3) for each in seen}) == 6
    assert torch.allclose(seen.sum((1, 2)), torch.tensor(30.0), rtol=0.5)
    again = distorted(ink, 0.2, np.random.default_rng(0))
    assert torch.equal(seen, again)
