"""The work folder of a training: what a stopped run continues from, and a record of what it was made from.

An output folder belongs to one set of inputs. Everything in its work folder depends on them, so nothing that was made
from another teacher, corpus or vocabulary is ever used again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sparkalbert.errors import OutputError
from sparkalbert.storage.checksums import sha256_of

__all__ = ["WORK_FOLDER", "claim_folder", "files_digest", "text_digest", "whole_file"]

WORK_FOLDER: Final = "work"
_INPUTS_FILE: Final = "inputs.json"
_UNFINISHED: Final = ".unfinished-"


def claim_folder(output: Path, inputs: Mapping[str, str]) -> Path:
    """Return the work folder of `output`, which records the inputs of a training.

    Parameters
    ----------
    output
        The output folder: new, empty, or that of an earlier run with the same inputs.
    inputs
        What the training is made from: a digest or description of each input, by name.

    Raises
    ------
    OutputError
        If the folder holds anything else, or the output of a run with other inputs.
    """
    work = output / WORK_FOLDER
    record = work / _INPUTS_FILE
    made = [path for path in output.rglob("*") if _is_finished_file(path) and path != record]
    if record.is_file() and made:
        recorded = _read(record)
        changed = sorted(name for name in {*inputs, *recorded} if inputs.get(name) != recorded.get(name))
        if changed:
            msg = (
                f"{output} holds a training with other inputs ({', '.join(changed)}). Choose another folder. Its "
                f"student can be continued there with the same teacher: start_from={str(output)!r} (on the command "
                "line --start-from)."
            )
            raise OutputError(msg)
        return work
    if output.is_file() or made:
        msg = f"{output} already exists and is not the output of a training. Choose another folder."
        raise OutputError(msg)
    work.mkdir(parents=True, exist_ok=True)
    with whole_file(record) as path:
        path.write_text(json.dumps(dict(inputs), indent=2) + "\n", encoding="utf-8")
    return work


def files_digest(paths: Iterable[Path]) -> str:
    """Return a sha256 over the names and bytes of files."""
    return text_digest(f"{path.name} {sha256_of(path)}" for path in sorted(paths))


def text_digest(texts: Iterable[str]) -> str:
    """Return a sha256 over texts and their order.

    Examples
    --------
    >>> text_digest(["ab", "c"]) == text_digest(["a", "bc"])
    False
    """
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to, which is renamed to `path` at the end: a file of that name is always complete.

    The suffix is the same, because some writers choose the format by it.
    """
    unfinished = path.with_name(_UNFINISHED + path.name)
    yield unfinished
    os.replace(unfinished, path)  # noqa: PTH105 - replaces an existing file atomically


def _is_finished_file(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(_UNFINISHED)


def _read(record: Path) -> dict[str, str]:
    try:
        recorded = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{record} cannot be read ({error}). Choose another folder, or delete {record.parent} to start again."
        raise OutputError(msg) from error
    return recorded if isinstance(recorded, dict) else {}
