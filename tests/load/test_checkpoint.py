import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from build_checkpoint import Call, Name, Persistent, archive, opcodes, pickled, tensor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chipsim.errors import InputError
from chipsim.load.checkpoint import Checkpoint, read_checkpoint

THREE = np.array([1.5, -2.0, 3.25], dtype="<f4")


def read(folder: Path, data: bytes) -> Checkpoint:
    path = folder / "model.pt"
    path.write_bytes(data)
    return read_checkpoint(path)


def refused(folder: Path, data: bytes, *parts: str) -> None:
    with pytest.raises(InputError) as caught:
        read(folder, data)
    message = str(caught.value)
    assert message.startswith(str(folder / "model.pt"))
    for part in parts:
        assert part in message


def of_pickle(value: object, **storages: bytes) -> bytes:
    return archive(pickled(value), {k[1:]: v for k, v in storages.items()})


# --- what must be read ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("Half", "<f2"),
        ("Float", "<f4"),
        ("Double", "<f8"),
        ("Char", "i1"),
        ("Short", "<i2"),
        ("Int", "<i4"),
        ("Long", "<i8"),
        ("Byte", "u1"),
    ],
)
def test_element_types(tmp_path, kind, dtype):
    values = np.array([1, 0, 3], dtype=dtype)
    data = of_pickle({"w": tensor(3, kind=f"torch {kind}Storage")}, _0=values.tobytes())
    got = read(tmp_path, data).tensors["w"]
    assert got.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(got, values)


def test_bfloat16_and_bool(tmp_path):
    values = np.array([1.5, -2.0, 3.25], dtype="<f4")
    halves = (values.view("<u4") >> 16).astype("<u2").tobytes()
    content = {
        "b": tensor(3, kind="torch BFloat16Storage"),
        "f": tensor(3, kind="torch BoolStorage", key="1"),
    }
    got = read(tmp_path, of_pickle(content, _0=halves, _1=b"\x00\x01\x07")).tensors
    np.testing.assert_array_equal(got["b"], values)
    assert got["b"].dtype == np.float32
    assert got["f"].dtype == np.bool_
    assert got["f"].tolist() == [False, True, True]


def test_views_of_one_storage(tmp_path):
    base = np.arange(6, dtype="<f4")
    content = {
        "whole": tensor(6, size=(2, 3), stride=(3, 1)),
        "transposed": tensor(6, size=(3, 2), stride=(1, 3)),
        "row": tensor(6, size=(3,), offset=3),
        "expanded": tensor(6, size=(4, 2), stride=(0, 1), offset=1),
        "scalar": tensor(6, size=(), stride=(), offset=5),
        "empty": tensor(6, size=(0, 3), stride=(3, 1)),
    }
    got = read(tmp_path, of_pickle(content, _0=base.tobytes())).tensors
    square = base.reshape(2, 3)
    np.testing.assert_array_equal(got["whole"], square)
    np.testing.assert_array_equal(got["transposed"], square.T)
    np.testing.assert_array_equal(got["row"], square[1])
    np.testing.assert_array_equal(got["expanded"], [[1, 2]] * 4)
    assert got["scalar"].shape == ()
    assert float(got["scalar"]) == 5
    assert got["empty"].shape == (0, 3)
    assert all(not array.flags.writeable for array in got.values() if array.size)


@pytest.mark.parametrize(("order", "dtype"), [(b"little", "<f4"), (b"big", ">f4")])
def test_byte_order(tmp_path, order, dtype):
    data = archive(
        pickled({"w": tensor(3, device="cuda:0")}),
        {"0": THREE.astype(dtype).tobytes()},
        root="my_training/",
        extra={"byteorder": order, "version": b"3\n"},
    )
    got = read(tmp_path, data).tensors["w"]
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, THREE)


def test_ordered_dict_with_metadata_and_parameter(tmp_path):
    items = opcodes(Call("collections OrderedDict", ()))
    items += b"(" + opcodes("w") + opcodes(Call("torch._utils _rebuild_parameter", (tensor(3),)))
    items += b"u" + opcodes({"_metadata": Call("collections OrderedDict", ())}) + b"b"
    got = read(tmp_path, archive(b"\x80\x02" + items + b".", {"0": THREE.tobytes()}))
    np.testing.assert_array_equal(got.tensors["w"], THREE)


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model", "net", "weights"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "model.module.", "_orig_mod."])
def test_wrappers_and_prefixes(tmp_path, wrapper, prefix):
    state = {f"{prefix}fc1.weight": tensor(3), f"{prefix}fc1.bias": tensor(3)}
    content = {"epoch": 3, wrapper: state, "hebb": [tensor(3)], "lr": 0.1, "history": [1, 2.0]}
    got = read(tmp_path, of_pickle(content, _0=THREE.tobytes())).tensors
    assert list(got) == ["hebb.0", "fc1.weight", "fc1.bias"]


def test_prefix_stays_when_not_shared(tmp_path):
    content = {"model.a": tensor(3), "b": tensor(3)}
    got = read(tmp_path, of_pickle(content, _0=THREE.tobytes())).tensors
    assert list(got) == ["model.a", "b"]


def test_numpy_scalars_and_arrays(tmp_path):
    def dtype(code: str) -> Call:
        return Call("numpy dtype", (code, False, True), (3, "<", None, None, None, -1, -1, 0))

    def raw(data: bytes) -> Call:
        return Call("_codecs encode", (data.decode("latin-1"), "latin1"))

    number = Call("numpy._core.multiarray scalar", (dtype("f8"), raw(struct.pack("<d", 98.8))))
    array = Call(
        "numpy._core.multiarray _reconstruct",
        (Name("numpy ndarray"), (0,), raw(b"b")),
        (1, (3,), dtype("f4"), False, raw(THREE.tobytes())),
    )
    content = {"net": {"w": tensor(3)}, "acc_record": [number, number], "hebb": array}
    got = read(tmp_path, of_pickle(content, _0=THREE.tobytes())).tensors
    assert list(got) == ["hebb", "w"]
    np.testing.assert_array_equal(got["hebb"], THREE)


def test_description_inside(tmp_path):
    description = {"model": "m", "steps": 3, "populations": [{"name": "a", "size": 2.5}]}
    content = {"state_dict": {"w": tensor(3)}, "chipsim": description}
    got = read(tmp_path, of_pickle(content, _0=THREE.tobytes()))
    assert got.description == description
    assert read(tmp_path, of_pickle({"w": tensor(3)}, _0=THREE.tobytes())).description is None


# --- what must be refused ------------------------------------------------------------------


def test_os_system_is_not_run(tmp_path):
    witness = tmp_path / "witness"
    for name in ("posix system", "os system", "builtins eval", "subprocess check_output"):
        data = of_pickle({"w": Call(name, (f"touch {witness}",))})
        refused(tmp_path, data, name.replace(" ", "."), "runs no code", "state_dict()")
    assert not witness.exists()


def test_pickled_module_is_refused_with_advice(tmp_path):
    data = of_pickle(Call("torch.nn.modules.container Sequential", ()))
    refused(tmp_path, data, "torch.nn.modules.container.Sequential", "state_dict()")


@pytest.mark.parametrize(
    "content",
    [
        Call("torch FloatStorage", ()),
        Call("torch._utils _rebuild_tensor_v2", ()),
        Call("torch._utils _rebuild_tensor_v2", ("storage", 0, (1,), (1,))),
        Call("torch._utils _rebuild_parameter", ("x",)),
        Call("collections OrderedDict", ([("a", 1)],)),
        Call("numpy dtype", ("O8", False, True)),
        Call("numpy._core.multiarray scalar", ("f8", "x")),
        Persistent("storage"),
        Persistent(("storage", "float", "0", "cpu", 3)),
        Persistent(("module", Name("torch FloatStorage"), "0", "cpu", 3)),
    ],
)
def test_unexpected_calls(tmp_path, content):
    refused(tmp_path, of_pickle({"w": tensor(3), "x": content}, _0=THREE.tobytes()))


@pytest.mark.parametrize(
    "changes",
    [
        {"size": (4,)},
        {"size": (2,), "stride": (3,)},
        {"offset": 1},
        {"offset": -1},
        {"stride": (-1,)},
        {"size": (-3,)},
        {"size": (True,)},
        {"size": (3, 1)},
        {"size": [3]},
        {"size": (2**62, 2**62), "stride": (0, 0)},
        {"size": (2**30,), "stride": (0,)},
        {"size": (0, 2**61), "stride": (0, 0)},
        {"size": (1,) * 40, "stride": (0,) * 40},
        {"stride": (2**70,)},
        {"offset": 1.0},
        {"key": "1"},
        {"key": "../data.pkl"},
        {"key": 0},
        {"kind": "torch DoubleStorage"},
        {"kind": "torch.storage UntypedStorage"},
    ],
)
def test_views_beyond_their_storage(tmp_path, changes):
    refused(tmp_path, of_pickle({"w": tensor(3, **changes)}, _0=THREE.tobytes()))


@pytest.mark.parametrize("count", [2**29, 4, 2, -3, 2**80, True])
def test_storage_that_lies_about_its_size(tmp_path, count):
    refused(tmp_path, of_pickle({"w": tensor(count, size=(1,))}, _0=THREE.tobytes()))


def claim_size(data: bytes, name: str, size: int) -> bytes:
    """Set both sizes of an entry in the central directory of a zip."""
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(name.encode()))
    return data[: at + 20] + struct.pack("<II", size, size) + data[at + 28 :]


def test_two_gigabytes_claimed_by_a_small_file(tmp_path):
    import tracemalloc

    data = of_pickle({"w": tensor(2**29)}, _0=THREE.tobytes())
    data = claim_size(data, "archive/data/0", 2**31)
    tracemalloc.start()
    refused(tmp_path, data, "claim", "damaged or truncated")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_compression_bomb(tmp_path):
    import tracemalloc

    bomb = archive(
        pickled({"w": tensor(2**22)}), {"0": b"\0" * 2**24}, compression=zipfile.ZIP_DEFLATED
    )
    assert len(bomb) < 20_000
    # Honest directory: grows to no more than it says; false directory: stops where it said.
    assert read(tmp_path, bomb).tensors["w"].shape == (2**22,)
    at = bomb.rindex(b"PK\x01\x02", 0, bomb.rindex(b"archive/data/0"))
    false = bomb[: at + 24] + struct.pack("<I", 12) + bomb[at + 28 :]
    tracemalloc.start()
    refused(tmp_path, false)
    huge = bomb[: at + 24] + struct.pack("<I", 2**32 - 2) + bomb[at + 28 :]
    refused(tmp_path, huge, "compressed entries")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_overlapping_entries(tmp_path):
    data = archive(pickled({"w": tensor(250_000)}), {"0": bytes(1_000_000)})
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"archive/data/0"))
    entry = data[at : data.rindex(b"PK\x05\x06")]
    end = bytearray(data[data.rindex(b"PK\x05\x06") :])
    twin = entry.replace(b"data/0", b"data/1")
    directory = struct.unpack_from("<I", end, 12)[0] + len(twin)
    struct.pack_into("<HHI", end, 8, 3, 3, directory)
    refused(tmp_path, data[: at + len(entry)] + twin + bytes(end), "claim")


def test_truncated_at_every_kind_of_place(tmp_path):
    data = of_pickle({"w": tensor(3)}, _0=THREE.tobytes())
    for length in range(0, len(data), 7):
        refused(tmp_path, data[:length])


def test_truncated_pickle(tmp_path):
    whole = pickled({"w": tensor(3), "epoch": 2**70, "note": "text"})
    for length in range(len(whole)):
        refused(tmp_path, archive(whole[:length], {"0": THREE.tobytes()}))


@pytest.mark.parametrize(
    "body",
    [
        b"R.",
        b"0.",
        b"t.",
        b"u.",
        b"]b.",
        b"h\x05.",
        b"j\xff\xff\xff\x7f.",
        b"Nr\xff\xff\xff\x7f.",
        b"N)u.",
        b"}(]Nu.",
        b"}(I" + b"9" * 5000 + b"\nNu.",
        b"}(" + opcodes(2**100) + b"Nu.",
        b"(iposix\nsystem\n.",
        b"(cposix\nsystem\nX\x01\0\0\0xo.",
        b"\x82\x01.",
        b"\x97.",
        b"\x96" + struct.pack("<Q", 2**40) + b".",
        b"\x8e" + struct.pack("<Q", 2**40) + b".",
        b"\x8b" + struct.pack("<i", 2**31 - 1) + b".",
        b"X" + struct.pack("<I", 2**32 - 1) + b"a.",
        b"X\x01\0\0\0\xff.",
        b"NN\x93.",
        b"\x8c\x01a\x8c\x01b\x93.",
        opcodes(()) + b")\x81.",
    ],
)
def test_abused_opcodes(tmp_path, body):
    refused(tmp_path, archive(b"\x80\x04" + body))


def test_deep_nesting_neither_crashes_nor_recurses(tmp_path):
    deep = b"]" * 200_000 + b"a" * 199_999
    refused(tmp_path, archive(b"\x80\x02" + deep + b"."))
    deep_tuple = b")" + b"\x85" * 200_000
    refused(tmp_path, archive(b"\x80\x02}(" + deep_tuple + b"Nu."), "key")
    inside = b"}(" + opcodes("w") + opcodes(tensor(3)) + opcodes("chipsim") + b"}" + opcodes("a")
    nested = b"\x80\x02" + inside + deep + b"su."
    refused(tmp_path, archive(nested, {"0": THREE.tobytes()}), "too deep")


def test_self_reference_and_shared_parts_in_a_description(tmp_path):
    def with_description(body: bytes) -> bytes:
        start = b"\x80\x02}(" + opcodes("w") + opcodes(tensor(3)) + opcodes("chipsim")
        return archive(start + body + b"u.", {"0": THREE.tobytes()})

    own_parent = b"}q\x00" + opcodes("self") + b"h\x00s"
    refused(tmp_path, with_description(own_parent), "too deep or too large")
    # Each list holds the one before ten times: 10^14 values in a few hundred bytes.
    layers = b"](]q\x01" + b"".join(b"](" + b"h\x01" * 10 + b"eq\x01" for _ in range(14)) + b"e"
    refused(tmp_path, with_description(b"}" + opcodes("x") + layers + b"s"), "too large")
    refused(tmp_path, with_description(b"}" + opcodes("x") + opcodes(tensor(3)) + b"s"), "chipsim")


def test_copies_are_limited(tmp_path):
    text = opcodes("x" * 100_000) + b"q\x02" + opcodes("latin1") + b"q\x03"
    calls = b"".join(b"h\x01h\x02h\x03\x86R" for _ in range(2_000))
    start = b"\x80\x02(" + opcodes(Name("_codecs encode")) + b"q\x01" + text
    refused(tmp_path, archive(start + calls + b"l."), "copies")


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "empty"),
        (b"hello world, this is no model", "not a checkpoint"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "before torch 1.6"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (archive(pickled({}), extra={"constants.pkl": b"."}), "TorchScript"),
        (archive(pickled({}), extra={"code/__torch__.py": b"."}), "TorchScript"),
        (archive(pickled({"epoch": 1})), "no tensors"),
        (archive(pickled(3)), "state_dict()"),
        (archive(pickled({}), extra={"b/data.pkl": b"."}), "data.pkl"),
        (archive(pickled({}), extra={"byteorder": b"middle"}), "byteorder"),
    ],
)
def test_other_files(tmp_path, data, part):
    refused(tmp_path, data, part)


def test_a_description_is_not_its_checkpoint(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text("model: net\n")
    with pytest.raises(InputError, match=r"YAML file; give the checkpoint .* \(net.pt"):
        read_checkpoint(path)


def test_two_state_dicts(tmp_path):
    content = {"model": {"w": tensor(3)}, "net": {"w": tensor(3)}}
    refused(tmp_path, of_pickle(content, _0=THREE.tobytes()), "model, net")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(InputError):
        read_checkpoint(tmp_path)


# --- npz and safetensors -------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    arrays = {
        "module.w": np.arange(6, dtype=">f8").reshape(2, 3),
        "module.t": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "module.s": np.float32(0.5),
        "module.b": np.array([True, False]),
    }
    buffer = io.BytesIO()
    save(buffer, **arrays)
    got = read(tmp_path, buffer.getvalue()).tensors
    for name, array in arrays.items():
        mine = got[name.removeprefix("module.")]
        assert mine.dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(mine, array)


def test_npz_with_objects_is_refused(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, w=np.array([{"a": 1}], dtype=object))
    refused(tmp_path, buffer.getvalue(), "'w'", "objects")


def safetensors(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(dtype: str = "F32", shape: object = (3,), offsets: object = (0, 12)) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_safetensors_and_its_description(tmp_path):
    header = {
        "__metadata__": {"format": "pt", "chipsim": json.dumps({"model": "m"})},
        "w": entry(),
        "h": entry("BF16", (2, 1), (12, 16)),
        "e": entry("I64", (0,), (16, 16)),
        "s": entry("U8", (), (16, 17)),
    }
    body = THREE.tobytes() + b"\xc0\x3f\x00\xc0" + b"\x07"
    got = read(tmp_path, safetensors(header, body))
    np.testing.assert_array_equal(got.tensors["w"], THREE)
    np.testing.assert_array_equal(got.tensors["h"], [[1.5], [-2.0]])
    assert got.tensors["e"].shape == (0,)
    assert got.tensors["s"].shape == ()
    assert got.description == {"model": "m"}


@pytest.mark.parametrize(
    "header",
    [
        {"w": entry(offsets=(0, 16))},
        {"w": entry(offsets=(4, 0))},
        {"w": entry(offsets=(-4, 8))},
        {"w": entry(offsets=(0, 12, 12))},
        {"w": entry(shape=(4,))},
        {"w": entry(shape=(-3,))},
        {"w": entry(shape=(2**40, 2**40))},
        {"w": entry(shape=(0, 2**60), offsets=(0, 0))},
        {"w": entry(shape=3)},
        {"w": entry(shape=(True, 3))},
        {"w": entry("F8_E4M3")},
        {"w": entry([])},
        {"w": {}},
        {"w": 3},
        {"w": entry(), "v": entry("U8", (4,), (8, 12))},
        {"w": entry(), "__metadata__": {"chipsim": "{"}},
        {"w": entry(), "__metadata__": {"chipsim": "[1]"}},
        {"w": entry(), "__metadata__": {"chipsim": 3}},
        {},
        b'{"w": ' + b"[" * 100_000,
        b'{"w": 1' + b"9" * 5000 + b"}",
        b'{"w": {}, "w": {}}',
        b'{"\xff": 1}',
    ],
)
def test_hostile_safetensors(tmp_path, header):
    refused(tmp_path, safetensors(header, THREE.tobytes()))


def test_safetensors_against_the_library(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    arrays = {
        f"{name}{shape}": np.arange(int(np.prod(shape))).astype(name).reshape(shape)
        for name in ("float16", "float32", "float64", "int8", "int32", "int64", "uint8", "bool")
        for shape in ((), (3,), (2, 3), (0, 2))
    }
    got = read(tmp_path, library.save(arrays)).tensors
    assert set(got) == set(arrays)
    for name, array in arrays.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array)


# --- anything at all -----------------------------------------------------------------------


def good_files() -> list[bytes]:
    content = {
        "net": Call("collections OrderedDict", (), {"_metadata": {}}),
        "state_dict": {"fc.weight": tensor(6, size=(2, 3), stride=(3, 1)), "s": tensor(6, size=())},
        "chipsim": {"model": "m", "steps": 3, "list": [1, 2.5, None, True]},
        "epoch": 7,
    }
    content["state_dict"]["s"] = tensor(6, size=(), stride=(), offset=2)
    pt = archive(pickled(content), {"0": bytes(24)}, extra={"byteorder": b"little"})
    npz = io.BytesIO()
    np.savez_compressed(npz, w=np.eye(3), b=np.zeros(4, dtype=np.float32))
    st_file = safetensors({"__metadata__": {"chipsim": "{}"}, "w": entry()}, THREE.tobytes())
    return [pt, npz.getvalue(), st_file]


GOOD = good_files()


@pytest.mark.parametrize("data", GOOD)
def test_the_good_files_are_good(tmp_path, data):
    assert read(tmp_path, data).tensors


def assert_result_or_input_error(folder: Path, data: bytes) -> None:
    try:
        checkpoint = read(folder, data)
    except InputError as error:
        if str(folder) not in str(error):
            raise
    else:
        assert all(isinstance(array, np.ndarray) for array in checkpoint.tensors.values())


flips = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4)


@given(which=st.integers(0, 2), flips=flips, cut=st.floats(0, 1))
@settings(
    max_examples=400,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_flipped_bytes_give_a_result_or_an_input_error(tmp_path, which, flips, cut):
    data = bytearray(GOOD[which])
    for place, value in flips:
        data[int(place * len(data))] = value
    if cut < 0.2:
        data = data[: int(cut * 5 * len(data))]
    assert_result_or_input_error(tmp_path, bytes(data))


PICKLE = pickled(
    {
        "net": Call("collections OrderedDict", (), {"_metadata": {}}),
        "w": tensor(6, size=(2, 3), stride=(3, 1)),
        "chipsim": {"model": "m", "list": [1, 2.5, None, True]},
        "x": [
            Call("torch._utils _rebuild_parameter", (tensor(6),)),
            Call("numpy dtype", ("f8", False, True), (3, "<", None)),
        ],
    }
)


@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 3), st.binary(max_size=6)),
        max_size=5,
    )
)
@settings(
    max_examples=600,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_edited_pickles_give_a_result_or_an_input_error(tmp_path, edits):
    """Edits inside the pickle with the zip's checksums made right again."""
    data = PICKLE
    for place, drop, new in edits:
        at = int(place * len(data))
        data = data[:at] + new + data[at + drop :]
    assert_result_or_input_error(tmp_path, archive(data, {"0": bytes(24)}))
