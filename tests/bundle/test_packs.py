import logging
import os
import stat
import struct
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparkalbert.bundle import Bundle, Manifest, install_pack, installed, pack, write_bundle
from sparkalbert.errors import BundleError, OutputError
from sparkalbert.storage.homes import node_home
from sparkalbert.storage.locks import exclusive
from tests import child_processes, tiny_bundle

WEIGHTS = "model.onnx.data"
EMPTY = Manifest("x", "x", "fp32", 4, 512, 1, files={})

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to another user")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def flip(path, position=-1):
    """Change one bit of a file, whatever its permissions."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    damaged = bytearray(path.read_bytes())
    damaged[position] ^= 1
    path.write_bytes(damaged)
    path.chmod(mode)


class TestPack:
    def test_the_same_bundle_gives_the_same_bytes(self, home, tiny, tmp_path):
        first, second = pack(tiny), pack(tiny_bundle.bundle(), tmp_path / "elsewhere")
        assert first.parent == home / "packs"
        assert first.name == second.name == f"sparkalbert-{tiny.digest[:16]}.zip"
        assert first.read_bytes() == second.read_bytes()
        assert names(first.parent) == [first.name]

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
    def test_a_pack_that_was_cut_is_written_again(self, tiny, damage):
        path = pack(tiny)
        whole = path.read_bytes()
        path.write_bytes(whole[damage])
        assert pack(tiny).read_bytes() == whole

    def test_a_pack_with_one_changed_byte_is_written_again(self, tiny):
        path = pack(tiny)
        whole = path.read_bytes()
        for name in ("manifest.json", *tiny.manifest.files):
            flip(path, middle_of(path, name))
            assert path.read_bytes() != whole
            assert pack(tiny).read_bytes() == whole, name

    def test_a_changed_byte_with_a_matching_crc_is_found(self, tiny):
        """A CRC is no proof: whoever exchanges a file can compute it."""
        path = pack(tiny)
        whole = path.read_bytes()
        altered = {**contents(tiny.path), WEIGHTS: bytes(tiny.manifest.files[WEIGHTS].size_bytes)}
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("manifest.json", *sorted(tiny.manifest.files)):
                archive.writestr(name, altered[name])
        with pytest.raises(BundleError, match=f"{WEIGHTS} has sha256"):
            install_pack(tiny.digest, path)
        assert pack(tiny).read_bytes() == whole

    def test_a_damaged_bundle_is_not_packed(self, home, tiny):
        flip(tiny.path / WEIGHTS)
        with pytest.raises(BundleError, match=rf"{WEIGHTS} has sha256 .*Convert the checkpoint again\."):
            pack(tiny)
        assert names(home / "packs") == []

    def test_a_folder_that_cannot_be_written(self, tiny, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(
            OutputError, match=r"file/locks cannot be written \(Not a dir.*\)\. Choose a writable folder"
        ):
            pack(tiny, tmp_path / "file")

    def test_a_cache_without_room(self, home, tiny):
        home.mkdir()
        (home / "packs").write_text("a file in its place")
        with pytest.raises(OutputError, match=r"\.zip cannot be written \(.*\); it needs \d+ bytes\. Set SPARKALBERT_"):
            pack(tiny)

    def test_a_folder_of_its_own_does_not_need_the_cache(self, home, tiny, tmp_path):
        """Processes with different caches may write to one folder, so the lock is there."""
        home.write_text("a file in place of the cache")
        path = pack(tiny, tmp_path / "elsewhere")
        assert names(path.parent) == ["locks", path.name]
        assert stat.S_IMODE(path.stat().st_mode) == 0o644

    def test_a_file_that_cannot_be_read(self, home, tiny):
        (tiny.path / WEIGHTS).unlink()
        with pytest.raises(BundleError) as caught:
            pack(tiny)
        assert str(caught.value) == (
            f"{tiny.path / WEIGHTS} cannot be read (No such file or directory). Check that this user may read it."
        )
        assert names(home / "packs") == []

    def test_leftovers_of_a_killed_writer_are_removed(self, home, tiny):
        (home / "packs").mkdir(parents=True)
        (home / "packs" / f".sparkalbert-{tiny.digest[:16]}.zip-killed").write_bytes(b"half")
        pack(tiny)
        assert names(home / "packs") == [f"sparkalbert-{tiny.digest[:16]}.zip"]


def middle_of(path, name):
    """Return where the middle of an entry of an archive is in its file."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(name)
    header = path.read_bytes()[entry.header_offset : entry.header_offset + 30]
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    return entry.header_offset + 30 + name_length + extra_length + entry.file_size // 2


class TestInstalled:
    def test_nothing_is_there_at_first(self, home, tiny):
        assert installed(tiny.digest) is None
        assert names(home) == []

    @pytest.mark.parametrize("digest", ["", "../../etc", "A" * 64, "0" * 63, "0" * 64 + "\n"])
    def test_a_malformed_digest(self, digest):
        with pytest.raises(BundleError) as caught:
            installed(digest)
        assert str(caught.value) == (
            f"{digest!r} is not the digest of a bundle, expected 64 lower-case hexadecimal digits."
        )

    @pytest.mark.parametrize("name", [WEIGHTS, "manifest.json", "spiece.model"])
    def test_a_damaged_folder_is_found_and_repaired(self, tiny, name):
        packed = pack(tiny)
        folder = install_pack(tiny.digest, packed)
        (folder / name).chmod(0o644)
        (folder / name).write_bytes((folder / name).read_bytes()[:-3])
        self.check_repair(folder, tiny, packed)

    def test_one_changed_byte_in_any_file_is_found_and_repaired(self, tiny):
        """Sizes and manifest stay the same."""
        packed = pack(tiny)
        folder = install_pack(tiny.digest, packed)
        for name in tiny.manifest.files:
            flip(folder / name)
            assert Bundle.open(folder).manifest == tiny.manifest
            self.check_repair(folder, tiny, packed)

    def check_repair(self, folder, tiny, packed):
        assert installed(tiny.digest) is None
        assert install_pack(tiny.digest, packed) == folder == installed(tiny.digest)
        assert contents(folder) == contents(tiny.path)
        assert names(folder.parent) == [tiny.digest]

    def test_damage_is_logged(self, tiny, caplog):
        folder = install_pack(tiny.digest, pack(tiny))
        flip(folder / WEIGHTS)
        installed(tiny.digest)
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("sparkalbert", logging.WARNING)
        assert f"The model in {folder} is not used: The bundle {folder} has 1 problem" in record.getMessage()

    def test_a_folder_of_another_bundle_is_not_taken(self, tiny):
        folder = install_pack(tiny.digest, pack(tiny))
        other = folder.rename(folder.with_name("0" * 64))
        assert installed(other.name) is None
        assert installed(tiny.digest) is None

    def test_others_lose_the_right_to_write(self, tiny):
        folder = install_pack(tiny.digest, pack(tiny))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755
        folder.chmod(0o777)
        assert installed(tiny.digest) == folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755

    @pytest.mark.parametrize("mode", [0o464, 0o446])
    @pytest.mark.parametrize("name", [WEIGHTS, "manifest.json"])
    def test_a_file_that_others_can_write_to_is_not_used(self, tiny, name, mode):
        packed = pack(tiny)
        folder = install_pack(tiny.digest, packed)
        (folder / name).chmod(mode)
        self.check_repair(folder, tiny, packed)
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o444

    @needs_root
    @pytest.mark.parametrize("name", [".", WEIGHTS, "manifest.json"])
    def test_a_file_of_another_user_is_not_used(self, tiny, name):
        """In a world-writable SPARKALBERT_HOME, another user may exchange a file of his after it was verified."""
        packed = pack(tiny)
        folder = install_pack(tiny.digest, packed)
        os.chown(folder / name, 12345, -1)
        assert installed(tiny.digest) is None
        assert install_pack(tiny.digest, packed) == installed(tiny.digest)
        assert {path.stat().st_uid for path in (folder, *folder.iterdir())} == {os.getuid()}

    def test_a_link_in_place_of_the_folder_is_not_followed(self, home, tiny, tmp_path):
        theirs = Path(install_pack(tiny.digest, pack(tiny))).rename(tmp_path / "theirs")
        (home / "installed" / tiny.digest).symlink_to(theirs)
        assert installed(tiny.digest) is None
        folder = install_pack(tiny.digest, pack(tiny))
        assert not folder.is_symlink()
        assert installed(tiny.digest) == folder
        assert theirs.exists()


class TestInstall:
    def test_the_files_arrive_unchanged(self, home, tiny, caplog):
        caplog.set_level(logging.INFO, "sparkalbert")
        folder = install_pack(tiny.digest, pack(tiny))
        assert folder == home / "installed" / tiny.digest == installed(tiny.digest)
        assert contents(folder) == contents(tiny.path)
        assert Bundle.open(folder).verify().manifest == tiny.manifest
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
        assert caplog.messages == [f"Installed {tiny.manifest.name} (fp32) in {folder}"]

    def test_an_installed_model_is_not_written_again(self, tiny, tmp_path):
        folder = install_pack(tiny.digest, pack(tiny))
        written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        assert install_pack(tiny.digest, tmp_path / "nowhere") == folder
        assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written

    def test_leftovers_of_a_killed_process_are_removed(self, home, tiny):
        script = (
            "import os, shutil, sys\n"
            "from sparkalbert.bundle import install_pack\n"
            "shutil.copyfileobj = lambda *_: os._exit(9)\n"
            "install_pack(*sys.argv[1:])"
        )
        packed = pack(tiny)
        assert child_processes.exit_code(script, home, tiny.digest, str(packed)) == 9
        (left,) = names(home / "installed")
        assert left.startswith(f".{tiny.digest}-incomplete-")
        install_pack(tiny.digest, packed)
        assert names(home / "installed") == [tiny.digest]

    def test_empty_files_travel(self, tmp_path):
        with write_bundle(tmp_path / "bundle", EMPTY) as folder:
            (folder / "model.onnx").write_bytes(b"")
            (folder / "spiece.model").write_bytes(b"pieces")
        bundle = Bundle.open(tmp_path / "bundle")
        assert contents(install_pack(bundle.digest, pack(bundle))) == contents(bundle.path)

    def test_the_model_is_never_held_in_memory(self, tmp_path):
        """48 MiB travel in chunks of 1 MiB."""
        with write_bundle(tmp_path / "bundle", EMPTY) as folder:
            weights = np.random.default_rng(0).integers(0, 256, 48 << 20, dtype=np.uint8)
            weights.tofile(folder / "model.onnx")
            (folder / "spiece.model").write_bytes(b"pieces")
        del weights
        bundle = Bundle.open(tmp_path / "bundle")
        assert peak_bytes(lambda: pack(bundle)) < 6 << 20
        assert peak_bytes(lambda: install_pack(bundle.digest, pack(bundle))) < 6 << 20

    def test_a_node_without_room(self, home, tiny):
        packed = pack(tiny)
        with child_processes.processes({"SPARKALBERT_HOME": str(home)}) as pool:
            kind, message = pool.submit(
                child_processes.with_file_limit, 5000, child_processes.install, tiny.digest, str(packed)
            ).result()
        assert kind == "BundleError"
        assert message == (
            f"{packed} cannot be installed on this node: {home / 'installed' / tiny.digest} cannot be written: "
            "[Errno 27] File too large. Free space there, or choose another folder. Set SPARKALBERT_HOME (on executors "
            "spark.executorEnv.SPARKALBERT_HOME) to a folder of this user with room for the model."
        )
        assert names(home / "installed") == []


def peak_bytes(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestDamagedPack:
    """A pack that differs from the one that was sent is refused, and nothing is installed."""

    @pytest.fixture
    def refuse(self, home, tiny):
        def check(path):
            with pytest.raises(BundleError) as caught:
                install_pack(tiny.digest, path)
            assert names(home / "installed") == []
            with exclusive(node_home(), tiny.digest):  # the lock is free
                pass
            return str(caught.value)

        return check

    @pytest.fixture
    def packed(self, tmp_path):
        """Write an archive of the given entries."""

        def write(entries, compression=zipfile.ZIP_STORED):
            path = tmp_path / "hostile.zip"
            with zipfile.ZipFile(path, "w", compression) as archive:
                for name, data in entries:
                    archive.writestr(name, data)
            return path

        return write

    @pytest.mark.parametrize("name", ["../../outside", "/outside", "a/b", "surprise.so"])
    def test_a_file_that_the_manifest_does_not_list(self, tiny, refuse, packed, name):
        path = packed([("manifest.json", tiny.manifest.to_json()), (name, b"x")])
        assert refuse(path) == f"{path} holds {name!r}, which its manifest does not list."

    def test_a_file_of_another_size(self, tiny, refuse, packed):
        expected = tiny.manifest.files[WEIGHTS].size_bytes
        path = packed([("manifest.json", tiny.manifest.to_json()), (WEIGHTS, b"x")])
        assert refuse(path) == f"{path} holds 1 bytes of {WEIGHTS!r}, expected {expected}."

    def test_a_file_that_is_missing(self, tiny, refuse, packed):
        path = packed((name, data) for name, data in contents(tiny.path).items() if name != WEIGHTS)
        assert refuse(path).startswith(f"{path} is not a complete sparkalbert pack (")

    def test_a_compressed_file(self, tiny, refuse, packed):
        path = packed(contents(tiny.path).items(), zipfile.ZIP_DEFLATED)
        assert refuse(path).endswith("compressed or encrypted. Pack the bundle again.")

    def test_the_manifest_of_another_bundle(self, tiny, refuse):
        other = tiny_bundle.bundle(num_hidden_layers=1)
        path = pack(other)
        assert refuse(path) == f"{path} holds the bundle {other.digest}, expected {tiny.digest}. Pack the bundle again."

    def test_no_manifest(self, refuse, packed):
        assert "is not a complete sparkalbert pack" in refuse(packed([("model.onnx", b"x")]))

    def test_an_endless_manifest(self, refuse, packed):
        assert refuse(packed([("manifest.json", bytes(2 << 20))])).endswith("has more than 1048576 bytes.")

    @pytest.mark.parametrize("text", [b"\xff", b"[" * 200_000, b"[]"])
    def test_a_malformed_manifest(self, refuse, packed, text):
        assert "manifest.json" in refuse(packed([("manifest.json", text)]))

    @pytest.mark.parametrize("cut", [0, 10, -50])
    def test_a_pack_that_was_cut(self, tiny, refuse, cut):
        path = pack(tiny)
        path.write_bytes(path.read_bytes()[:cut])
        assert refuse(path).endswith(
            "Remove it, and pack the bundle again. If Spark sent it, start a new application (on Spark Connect a new "
            "session): in one, a file is sent once."
        )

    def test_one_changed_byte(self, tiny, refuse):
        for name in tiny.manifest.files:
            path = pack(tiny)
            flip(path, middle_of(path, name))
            message = refuse(path)
            assert "is not a complete sparkalbert pack" in message
            assert "CRC" in message

    def test_a_pack_that_is_not_there(self, refuse, tmp_path):
        assert "No such file" in refuse(tmp_path / "nowhere.zip")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_changed_bit_anywhere_is_repaired_or_changes_nothing(tmp_path, data):
    """Some bits of a zip mean nothing (its dates). Others are refused by nodes and repaired by the driver."""
    bundle = tiny_bundle.bundle()
    path = pack(bundle, tmp_path)
    whole = path.read_bytes()
    structure = len(whole) - 2_000  # the directory of the archive is at its end
    position = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 100) | st.integers(structure, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(damaged)
    home = tmp_path / f"{position}-{damaged[position]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKALBERT_HOME", str(home))
        try:
            folder = install_pack(bundle.digest, path)
        except BundleError:
            assert names(home / "installed") == []
            assert pack(bundle, tmp_path).read_bytes() == whole
        else:
            assert contents(folder) == contents(bundle.path)
            path.write_bytes(whole)


class TestRace:
    def test_eight_processes_install_once(self, home, tiny, tmp_path):
        packed, renames = pack(tiny), tmp_path / "renames"
        with child_processes.processes({"SPARKALBERT_HOME": str(home), "RENAMES": str(renames)}, 8) as pool:
            started = list(pool.map(child_processes.meet, [(str(tmp_path / "met"), 8)] * 8, chunksize=1))
            arguments = [[tiny.digest] * 8, [str(packed)] * 8]
            folders = list(pool.map(child_processes.install, *arguments, chunksize=1))
        assert len(set(started)) == 8
        assert set(folders) == {str(installed(tiny.digest))}
        assert contents(installed(tiny.digest)) == contents(tiny.path)
        assert names(home / "installed") == [tiny.digest]
        assert sorted(name.partition("@")[0] for name in names(renames)) == [tiny.digest, "manifest.json"]

    def test_two_processes_pack_once(self, home, tmp_path):
        with write_bundle(tmp_path / "bundle", EMPTY) as folder:
            (folder / "model.onnx").write_bytes(bytes(32 << 20))  # long enough to overlap
            (folder / "spiece.model").write_bytes(b"pieces")
        bundle, renames = Bundle.open(tmp_path / "bundle"), tmp_path / "renames"
        with child_processes.processes({"SPARKALBERT_HOME": str(home), "RENAMES": str(renames)}, 2) as pool:
            list(pool.map(child_processes.meet, [(str(tmp_path / "met"), 2)] * 2, chunksize=1))
            packed = set(pool.map(child_processes.pack_folder, [str(bundle.path)] * 2, chunksize=1))
        assert packed == {str(home / "packs" / f"sparkalbert-{bundle.digest[:16]}.zip")}
        assert [name.partition("@")[0] for name in names(renames)] == [Path(packed.pop()).name]

    def test_threads_of_one_process(self, home, tiny):
        packed = pack(tiny)
        with ThreadPoolExecutor(6) as pool:
            folders = set(pool.map(lambda _: install_pack(tiny.digest, packed), range(12)))
        assert folders == {installed(tiny.digest)}
        assert names(home / "installed") == [tiny.digest]
