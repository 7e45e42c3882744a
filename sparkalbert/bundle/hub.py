"""Checkpoints from the Hugging Face Hub: listed, downloaded into its cache, checked against the listing.

Through huggingface_hub, so ``HF_HUB_OFFLINE``, ``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HOME`` mean what
they mean everywhere; an interrupted download goes on where it stopped. It knows nothing about bundles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sparkalbert.bundle.manifest import sha256_of
from sparkalbert.bundle.names import HubModel
from sparkalbert.errors import (
    CheckpointError,
    DownloadError,
    MissingDependencyError,
    SparkAlbertError,
    problem_list,
)

__all__ = ["CHECKPOINT_FILES", "HubCheckpoint", "cached_checkpoint", "download_checkpoint"]

_REQUIRED: Final = ("config.json", "model.safetensors", "spiece.model")
_OPTIONAL: Final = ("tokenizer_config.json",)
CHECKPOINT_FILES: Final = (*_REQUIRED, *_OPTIONAL)
"""All that a conversion reads, and all that is downloaded."""

_PICKLED_WEIGHTS: Final = "pytorch_model.bin"
_WORD_PIECE_VOCABULARY: Final = "vocab.txt"

_WITHOUT_NETWORK: Final = (
    "Without a network: on a machine that has one, run `sparkalbert convert CHECKPOINT BUNDLE` (or load the "
    "model there once and take its folder from the cache), copy the bundle folder here, and pass its path."
)
_NO_DOWNLOAD: Final = "downloads are switched off (allow_download=False)"


@dataclass(frozen=True)
class HubCheckpoint:
    """A checkpoint folder and the commit it is of."""

    folder: Path
    commit: str


def cached_checkpoint(model: HubModel) -> HubCheckpoint | None:
    """Return a checkpoint that huggingface_hub's own cache holds in full, else None; asks no network.

    An optional file counts as held where the cache knows that the repository has none.
    """
    library = _library()
    found: dict[str, Any] = {
        name: library.try_to_load_from_cache(model.repository, name, revision=model.revision)
        for name in CHECKPOINT_FILES
    }
    if not all(isinstance(found[name], str) for name in _REQUIRED) or None in found.values():
        return None
    folder = Path(found[_REQUIRED[0]]).parent
    return HubCheckpoint(folder, folder.name)


def download_checkpoint(model: HubModel, *, allow_download: bool = True) -> HubCheckpoint:
    """Download what a conversion reads, check it and return its folder in huggingface_hub's cache.

    Parameters
    ----------
    model
        The repository and its revision.
    allow_download
        Whether the network may be asked; otherwise only huggingface_hub's cache is.

    Raises
    ------
    CheckpointError
        When the repository holds no checkpoint that can be converted; nothing was downloaded.
    DownloadError
        When it is not in the cache and cannot be fetched, or what came is not what the hub announced.
    MissingDependencyError
        When huggingface_hub is not installed.
    """
    library = _library()
    offline = bool(library.constants.HF_HUB_OFFLINE)
    if offline or not allow_download:
        checkpoint = cached_checkpoint(model)
        if checkpoint is None:
            reason = "HF_HUB_OFFLINE is set" if offline else _NO_DOWNLOAD
            msg = (
                f"{model} is neither in sparkalbert's cache nor in huggingface_hub's, and {reason}. "
                f"{_WITHOUT_NETWORK}"
            )
            raise DownloadError(msg)
        return checkpoint
    with _told(model):
        info = library.HfApi().model_info(model.repository, revision=model.revision, files_metadata=True)
        listed = {file.rfilename: file for file in info.siblings or ()}
        _check_listing(model, listed)
        wanted = [name for name in CHECKPOINT_FILES if name in listed]
        paths = {
            name: Path(library.hf_hub_download(model.repository, name, revision=info.sha)) for name in wanted
        }
    for name, path in paths.items():
        _check_file(model, path, listed[name])
    return HubCheckpoint(paths[_REQUIRED[0]].parent, str(info.sha))


def _library() -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.constants
    except ImportError as error:
        msg = (
            "A model from the Hugging Face Hub needs huggingface_hub: pip install 'sparkalbert[hub]'. "
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
            f"its weights are only in {_PICKLED_WEIGHTS}, a pickle: reading one runs whatever code it holds. "
            "Ask the owner for model.safetensors, or write it yourself with transformers "
            "(AlbertModel.from_pretrained(...).save_pretrained(FOLDER)) and pass that folder"
        )
    if "spiece.model" in missing and _WORD_PIECE_VOCABULARY in listed:
        problems.append(
            f"its vocabulary is {_WORD_PIECE_VOCABULARY} (BERT's WordPiece), not ALBERT's spiece.model"
        )
    raise CheckpointError(problem_list(f"The repository {model}", problems))


def _check_file(model: HubModel, path: Path, listed: Any) -> None:
    """Compare a file with what the listing says of it: the hub's own cache checks no more than its size."""
    if listed.lfs is not None:
        expected, found = listed.lfs.sha256, sha256_of(path)
    elif listed.blob_id is not None:
        expected, found = listed.blob_id, _git_blob_id(path)
    else:
        return
    if found != expected:
        path.resolve().unlink()  # the blob that the snapshot links to; else it would be found again
        path.unlink(missing_ok=True)
        msg = (
            f"{listed.rfilename} of {model} arrived with checksum {found}, the hub announced {expected}. It "
            "was removed; try again. Where it happens again, something between here and the hub alters files."
        )
        raise DownloadError(msg)


def _git_blob_id(path: Path) -> str:
    contents = path.read_bytes()
    header = f"blob {len(contents)}\0".encode()
    return hashlib.sha1(header + contents, usedforsecurity=False).hexdigest()


@contextmanager
def _told(model: HubModel) -> Iterator[None]:
    try:
        yield
    except SparkAlbertError:
        raise
    # Which HTTP library huggingface_hub uses, and lets errors through from, changes with its version.
    except Exception as error:
        msg = f"{model} could not be downloaded: {_reason(model, error)} {_WITHOUT_NETWORK}"
        raise DownloadError(msg) from error


def _reason(model: HubModel, error: Exception) -> str:
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{model.repository} is gated: accept its terms on the hub's web page, then set HF_TOKEN to a "
            "token of that account."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{model.repository} has no revision {model.revision!r}."
    if isinstance(error, errors.RepositoryNotFoundError) or status in {401, 403}:
        return (
            f"the hub shows no {model.repository} to this account (HTTP {status}), nor is there a folder of "
            "that name here. Check the spelling; for a private repository set HF_TOKEN."
        )
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{type(error).__name__}: {first_line}"
