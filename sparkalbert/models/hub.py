"""Checkpoints from the Hugging Face Hub: listed, downloaded into its cache, every file checked.

Uses huggingface_hub, so ``HF_HUB_OFFLINE``, ``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HOME`` work as usual, and an
interrupted download continues where it stopped.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sparkalbert.errors import (
    CheckpointError,
    DownloadError,
    MissingDependencyError,
    SparkAlbertError,
    problem_list,
)
from sparkalbert.models.names import COMMIT, HubModel
from sparkalbert.storage.checksums import git_blob_sha1_of, sha256_of

__all__ = ["CHECKPOINT_FILES", "HubCheckpoint", "ask_hub", "download_checkpoint"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_REQUIRED: Final = ("config.json", "model.safetensors", "spiece.model")
_OPTIONAL: Final = ("tokenizer_config.json",)
CHECKPOINT_FILES: Final = (*_REQUIRED, *_OPTIONAL)
"""The files that a conversion reads; no others are downloaded."""

_PICKLED_WEIGHTS: Final = "pytorch_model.bin"
_WEIGHTS_INDEX: Final = "model.safetensors.index.json"
_WORD_PIECE_VOCABULARY: Final = "vocab.txt"

_WITHOUT_NETWORK: Final = (
    "Without a network: on a machine that has one, run `sparkalbert convert CHECKPOINT BUNDLE` (or load the "
    "model there once and take its folder from the cache), copy the bundle folder here, and pass its path."
)


@dataclass(frozen=True)
class HubCheckpoint:
    """A checkpoint folder in huggingface_hub's cache.

    Attributes
    ----------
    folder
        The folder.
    commit
        The commit of the repository that it holds.
    """

    folder: Path
    commit: str


def download_checkpoint(model: HubModel, *, allow_download: bool = True) -> HubCheckpoint:
    """Download what a conversion reads, check every file and return the folder in huggingface_hub's cache.

    A damaged file is downloaded once more.

    Parameters
    ----------
    model
        The repository and its revision.
    allow_download
        If false, only huggingface_hub's cache is used, never the network.

    Raises
    ------
    CheckpointError
        If the repository does not hold a checkpoint that can be converted; nothing was downloaded.
    DownloadError
        If the checkpoint is not in the cache and cannot be downloaded, or if a file has another checksum than the
        Hub announced.
    MissingDependencyError
        If huggingface_hub is not installed.
    """
    library = _library()
    if library.constants.HF_HUB_OFFLINE:
        return _cached_checkpoint(library, model, reason="HF_HUB_OFFLINE is set")
    if not allow_download:
        return _cached_checkpoint(library, model, reason="downloads are switched off (allow_download=False)")
    with _as_download_error(model):
        info = library.HfApi().model_info(model.repository, revision=model.revision, files_metadata=True)
        listed = {file.rfilename: file for file in info.siblings or ()}
        _check_listing(model, listed)
        _LOGGER.info("Downloading %s (commit %s)", model, info.sha)
        expected = {name: _listed_checksum(listed[name]) for name in CHECKPOINT_FILES if name in listed}
        paths = [_downloaded(library, model, name, info.sha, checksum) for name, checksum in expected.items()]
    return HubCheckpoint(paths[0].parent, str(info.sha))


def ask_hub(model: HubModel, timeout_s: float) -> str:
    """Ask the Hub for a repository, without downloading it, and return where the Hub is.

    Raises
    ------
    DownloadError
        If the Hub does not answer in time, or refuses.
    MissingDependencyError
        If huggingface_hub is not installed.
    """
    library = _library()
    endpoint = library.constants.ENDPOINT
    if library.constants.HF_HUB_OFFLINE:
        return "not asked, because HF_HUB_OFFLINE is set"
    try:
        library.HfApi().model_info(model.repository, timeout=timeout_s)
    except Exception as error:  # as in `_as_download_error`
        msg = f"{endpoint} cannot be reached: {_reason(model, error)}"
        raise DownloadError(msg) from error
    return f"{endpoint} answers"


def _cached_checkpoint(library: ModuleType, model: HubModel, *, reason: str) -> HubCheckpoint:
    """Return a checkpoint that huggingface_hub's cache holds in full.

    An optional file counts as held if the cache knows that the repository does not have it.
    """
    found: dict[str, Any] = {
        name: library.try_to_load_from_cache(model.repository, name, revision=model.revision)
        for name in CHECKPOINT_FILES
    }
    held = {name: Path(file) for name, file in found.items() if isinstance(file, str)}
    missing = [name for name in CHECKPOINT_FILES if name not in held and (name in _REQUIRED or found[name] is None)]
    if missing:
        msg = (
            f"{model} is neither in sparkalbert's cache nor complete in huggingface_hub's ({', '.join(missing)}), and "
            f"{reason}. {_WITHOUT_NETWORK}"
        )
        raise DownloadError(msg)
    for name, path in held.items():
        _check_file(model, name, path, path.resolve().name)
    folder = held[_REQUIRED[0]].parent
    return HubCheckpoint(folder, folder.name)


def _downloaded(library: ModuleType, model: HubModel, name: str, commit: str, checksum: str) -> Path:
    """Return a file of huggingface_hub's cache, downloaded if it is not there or damaged."""
    path = Path(library.hf_hub_download(model.repository, name, revision=commit))
    try:
        _check_file(model, name, path, checksum)
    except DownloadError as error:  # huggingface_hub returns what its cache holds without reading it
        _LOGGER.warning("%s", error)
        path = Path(library.hf_hub_download(model.repository, name, revision=commit))
        _check_file(model, name, path, checksum)
    return path


def _library() -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.constants
    except ImportError as error:
        msg = (
            "A model from the Hugging Face Hub requires huggingface_hub: pip install 'sparkalbert[hub]'. "
            f"{_WITHOUT_NETWORK}"
        )
        raise MissingDependencyError(msg) from error
    return huggingface_hub


def _check_listing(model: HubModel, listed: Mapping[str, Any]) -> None:
    missing = [name for name in _REQUIRED if name not in listed]
    if not missing:
        return
    problems = [f"{name} is missing" for name in missing]
    if "model.safetensors" in missing and _PICKLED_WEIGHTS in listed:
        problems.append(
            f"its weights are only in {_PICKLED_WEIGHTS}, a pickle: reading it runs the code in it. Ask the owner for "
            "model.safetensors, or write it yourself with transformers "
            "(AlbertModel.from_pretrained(...).save_pretrained(FOLDER)) and pass that folder"
        )
    if "model.safetensors" in missing and _WEIGHTS_INDEX in listed:
        problems.append(
            f"its weights are in several files ({_WEIGHTS_INDEX}): download the repository and pass the folder, which "
            "can be converted"
        )
    if "spiece.model" in missing and _WORD_PIECE_VOCABULARY in listed:
        problems.append(f"its vocabulary is {_WORD_PIECE_VOCABULARY} (BERT's WordPiece), not ALBERT's spiece.model")
    raise CheckpointError(problem_list(f"The repository {model}", problems))


def _listed_checksum(listed: Any) -> str:
    """Return the checksum of a file in the listing of a repository; empty if there is none."""
    return str(listed.lfs.sha256 if listed.lfs is not None else listed.blob_id or "")


def _check_file(model: HubModel, name: str, path: Path, checksum: str) -> None:
    """Check a file of huggingface_hub's cache and remove it if it is damaged, so that it is not found again.

    Large files are identified by their sha256, small files by git's sha1. The cache names its files by that checksum,
    except on file systems without links, where only a listing contains it; `checksum` is something else then.
    """
    if _SHA256.fullmatch(checksum):
        found = sha256_of(path)
    elif COMMIT.fullmatch(checksum):
        found = git_blob_sha1_of(path)
    else:
        return
    if found != checksum:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        msg = (
            f"{name} of {model} has checksum {found}, expected {checksum}. The damaged file was removed from "
            f"{path.parent}; try again. If it happens again, something between here and the Hub alters files."
        )
        raise DownloadError(msg)


@contextmanager
def _as_download_error(model: HubModel) -> Iterator[None]:
    """Raise every error of huggingface_hub as DownloadError."""
    try:
        yield
    except SparkAlbertError:
        raise
    # The HTTP library that huggingface_hub uses, and whose errors it lets through, depends on its version.
    except Exception as error:
        msg = f"{model} could not be downloaded: {_reason(model, error)} {_WITHOUT_NETWORK}"
        raise DownloadError(msg) from error


def _reason(model: HubModel, error: Exception) -> str:
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{model.repository} is gated: accept its terms on the Hub's web page, then set HF_TOKEN to a token of "
            "that account."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{model.repository} has no revision {model.revision!r}."
    if isinstance(error, errors.RepositoryNotFoundError) or status in {401, 403}:
        return (
            f"this account cannot see a repository {model.repository} (HTTP {status}), and there is no folder of that "
            "name here. Check the spelling; for a private repository set HF_TOKEN."
        )
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{type(error).__name__}: {first_line}"
