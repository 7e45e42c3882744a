"""Finds what a name or path means, and returns the bundle of that model, converted or downloaded if necessary."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path, PureWindowsPath
from typing import Final
from urllib.parse import unquote

from sparkalbert.bundle.folder import Bundle
from sparkalbert.bundle.manifest import MANIFEST_FILE, Precision, check_precision
from sparkalbert.errors import ModelNotFoundError, ParamError, ParamTypeError
from sparkalbert.models.embedded import embedded_folder, embedded_models
from sparkalbert.models.folders import bundle_from_folder, folder_kind
from sparkalbert.models.names import KNOWN_MODELS, HubModel, check_known_language, close_names, hub_model
from sparkalbert.models.repositories import bundle_from_hub
from sparkalbert.storage.paths import exists, is_folder, is_remote, local_path
from sparkalbert.text.pieces.options import PieceOptions

__all__ = ["check_language", "find_model", "what_is_meant"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_SPARK_NLP_NAME: Final = re.compile(r"[A-Za-z0-9_.]*bert[A-Za-z0-9_.]*", re.IGNORECASE)
_MAX_LISTED: Final = 4
"""How many known names a message lists: the first are Google's."""


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

    If it is not batch invariant, which makes it slower, its note is logged as a warning.

    Parameters
    ----------
    model
        One of: the path of a bundle; the path of a Hugging Face checkpoint folder, of a Spark NLP import
        folder (``model.onnx`` with ``assets/spiece.model``) or of a model that Spark NLP saved, which are
        converted once into the cache, keyed by content; the name of an embedded model, see
        :func:`~sparkalbert.models.embedded_models`; a known name such as ``albert_xlarge_uncased``; ``owner/name`` or
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
        If the model is damaged, cannot be read or converted, or changes while it is converted.
    DownloadError
        If the Hub cannot be reached or refuses; the message describes what to do without a network.
    OutputError
        If the cache cannot be written.
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
        bundle = bundle_from_hub(found, precision or "fp32", given, allow_download=allow_download)
    else:
        bundle = bundle_from_folder(found, precision, given)
    if not bundle.manifest.batch_invariant:
        _LOGGER.warning("%s: %s", bundle.path, bundle.manifest.note)
    return bundle


def what_is_meant(model: str | os.PathLike[str], revision: str | None = None) -> Path | HubModel:
    """Return the folder or repository that :func:`find_model` takes, without converting or downloading it.

    Raises
    ------
    ModelNotFoundError
        If no such model exists; the message lists known names.
    ParamTypeError
        If `model` is neither a string nor a path.
    ParamError
        If `revision` is invalid, or given for a folder or an embedded model.
    BundleError, CheckpointError, OutputError
        If a folder cannot be read, or an embedded model cannot be copied to the cache, see :func:`.embedded_folder`.
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
        return embedded_folder(name)
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


def _folder(model: str | os.PathLike[str]) -> Path | None:
    """Return the model folder whose path is `model`, None if it is a name.

    Raises
    ------
    ModelNotFoundError
        If `model` looks like a path, but there is no model folder.
    CheckpointError
        If the folder cannot be read.
    ParamTypeError
        If `model` is neither a string nor a path.
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
    try:
        literal = (local_path(text) or Path(text)).expanduser()
    except RuntimeError as error:
        msg = f"{text} is not a valid path: {error}"
        raise ModelNotFoundError(msg) from error
    # Path.as_uri() escapes spaces, but Spark does not unescape them: use whichever path exists.
    if _is_file_uri(text) and not exists(literal):
        return Path(unquote(str(literal)))
    return literal


def _is_file_uri(text: str) -> bool:
    return text.lower().startswith("file:")


def _looks_like_path(text: str) -> bool:
    return (
        text.startswith((".", "~", "/"))
        or _is_file_uri(text)
        or "\\" in text
        or bool(PureWindowsPath(text).drive)
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
