import copy
import io
import pickle
import stat
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sparkalbert.bundle import (
    Bundle,
    Manifest,
    PackedBundle,
    install,
    install_pack,
    installed,
    node_home,
    pack,
    write_bundle,
)
from sparkalbert.bundle.cache import exclusive
from sparkalbert.bundle.installation import Installation
from sparkalbert.errors import BundleError, OutputError
from tests import tiny_bundle
from tests.bundle import child

WEIGHTS = "model.onnx.data"
EMPTY = Manifest("x", "x", "fp32", 4, 512, 1, files={})


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def files(bundle):
    return [(name, [(bundle.path / name).read_bytes()]) for name in bundle.manifest.files]


def below(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def flip(path, position=-1):
    damaged = bytearray(path.read_bytes())
    damaged[position] ^= 1
    path.write_bytes(damaged)


class TestPack:
    def test_the_same_bundle_gives_the_same_bytes(self, home, tiny, tmp_path):
        first, second = pack(tiny), pack(tiny_bundle.bundle(), tmp_path / "elsewhere")
        assert first.parent == home / "packs"
        assert first.name == second.name == f"sparkalbert-{tiny.digest[:16]}.zip"
        assert first.read_bytes() == second.read_bytes()
        assert below(first.parent) == [first.name]

    def test_it_is_a_plain_zip(self, tiny):
        with zipfile.ZipFile(pack(tiny)) as archive:
            assert archive.namelist() == ["manifest.json", *sorted(tiny.manifest.files)]
            assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
            packed = {name: archive.read(name) for name in archive.namelist()}
        assert packed == contents(tiny.path)

    def test_it_is_written_once(self, tiny):
        path = pack(tiny)
        written = path.stat().st_mtime_ns, path.stat().st_ino
        assert pack(tiny) == path
        assert (path.stat().st_mtime_ns, path.stat().st_ino) == written

    @pytest.mark.parametrize("damage", [slice(-50), slice(0)])
    def test_a_damaged_pack_is_written_again(self, tiny, damage):
        path = pack(tiny)
        whole = path.read_bytes()
        path.write_bytes(whole[damage])
        assert pack(tiny).read_bytes() == whole

    def test_a_damaged_bundle_is_not_packed(self, home, tiny):
        flip(tiny.path / WEIGHTS)
        with pytest.raises(BundleError, match=rf"{WEIGHTS} has sha256 .*Convert the checkpoint again\."):
            pack(tiny)
        assert below(home / "packs") == []

    def test_a_folder_that_cannot_be_written(self, tiny, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OutputError, match=r"\.zip cannot be written \(.*\); it needs \d+ bytes"):
            pack(tiny, tmp_path / "file")

    def test_leftovers_of_a_killed_writer_go(self, home, tiny):
        (home / "packs").mkdir(parents=True)
        (home / "packs" / f".sparkalbert-{tiny.digest[:16]}.zip-killed").write_bytes(b"half")
        assert below(home / "packs") != below(pack(tiny).parent)
        assert below(home / "packs") == [f"sparkalbert-{tiny.digest[:16]}.zip"]


class TestInstalled:
    def test_nothing_is_there_at_first(self, home, tiny):
        assert installed(tiny.digest) is None
        assert below(home) == []

    @pytest.mark.parametrize("digest", ["", "../../etc", "A" * 64, "0" * 63, "0" * 64 + "\n"])
    def test_a_digest_that_is_none(self, digest):
        with pytest.raises(BundleError) as caught:
            installed(digest)
        assert str(caught.value) == (
            f"{digest!r} is no digest of a bundle, expected 64 lower-case hexadecimal digits."
        )

    @pytest.mark.parametrize("name", [WEIGHTS, "manifest.json", "spiece.model"])
    def test_a_damaged_folder_is_found_and_repaired(self, tiny, name):
        packed = pack(tiny)
        folder = install_pack(tiny.digest, packed)
        (folder / name).chmod(0o644)
        (folder / name).write_bytes((folder / name).read_bytes()[:-3])
        assert installed(tiny.digest) is None
        assert install_pack(tiny.digest, packed) == folder == installed(tiny.digest)
        assert contents(folder) == contents(tiny.path)
        assert below(folder.parent) == [tiny.digest]

    def test_a_folder_of_another_bundle_is_not_taken(self, tiny):
        folder = install_pack(tiny.digest, pack(tiny))
        other = folder.rename(folder.with_name("0" * 64))
        assert installed(other.name) is None
        assert installed(tiny.digest) is None


class TestInstall:
    def test_the_files_arrive_as_they_were(self, home, tiny):
        folder = install_pack(tiny.digest, pack(tiny))
        assert folder == home / "installed" / tiny.digest == installed(tiny.digest)
        assert contents(folder) == contents(tiny.path)
        assert Bundle.open(folder).verify().manifest == tiny.manifest
        assert {stat.S_IMODE((folder / name).stat().st_mode) for name in tiny.manifest.files} == {0o444}

    def test_files_in_any_order_and_in_any_pieces(self, tiny):
        streams = [(name, io.BytesIO(parts[0])) for name, parts in reversed(files(tiny))]
        folder = install(tiny.digest, tiny.manifest.to_json(), streams)
        assert contents(folder) == contents(tiny.path)

    def test_what_is_there_is_not_read_again(self, tiny, tmp_path):
        folder = install_pack(tiny.digest, pack(tiny))
        assert install_pack(tiny.digest, tmp_path / "nowhere") == folder
        assert install(tiny.digest, "", (1 / 0 for _ in "x")) == folder

    def refused(self, home, digest, manifest, sent):
        with pytest.raises(BundleError) as caught:
            install(digest, manifest, sent)
        assert below(home / "installed") == []
        with exclusive(home, digest):  # the lock is free
            pass
        return str(caught.value)

    def test_a_changed_byte(self, home, tiny):
        sent = dict(files(tiny))
        sent[WEIGHTS] = [sent[WEIGHTS][0][:-1], b"?"]
        message = self.refused(home, tiny.digest, tiny.manifest.to_json(), sent.items())
        assert message.startswith(f"The bundle sent to this node has 1 problem:\n  - {WEIGHTS} has sha256 ")

    def test_missing_and_short_files(self, home, tiny):
        sent = {name: parts for name, parts in files(tiny) if name != "model.onnx"}
        sent["spiece.model"] = [sent["spiece.model"][0][:-1]]
        sizes = {name: record.size_bytes for name, record in tiny.manifest.files.items()}
        assert self.refused(home, tiny.digest, tiny.manifest.to_json(), sent.items()) == (
            "The bundle sent to this node has 2 problems:\n"
            f"  - model.onnx has 0 bytes, the manifest says {sizes['model.onnx']}\n"
            f"  - spiece.model has {sizes['spiece.model'] - 1} bytes, "
            f"the manifest says {sizes['spiece.model']}"
        )

    def test_more_than_announced_is_not_even_written(self, home, tiny):
        endless = (bytes(1 << 16) for _ in iter(int, 1))
        assert self.refused(home, tiny.digest, tiny.manifest.to_json(), [(WEIGHTS, endless)]) == (
            f"The bundle sent to this node holds more of '{WEIGHTS}' than its manifest says."
        )

    @pytest.mark.parametrize("name", ["surprise.so", "../outside", "/etc/passwd", "manifest.json", ""])
    def test_a_file_that_the_manifest_does_not_list(self, home, tiny, name):
        message = self.refused(home, tiny.digest, tiny.manifest.to_json(), [(name, [b"x"])])
        assert message == f"The bundle sent to this node holds {name!r}, which its manifest does not list."
        assert not (home / "outside").exists()

    def test_the_manifest_of_another_bundle(self, home, tiny):
        other = tiny_bundle.bundle(num_hidden_layers=1)
        assert self.refused(home, tiny.digest, other.manifest.to_json(), files(other)) == (
            f"The bundle sent to this node has digest {other.digest}, expected {tiny.digest}. "
            "Pack the bundle again."
        )

    def test_a_source_that_fails_leaves_nothing(self, home, tiny):
        with pytest.raises(ZeroDivisionError):
            install(tiny.digest, tiny.manifest.to_json(), ((name, 1 / 0) for name in [WEIGHTS]))
        assert below(home / "installed") == []

    def test_leftovers_of_a_killed_process_go(self, home, tiny):
        (home / "installed" / f".{tiny.digest}-killed").mkdir(parents=True)
        install_pack(tiny.digest, pack(tiny))
        assert below(home / "installed") == [tiny.digest]

    def test_a_dropped_installation_leaves_nothing(self, home, tiny):
        installation = Installation(tiny.digest, tiny.manifest.to_json())
        installation.write(WEIGHTS, b"half")
        assert len(below(home / "installed")) == 1
        del installation
        assert below(home / "installed") == []
        install_pack(tiny.digest, pack(tiny))  # and the lock is free

    def test_a_node_without_room(self, home, tiny):
        packed = pack(tiny)
        with child.processes({"SPARKALBERT_HOME": str(home)}) as pool:
            kind, message = pool.submit(
                child.with_file_limit, 5000, child.install, tiny.digest, str(packed)
            ).result()
        assert kind == "BundleError"
        assert message == (
            f"The bundle cannot be installed in {home / 'installed' / tiny.digest} on this node: "
            "[Errno 27] File too large. Free space there, or set SPARKALBERT_HOME (on executors "
            "spark.executorEnv.SPARKALBERT_HOME) to a folder of this user with room for the model."
        )
        assert below(home / "installed") == []


class TestHostilePack:
    def broken(self, tmp_path, tiny, entries):
        path = tmp_path / "hostile.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in entries:
                archive.writestr(name, data)
        with pytest.raises(BundleError) as caught:
            install_pack(tiny.digest, path)
        assert below(node_home() / "installed") == []
        return str(caught.value)

    @pytest.mark.parametrize("name", ["../../outside", "/outside", "a/b"])
    def test_names_that_lead_outside(self, tiny, tmp_path, name):
        entries = [("manifest.json", tiny.manifest.to_json()), (name, b"x")]
        assert self.broken(tmp_path, tiny, entries).endswith("which its manifest does not list.")

    def test_no_manifest(self, tiny, tmp_path):
        assert "no complete sparkalbert pack" in self.broken(tmp_path, tiny, [("model.onnx", b"x")])

    def test_an_endless_manifest(self, tiny, tmp_path):
        assert self.broken(tmp_path, tiny, [("manifest.json", bytes(2 << 20))]).endswith(
            "has more than 1048576 bytes."
        )

    def test_a_manifest_that_is_no_text(self, tiny, tmp_path):
        assert "no complete sparkalbert pack" in self.broken(tmp_path, tiny, [("manifest.json", b"\xff")])

    @pytest.mark.parametrize("cut", [0, 10, -50])
    def test_a_pack_that_was_cut(self, home, tiny, cut):
        path = pack(tiny)
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(BundleError, match=r"no complete sparkalbert pack .*send the model again"):
            install_pack(tiny.digest, path)
        assert below(home / "installed") == []

    def test_a_pack_with_a_changed_byte(self, home, tiny):
        path = pack(tiny)
        flip(path, position=path.stat().st_size // 2)
        with pytest.raises(BundleError, match=r"no complete sparkalbert pack .*CRC"):
            install_pack(tiny.digest, path)
        assert below(home / "installed") == []

    def test_a_pack_that_is_not_there(self, tiny, tmp_path):
        with pytest.raises(BundleError, match="No such file"):
            install_pack(tiny.digest, tmp_path / "nowhere.zip")


class TestPackedBundle:
    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_it_installs_itself(self, tiny, protocol):
        arrived = pickle.loads(pickle.dumps(PackedBundle(tiny), protocol))
        assert arrived.path == installed(tiny.digest)
        assert contents(arrived.path) == contents(tiny.path)
        assert arrived.digest == tiny.digest

    def test_the_python_pickler_and_unpickler_do_the_same(self, tiny):
        stream = io.BytesIO()
        pickle._Pickler(stream, 5).dump(PackedBundle(tiny))
        stream.seek(0)
        assert contents(pickle._Unpickler(stream).load().path) == contents(tiny.path)

    def test_it_holds_no_bytes(self, tiny):
        arrived = pickle.loads(pickle.dumps(PackedBundle(tiny)))
        assert vars(arrived) == {"digest": tiny.digest, "_path": arrived.path, "_installation": None}

    def test_what_arrived_can_travel_on(self, tiny, tmp_path, monkeypatch):
        arrived = pickle.loads(pickle.dumps(PackedBundle(tiny)))
        monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "next"))
        assert contents(pickle.loads(pickle.dumps(arrived)).path) == contents(tiny.path)
        assert copy.deepcopy(arrived).path == installed(tiny.digest)

    def test_where_the_bundle_is_already_nothing_is_written(self, tiny):
        folder = install_pack(tiny.digest, pack(tiny))
        written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        assert pickle.loads(pickle.dumps(PackedBundle(tiny))).path == folder
        assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written

    def test_a_damaged_bundle_does_not_leave_the_driver(self, tiny):
        flip(tiny.path / WEIGHTS)
        with pytest.raises(BundleError, match=f"{WEIGHTS} has sha256"):
            PackedBundle(tiny)

    def test_a_pickle_that_breaks_off_leaves_nothing(self, home, tiny):
        data = pickle.dumps(PackedBundle(tiny))
        with pytest.raises((EOFError, pickle.UnpicklingError)):
            pickle.loads(data[: len(data) // 2])
        assert below(home / "installed") == []
        assert pickle.loads(data).path == installed(tiny.digest)

    def test_a_pickle_with_a_changed_byte(self, home, tiny):
        weights = (tiny.path / WEIGHTS).read_bytes()[:64]
        data = pickle.dumps(PackedBundle(tiny)).replace(weights, bytes(64))
        with pytest.raises(BundleError, match=f"{WEIGHTS} has sha256"):
            pickle.loads(data)
        assert below(home / "installed") == []

    def test_empty_files_travel(self, tmp_path):
        with write_bundle(tmp_path / "bundle", EMPTY) as folder:
            (folder / "model.onnx").write_bytes(b"")
            (folder / "spiece.model").write_bytes(b"pieces")
        bundle = Bundle.open(tmp_path / "bundle")
        assert contents(pickle.loads(pickle.dumps(PackedBundle(bundle))).path) == contents(bundle.path)
        assert install_pack(bundle.digest, pack(bundle)) == installed(bundle.digest)

    def test_neither_side_holds_the_model(self, tmp_path):
        """48 MiB travel; the driver holds a map, the worker a thousand pieces of 16 KiB at a time."""
        with write_bundle(tmp_path / "bundle", EMPTY) as folder:
            weights = np.random.default_rng(0).integers(0, 256, 48 << 20, dtype=np.uint8)
            weights.tofile(folder / "model.onnx")
            (folder / "spiece.model").write_bytes(b"pieces")
        packed = PackedBundle(Bundle.open(tmp_path / "bundle"))
        del weights
        with (tmp_path / "pickle").open("wb") as file:
            assert _peak_bytes(lambda: pickle.dump(packed, file, pickle.HIGHEST_PROTOCOL)) < 6 << 20
        with (tmp_path / "pickle").open("rb") as file:
            assert _peak_bytes(lambda: pickle.load(file)) < 24 << 20
        assert installed(packed.digest) is not None


def _peak_bytes(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestRace:
    def test_eight_processes_unpack_once(self, home, tiny, tmp_path):
        packed, pickled, renames = pack(tiny), tmp_path / "pickle", tmp_path / "renames"
        pickled.write_bytes(pickle.dumps(PackedBundle(tiny)))
        with child.processes({"SPARKALBERT_HOME": str(home), "RENAMES": str(renames)}, 8) as pool:
            started = list(pool.map(child.meet, [(str(tmp_path / "met"), 8)] * 8, chunksize=1))
            half = [pool.submit(child.install, tiny.digest, str(packed)) for _ in range(4)]
            half += [pool.submit(child.unpickle, str(pickled)) for _ in range(4)]
            folders = [future.result() for future in half]
        assert len(set(started)) == 8
        assert set(folders) == {str(installed(tiny.digest))}
        assert contents(installed(tiny.digest)) == contents(tiny.path)
        assert below(home / "installed") == [tiny.digest]
        assert [name.partition("@")[0] for name in below(renames)] == [tiny.digest]

    def test_two_processes_pack_once(self, home, tmp_path):
        with write_bundle(tmp_path / "bundle", EMPTY) as folder:
            (folder / "model.onnx").write_bytes(bytes(32 << 20))  # long enough to overlap
            (folder / "spiece.model").write_bytes(b"pieces")
        bundle, renames = Bundle.open(tmp_path / "bundle"), tmp_path / "renames"
        with child.processes({"SPARKALBERT_HOME": str(home), "RENAMES": str(renames)}, 2) as pool:
            list(pool.map(child.meet, [(str(tmp_path / "met"), 2)] * 2, chunksize=1))
            packed = set(pool.map(child.pack_folder, [str(bundle.path)] * 2, chunksize=1))
        assert packed == {str(home / "packs" / f"sparkalbert-{bundle.digest[:16]}.zip")}
        assert [name.partition("@")[0] for name in below(renames)] == [Path(packed.pop()).name]

    def test_threads_of_one_process(self, home, tiny):
        data = pickle.dumps(PackedBundle(tiny))
        with ThreadPoolExecutor(6) as pool:
            folders = [arrived.path for arrived in pool.map(pickle.loads, [data] * 12)]
        assert set(folders) == {installed(tiny.digest)}
        assert below(home / "installed") == [tiny.digest]
