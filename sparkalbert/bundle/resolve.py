"""From whatever names a model to a bundle that is ready to run.

A path, an embedded model, a known name or a hub repository; what is no bundle yet is converted once
into the cache folder. It knows nothing about how a conversion works.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import quote, unquote, urlsplit

from sparkalbert.bundle.cache import cache_home, exclusive
from sparkalbert.bundle.conversion import Conversion, cached_bundle, converted_once
from sparkalbert.bundle.folder import SAVED_VOCABULARY_FILE, Bundle
from sparkalbert.bundle.hub import CHECKPOINT_FILES, download_checkpoint
from sparkalbert.bundle.manifest import MANIFEST_FILE, Precision, sha256_of
from sparkalbert.bundle.names import KNOWN_MODELS, HubModel, close_names, hub_model, slug
from sparkalbert.errors import ModelNotFoundError, ParamError

__all__ = ["embedded_models", "find_model"]

_EMBEDDED: Final = Path(__file__).parent.parent / "models"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_KEY_DIGITS: Final = 16

_FolderKind = Literal["bundle", "checkpoint", "onnx"]


def embedded_models() -> tuple[str, ...]:
    """Return the names of the models that are part of this package, sorted."""
    return tuple(sorted(path.parent.name for path in _EMBEDDED.glob(f"*/{MANIFEST_FILE}")))


def find_model(
    model: str | os.PathLike[str],
    *,
    revision: str | None = None,
    precision: Precision | None = None,
    allow_download: bool = True,
) -> Bundle:
    """Return the bundle that a name or a path stands for, converting or downloading it if need be.

    Parameters
    ----------
    model
        One of: the path of a bundle; the path of a Hugging Face checkpoint folder, of a Spark NLP import
        folder (``model.onnx`` with ``assets/spiece.model``) or of a model that Spark NLP saved, converted
        once into the cache, keyed by content; the name of an embedded model, see
        :func:`embedded_models`; a known name such as ``albert_xlarge_uncased``; ``owner/name`` or
        ``owner/name@revision`` on the Hugging Face Hub.
    revision
        A commit, branch or tag of a hub repository. A branch or tag is resolved once: the commit it stood
        for then is used from then on, until another revision is asked for.
    precision
        Number format. None takes a bundle as it is, and converts a checkpoint to ``fp32``.
    allow_download
        Whether the network may be asked.

    Raises
    ------
    ModelNotFoundError
        When the name or path leads nowhere; lists the known names.
    ParamError
        When `precision` is unknown or not that of an existing bundle, or `revision` makes no sense.
    BundleError, CheckpointError, ConfigError
        When what was found is damaged or cannot be converted.
    DownloadError
        When the hub cannot be reached or refuses; says what to do without a network.
    MissingDependencyError
        When converting or downloading needs a package that is not installed.

    Examples
    --------
    >>> find_model("albert_huge_uncased")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    sparkalbert.errors.ModelNotFoundError: No model is called 'albert_huge_uncased'...
    """
    if precision is not None and precision not in get_args(Precision):
        msg = f"precision is {precision!r}, expected one of {', '.join(get_args(Precision))}."
        raise ParamError(msg)
    folder = _folder(model)
    if folder is not None:
        if revision is not None:
            msg = f"revision is {revision!r}, but {folder} is a folder, which has none; leave it out."
            raise ParamError(msg)
        return _from_folder(folder, precision)
    name = os.fspath(model)
    if name in embedded_models():
        return _as_it_is(_EMBEDDED / name, precision)
    found = hub_model(name, revision)
    if found is None:
        raise ModelNotFoundError(_unknown(name))
    return _from_hub(found, precision or "fp32", allow_download=allow_download)


def _folder(model: str | os.PathLike[str]) -> Path | None:
    """Return the folder that `model` is the path of, None where it is a name.

    Raises
    ------
    ModelNotFoundError
        When `model` looks like a path and leads to no model folder.
    """
    text = os.fspath(model)
    if not text:
        raise ModelNotFoundError(_unknown(text))
    path = _local_path(text)
    if path.is_dir() and _kind(path) is not None:
        return path
    is_path = not isinstance(model, str) or _looks_like_path(text)
    if not is_path and (not path.is_dir() or hub_model(text) is not None or text in embedded_models()):
        return None
    if path.is_dir():
        msg = (
            f"The folder {path} holds no model: expected a bundle ({MANIFEST_FILE}), a Hugging Face "
            "checkpoint (config.json, model.safetensors, spiece.model), a Spark NLP import folder "
            "(model.onnx, assets/spiece.model) or a saved Spark NLP model (albert_onnx, albert_spp)."
        )
    elif path.exists():
        msg = f"{path} is a file, expected a model folder."
    else:
        msg = f"There is no folder {path}. {_choices()}"
    raise ModelNotFoundError(msg)


def _local_path(text: str) -> Path:
    if text.startswith("file:"):
        return Path(unquote(urlsplit(text).path))
    if _SCHEME.match(text) and "/" in text and not _DRIVE.match(text):
        msg = (
            f"{text} is not a path of this machine. Copy the folder to a local disk, or give the path where "
            "it is mounted (on Databricks /Volumes/... or /dbfs/...)."
        )
        raise ModelNotFoundError(msg)
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        msg = f"{text} cannot be read as a path: {error}"
        raise ModelNotFoundError(msg) from error


def _looks_like_path(text: str) -> bool:
    return (
        text.startswith((".", "~", "/", "file:"))
        or "\\" in text
        or _DRIVE.match(text) is not None
        or text.partition("@")[0].count("/") > 1
        or text.endswith("/")
    )


def _kind(folder: Path) -> _FolderKind | None:
    if Bundle.is_bundle(folder):
        return "bundle"
    if (folder / "model.safetensors").is_file():
        return "checkpoint"
    if (folder / SAVED_VOCABULARY_FILE).exists():
        return "onnx"
    if any(folder.glob("*.onnx")) or any(folder.glob("onnx/*.onnx")):
        return "onnx"
    return "checkpoint" if (folder / "config.json").is_file() else None


def _choices() -> str:
    embedded = ", ".join(embedded_models())
    return (
        f"Known names: {', '.join(KNOWN_MODELS)}."
        f"{f' Part of this package: {embedded}.' if embedded else ''} "
        "Or pass the path of a model folder, or owner/name of a repository on the Hugging Face Hub."
    )


def _unknown(name: str) -> str:
    close = close_names(name, [*KNOWN_MODELS, *embedded_models()])
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    return f"No model is called {name!r}.{hint} {_choices()}"


def _as_it_is(folder: Path, precision: Precision | None) -> Bundle:
    bundle = Bundle.open(folder)
    if precision is not None and bundle.manifest.precision != precision:
        msg = (
            f"precision is {precision!r}, but {folder} is {bundle.manifest.precision!r} already. Leave it "
            "out, or convert the checkpoint again."
        )
        raise ParamError(msg)
    return bundle


def _from_folder(folder: Path, precision: Precision | None) -> Bundle:
    kind = _kind(folder)
    if kind == "onnx":
        key = f"{slug(folder.resolve().name)}-onnx-{_content_key(folder, _files_below(folder))}"
        imported = converted_once(key, Conversion("onnx", folder, {"name": folder.resolve().name}))
        return _as_it_is(imported.path, precision)
    if kind == "checkpoint":
        name, chosen = folder.resolve().name, precision or "fp32"
        files = [file for file in CHECKPOINT_FILES if (folder / file).is_file()]
        key = f"{slug(name)}-{chosen}-{_content_key(folder, files)}"
        return converted_once(key, Conversion("checkpoint", folder, {"name": name, "precision": chosen}))
    return _as_it_is(folder, precision)


def _files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _content_key(folder: Path, files: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in files:
        digest.update(f"{sha256_of(folder / name)} {name}\n".encode())
    return digest.hexdigest()[:_KEY_DIGITS]


def _from_hub(model: HubModel, precision: Precision, *, allow_download: bool) -> Bundle:
    bundle = _cached_from_hub(model, precision)
    if bundle is not None:
        return bundle
    with exclusive(cache_home(), f"{slug(model.repository)}@{quote(model.revision, safe='')}-{precision}"):
        bundle = _cached_from_hub(model, precision)  # another process may have been faster
        if bundle is not None:
            return bundle
        known = _commit_of(model)
        wanted = model if known is None else replace(model, revision=known)
        checkpoint = download_checkpoint(wanted, allow_download=allow_download)
        options = {"name": model.name, "precision": precision, "revision": checkpoint.commit}
        conversion = Conversion("checkpoint", checkpoint.folder, options, model.repository)
        bundle = converted_once(_hub_key(model, precision, checkpoint.commit), conversion)
        _record_commit(model, checkpoint.commit)
        return bundle


def _hub_key(model: HubModel, precision: Precision, commit: str) -> str:
    return f"{slug(model.name)}-{precision}-{commit}"


def _cached_from_hub(model: HubModel, precision: Precision) -> Bundle | None:
    commit = _commit_of(model)
    return None if commit is None else cached_bundle(_hub_key(model, precision, commit))


def _commit_of(model: HubModel) -> str | None:
    """Return the commit that a revision is, or stood for when it was first used."""
    if model.commit is not None:
        return model.commit
    try:
        recorded = _record_of(model).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return recorded if _COMMIT.fullmatch(recorded) else None


def _record_commit(model: HubModel, commit: str) -> None:
    if model.commit is None:
        record = _record_of(model)
        record.parent.mkdir(parents=True, exist_ok=True)
        work = record.with_name(f".{record.name}-{os.getpid()}")
        work.write_text(f"{commit}\n", encoding="ascii")
        work.replace(record)


def _record_of(model: HubModel) -> Path:
    return cache_home() / "refs" / f"{slug(model.repository)}@{quote(model.revision, safe='')}"
