"""The files of a checkpoint folder that a conversion reads. Imports no library that reads weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from sparkalbert.bundle.folder import CONFIG_FILE
from sparkalbert.text.pieces.files import tokenizer_files

__all__ = ["PICKLE_FILES", "WEIGHTS_FILE", "WEIGHTS_INDEX_FILE", "checkpoint_files", "weight_files"]

WEIGHTS_FILE: Final = "model.safetensors"
WEIGHTS_INDEX_FILE: Final = "model.safetensors.index.json"
PICKLE_FILES: Final = ("pytorch_model.bin", "pytorch_model.bin.index.json")


def checkpoint_files(folder: Path) -> list[Path]:
    """Return every existing file that a conversion of `folder` reads, sorted."""
    index = [folder / WEIGHTS_INDEX_FILE]
    candidates = [folder / CONFIG_FILE, *index, *weight_files(folder, []), *tokenizer_files(folder)]
    return sorted(path for path in candidates if path.is_file())


def weight_files(folder: Path, problems: list[str]) -> list[Path]:
    """Return the weights file, or the shards that the index names.

    Parameters
    ----------
    folder
        A checkpoint folder.
    problems
        One line is appended for each problem: a missing file, a malformed index.
    """
    if (folder / WEIGHTS_FILE).is_file():
        return [folder / WEIGHTS_FILE]
    if (folder / WEIGHTS_INDEX_FILE).is_file():
        return list(_shards(folder, problems))
    found = [name for name in PICKLE_FILES if (folder / name).is_file()]
    if found:
        problems.append(
            f"{WEIGHTS_FILE} is missing, and {found[0]} is not read: it is a pickle, which can run any "
            "code of its author when it is opened. If you trust it, save it again with transformers: "
            "AlbertModel.from_pretrained(FOLDER).save_pretrained(FOLDER, safe_serialization=True)"
        )
    else:
        problems.append(f"{WEIGHTS_FILE} is missing")
    return []


def _shards(folder: Path, problems: list[str]) -> Iterator[Path]:
    try:
        index = json.loads((folder / WEIGHTS_INDEX_FILE).read_text(encoding="utf-8"))
        names = sorted(set(index["weight_map"].values()))
        outside = [name for name in names if PurePosixPath(name).name != name or "\\" in name]
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        problems.append(
            f"{WEIGHTS_INDEX_FILE} is malformed ({type(error).__name__}: {error}); "
            'expected {"weight_map": {tensor: file}}'
        )
        return
    problems += [f"{WEIGHTS_INDEX_FILE} names {name!r}, which is outside the folder" for name in outside]
    for name in names:
        if name in outside:
            continue
        if (folder / name).is_file():
            yield folder / name
        else:
            problems.append(f"the shard {name} is missing")
