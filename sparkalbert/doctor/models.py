"""The cache of models, a model, and the Hugging Face Hub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sparkalbert.bundle import Bundle
from sparkalbert.bundle.manifest import MANIFEST_FILE
from sparkalbert.doctor.check import Check
from sparkalbert.errors import (
    BundleError,
    DownloadError,
    MissingDependencyError,
    ModelNotFoundError,
    OutputError,
    SparkAlbertError,
    listed_problems,
)
from sparkalbert.models import KNOWN_MODELS, embedded_models, find_model
from sparkalbert.models.hub import check_hub
from sparkalbert.storage.homes import HOME_VARIABLE, cache_home, node_home

__all__ = ["cache_checks", "hub_check", "model_check"]

_MB: Final = 1_000_000
_PROBED: Final = "albert_base_uncased"
_REINSTALL: Final = "pip install --force-reinstall --no-deps sparkalbert"


def cache_checks() -> Iterator[Check]:
    """Check the folders for models on this machine: permissions, contents, damage."""
    try:
        home, node = cache_home(), node_home()
    except (BundleError, OutputError) as error:
        yield Check("cache", "failed", str(error), f"Set {HOME_VARIABLE} to a folder that this user can write.")
        return
    for folder in {home: None, node: None}:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            mend = f"Give this user write access, or set {HOME_VARIABLE} to another folder."
            yield Check("cache", "failed", f"{folder} cannot be written", mend)
            return
    damaged, whole, size = _contents(home)
    found = f"{home}: {len(whole)} models, {size / _MB:,.0f} MB"
    if damaged:
        listed = ", ".join(map(str, damaged))
        mend = f"Delete {listed}; it is converted again when it is used."
        yield Check("cache", "warning", f"{found}, {len(damaged)} damaged", mend)
    else:
        yield Check("cache", "ok", found)


def _contents(home: Path) -> tuple[list[Path], list[Path], int]:
    """Return damaged bundles, intact bundles, and the size of the latter."""
    damaged: list[Path] = []
    whole: list[Path] = []
    size = 0
    for manifest in sorted((home / "bundles").glob(f"[!.]*/{MANIFEST_FILE}")):
        bundle = _intact(manifest.parent)
        (damaged if bundle is None else whole).append(manifest.parent)
        size += 0 if bundle is None else bundle.manifest.size_bytes
    return damaged, whole, size


def _intact(folder: Path) -> Bundle | None:
    try:
        return Bundle.open(folder).verify()
    except BundleError:
        return None


def model_check(model: str) -> tuple[Check, Bundle | None]:
    """Check that a model is on this machine and intact; nothing is downloaded."""
    try:
        bundle = find_model(model, allow_download=False).verify()
    except DownloadError as error:
        mend = f"Download it on a machine with a network: sparkalbert.find_model({model!r})."
        return Check("model", "failed", f"{model} is not on this machine: {error}", mend), None
    except ModelNotFoundError as error:
        return Check(
            "model", "failed", str(error), "Choose a model that `sparkalbert models` lists, or a folder."
        ), None
    except BundleError as error:
        is_embedded = model in embedded_models()
        mend = _REINSTALL if is_embedded else "Convert its checkpoint again, or copy the folder again."
        return Check("model", "failed", "; ".join(listed_problems(error)), mend), None
    except SparkAlbertError as error:
        mend = "Correct this, or choose a model that `sparkalbert models` lists."
        return Check("model", "failed", "; ".join(listed_problems(error)), mend), None
    manifest = bundle.manifest
    found = f"{manifest.name}, {manifest.precision}, {manifest.size_bytes / _MB:,.0f} MB, intact"
    return Check("model", "ok", found), bundle


def hub_check(timeout_s: float = 5.0) -> Check:
    """Check that models can be downloaded from the Hugging Face Hub."""
    try:
        return Check("hub", "ok", check_hub(KNOWN_MODELS[_PROBED].hub, timeout_s))
    except MissingDependencyError:
        mend = "pip install 'sparkalbert[hub]', if models are to be downloaded"
        return Check("hub", "warning", "huggingface_hub is not installed", mend)
    except DownloadError as error:
        mend = "Allow the connection (HTTPS_PROXY, HF_ENDPOINT), or load a model folder; see 'Offline' in the README."
        return Check("hub", "warning", str(error), mend)
