"""Runs the system that people write today: a pandas UDF around Hugging Face's AlbertModel on torch.

It follows the tutorials: eight rows per batch, padded to the longest, lists of lists as output, the model in a global
of the worker. It returns a vector per piece, not per word, and truncates rows to 512 pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkalbert.errors import MissingDependencyError
from sparkalbert.ml.bench.pipeline import write
from sparkalbert.ml.bench.rows import CachedPrefixes, cached_rows
from sparkalbert.ml.session.spark_session import QUIET, start

__all__ = ["NaiveUdfSystem"]

_BATCH_ROWS: Final = 8
_MAX_PIECES: Final = 512


class NaiveUdfSystem:
    """The naive UDF over whole rows, into ``noop``.

    Parameters
    ----------
    checkpoint
        A Hugging Face folder.
    texts, warm_up_texts
        The texts to embed, and a small part of them.
    cores
        Number of tasks that run at a time.

    Raises
    ------
    MissingDependencyError
        If torch or transformers is not installed.
    """

    def __init__(self, checkpoint: str, texts: Sequence[str], warm_up_texts: Sequence[str], cores: int) -> None:
        try:
            import torch
            import transformers
        except ImportError as error:
            msg = f"the naive UDF requires torch and transformers: {error}"
            raise MissingDependencyError(msg) from error
        self._versions = f"torch {torch.__version__}, transformers {transformers.__version__}"
        self._checkpoint = checkpoint
        self._texts, self._warm_up_texts = texts, warm_up_texts
        self._cores = cores

    def load(self) -> dict[str, Any]:
        """Start Spark."""
        self._spark = start(master=f"local[{self._cores}]", params=QUIET)
        functions: Any = F
        self._column: Column = functions.pandas_udf(_embed_with(self._checkpoint), "array<array<float>>")("text")
        self._prefixes = CachedPrefixes(self._spark, self._texts, self._cores)
        self._warm_up = self._with_vectors(cached_rows(self._spark, self._warm_up_texts, self._cores))
        return {"settings": f"tasks at a time: {self._cores}, rows per batch: {_BATCH_ROWS}, {self._versions}"}

    def _with_vectors(self, rows: DataFrame) -> DataFrame:
        return rows.withColumn("vectors", self._column)

    def warm_up(self) -> None:
        """Embed a few rows; there are no words to count."""
        write(self._warm_up, "noop", "")

    def take(self, rows: int) -> None:
        """Cache the first rows."""
        self._taken = self._with_vectors(self._prefixes.first(rows))

    def embed(self) -> None:
        """Embed the rows."""
        write(self._taken, "noop", "")

    def measurements(self) -> dict[str, Any]:
        """Return nothing: the UDF does not measure itself."""
        return {}


def _embed_with(checkpoint: str) -> Callable[[pd.Series], pd.Series]:
    def embed(texts: pd.Series) -> pd.Series:
        return _embed(checkpoint, texts)

    return embed


def _embed(checkpoint: str, texts: pd.Series) -> pd.Series:
    import torch

    tokenizer, model = _loaded(checkpoint)
    vectors = []
    for first in range(0, len(texts), _BATCH_ROWS):
        rows = list(texts[first : first + _BATCH_ROWS])
        batch = tokenizer(rows, padding=True, truncation=True, max_length=_MAX_PIECES, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**batch).last_hidden_state
        masks = batch["attention_mask"].bool()
        vectors += [row[mask].tolist() for row, mask in zip(hidden, masks, strict=True)]
    return pd.Series(vectors)


@lru_cache(maxsize=1)
def _loaded(checkpoint: str) -> tuple[Any, Any]:
    from transformers import AlbertModel, AlbertTokenizer

    tokenizer = AlbertTokenizer.from_pretrained(checkpoint)
    return tokenizer, AlbertModel.from_pretrained(checkpoint, add_pooling_layer=False).eval()
