import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest
from mnist_files import draw, write_images, write_labels, write_set

from chipsim.errors import InputError
from chipsim.train.data import read_mnist

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"
FASHION = MNIST.with_name("fashion-mnist")


def test_reads_what_was_written(tmp_path):
    write_set(tmp_path, train=30)
    images = read_mnist(tmp_path, "train")
    pixels, labels = draw(30, 1)
    assert images.count == 30
    assert np.array_equal(images.pixels, pixels.reshape(30, -1))
    assert np.array_equal(images.labels, labels)
    assert images.first(4).count == len(images.first(4).labels) == 4


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz: no such file"):
        read_mnist(tmp_path, "train")


def test_wrong_magic(tmp_path):
    write_set(tmp_path)
    write_images(tmp_path / "train-images-idx3-ubyte.gz", draw(5, 0)[0], magic=2052)
    with pytest.raises(InputError, match="magic number 2052, expected 2051"):
        read_mnist(tmp_path, "train")


@pytest.mark.parametrize(("change", "word"), [(-1, "truncated"), (1, "too long")])
def test_wrong_length(tmp_path, change, word):
    path = write_set(tmp_path) / "train-images-idx3-ubyte.gz"
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw[:change] if change < 0 else raw + b"\0"))
    with pytest.raises(InputError, match=word):
        read_mnist(tmp_path, "train")


def test_header_cut_short(tmp_path):
    path = write_set(tmp_path) / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x03"))
    with pytest.raises(InputError, match="idx header takes 16"):
        read_mnist(tmp_path, "train")


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_gzip_cut_short(tmp_path, keep):
    path = write_set(tmp_path) / "train-images-idx3-ubyte.gz"
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * keep)])
    with pytest.raises(InputError, match="truncated"):
        read_mnist(tmp_path, "train")


def test_damaged_gzip(tmp_path):
    path = write_set(tmp_path) / "train-images-idx3-ubyte.gz"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError, match="cannot be read as a gz file"):
        read_mnist(tmp_path, "train")


def test_no_gzip(tmp_path):
    path = write_set(tmp_path) / "train-images-idx3-ubyte.gz"
    path.write_bytes(b"plain text")
    with pytest.raises(InputError, match="cannot be read as a gz file"):
        read_mnist(tmp_path, "train")


def test_header_may_not_ask_for_memory(tmp_path):
    path = write_set(tmp_path) / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12))
    with pytest.raises(InputError, match="truncated"):
        read_mnist(tmp_path, "train")


def test_counts_differ(tmp_path):
    write_set(tmp_path, train=30)
    write_labels(tmp_path / "train-labels-idx1-ubyte.gz", draw(29, 1)[1])
    with pytest.raises(InputError, match="29 labels for the 30 images"):
        read_mnist(tmp_path, "train")


def test_label_out_of_range(tmp_path):
    write_set(tmp_path, train=30)
    labels = draw(30, 1)[1]
    labels[17] = 10
    write_labels(tmp_path / "train-labels-idx1-ubyte.gz", labels)
    with pytest.raises(InputError, match=r"label 10 of image 17 is not in 0\.\.9"):
        read_mnist(tmp_path, "train")


def test_empty_set(tmp_path):
    write_set(tmp_path, train=0)
    with pytest.raises(InputError, match="holds no pixels"):
        read_mnist(tmp_path, "train")


def test_reads_xz_where_there_is_no_gz(tmp_path):
    wanted = read_mnist(write_set(tmp_path, train=30), "train")
    path = tmp_path / "train-images-idx3-ubyte.gz"
    raw = gzip.decompress(path.read_bytes())
    path.unlink()
    packed = path.with_suffix(".xz")
    packed.write_bytes(lzma.compress(raw))
    assert np.array_equal(read_mnist(tmp_path, "train").pixels, wanted.pixels)
    packed.write_bytes(lzma.compress(raw)[:-40])
    with pytest.raises(InputError, match=r"ubyte\.xz: the compressed data end early"):
        read_mnist(tmp_path, "train")
    packed.write_bytes(b"plain text")
    with pytest.raises(InputError, match="cannot be read as a xz file"):
        read_mnist(tmp_path, "train")


def test_fashion_mnist_itself():
    if not FASHION.is_dir():
        pytest.skip("Fashion-MNIST is not here")
    images = read_mnist(FASHION, "t10k")
    assert images.pixels.shape == (10000, 784)
    assert np.bincount(images.labels).tolist() == [1000] * 10
    assert images.pixels.mean() == pytest.approx(73.147, abs=5e-4)


def test_mnist_itself():
    if not MNIST.is_dir():
        pytest.skip("MNIST is not here")
    images = read_mnist(MNIST, "t10k")
    assert images.pixels.shape == (10000, 784)
    classes = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(images.labels).tolist() == classes
