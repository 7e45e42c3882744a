"""The metadata of an ``AlbertEmbeddings`` that Spark NLP saved: Params, uid and the origin of its vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sparkalbert.errors import CheckpointError

__all__ = ["SavedStage", "is_spark_nlp"]

_PACKAGE: Final = "com.johnsnowlabs."
_CLASS: Final = "AlbertEmbeddings"
_MODEL_PARAMS: Final = frozenset({"dimension", "engine"})
"""Params that follow from the model here."""


@dataclass(frozen=True)
class SavedStage:
    """An ``AlbertEmbeddings`` as Spark NLP's metadata describes it.

    Attributes
    ----------
    uid
        Its uid.
    params
        The Params that were set, without those that follow from the model. ``storageRef`` is always included: Spark NLP
        uses the uid by default.
    """

    uid: str
    params: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> SavedStage | None:
        """Read the metadata of a local model folder; None if Spark NLP did not save it.

        Raises
        ------
        CheckpointError
            If the metadata cannot be read or is another stage's.
        """
        parts = sorted(folder.glob("metadata/part-*"))
        if not parts:
            return None
        try:
            metadata = json.loads(parts[0].read_text(encoding="utf-8"))
            if not is_spark_nlp(metadata):
                return None
            name = metadata["class"].rpartition(".")[2]
            params = {"storageRef": metadata["uid"], **metadata["paramMap"]}
            stage = cls(metadata["uid"], {key: params[key] for key in params.keys() - _MODEL_PARAMS})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            msg = (
                f"{parts[0]} is not the metadata of a saved stage ({type(error).__name__}: {error}). Copy "
                "the folder again."
            )
            raise CheckpointError(msg) from error
        if name != _CLASS:
            msg = f"{folder} contains Spark NLP's {name}, expected {_CLASS}."
            raise CheckpointError(msg)
        return stage


def is_spark_nlp(metadata: Mapping[str, Any]) -> bool:
    """Return whether Spark NLP saved a stage."""
    return str(metadata["class"]).startswith(_PACKAGE)
