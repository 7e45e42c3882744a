"""Reads the text files that Spark NLP calls external resources: exceptions, slang, phrases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import DataFrame

from sparkalbert.errors import ParamError
from sparkalbert.ml.failures import raise_input_errors
from sparkalbert.ml.files import literal_path
from sparkalbert.storage.paths import local_path

__all__ = ["ReadAs", "check_text_resource", "text_lines"]


class ReadAs:
    """How Spark NLP's setters of text files read them, such as ``setEntities(path, ReadAs.TEXT)``.

    sparkalbert reads text, for which ``TEXT`` and ``SPARK`` are the same; ``BINARY`` is refused.
    """

    BINARY = "BINARY"
    SPARK = "SPARK"
    TEXT = "TEXT"


def check_text_resource(param: str, read_as: str, options: Mapping[str, str] | None) -> None:
    """Check that Spark NLP would read a file as text; raises ParamError otherwise, which names the Param."""
    if read_as not in {ReadAs.TEXT, ReadAs.SPARK} or (options or {}).get("format", "text") != "text":
        msg = (
            f"{param} is read as text, found read_as {read_as!r} and options {options!r}. "
            'Use read_as "TEXT" and options {"format": "text"}.'
        )
        raise ParamError(msg)


def text_lines(dataset: DataFrame | None, path: str, param: str) -> list[str]:
    """Return the lines of a UTF-8 file that are not empty.

    Parameters
    ----------
    dataset
        What a stage is fitted on; its session reads files that are not on the driver.
    path
        On the driver's file system, or a URI that Spark reads.
    param
        The Param that names the file, for the error message.

    Raises
    ------
    ParamError
        If the driver has no such UTF-8 file, or if Spark has to read it and there is no dataset.
    InputError
        If Spark cannot read it.
    """
    local = local_path(path)
    if local is not None:
        text = _local_text(local, path, param)
    elif dataset is None:
        msg = f"{param}: {path} is read by Spark. Fit the pipeline on a DataFrame, or name a file here."
        raise ParamError(msg)
    else:
        with raise_input_errors(f"{param}: {path} cannot be read"):
            rows = dataset.sparkSession.read.text(literal_path(path), wholetext=True).collect()
        text = "\n".join(row[0] for row in rows)
    return [line for line in re.split(r"\r\n|\r|\n", text) if line]


def _local_text(local: Path, path: str, param: str) -> str:
    try:
        if not local.is_file():
            msg = f"{param}: found no file {path} on the driver. Name a UTF-8 text file."
            raise ParamError(msg)
        return local.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{param}: {path} cannot be read as UTF-8 text ({error}). Name a UTF-8 text file."
        raise ParamError(msg) from error
