"""Reports what loading a model would do, before it is converted and before any weights are downloaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sparkalbert.bundle.folder import Bundle
from sparkalbert.bundle.manifest import Precision
from sparkalbert.models.contents import Contents, checkpoint_contents
from sparkalbert.models.find import find_model, what_is_meant
from sparkalbert.models.folders import folder_kind
from sparkalbert.models.hub import open_repository
from sparkalbert.models.names import HubModel
from sparkalbert.models.repositories import cached_from_hub
from sparkalbert.storage.reading import wrap_unreadable
from sparkalbert.text.pieces.options import NOTHING_GIVEN

__all__ = ["Inspection", "inspect_model"]

_PRECISIONS: Final[tuple[Precision, ...]] = ("fp32", "int8", "fp16")


@dataclass(frozen=True)
class Inspection:
    """A checkpoint that has not been converted yet.

    Attributes
    ----------
    source
        The folder, or the repository and its revision.
    is_local
        Whether it is a folder; otherwise the files that are used have to be downloaded.
    commit, licence
        Of a repository: its commit, and the licence that its page states; None otherwise.
    sizes
        Size of each file in bytes, by its path.
    contents
        What is used for what, and what is wrong.
    mends
        What can be passed instead of a repository that cannot be converted, one sentence each.
    """

    source: str
    is_local: bool
    commit: str | None
    licence: str | None
    sizes: Mapping[str, int]
    contents: Contents
    mends: tuple[str, ...]

    @property
    def ignored(self) -> dict[str, int]:
        """Sizes of the files that a conversion does not read."""
        return {name: size for name, size in self.sizes.items() if name not in self.contents.uses}

    @property
    def used_bytes(self) -> int:
        """Total size of the files that a conversion reads."""
        return sum(self.sizes[name] for name in self.contents.uses)


def inspect_model(model: str | os.PathLike[str], *, revision: str | None = None) -> Bundle | Inspection:
    """Return the bundle that :func:`.find_model` would return at once, or what it would convert.

    For a repository, the list of files, the configuration and the tokenizer are downloaded, never the weights. An ONNX
    export is imported into the cache, because only its graph describes it.

    Parameters
    ----------
    model, revision
        See :func:`.find_model`.

    Raises
    ------
    ModelNotFoundError, ParamTypeError, ParamError, BundleError, DownloadError, OutputError, MissingDependencyError
        See :func:`.find_model`. What is wrong with a checkpoint is in the result instead.
    CheckpointError, ConfigError
        If a folder cannot be read, or an ONNX export cannot be imported.
    """
    found = what_is_meant(model, revision)
    if isinstance(found, HubModel):
        return _cached(found) or _of_repository(found)
    if folder_kind(found) != "checkpoint":
        return find_model(found)
    with wrap_unreadable(found):
        files = [path for path in sorted(found.rglob("*")) if path.is_file()]
        sizes = {path.relative_to(found).as_posix(): path.stat().st_size for path in files}
        contents = checkpoint_contents(found, NOTHING_GIVEN)
    return Inspection(str(found), True, None, None, sizes, contents, ())  # noqa: FBT003


def _cached(model: HubModel) -> Bundle | None:
    bundles = (cached_from_hub(model, precision, NOTHING_GIVEN) for precision in _PRECISIONS)
    return next((bundle for bundle in bundles if bundle is not None), None)


def _of_repository(model: HubModel) -> Inspection:
    with open_repository(model) as repository:
        contents = checkpoint_contents(repository.outline, NOTHING_GIVEN)
        return Inspection(
            str(model),
            is_local=False,
            commit=repository.commit,
            licence=repository.licence,
            sizes=repository.sizes,
            contents=contents.at(model.repository, repository.outline),
            mends=repository.mends() if contents.problems else (),
        )
