"""Computes the checksums that reveal a damaged or replaced file."""

from __future__ import annotations

import hashlib
import mmap
import os
from pathlib import Path
from typing import Final

__all__ = ["git_blob_sha1_of", "sha256_of", "sha256_of_open"]

_CHUNK_BYTES: Final = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as lower-case hex, read in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_open(file: int) -> str:
    """Return the sha256 of an open file, whose position does not matter and does not change."""
    if not os.fstat(file).st_size:  # an empty file cannot be mapped
        return hashlib.sha256().hexdigest()
    with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as content:
        return hashlib.sha256(content).hexdigest()


def git_blob_sha1_of(path: Path) -> str:
    """Return the name that git gives to the contents of a file: sha1 over a header and the contents.

    The Hugging Face Hub identifies its small files by it. The whole file is read at once.
    """
    contents = path.read_bytes()
    header = f"blob {len(contents)}\0".encode()
    return hashlib.sha1(header + contents, usedforsecurity=False).hexdigest()
