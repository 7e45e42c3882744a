"""Saves and loads stages on every Spark session, classic and Connect, completely or not at all.

pyspark's own writer fails on ``overwrite()`` on Connect, and replaces a folder file by file. This one writes the same
metadata layout, so that either can read the other's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from pyspark.ml.param import Params
from pyspark.ml.util import (
    DefaultParamsReader,
    DefaultParamsWriter,
    MLReadable,
    MLReader,
    MLWritable,
    MLWriter,
)
from pyspark.sql import SparkSession

from sparkalbert.errors import InputError, OutputError
from sparkalbert.ml.failures import raise_input_errors, raise_job_errors
from sparkalbert.ml.files import literal_path, remote_files, spark_folder, spark_path
from sparkalbert.ml.stages.spark_nlp_model import is_spark_nlp
from sparkalbert.storage.folders import FileSystem, FolderKind

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MODEL_FOLDER", "StageReadWrite", "StageReader", "StageWriter"]

MODEL_FOLDER: Final = "bundle"
"""The folder of a stage's model, inside that of the saved stage."""

_METADATA: Final = "metadata"
_FOLDERS: Final = {_METADATA, MODEL_FOLDER}
"""The folders of a saved stage. Pipelines, other models and tables have metadata too, but also other folders."""

_PART: Final = "part-"
"""How the names of Spark's text files begin."""

_KEYS: Final = {"class", "uid", "paramMap"}
_OVERWRITE_HINT: Final = "Use write().overwrite().save(path) to replace it"

T = TypeVar("T", bound="StageReadWrite")


def _saved_stage(files: FileSystem) -> FolderKind:
    """Return how to recognize a saved stage: Spark writes the success file of its metadata last."""
    return FolderKind(
        f"{_METADATA}/_SUCCESS",
        is_ours=partial(_is_saved_stage, files),
        overwrite_hint=_OVERWRITE_HINT,
    )


def _is_saved_stage(files: FileSystem, folder: str) -> bool:
    """Return whether a folder holds a saved stage: metadata that Spark wrote, and no folder of another kind."""
    others = set(_names(files, folder)) - _FOLDERS
    has_metadata = any(name.startswith(_PART) for name in _names(files, f"{folder}/{_METADATA}"))
    return has_metadata and not any(_names(files, f"{folder}/{name}") for name in others)


def _names(files: FileSystem, path: str) -> list[str]:
    """Return the names in a folder; none if it is a file, or does not exist."""
    try:
        return files.names(path) if files.exists(path) else []
    except NotADirectoryError:
        return []


def _is_remote_stage(spark: SparkSession, target: str, files: Sequence[str]) -> bool:
    """Return whether a folder that only the Connect server sees holds a saved stage, given paths of its files."""
    for path in remote_files(spark, f"{target}/{_METADATA}"):
        root, _, name = path.rpartition(f"/{_METADATA}/")  # of the folder, as Spark spells it
        if name.startswith(_PART):
            inner = [file.removeprefix(f"{root}/").partition("/") for file in files]
            return {first for first, _, rest in inner if rest} <= _FOLDERS
    return False


def _check_remote(spark: SparkSession, target: str, *, overwrite: bool) -> None:
    """Check a folder that only the Connect server sees. Of such a folder only the metadata can be replaced."""
    found = remote_files(spark, target)
    ours = bool(found) and _is_remote_stage(spark, target, found)
    if found and not (ours and overwrite):
        hint = _OVERWRITE_HINT if ours else "Choose another folder"
        msg = f"{target} already exists. {hint}."
        raise OutputError(msg)


class StageWriter(MLWriter):
    """Writes a stage's Params as ``metadata/``, beside the files that the stage adds."""

    def __init__(self, stage: StageReadWrite) -> None:
        super().__init__()
        self._stage = stage

    def saveImpl(self, path: str) -> None:
        """Write the stage to `path`; see :meth:`save`."""
        self.save(path)

    def save(self, path: str) -> None:
        """Write the stage to `path`; after :meth:`overwrite`, a saved stage there is replaced.

        Raises
        ------
        OutputError
            If `path` exists and must not be replaced, or cannot be written.
        """
        spark, overwrite = _session(self), self.shouldOverwrite
        check_remote = partial(_check_remote, spark, overwrite=overwrite)
        written = spark_folder(spark, path, _saved_stage, overwrite=overwrite, check_remote=check_remote)
        with raise_job_errors(), written as (folder, files):
            extra = self._stage._save_files(folder, files)  # noqa: SLF001 - the protocol of the two classes
            metadata = DefaultParamsWriter._get_metadata_to_save(self._stage, spark, extra)  # noqa: SLF001
            frame = spark.createDataFrame([(metadata,)], "value string").coalesce(1)
            mode = "overwrite" if files is None and overwrite else "error"
            frame.write.mode(mode).text(f"{folder}/{_METADATA}")


class StageReader(MLReader[T]):
    """Reads what :class:`StageWriter` or pyspark's own writer wrote."""

    def __init__(self, stage_class: type[T]) -> None:
        super().__init__()
        self._class = stage_class

    def load(self, path: str) -> T:
        """Return the stage saved in `path`.

        Raises
        ------
        InputError
            If there is no saved stage of this class.
        """
        spark = _session(self)
        folder = spark_path(spark, path.rstrip("/") or path)
        unsaved = self._class._from_other_folder(folder, spark)  # noqa: SLF001
        if unsaved is not None:
            return unsaved
        return self._class._from_metadata(self._metadata(spark, folder), spark, folder)  # noqa: SLF001

    def _metadata(self, spark: SparkSession, folder: str) -> dict[str, Any]:
        hint = self._class._load_hint  # noqa: SLF001
        with raise_input_errors(f"There is no saved {self._class.__name__} in {folder}", hint):
            rows = spark.read.text(literal_path(f"{folder}/{_METADATA}")).collect()
        try:
            metadata = json.loads("\n".join(row[0] for row in rows))
        except (ValueError, RecursionError):
            metadata = None
        if not isinstance(metadata, dict) or not metadata.keys() >= _KEYS:
            msg = f"{folder}/{_METADATA} is not the metadata of a saved stage. Save the stage again."
            raise InputError(msg)
        return metadata


class StageReadWrite(Params, MLReadable[Any], MLWritable):
    """Gives a stage ``write()``, ``save()``, ``read()`` and ``load()``."""

    _load_hint: ClassVar[str] = ""
    """What to call instead if ``load()`` finds no saved stage."""

    def write(self) -> StageWriter:
        """Return a writer: ``stage.write().overwrite().save(path)``."""
        return StageWriter(self)

    @classmethod
    def read(cls) -> StageReader[Self]:
        """Return a reader: ``Stage.read().load(path)``."""
        return StageReader(cls)

    @classmethod
    def _from_other_folder(cls, path: str, spark: SparkSession) -> Self | None:  # noqa: ARG003
        """Return the stage of a folder that is not a saved stage, None if it may be one."""
        return None

    @classmethod
    def _from_metadata(cls, metadata: dict[str, Any], spark: SparkSession, path: str) -> Self:
        """Return the stage that saved metadata describes."""
        found, package = str(metadata["class"]), cls.__module__.partition(".")[0]
        if is_spark_nlp(metadata):
            # Spark NLP keeps rules and dictionaries beside the Params: they would be lost silently.
            msg = (
                f"The stage saved in {path} is Spark NLP's {found}. Only its AlbertEmbeddings can be loaded "
                "(AlbertEmbeddings.load); build any other stage again with sparkalbert's class of that name, which has "
                "the same Params."
            )
            raise InputError(msg)
        # The modules between the two may have other names in the version that saved it.
        if (found.partition(".")[0], found.rpartition(".")[2]) != (package, cls.__name__):
            msg = f"The stage saved in {path} is a {found}. Load it with that class, not with {package}.{cls.__name__}."
            raise InputError(msg)
        stage = cls()
        params = {**metadata["paramMap"], **metadata.get("defaultParamMap", {})}
        unknown = [name for name in params if not stage.hasParam(name)]
        if unknown:
            msg = (
                f"The {cls.__name__} saved in {path} has the Params {', '.join(unknown)}, which this version of "
                "sparkalbert does not know. Load it with the version that saved it."
            )
            raise InputError(msg)
        stage._resetUid(metadata["uid"])
        try:
            DefaultParamsReader.getAndSetParams(stage, metadata)
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            msg = f"The metadata of the stage saved in {path} is malformed ({error}). Save the stage again."
            raise InputError(msg) from error
        stage._load_files(metadata, spark, path)
        return stage

    def _save_files(self, folder: str, files: FileSystem | None) -> dict[str, Any] | None:
        """Write what the Params do not contain, and return extra entries for the metadata.

        Parameters
        ----------
        folder
            The folder to write to, as Spark takes it.
        files
            Its file system; None if only Spark can reach it.
        """
        return None

    def _load_files(self, metadata: dict[str, Any], spark: SparkSession, path: str) -> None:
        """Read what :meth:`_save_files` wrote."""


def _session(reader_or_writer: MLReader[Any] | MLWriter) -> SparkSession:
    spark = reader_or_writer._sparkSession or SparkSession.getActiveSession()  # noqa: SLF001
    return spark if spark is not None else SparkSession.builder.getOrCreate()
