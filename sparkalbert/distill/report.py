"""The figures of a model, measured on text that no one trained on, as a table.

It needs the teacher (torch, transformers) for its judgement of the texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sparkalbert.distill.evaluation import (
    Embed,
    EmbeddedWords,
    Figures,
    evaluate,
    read_news,
    read_word_pairs,
)
from sparkalbert.distill.sources import evaluation_folder, teacher_folder
from sparkalbert.distill.teacher import Teacher, device_of
from sparkalbert.text import WordTokenizer

__all__ = ["embed_with_teacher", "measure", "table"]

_ROWS = ("pairs_spearman", "recall_at_10", "wordsim_spearman", "simlex_spearman", "sense_accuracy")


def embed_with_teacher(teacher: Teacher) -> Embed:
    """Return a function that gives the teacher's own word vectors."""
    tokenizer = WordTokenizer()

    def embed(texts: Sequence[str]) -> list[EmbeddedWords]:
        spans = [tokenizer.tokenize(text) for text in texts]
        _, vectors = teacher.embed_words(texts, spans)
        return [
            EmbeddedWords([text[span.start : span.stop] for span in words], rows)
            for text, words, rows in zip(texts, spans, vectors, strict=True)
        ]

    return embed


def measure(models: Mapping[str, Embed], sources: Path) -> dict[str, Figures]:
    """Return the figures of each model.

    Parameters
    ----------
    models
        What to measure, by name.
    sources
        Where :func:`~sparkalbert.distill.sources.fetch_sources` put the teacher and gensim.
    """
    folder = evaluation_folder(sources)
    texts = read_news(folder)
    pairs = [read_word_pairs(folder / name) for name in ("wordsim353.tsv", "simlex999.txt")]
    told: npt.NDArray[np.float32] = Teacher(teacher_folder(sources), device_of()).embed(texts)
    return {name: evaluate(embed, texts, told, pairs) for name, embed in models.items()}


def table(figures: Mapping[str, Figures]) -> str:
    """Return figures as a Markdown table.

    Examples
    --------
    >>> print(table({"a": Figures(0.5, 0.25, 0.125, 1, 0)}))
    | model | pairs_spearman | recall_at_10 | wordsim_spearman | simlex_spearman | sense_accuracy |
    | --- | --- | --- | --- | --- | --- |
    | a | 0.500 | 0.250 | 0.125 | 1.000 | 0.000 |
    """
    lines = [["model", *_ROWS], ["---"] * (len(_ROWS) + 1)]
    lines += [[name, *(f"{value:.3f}" for value in row)] for name, row in figures.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
