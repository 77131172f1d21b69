"""Reading Omniglot's archives: every drawing in its place, every damage named."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("PIL")

from omniglot_files import draw, png, write_part

from chipsim.errors import InputError
from chipsim.train.omniglot import DRAWERS, SIDE, read_omniglot

OMNIGLOT = Path(__file__).parents[3] / "shared" / "data" / "omniglot"


def test_reads_what_was_written(tmp_path):
    ink = draw(3, 0)
    write_part(tmp_path, "background", ink)
    got = read_omniglot(tmp_path, "background")
    assert got.shape == (3, 20, SIDE, SIDE)
    assert np.array_equal(got, 255 * ink.astype(np.uint8))


def test_cache_is_used_and_checked(tmp_path):
    write_part(tmp_path, "background", draw(2, 0))
    cache = tmp_path / "cache"
    first = read_omniglot(tmp_path, "background", cache)
    (tmp_path / "images_background.tar.xz").unlink()
    assert np.array_equal(read_omniglot(tmp_path, "background", cache), first)
    kept = cache / "omniglot_background.npz"
    np.savez(kept, ink=first[:, :5])
    with pytest.raises(InputError, match="delete it to decode anew"):
        read_omniglot(tmp_path, "background", cache)
    kept.write_bytes(b"nothing")
    with pytest.raises(InputError, match="delete it to decode anew"):
        read_omniglot(tmp_path, "background", cache)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"images_evaluation\.tar\.xz: no such file"):
        read_omniglot(tmp_path, "evaluation")


def test_missing_drawing(tmp_path):
    write_part(tmp_path, "background", draw(2, 0), leave_out=1)
    with pytest.raises(InputError, match="character 0002 has 19 drawings"):
        read_omniglot(tmp_path, "background")


def test_damaged_archive(tmp_path):
    path = write_part(tmp_path, "background", draw(1, 0))
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"not a tar", b""):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"images_background\.tar\.xz"):
            read_omniglot(tmp_path, "background")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no png", "is no readable PNG"), (png(draw(1, 0)[0, 0])[:40], "is no readable PNG")],
)
def test_damaged_drawing(tmp_path, content, message):
    with tarfile.open(tmp_path / "images_background.tar.xz", "w:xz") as archive:
        member = tarfile.TarInfo("a/0001_01.png")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    with pytest.raises(InputError, match=message):
        read_omniglot(tmp_path, "background")


def test_archive_of_something_else(tmp_path):
    with tarfile.open(tmp_path / "images_background.tar.xz", "w:xz") as archive:
        archive.addfile(tarfile.TarInfo("notes.txt"))
    with pytest.raises(InputError, match="is it Omniglot"):
        read_omniglot(tmp_path, "background")


def test_first_real_character(tmp_path):
    """The whole set takes 10 s; its first character goes through the same code."""
    if not OMNIGLOT.is_dir():
        pytest.skip("Omniglot is not here")
    name = "images_evaluation.tar.xz"
    with (
        tarfile.open(OMNIGLOT / name, "r:xz") as whole,
        tarfile.open(tmp_path / name, "w:xz") as part,
    ):
        copied = 0
        for member in whole:
            if copied < DRAWERS and member.isfile():
                part.addfile(member, whole.extractfile(member))
                copied += 1
            elif copied == DRAWERS:
                break
    ink = read_omniglot(tmp_path, "evaluation")
    assert ink.shape == (1, DRAWERS, SIDE, SIDE)
    assert 0.02 < ink.mean() / 255 < 0.2
