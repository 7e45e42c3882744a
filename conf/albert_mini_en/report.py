"""Measures models on the evaluation data, on which nothing was trained, and formats the figures as a table.

The teacher's vectors of the texts are the reference, so :func:`measure` requires torch and transformers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparkalbert.errors import InputError
from sparkalbert.offsets import span_array
from sparkalbert.text import SentenceSplitter, WordTokenizer

from .figures import Embed, EmbeddedWords, Figures, evaluate
from .sources import EVALUATION, TEACHER

if TYPE_CHECKING:
    from sparkalbert.distill.teacher import Teacher

__all__ = ["embed_with_teacher", "measure", "read_news", "read_word_pairs", "table"]

_MIN_NEWS_WORDS = 4
_PAIR_FIELDS = 3


def measure(models: Mapping[str, Embed], sources: Path) -> dict[str, Figures]:
    """Return the figures of each model.

    Parameters
    ----------
    models
        The models by name.
    sources
        The folder of the downloads, see :func:`.sources.fetch_sources`.

    Raises
    ------
    InputError
        If the evaluation data is missing.
    """
    folder = EVALUATION.folder(sources)
    if not folder.is_dir():
        msg = (
            f"{sources} has no evaluation data ({EVALUATION.package} {EVALUATION.version}). Fetch the sources first: "
            f"python conf/albert_mini_en fetch --sources {sources}"
        )
        raise InputError(msg)
    from sparkalbert.distill.teacher import Teacher, device_of

    texts = read_news(folder)
    pairs = [read_word_pairs(folder / name) for name in ("wordsim353.tsv", "simlex999.txt")]
    teacher_vectors = Teacher(TEACHER.folder(sources), device_of()).embed(texts)
    return {name: evaluate(embed, texts, teacher_vectors, pairs) for name, embed in models.items()}


def embed_with_teacher(teacher: Teacher) -> Embed:
    """Return a function that returns the teacher's own word vectors."""
    tokenizer = WordTokenizer()

    def embed(texts: Sequence[str]) -> list[EmbeddedWords]:
        spans = [span_array(tokenizer.tokenize(text)) for text in texts]
        _, vectors = teacher.embed_words(texts, spans)
        return [
            EmbeddedWords([text[start:stop] for start, stop in words.tolist()], rows)
            for text, words, rows in zip(texts, spans, vectors, strict=True)
        ]

    return embed


def read_news(folder: Path) -> list[str]:
    """Return the sentences of the Lee news collections in gensim's test data."""
    splitter = SentenceSplitter()
    found: dict[str, None] = {}
    for name in ("lee_background.cor", "lee.cor"):
        for line in (folder / name).read_text(encoding="latin-1").splitlines():
            for start, stop in splitter.split(line):
                text = line[start:stop].strip()
                if len(text.split()) >= _MIN_NEWS_WORDS:  # shorter lines are headings and scores
                    found[text] = None
    return list(found)


def read_word_pairs(path: Path) -> list[tuple[str, str, float]]:
    """Return the pairs of words in a list, with the similarity that people see."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row[0], row[1], float(row[2])) for row in rows if len(row) == _PAIR_FIELDS and not row[0].startswith("#")]


def table(figures: Mapping[str, Figures]) -> str:
    """Return figures as a Markdown table."""
    lines = [["model", *Figures._fields], ["---"] * (len(Figures._fields) + 1)]
    lines += [[name, *(f"{value:.3f}" for value in row)] for name, row in figures.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
