"""Downloads checkpoints from the Hugging Face Hub into its cache, and checks every file.

The rules for folders decide what is downloaded. The files of a repository are laid out as a folder of empty files, the
outline; those that the rules read (configuration, tokenizer, lists of shards) are downloaded first. Then only the files
that a conversion would read are downloaded; if the repository cannot be converted, no weights are.

Uses huggingface_hub, so ``HF_HUB_OFFLINE``, ``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HOME`` work as usual, and an
interrupted download continues where it stopped.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Final

from sparkalbert.convert.checkpoint.files import checkpoint_files
from sparkalbert.errors import (
    CheckpointError,
    DownloadError,
    MissingDependencyError,
    SparkAlbertError,
    problem_list,
)
from sparkalbert.models.names import COMMIT, HubModel
from sparkalbert.storage.checksums import git_blob_sha1_of, sha256_of
from sparkalbert.text.pieces.files import MAX_VOCABULARY_BYTES, TOKENIZER_SETTINGS, tokenizer_files
from sparkalbert.text.pieces.options import PieceOptions

__all__ = ["HubCheckpoint", "Repository", "check_hub", "download_checkpoint", "open_repository"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_CONFIGS: Final = ("config.json", "albert_config.json")
_SAFETENSORS: Final = ("model.safetensors", "model.safetensors.index.json")
_LICENCE_TAG: Final = "license:"
_MAX_REQUESTS: Final = 20
"""At most this many of the latest pull requests are searched for safetensors."""

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


@dataclass(frozen=True)
class Repository:
    """A repository of the Hub at one commit; use :func:`open_repository`.

    Attributes
    ----------
    model
        Its name and revision.
    commit
        The commit.
    licence
        The licence that its page states, None if it states none.
    sizes
        Size of each file in bytes, by its path in the repository.
    outline
        A folder with these files, of which only those that decide what is read have contents.
    """

    model: HubModel
    commit: str
    licence: str | None
    sizes: Mapping[str, int]
    outline: Path
    _library: ModuleType
    _checksums: Mapping[str, str]

    def fetch(self, name: str) -> Path:
        """Return a file in huggingface_hub's cache, downloaded if it is not there or damaged.

        Raises
        ------
        DownloadError
            If it has another checksum than the Hub announced, twice.
        """
        try:
            return self._fetched(name)
        except DownloadError as error:  # huggingface_hub returns what its cache holds without reading it
            _LOGGER.warning("%s", error)
            return self._fetched(name)

    def request_with_safetensors(self) -> str | None:
        """Return the revision of a pull request that adds safetensors; None if they are there or none adds them."""
        if any(name in self.sizes for name in _SAFETENSORS):
            return None
        api, repository = self._library.HfApi(), self.model.repository
        requests = api.list_repo_refs(repository, include_pull_requests=True).pull_requests or ()
        revisions = [request.ref for request in requests]
        for revision in sorted(revisions, key=lambda ref: int(ref.rpartition("/")[2]), reverse=True)[:_MAX_REQUESTS]:
            files = api.model_info(repository, revision=revision).siblings or ()
            if any(file.rfilename in _SAFETENSORS for file in files):
                return str(revision)
        return None

    def mends(self) -> tuple[str, ...]:
        """Return what the caller can pass instead, one sentence each; empty if the Hub does not answer.

        Call it only if the repository cannot be converted: it may take 21 requests.
        """
        try:
            revision = self.request_with_safetensors()
        except Exception as error:  # noqa: BLE001 - as in `_as_download_error`; advice must not hide the problem itself
            _LOGGER.warning("The pull requests of %s were not searched: %s", self.model, _reason(self.model, error))
            return ()
        if revision is None:
            return ()
        return (f"A pull request adds {_SAFETENSORS[0]}: pass {self.model.repository}@{revision}",)

    def _fetched(self, name: str) -> Path:
        path = Path(self._library.hf_hub_download(self.model.repository, name, revision=self.commit))
        _check_file(self.model, name, path, self._checksums[name])
        return path


@contextmanager
def open_repository(model: HubModel) -> Iterator[Repository]:
    """List a repository and lay out its outline, which is there until the block ends.

    An error in the block that is not a SparkAlbertError is raised as DownloadError, too.

    Raises
    ------
    DownloadError
        If the Hub cannot be reached or refuses the request, or if HF_HUB_OFFLINE is set.
    MissingDependencyError
        If huggingface_hub is not installed.
    """
    library = _library()
    if library.constants.HF_HUB_OFFLINE:
        msg = f"{model} cannot be listed: HF_HUB_OFFLINE is set. {_WITHOUT_NETWORK}"
        raise DownloadError(msg)
    with _as_download_error(model), TemporaryDirectory(prefix="sparkalbert-") as folder:
        info = library.HfApi().model_info(model.repository, revision=model.revision, files_metadata=True)
        listed = {file.rfilename: file for file in info.siblings or () if _is_inside(file.rfilename)}
        repository = Repository(
            model,
            str(info.sha),
            next((tag.removeprefix(_LICENCE_TAG) for tag in info.tags or () if tag.startswith(_LICENCE_TAG)), None),
            {name: file.size or 0 for name, file in listed.items()},
            Path(folder),
            library,
            {name: _listed_checksum(file) for name, file in listed.items()},
        )
        _lay_out(repository)
        yield repository


def download_checkpoint(model: HubModel, given: PieceOptions, *, allow_download: bool = True) -> HubCheckpoint:
    """Download what a conversion reads, check every file and return the folder in huggingface_hub's cache.

    A damaged file is downloaded once more.

    Parameters
    ----------
    model
        The repository and its revision.
    given
        Options of the tokenizer that the caller states; a checkpoint may be convertible only with them.
    allow_download
        If false, only huggingface_hub's cache is used, never the network.

    Raises
    ------
    CheckpointError
        If the repository does not hold a checkpoint that can be converted; no weights were downloaded.
    DownloadError
        If the checkpoint is not in the cache and cannot be downloaded, or if a file has another checksum than the
        Hub announced.
    MissingDependencyError
        If huggingface_hub is not installed.
    """
    from sparkalbert.models.contents import checkpoint_contents  # loads NumPy, which names do not need

    library = _library()
    if library.constants.HF_HUB_OFFLINE:
        return _cached_checkpoint(library, model, given, reason="HF_HUB_OFFLINE is set")
    if not allow_download:
        return _cached_checkpoint(library, model, given, reason="downloads are switched off (allow_download=False)")
    with open_repository(model) as repository:
        contents = checkpoint_contents(repository.outline, given).at(model.repository, repository.outline)
        if contents.problems:
            raise CheckpointError(problem_list(f"The repository {model}", [*contents.problems, *repository.mends()]))
        _LOGGER.info("Downloading %s (commit %s)", model, repository.commit)
        paths = {name: repository.fetch(name) for name in contents.uses}
    folder = next(path.parent for name, path in paths.items() if "/" not in name)
    _note_absent(repository, folder)
    return HubCheckpoint(folder, repository.commit)


def check_hub(model: HubModel, timeout_s: float) -> str:
    """Check that the Hub answers, without downloading a repository, and return the finding as text.

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
        return "not checked, because HF_HUB_OFFLINE is set"
    try:
        library.HfApi().model_info(model.repository, timeout=timeout_s)
    except Exception as error:  # as in `_as_download_error`
        msg = f"{endpoint} cannot be reached: {_reason(model, error)}"
        raise DownloadError(msg) from error
    return f"{endpoint} answers"


def _cached_checkpoint(library: ModuleType, model: HubModel, given: PieceOptions, *, reason: str) -> HubCheckpoint:
    """Return a checkpoint that huggingface_hub's cache holds in full.

    A file that may be missing counts as held if the cache knows that the repository does not have it.
    """
    from sparkalbert.models.contents import checkpoint_contents  # loads NumPy, which names do not need

    def cached(name: str) -> Any:
        return library.try_to_load_from_cache(model.repository, name, revision=model.revision)

    folder = next((Path(file).parent for name in _CONFIGS if isinstance(file := cached(name), str)), None)
    problems = [f"{_CONFIGS[0]} is missing"]
    if folder is not None:
        for path in checkpoint_files(folder):
            _check_file(model, path.relative_to(folder).as_posix(), path, path.resolve().name)
        contents = checkpoint_contents(folder, given).at(model.repository, folder)
        problems = [*contents.problems, *(f"{name} is missing" for name in TOKENIZER_SETTINGS if cached(name) is None)]
    if folder is None or problems:
        msg = (
            f"{model} is neither in sparkalbert's cache nor complete in huggingface_hub's ({'; '.join(problems)}), and "
            f"{reason}. {_WITHOUT_NETWORK}"
        )
        raise DownloadError(msg)
    return HubCheckpoint(folder, folder.name)


def _lay_out(repository: Repository) -> None:
    """Write the outline: an empty file for each name, then the contents of those that decide what is read."""
    outline = repository.outline
    for name in repository.sizes:
        (outline / name).parent.mkdir(parents=True, exist_ok=True)
        (outline / name).touch()
    tokenizer = tokenizer_files(outline)
    for path in checkpoint_files(outline):
        if path in tokenizer or path.suffix == ".json":
            name = path.relative_to(outline).as_posix()
            if repository.sizes[name] > MAX_VOCABULARY_BYTES:
                os.truncate(path, repository.sizes[name])  # takes no room; what reads it refuses its size
                continue
            path.unlink()
            path.symlink_to(repository.fetch(name).resolve())


def _note_absent(repository: Repository, folder: Path) -> None:
    """Note in huggingface_hub's cache, in its own way, which small files the repository does not have."""
    notes = folder.parent.parent / ".no_exist" / repository.commit
    for name in TOKENIZER_SETTINGS:
        if name not in repository.sizes:
            notes.mkdir(parents=True, exist_ok=True)
            (notes / name).touch()


def _is_inside(name: str) -> bool:
    """Return whether the name of a listed file is a path inside the repository."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


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
    """Raise every error that is not a SparkAlbertError as DownloadError."""
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
    return f"{type(error).__name__}: {first_line.rstrip('.')}."
