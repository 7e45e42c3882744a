import subprocess

from sparkalbert.storage.checksums import git_blob_sha1_of, sha256_of


def test_sha256_of_a_file_longer_than_a_chunk(tmp_path):
    path = tmp_path / "zeros"
    path.write_bytes(bytes(3_000_000))
    assert sha256_of(path) == "35bce4eae54ec8e6cc2868baa8d157914d6ae2858811b4cc0c078c94460fa26f"


def test_git_gives_a_file_the_same_name(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"hello\n")
    assert git_blob_sha1_of(path) == "ce013625030ba8dba906f756967f9e9ca394464a"
    done = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 or done.stdout.strip() == git_blob_sha1_of(path)
