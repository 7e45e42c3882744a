"""Find a model by name or path and return a bundle that is ready to run, converting it if necessary."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote, unquote

from sparkalbert.bundle.folder import BUNDLE_KIND, Bundle
from sparkalbert.bundle.manifest import MANIFEST_FILE, Manifest, Precision, check_precision
from sparkalbert.convert.checkpoint.files import checkpoint_files, choose_weights, config_path
from sparkalbert.errors import (
    CheckpointError,
    MissingDependencyError,
    ModelNotFoundError,
    OutputError,
    ParamError,
    ParamTypeError,
)
from sparkalbert.models.cache import cached_bundle, converted_once
from sparkalbert.models.hub import HubCheckpoint, download_checkpoint
from sparkalbert.models.names import (
    COMMIT,
    KNOWN_MODELS,
    HubModel,
    check_known_language,
    close_names,
    hub_model,
    slug,
)
from sparkalbert.storage.checksums import sha256_of
from sparkalbert.storage.files import write_file
from sparkalbert.storage.folders import write_folder
from sparkalbert.storage.homes import HOME_VARIABLE, cache_home
from sparkalbert.storage.locks import exclusive
from sparkalbert.storage.paths import exists, is_folder, local_path
from sparkalbert.text.pieces.options import PieceOptions

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = [
    "FolderKind",
    "cached_from_hub",
    "check_language",
    "embedded_models",
    "find_model",
    "folder_kind",
    "is_remote",
    "what_is_meant",
]

_LOGGER: Final = logging.getLogger("sparkalbert")
_EMBEDDED: Final = resources.files("sparkalbert.models")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_KEY_DIGITS: Final = 16
_MAX_NAME_IN_KEY: Final = 100
"""File systems limit a name to 255 bytes; what follows a model's name in a key, and what a writer adds, take 150."""

_CONVERSION: Final = b"3"
"""Increment it when a conversion reads other files than before or computes other vectors: the cache then misses."""

_SPARK_NLP_VOCABULARY: Final = "albert_spp"
_SPARK_NLP_NAME: Final = re.compile(r"[A-Za-z0-9_.]*bert[A-Za-z0-9_.]*", re.IGNORECASE)
_MAX_LISTED: Final = 4
"""How many known names a message lists: the first are Google's."""

FolderKind = Literal["bundle", "checkpoint", "onnx"]
"""What a model folder holds: our own format, a Hugging Face checkpoint, or an ONNX export."""


def embedded_models() -> tuple[str, ...]:
    """Return the names of the models that are part of this package, sorted."""
    return tuple(sorted(entry.name for entry in _EMBEDDED.iterdir() if (entry / MANIFEST_FILE).is_file()))


def find_model(  # noqa: PLR0913 - all but one are keywords
    model: str | os.PathLike[str],
    *,
    revision: str | None = None,
    precision: Precision | None = None,
    allow_download: bool = True,
    do_lower_case: bool | None = None,
    keep_accents: bool | None = None,
    remove_space: bool | None = None,
) -> Bundle:
    """Return the bundle of a model, converted or downloaded if necessary.

    Parameters
    ----------
    model
        One of: the path of a bundle; the path of a Hugging Face checkpoint folder, of a Spark NLP import
        folder (``model.onnx`` with ``assets/spiece.model``) or of a model that Spark NLP saved, which are
        converted once into the cache, keyed by content; the name of an embedded model, see
        :func:`embedded_models`; a known name such as ``albert_xlarge_uncased``; ``owner/name`` or
        ``owner/name@revision`` on the Hugging Face Hub.
    revision
        A commit, branch or tag of a Hub repository. A branch or tag is resolved once: the commit that it
        meant then is used until another revision is requested.
    precision
        Number format. By default a bundle keeps its own, and a checkpoint is converted to ``fp32``.
    allow_download
        If false, the network is never used.
    do_lower_case, keep_accents, remove_space
        Options of the tokenizer of a model that has to be converted; None leaves them to its files.

    Raises
    ------
    ModelNotFoundError
        If no such model exists; the message lists the known names.
    ParamTypeError
        If `model` is neither a string nor a path.
    ParamError
        If `precision` is unknown, if it or an option of the tokenizer differs from that of an existing bundle, or if
        `revision` is invalid, or given for a folder or an embedded model.
    BundleError, CheckpointError, ConfigError
        If the model is damaged or cannot be converted.
    DownloadError
        If the Hub cannot be reached or refuses; the message describes what to do without a network.
    MissingDependencyError
        If converting or downloading requires a package that is not installed.

    Examples
    --------
    >>> find_model("albert_huge_uncased")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    sparkalbert.errors.ModelNotFoundError: There is no model 'albert_huge_uncased'...
    """
    if precision is not None:
        check_precision(precision)
    given = PieceOptions(do_lower_case, keep_accents, remove_space)
    found = what_is_meant(model, revision)
    if isinstance(found, HubModel):
        return _from_hub(found, precision or "fp32", given, allow_download=allow_download)
    return _from_folder(found, precision, given)


def what_is_meant(model: str | os.PathLike[str], revision: str | None = None) -> Path | HubModel:
    """Return the folder or repository that :func:`find_model` takes, without converting or downloading it.

    Raises
    ------
    ModelNotFoundError
        If no such model exists; the message lists known names.
    ParamError
        If `revision` is invalid, or given for a folder or an embedded model.
    """
    folder = _folder(model)
    if folder is not None:
        if revision is not None:
            msg = f"revision is {revision!r}, but {folder} is a folder, which has no revisions. Leave it out."
            raise ParamError(msg)
        return folder
    name = os.fspath(model)
    if name in embedded_models():
        if revision is not None:
            msg = f"revision is {revision!r}, but {name} is part of this package, which has one revision. Leave it out."
            raise ParamError(msg)
        return _embedded_folder(_EMBEDDED / name)
    found = hub_model(name, revision)
    if found is None:
        raise ModelNotFoundError(_unknown(name))
    return found


def check_language(model: str, language: str | None) -> None:
    """Check the language of a model that is known by name; a folder or repository may be of any.

    Parameters
    ----------
    model
        See :func:`find_model`.
    language
        Spark NLP's code of the language that the caller expects; None accepts any.

    Raises
    ------
    ModelNotFoundError
        If the model is one of another language; the message lists the names of the requested one.
    """
    if language is None:
        return
    if model in embedded_models() and not model.endswith(f"_{language}"):
        msg = f"There is no model {model!r} for lang {language!r}: its name ends in its language. Leave lang out."
        raise ModelNotFoundError(msg)
    check_known_language(model, language)


def folder_kind(folder: Path) -> FolderKind | None:
    """Return what a model folder holds, None if it does not look like one."""
    if Bundle.is_bundle(folder):
        return "bundle"
    if choose_weights([path.name for path in folder.iterdir() if path.is_file()]):
        return "checkpoint"
    if (folder / _SPARK_NLP_VOCABULARY).exists():
        return "onnx"
    if any(folder.glob("*.onnx")) or any(folder.glob("onnx/*.onnx")):
        return "onnx"
    return "checkpoint" if config_path(folder).is_file() else None


def _folder(model: str | os.PathLike[str]) -> Path | None:
    """Return the model folder whose path is `model`, None if it is a name.

    Raises
    ------
    ModelNotFoundError
        If `model` looks like a path, but there is no model folder.
    """
    text = _text(model)
    if not text:
        raise ModelNotFoundError(_unknown(text))
    path = _path(text)
    found_folder = is_folder(path)
    if found_folder and folder_kind(path) is not None:
        return path
    is_path = not isinstance(model, str) or _looks_like_path(text)
    if not is_path and (not found_folder or hub_model(text) is not None or text in embedded_models()):
        return None
    if found_folder:
        msg = (
            f"The folder {path} does not hold a model. Expected a bundle ({MANIFEST_FILE}), a Hugging Face "
            "checkpoint (config.json, model.safetensors, spiece.model), a Spark NLP import folder "
            "(model.onnx, assets/spiece.model) or a saved Spark NLP model (albert_onnx, albert_spp)."
        )
    elif exists(path):
        msg = f"{path} is a file, expected a model folder."
    else:
        msg = f"There is no folder {path}. {_choices()}"
    raise ModelNotFoundError(msg)


def is_remote(text: str) -> bool:
    """Return whether a text is the URI of another file system (``s3a:``, ``hdfs:``) and not a path or name.

    Examples
    --------
    >>> [is_remote(text) for text in ("hdfs://host/model", "file:///model", "C:/model", "albert:v2")]
    [True, False, False, False]
    """
    return _SCHEME.match(text) is not None and "/" in text and not _DRIVE.match(text) and not text.startswith("file:")


def _text(model: object) -> str:
    if not isinstance(model, (str, os.PathLike)):
        msg = f"model is {model!r}, expected the path of a folder or a name, such as 'albert_mini_en'."
        raise ParamTypeError(msg)
    return os.fspath(model)


def _path(text: str) -> Path:
    if is_remote(text):
        msg = (
            f"{text} is not a path of this machine. Copy the folder to a local disk, or give the path where "
            "it is mounted (on Databricks /Volumes/... or /dbfs/...)."
        )
        raise ModelNotFoundError(msg)
    path = local_path(text) if text.startswith("file:") else Path(text)
    try:
        literal = (path or Path(text)).expanduser()
    except RuntimeError as error:
        msg = f"{text} is not a valid path: {error}"
        raise ModelNotFoundError(msg) from error
    # Path.as_uri() escapes spaces, but Spark does not unescape them: use whichever path exists.
    if text.startswith("file:") and not exists(literal):
        return Path(unquote(str(literal)))
    return literal


def _looks_like_path(text: str) -> bool:
    return (
        text.startswith((".", "~", "/", "file:"))
        or "\\" in text
        or _DRIVE.match(text) is not None
        or text.partition("@")[0].count("/") > 1
        or text.endswith("/")
    )


def _choices() -> str:
    embedded = ", ".join(embedded_models())
    listed = list(KNOWN_MODELS)
    return (
        f"Known names: {', '.join(listed[:_MAX_LISTED])}, and {len(listed) - _MAX_LISTED} more, see `sparkalbert "
        f"models --all`.{f' Part of this package: {embedded}.' if embedded else ''} "
        "Or pass the path of a model folder, or owner/name of a repository on the Hugging Face Hub."
    )


def _unknown(name: str) -> str:
    close = close_names(name, [*KNOWN_MODELS, *embedded_models()])
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    origin = (
        " If Spark NLP lists it, look up its repository under References in Spark NLP's model card, and pass it as "
        "owner/name."
    )
    is_listed = _SPARK_NLP_NAME.fullmatch(name) is not None
    return f"There is no model {name!r}.{hint} {_choices()}{origin if is_listed else ''}"


def _embedded_folder(folder: Traversable) -> Path:
    """Return the folder of an embedded model, copied to the cache if this package is inside a zip file."""
    if isinstance(folder, Path):
        return folder
    manifest = Manifest.from_json((folder / MANIFEST_FILE).read_bytes(), source=f"{folder}/{MANIFEST_FILE}")

    def extract(target: Path) -> Bundle:
        with write_folder(target, BUNDLE_KIND) as work:
            for name in manifest.files:
                (work / name).write_bytes((folder / name).read_bytes())
            with write_file(work / MANIFEST_FILE) as marker:  # marks the folder as complete
                marker.write_bytes((folder / MANIFEST_FILE).read_bytes())
        return Bundle.open(target)

    return converted_once(f"{folder.name}-{manifest.digest[:_KEY_DIGITS]}", extract).path


def _open_bundle(folder: Path, precision: Precision | None, given: PieceOptions) -> Bundle:
    bundle = Bundle.open(folder)
    if precision is not None and bundle.manifest.precision != precision:
        msg = (
            f"precision is {precision!r}, but the bundle {folder} is {bundle.manifest.precision!r}. Leave "
            "precision out, or convert the checkpoint again."
        )
        raise ParamError(msg)
    if not bundle.manifest.batch_invariant:
        _LOGGER.warning("%s: %s", folder, bundle.manifest.note)
    if given.stated:
        _check_options(bundle, given)
    return bundle


def _check_options(bundle: Bundle, given: PieceOptions) -> None:
    from sparkalbert.text import PieceTokenizer  # loads NumPy, which names do not need

    options = asdict(PieceTokenizer.load(bundle.path).options)
    for name, value in given.stated.items():
        if options[name] != value:
            msg = (
                f"{name} is {value}, but the bundle {bundle.path} was converted with {name}={options[name]}. Leave "
                f"{name} out, or convert the checkpoint again."
            )
            raise ParamError(msg)


def _from_folder(folder: Path, precision: Precision | None, given: PieceOptions) -> Bundle:
    kind = folder_kind(folder)
    name = folder.resolve().name
    if kind == "onnx":
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        key = f"{_in_key(name)}-onnx-{_content_key(folder, files)}{given.key}"
        imported = converted_once(key, partial(_import_onnx, folder, given, name=name))
        return _open_bundle(imported.path, precision, given)
    if kind == "checkpoint":
        chosen: Precision = precision or "fp32"
        key = f"{_in_key(name)}-{chosen}-{_content_key(folder, checkpoint_files(folder))}{given.key}"
        return converted_once(key, partial(_convert, folder, given, precision=chosen, name=name))
    return _open_bundle(folder, precision, given)


def _convert(  # noqa: PLR0913 - keywords of convert_checkpoint
    source: Path,
    given: PieceOptions,
    target: Path,
    *,
    precision: Precision,
    name: str,
    origin: str | None = None,
    revision: str | None = None,
) -> Bundle:
    with _named_converter("a checkpoint"):
        from sparkalbert.convert import convert_checkpoint
    return convert_checkpoint(
        source,
        target,
        precision=precision,
        name=name,
        origin=origin,
        revision=revision,
        do_lower_case=given.do_lower_case,
        keep_accents=given.keep_accents,
        remove_space=given.remove_space,
    )


def _import_onnx(source: Path, given: PieceOptions, target: Path, *, name: str) -> Bundle:
    with _named_converter("an ONNX export"):
        from sparkalbert.convert import import_onnx
    return import_onnx(source, target, name=name, **given.stated)


@contextmanager
def _named_converter(what: str) -> Iterator[None]:
    """Raise a missing package of the converter as MissingDependencyError, and every other error unchanged."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "sparkalbert":
            raise
        msg = (
            f"Converting {what} requires a package that is not installed ({error}): pip install "
            "'sparkalbert[convert]'. Or convert it on another machine and pass the bundle folder."
        )
        raise MissingDependencyError(msg) from error


def _in_key(name: str) -> str:
    """Return the name of a model as the first part of a key, whose other parts identify the model."""
    return slug(name)[:_MAX_NAME_IN_KEY]


def _content_key(folder: Path, files: Iterable[Path]) -> str:
    """Return a key that depends on the names and bytes of the files that a conversion reads."""
    digest = hashlib.sha256(_CONVERSION)
    for path in files:
        try:
            status = path.stat()
            sha256 = _checksum(path, status.st_ino, status.st_size, status.st_ctime_ns)
        except OSError as error:
            msg = f"{path} cannot be read ({error.strerror or error}). Check that this user may read it."
            raise CheckpointError(msg) from error
        digest.update(f"{sha256} {path.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()[:_KEY_DIGITS]


@lru_cache(maxsize=1024)
def _checksum(path: Path, inode: int, size_bytes: int, changed_ns: int) -> str:
    """Return the sha256 of a file, which is read again only if it has changed since.

    The time of change decides rather than that of modification, which programs set at will.
    """
    del inode, size_bytes, changed_ns
    return sha256_of(path)


def _from_hub(model: HubModel, precision: Precision, given: PieceOptions, *, allow_download: bool) -> Bundle:
    bundle = cached_from_hub(model, precision, given)
    if bundle is not None:
        return bundle
    with exclusive(cache_home(), f"{slug(model.repository)}@{quote(model.revision, safe='')}-{precision}{given.key}"):
        bundle = cached_from_hub(model, precision, given)  # another process may have been faster
        if bundle is not None:
            return bundle
        known = _commit_of(model)
        wanted = model if known is None else replace(model, revision=known)
        checkpoint = download_checkpoint(wanted, given, allow_download=allow_download)
        bundle = _converted_from_hub(model, precision, given, checkpoint)
        _record_commit(model, checkpoint.commit)
        return bundle


def _converted_from_hub(
    model: HubModel, precision: Precision, given: PieceOptions, checkpoint: HubCheckpoint
) -> Bundle:
    convert = partial(
        _convert,
        checkpoint.folder,
        given,
        precision=precision,
        name=model.name,
        origin=model.repository,
        revision=checkpoint.commit,
    )
    return converted_once(_hub_key(model, precision, given, checkpoint.commit), convert)


def _hub_key(model: HubModel, precision: Precision, given: PieceOptions, commit: str) -> str:
    return f"{_in_key(model.name)}-{precision}-{commit}-{_CONVERSION.decode()}{given.key}"


def cached_from_hub(model: HubModel, precision: Precision, given: PieceOptions) -> Bundle | None:
    """Return the bundle of a repository if the cache has it; a branch or tag means what it meant when first used."""
    commit = _commit_of(model)
    return None if commit is None else cached_bundle(_hub_key(model, precision, given, commit))


def _commit_of(model: HubModel) -> str | None:
    """Return the commit of a revision: itself, or what it meant when it was first used."""
    if model.commit is not None:
        return model.commit
    try:
        recorded = _record_of(model).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return recorded if COMMIT.fullmatch(recorded) else None


def _record_commit(model: HubModel, commit: str) -> None:
    if model.commit is None:
        record = _record_of(model)
        try:
            with write_file(record) as work:
                work.write_text(f"{commit}\n", encoding="ascii")
        except OSError as error:
            msg = (
                f"{record} cannot be written ({error.strerror or error}). Free space there, or set {HOME_VARIABLE} to "
                "a folder with room."
            )
            raise OutputError(msg) from error


def _record_of(model: HubModel) -> Path:
    return cache_home() / "refs" / f"{slug(model.repository)}@{quote(model.revision, safe='')}"
