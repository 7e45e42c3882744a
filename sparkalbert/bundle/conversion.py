"""A source folder converted into the cache, once, by a converter that is found when it is needed.

Conversion lives in a higher layer and needs packages that running a model does not. The entry-point
group ``sparkalbert.converters`` (in ``pyproject.toml``) keeps the two apart: this layer asks for
"the checkpoint converter" and never imports it, so a stage that loads a bundle works where onnx and
safetensors are not installed, and the converter can change without the stage knowing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from sparkalbert.bundle.cache import HOME_VARIABLE, cache_home, exclusive
from sparkalbert.bundle.folder import Bundle
from sparkalbert.bundle.manifest import MANIFEST_FILE
from sparkalbert.errors import BundleError, MissingDependencyError, OutputError, SparkAlbertError

__all__ = [
    "GROUP",
    "Conversion",
    "SourceKind",
    "cached_bundle",
    "cached_bundles",
    "converted_once",
    "converter",
]

GROUP: Final = "sparkalbert.converters"

SourceKind = Literal["checkpoint", "onnx"]


def converter(kind: SourceKind) -> Callable[..., Bundle]:
    """Return the function that makes a bundle of a source folder.

    Parameters
    ----------
    kind
        ``checkpoint`` for ``convert_checkpoint(source, target, *, precision, name, revision, ...)``,
        ``onnx`` for ``import_onnx(source, target, *, name, ...)``.

    Raises
    ------
    MissingDependencyError
        When the converter, or a package that it needs, is not installed.
    """
    from importlib.metadata import entry_points

    found = list(entry_points(group=GROUP, name=kind))
    cause: ImportError | None = None
    if found:
        try:
            function: Any = found[0].load()
        except ImportError as error:
            cause = error
        else:
            return function  # type: ignore[no-any-return]
    msg = (
        f"Converting {'a checkpoint' if kind == 'checkpoint' else 'an ONNX export'} needs packages that are "
        f"not installed ({cause or f'no entry point {kind!r} in group {GROUP!r}'}): "
        "pip install 'sparkalbert[convert]'. Or convert where they are and pass the bundle's folder."
    )
    raise MissingDependencyError(msg) from cause


def cached_bundle(key: str) -> Bundle | None:
    """Return a bundle of the cache if it is there and whole, else None."""
    return _whole(_cache_folder(key))


def cached_bundles() -> list[Bundle]:
    """Return the bundles of the cache that are whole, sorted by folder."""
    folders = sorted((cache_home() / "bundles").glob(f"*/{MANIFEST_FILE}"))
    return [bundle for folder in folders if (bundle := _whole(folder.parent)) is not None]


def _cache_folder(key: str) -> Path:
    return cache_home() / "bundles" / key


def _whole(folder: Path) -> Bundle | None:
    try:
        return Bundle.open(folder)
    except BundleError:
        return None


@dataclass(frozen=True)
class Conversion:
    """A source folder, and how to convert it.

    Attributes
    ----------
    kind
        Which converter.
    source
        The folder.
    options
        The converter's keywords.
    origin
        What the manifest calls the source; None leaves the converter's choice.
    """

    kind: SourceKind
    source: Path
    options: Mapping[str, object]
    origin: str | None = None

    def run(self, target: Path) -> Bundle:
        """Convert, check every byte that was written, and return the bundle."""
        bundle: Bundle = converter(self.kind)(self.source, target, **self.options)
        if self.origin is not None:
            manifest = replace(bundle.manifest, source=self.origin)
            (target / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
        return Bundle.open(target).verify()


def converted_once(key: str, conversion: Conversion) -> Bundle:
    """Return a bundle of the cache, made if it is not there or damaged, by one process at a time.

    Parameters
    ----------
    key
        Name of the folder in the cache: what is converted, and how.
    conversion
        What makes it.

    Raises
    ------
    MissingDependencyError
        When the converter is not installed.
    OutputError
        When the cache cannot be written.
    """
    folder, home = _cache_folder(key), cache_home()
    bundle = _whole(folder)
    if bundle is not None:
        return bundle
    with exclusive(home, key):
        bundle = _whole(folder)
        if bundle is not None:
            return bundle
        work = home / "work" / key
        try:
            shutil.rmtree(work, ignore_errors=True)  # left by a process that was killed
            work.mkdir(parents=True)
            conversion.run(work / "bundle")
            folder.parent.mkdir(parents=True, exist_ok=True)
            if folder.exists():
                folder.rename(work / "damaged")
            (work / "bundle").rename(folder)
        except OSError as error:
            if isinstance(error, SparkAlbertError):
                raise
            msg = f"{folder} cannot be written: {error}. Set {HOME_VARIABLE} to a folder with room."
            raise OutputError(msg) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return Bundle.open(folder)
