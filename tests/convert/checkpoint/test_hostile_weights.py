"""Weights that lie, are damaged, or were made to do harm: refused by name, in bounded memory."""

import json
import os
import pickle
import pickletools
import random
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.checkpoint.hdf5_file import hdf5_tensors
from sparkalbert.convert.checkpoint.tensorflow_checkpoint import tensorflow_tensors
from sparkalbert.convert.checkpoint.torch_file import torch_tensors
from sparkalbert.errors import CheckpointError
from tests import tiny_checkpoint
from tests.convert.checkpoint.weight_writers import DATA, LEGACY_HEAD, pickled_tensor, varint, write_table
from tests.recorded.record_weights import FOLDER

FLOATS_16 = np.arange(16, dtype="<f4").tobytes()


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def write_zip(path, pickled, *, storages=None, compression=zipfile.ZIP_STORED, **more):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, content in {**more, **{f"data/{key}": data for key, data in (storages or {}).items()}}.items():
            archive.writestr(f"archive/{name}", content)
    return path


def refusal(path, read=torch_tensors) -> str:
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert path.name in str(caught.value)
    return str(caught.value)


def described(**tensor):
    """Return the pickle of a dictionary with one tensor."""
    known = {"key": "0", "shape": (4, 4), "strides": (4, 1), "count": 16}
    return b"\x80\x02}" + pickled_tensor("w", **{**known, **tensor}) + b"."


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("function", [os.system, eval, subprocess.Popen, getattr, pickle.loads])
@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_a_pickle_that_calls_anything_is_refused_with_the_name(tmp_path, protocol, function, layout):
    """Protocol 2 has the names that the functions had in Python 2."""
    marker = tmp_path / "was-run"
    pickled = pickle.dumps({"w": Call(function, f"touch {marker}")}, protocol=protocol)
    path = tmp_path / "pytorch_model.bin"
    if layout == "zip":
        write_zip(path, pickled)
    else:
        path.write_bytes(LEGACY_HEAD + pickled + pickle.dumps([], protocol=2))
    with pytest.raises(
        CheckpointError, match=rf"_model.bin cannot be read: its pickle imports \w+\.{function.__name__},"
    ):
        torch_tensors(path)
    assert not marker.exists()


def test_a_folder_with_such_a_pickle_is_refused(tmp_path):
    folder = tiny_checkpoint.write(tmp_path / "tiny")
    (folder / "model.safetensors").unlink()
    write_zip(folder / "pytorch_model.bin", pickle.dumps(Call(os.system, "true"), protocol=2))
    with pytest.raises(CheckpointError, match=r"its pickle imports (posix|nt)\.system, which the weights of a model"):
        Checkpoint.open(folder)


@pytest.mark.parametrize(
    ("pickled", "shown"),
    [
        (b"(S'true'\nios\nsystem\n.", "has the instruction STRING"),
        (b"(ios\nsystem\n.", "has the instruction INST"),
        (b"\x80\x02\x82\x01.", "has the instruction EXT1"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "has the instruction NEWOBJ"),
        (b"\x80\x05\x96\xff\xff\xff\xff\x00\x00\x00\x00.", "is damaged"),
        (b"\x80\x02(((tttR.", "is damaged"),
        (b"\x80\x02}r\xff\xff\xff\x7f.", "holds no dictionary of tensors"),
        (b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.", "holds no dictionary of tensors"),
        (b"\x80\x02" + b")" + b"\x85" * 100_000 + b".", "holds no dictionary of tensors"),
        (b"\x80\x02})\x85K\x01s.", "is damaged"),
        (b"\x80\x02}Q.", "is damaged"),
        (b"", "is damaged"),
    ],
    ids="string inst ext newobj bytearray marks memo cycle nesting key persistent empty".split(),  # noqa: SIM905
)
def test_other_pickles_are_refused(tmp_path, pickled, shown):
    assert shown in refusal(write_zip(tmp_path / "w.bin", pickled))


@pytest.mark.parametrize(
    "lie",
    [
        {"offset": 1},
        {"offset": -1},
        {"shape": (4, 5)},
        {"shape": (1 << 40, 1 << 40)},
        {"shape": (-4, 4)},
        {"strides": (4, 2)},
        {"strides": (-4, 1)},
        {"strides": (0, 0), "shape": (1 << 20, 1 << 20)},
        {"count": 1 << 40, "shape": (1 << 20, 1 << 10), "strides": (1 << 10, 1)},
        {"count": 8},
        {"kind": "DoubleStorage"},
        {"key": "1"},
        {"key": "../data.pkl"},
    ],
    ids=str,
)
def test_a_tensor_that_its_storage_does_not_hold_is_refused(tmp_path, lie):
    refusal(write_zip(tmp_path / "w.bin", described(**lie), storages={"0": FLOATS_16}))
    legacy = tmp_path / "legacy.bin"
    keys = pickle.dumps(["0"], protocol=2)
    legacy.write_bytes(LEGACY_HEAD + described(**lie) + keys + struct.pack("<q", 16) + FLOATS_16)
    refusal(legacy)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = write_zip(tmp_path / "a.bin", b"\x80\x02" + b"0" * (100 << 20), compression=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1 << 20
    assert "its entry archive/data.pkl is compressed" in refusal(bomb)
    long = write_zip(tmp_path / "b.bin", b"\x80\x02X" + struct.pack("<I", 2 << 20) + bytes(2 << 20) + b".")
    assert "its pickle is longer than that of any model" in refusal(long)


def test_an_entry_that_is_longer_than_its_file_is_refused(tmp_path):
    path = write_zip(tmp_path / "w.bin", b"\x80\x02X" + struct.pack("<I", 100_000) + b"short")
    content = bytearray(path.read_bytes())
    sizes = content.index(b"PK\1\2") + 20  # in the directory of the archive
    content[sizes : sizes + 8] = struct.pack("<II", 200_000, 200_000)
    path.write_bytes(content)
    assert "is not a complete file of torch.save" in refusal(path)


@pytest.mark.parametrize("key", [[], ["0"], 0, None])
def test_a_key_that_is_not_a_string_is_refused(tmp_path, key):
    path = tmp_path / "legacy.bin"
    path.write_bytes(LEGACY_HEAD + described() + pickle.dumps([key], protocol=2) + struct.pack("<q", 16) + FLOATS_16)
    assert f"the storage {str(key)!r} belongs to no tensor" in refusal(path)


@pytest.mark.parametrize("nested", [False, True])
def test_too_many_dictionaries_are_refused(tmp_path, nested):
    def written(count):
        tensor = described()[len(b"\x80\x02}") : -1]
        value = {}
        for index in range(count - 1):
            value = {"d": value} if nested else {**value, index: {}}
        # The dictionary of dictionaries comes first, then the tensor is added to it.
        return write_zip(tmp_path / "w.bin", pickle.dumps(value, protocol=2)[:-1] + tensor + b".", storages=storages)

    storages = {"0": FLOATS_16}
    assert set(torch_tensors(written(100))) == {"w"}
    assert "it holds more than 100 dictionaries; save the state_dict() of the model alone" in refusal(written(101))


def test_other_archives_are_refused(tmp_path):
    path = write_zip(tmp_path / "w.bin", described(), storages={"0": FLOATS_16}, byteorder="big")
    assert "big-endian" in refusal(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", b"N.")
    assert "it holds 2 entries data.pkl, expected one" in refusal(path)
    path.write_bytes(b"\x89HDF")
    assert "is not a file of torch.save" in refusal(path)


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "read", "times"),
    [
        ("zip.bin", torch_tensors, 100),
        ("legacy.bin", torch_tensors, 100),
        ("model.ckpt.index", tensorflow_tensors, 100),
        ("tf_model.h5", hdf5_tensors, 20),
    ],
)
def test_damaged_files_are_refused_or_read(tmp_path, name, read, times):
    """Nothing but CheckpointError, whatever is cut, changed or repeated."""
    content = (FOLDER / name).read_bytes()
    (tmp_path / DATA).write_bytes((FOLDER / DATA).read_bytes())
    path = tmp_path / name
    rng = random.Random(name)  # noqa: S311
    num_refused = 0
    for _ in range(times):
        damaged = bytearray(content)
        start, stop = sorted(rng.randrange(len(content)) for _ in range(2))
        change = rng.choice(["cut", "flip", "repeat"])
        if change == "cut":
            del damaged[start:]
        elif change == "flip":
            damaged[start] ^= rng.randrange(1, 256)
        else:
            damaged[start:start] = damaged[start : min(stop, start + 50)]
        path.write_bytes(damaged)
        try:
            tensors = read(path)
        except CheckpointError:
            num_refused += 1
            continue
        assert all(tensor.read().nbytes < 1 << 20 for tensor in tensors.values() if tensor.dtype == "F32")
    assert num_refused > times / 3


def write_index(folder, *, entry=b"", num_shards=1, endianness=0, kind=b"\0", header=b""):
    """Write the index of a checkpoint with one tensor; `entry` replaces fields of its description."""
    shape = b"\x12\x02\x08\x04"  # one dimension of size 4
    described = b"\x08\x01\x12" + varint(len(shape)) + shape + b"\x28\x10" + entry  # float32, 16 bytes
    header = b"\x08" + varint(num_shards) + b"\x10" + varint(endianness) + header
    (folder / DATA).write_bytes(FLOATS_16[:16])
    return write_table(folder / "model.ckpt.index", {b"": header, b"w": described}, kind=kind)


@pytest.mark.parametrize(
    ("lie", "shown"),
    [
        ({"entry": b"\x20\x04"}, "does not hold the tensor w"),  # offset
        ({"entry": b"\x20" + b"\xff" * 9 + b"\x01"}, "does not hold the tensor w"),
        ({"entry": b"\x28\x0c"}, "does not hold the tensor w"),  # size
        ({"entry": b"\x12\x08\x12\x06\x08" + varint(1 << 30)}, "does not hold the tensor w"),
        ({"entry": b"\x18\x01"}, "names the data file model.ckpt.data-00001-of-00001, which is missing"),
        ({"entry": b"\x3a\x00"}, "holds w in several parts"),
        ({"entry": b"\x12\x7f"}, "is not a complete index"),
        ({"num_shards": 2}, "names the data file model.ckpt.data-00000-of-00002, which is missing"),
        ({"header": b"\x0a\x01x"}, "is not a complete index"),  # the number of shards as bytes
        ({"endianness": 1}, "big-endian"),
        ({"kind": b"\1"}, "a block is missing or compressed"),
    ],
    ids=str,
)
def test_an_index_that_lies_is_refused(tmp_path, lie, shown):
    path = write_index(tmp_path, **lie)
    with pytest.raises(CheckpointError, match=shown):
        tensorflow_tensors(path)


def test_a_data_file_whose_name_would_be_too_long(tmp_path):
    path = write_index(tmp_path)
    path = path.rename(tmp_path / f"{'a' * 240}.index")
    with pytest.raises(CheckpointError, match="is not a complete index of a TensorFlow checkpoint"):
        tensorflow_tensors(path)


def test_two_tensorflow_checkpoints_are_ambiguous(tmp_path):
    folder = tiny_checkpoint.write(tmp_path / "tiny")
    (folder / "model.safetensors").unlink()
    for prefix in ("model.ckpt-1", "model.ckpt-2"):
        (folder / f"{prefix}.index").touch()
        (folder / f"{prefix}.data-00000-of-00001").touch()
    with pytest.raises(CheckpointError, match="expected one TensorFlow checkpoint, found model"):
        Checkpoint.open(folder)


def external(file, other):
    file["w"] = h5py.ExternalLink(str(other), "/w")


def soft(file, other):
    file["w"] = h5py.SoftLink("/v")


def outside(file, other):
    file.create_dataset("w", (4,), "<f4", external=[(str(other), 0, 16)])


def virtual(file, other):
    layout = h5py.VirtualLayout((4,), "<f4")
    layout[:] = h5py.VirtualSource(str(other), "w", (4,))
    file.create_virtual_dataset("w", layout)


def compressed(file, other):
    file.create_dataset("w", (1 << 28,), "<f4", chunks=(1 << 20,), compression="gzip", fillvalue=1)


@pytest.mark.parametrize("change", [external, soft, outside, virtual, compressed])
def test_an_h5_that_refers_elsewhere_or_unpacks_is_refused(tmp_path, change):
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["w"] = np.ones(4, dtype="<f4")
    path = tmp_path / "tf_model.h5"
    with h5py.File(path, "w") as file:
        file["v"] = np.ones(4, dtype="<f4")
        change(file, tmp_path / "secret.h5")
    message = refusal(path, hdf5_tensors)
    assert "has the link 'w'" in message or "holds w in chunks, compressed or in another file" in message


def test_a_shard_outside_the_folder_is_refused_in_every_format(tmp_path):
    for base in ("model.safetensors", "pytorch_model.bin", "tf_model.h5"):
        folder = tiny_checkpoint.write(tmp_path / base)
        (folder / "model.safetensors").unlink()
        names = {"a": "../x", "b": "/etc/passwd", "c": "..\\x", "d": "missing.bin"}
        (folder / f"{base}.index.json").write_text(json.dumps({"weight_map": names}))
        with pytest.raises(CheckpointError) as caught:
            Checkpoint.open(folder)
        for outside_name in ("../x", "/etc/passwd", "..\\x"):
            assert f"{base}.index.json names {outside_name!r}, which is outside the folder" in str(caught.value)
        assert "the shard missing.bin is missing" in str(caught.value)


def test_an_expanded_tensor_does_not_grow(tmp_path):
    """4 TiB described in 200 bytes must neither be read nor allocated."""
    path = write_zip(
        tmp_path / "w.bin", described(shape=(1 << 20, 1 << 20), strides=(0, 0), count=1), storages={"0": b"abcd"}
    )
    code = f"""
import resource, pathlib
from sparkalbert.convert.checkpoint.torch_file import torch_tensors
resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))
try:
    torch_tensors(pathlib.Path({str(path)!r}))
except ValueError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert "does not hold the tensor w [1048576, 1048576]" in result.stdout


def test_the_opcodes_here_are_those_of_pickle():
    """The hand-made pickle above is one that the standard library understands, too."""
    names = [opcode.name for opcode, _, _ in pickletools.genops(described())]
    assert names[-1] == "STOP"
    assert {"GLOBAL", "BINPERSID", "REDUCE", "SETITEM"} <= set(names)


def test_a_pickle_of_long_names_or_many_tensors_is_refused_at_once(tmp_path):
    """A name of 500 kB before 65,536 others would take 33 GB, described in a megabyte."""
    tensor = described()[len(b"\x80\x02}") + len(b"X\x01\x00\x00\x00w") : -2]
    long = b"X" + struct.pack("<I", 500_000) + b"k" * 500_000
    path = write_zip(tmp_path / "w.bin", b"\x80\x02}" + long + b"}" + long + tensor + b"ss.")
    assert "it holds a name of more than 512 characters" in refusal(path)
    names = b"".join(b"J" + struct.pack("<i", index) + b"h\x00" for index in range(1, 10_001))
    first = b"K\x00" + tensor + b"q\x00"
    path = write_zip(tmp_path / "w.bin", b"\x80\x02}(" + first + names + b"u.")
    assert "it holds more than 10,000 tensors" in refusal(path)


@pytest.mark.parametrize(("metadata", "is_refused"), [({}, False), ({"neg": True}, True), ({"conj": True}, True)])
def test_a_tensor_with_metadata_is_refused(tmp_path, metadata, is_refused):
    pickled = described()
    end = pickled.rindex(b"}tRs")
    pickled = pickled[:end] + b"}" + pickle.dumps(metadata, protocol=2)[2:-1] + pickled[end + 1 :]
    path = write_zip(tmp_path / "w.bin", pickled, storages={"0": FLOATS_16})
    if is_refused:
        assert f"a tensor with the metadata {metadata}" in refusal(path)
    else:
        assert [*torch_tensors(path)] == ["w"]


def test_a_value_that_would_be_a_long_text_is_named_by_its_type(tmp_path):
    """A pair of the same pair and so on, 40 times, is described in 300 bytes, and its text has 2**40 characters."""
    pairs = b"K\x01" + b"".join(b"q%ch%c\x86" % (number, number) for number in range(100, 140))
    pickled = described()
    end = pickled.rindex(b"}tRs")
    path = write_zip(tmp_path / "w.bin", pickled[:end] + b"}" + pairs + pickled[end + 1 :], storages={"0": FLOATS_16})
    assert "a tensor with the metadata tuple, expected plain numbers" in refusal(path)
    storage = b"(" + pairs + b"N" * 4 + b"tQ"
    path = write_zip(tmp_path / "w.bin", b"\x80\x02}X\x01\x00\x00\x00w" + storage + b"s.")
    assert "it holds a tuple of an unknown kind" in refusal(path)


def test_a_long_entry_for_the_byte_order_is_not_read_whole(tmp_path):
    path = write_zip(tmp_path / "w.bin", described(), storages={"0": FLOATS_16}, byteorder=b"little" * 1_000_000)
    assert "its numbers are big-endian" in refusal(path)


def test_a_zip_with_a_long_list_of_entries_is_refused_unread(tmp_path):
    path = write_zip(tmp_path / "w.bin", described(), storages={"0": FLOATS_16})
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\5\6")
    (start,) = struct.unpack_from("<I", content, end + 16)
    content[end + 12 : end + 16] = struct.pack("<I", end - start + (9 << 20))
    content[start:start] = bytes(9 << 20)
    path.write_bytes(content)
    assert "its list of entries is longer than that of any model" in refusal(path)


def write_blocks(path, block, num_handles):
    """Write a table whose index names one block several times."""
    top = b"".join(
        b"\0" + varint(1) + varint(len(handle)) + b"z" + handle
        for handle in [varint(0) + varint(len(block))] * num_handles
    ) + struct.pack("<II", 0, 1)
    data = block + b"\0crc."
    handles = varint(0) + varint(0) + varint(len(data)) + varint(len(top))
    path.write_bytes(data + top + b"\0crc." + handles.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db"))
    return path


def test_an_index_whose_names_grow_is_refused(tmp_path):
    """Each record shares all of the name before it and adds a byte: a megabyte would become 15 GB."""
    records = b"".join(varint(shared) + b"\1\0x" for shared in range(2_000))
    path = write_blocks(tmp_path / "model.ckpt.index", records + struct.pack("<II", 0, 1), 1)
    assert "a name is longer than 1,024 bytes" in refusal(path, tensorflow_tensors)


def test_an_index_of_many_tensors_or_of_overlapping_blocks_is_refused(tmp_path):
    records = b"".join(b"\0\3\0" + f"{index:03x}".encode()[-3:] for index in range(4_000))
    path = write_blocks(tmp_path / "model.ckpt.index", records + struct.pack("<II", 0, 1), 3)
    assert "its blocks overlap" in refusal(path, tensorflow_tensors)
    records = b"".join(b"\0\4\0" + f"{index:04x}".encode() for index in range(10_001))
    path = write_blocks(tmp_path / "model.ckpt.index", records + struct.pack("<II", 0, 1), 1)
    assert "holds more than 10,000 tensors" in refusal(path, tensorflow_tensors)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("training_args.bin", "model.safetensors is missing, and so is any other"),
        ("rng_state.pth", "model.safetensors is missing, and so is any other"),
        ("openvino_model.bin", "openvino_model.bin is not read: it belongs to OpenVINO"),
        ("adapter_model.safetensors", "adapter_model.safetensors is not read: it holds an adapter, not a model"),
    ],
)
def test_files_that_are_no_weights_are_not_to_be_renamed(tmp_path, name, shown):
    folder = tiny_checkpoint.write(tmp_path / "tiny")
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(folder)
    assert shown in str(caught.value)
    assert "rename it" not in str(caught.value)


def test_an_adapter_beside_the_weights_is_refused(tmp_path):
    folder = tiny_checkpoint.write(tmp_path / "tiny")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (folder / name).touch()
    with pytest.raises(CheckpointError, match="transformers applies the adapter if peft is installed"):
        Checkpoint.open(folder)
