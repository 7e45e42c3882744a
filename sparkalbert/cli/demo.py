"""The command ``demo``: the model card's pipeline on a sample text, and what came out of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import typer
from rich.table import Table

from sparkalbert.cli.embed import show_note, summary_line
from sparkalbert.cli.screen import OUTPUT, shown_progress

__all__ = ["demo"]

Float32Array = npt.NDArray[np.float32]

_SAMPLE: Final = Path(__file__).with_name("sample.txt")
_SHOWN_TEXTS: Final = (0, 2)
_CONTEXT_WORDS: Final = 3
_SHOWN_NUMBERS: Final = 4
_TWO_SENSES: Final = ("bank", "bat", "spring")
_PROBES: Final = ("surgeon", "violins", "judge", "soup", "galaxy")
_NEIGHBOURS: Final = 3


@dataclass(frozen=True)
class _Words:
    """Every word of the sample: the row it is in, lower-cased, and its vector scaled to length 1.

    ``unit`` is float32 ``[words, dimension]``.
    """

    row: list[int]
    token: list[str]
    unit: Float32Array

    @classmethod
    def of(cls, rows: Sequence[dict[str, Any]]) -> _Words:
        pairs = [(row, token) for row, content in enumerate(rows) for token in content["tokens"]]
        vectors = np.array([vector for content in rows for vector in content["vectors"]], dtype=np.float32)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
        return cls([row for row, _ in pairs], [token.lower() for _, token in pairs], unit)

    def places(self, word: str) -> list[int]:
        return [place for place, token in enumerate(self.token) if token == word]

    def context(self, place: int) -> str:
        """Return a word with its neighbours of the same row."""
        near = range(max(0, place - _CONTEXT_WORDS), min(len(self.row), place + _CONTEXT_WORDS + 1))
        return " ".join(self.token[one] for one in near if self.row[one] == self.row[place])

    def nearest(self, place: int, among: Sequence[int]) -> list[tuple[int, float]]:
        """Return places and cosines, nearest first."""
        cosines = self.unit[list(among)] @ self.unit[place]
        order = np.argsort(-cosines, kind="stable")
        return [(among[index], float(cosines[index])) for index in order]


def demo(
    output: Annotated[
        str, typer.Option("--output", "-o", help="Folder for the Parquet files.")
    ] = "demo-output",
    model: Annotated[str, typer.Option("--model", "-m", help="A model's name or folder.")] = "albert_mini_en",
) -> None:
    """Turn a sample text into vectors with Spark, show them and write Parquet."""
    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.embed_job import VectorTarget, embed_texts
    from sparkalbert.ml.spark_session import spark_session
    from sparkalbert.ml.text_source import TextSource

    stage = AlbertEmbeddings.pretrained(model)
    OUTPUT.print("text -> DocumentAssembler -> SentenceDetector -> Tokenizer -> AlbertEmbeddings -> vectors")
    with spark_session("local[*]") as opened:
        OUTPUT.print(opened.origin, highlight=False, soft_wrap=True)
        source, target = TextSource(f"file:{_SAMPLE}", "text"), VectorTarget(output, overwrite=True)
        with shown_progress("Embedding the sample") as report:
            summary = embed_texts(opened.spark, stage, source, target, report)
    rows = _read(output)
    OUTPUT.print(_vector_table(rows))
    show_note(stage)
    _show_neighbours(_Words.of(rows))
    OUTPUT.print(f"\n{summary_line(summary)}", highlight=False)
    OUTPUT.print(f"Parquet: {output} (columns {', '.join(rows[0])})", highlight=False, soft_wrap=True)


def _read(folder: str) -> list[dict[str, Any]]:
    """Read what Spark wrote, as any other program would, in the order of the sample."""
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(folder).to_pylist()
    order = {text: number for number, text in enumerate(_SAMPLE.read_text(encoding="utf-8").splitlines())}
    return sorted(rows, key=lambda row: order[row["text"]])


def _vector_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="One vector for each token", title_justify="left", pad_edge=False)
    for name in ("token", "begin", "end"):
        table.add_column(name, justify="left" if name == "token" else "right")
    dimension = len(rows[0]["vectors"][0])
    table.add_column(f"first {_SHOWN_NUMBERS} of {dimension} numbers")
    for row in (rows[number] for number in _SHOWN_TEXTS):
        table.add_section()
        for token, begin, end, vector in zip(
            row["tokens"], row["begin"], row["end"], row["vectors"], strict=True
        ):
            numbers = " ".join(f"{number:8.4f}" for number in vector[:_SHOWN_NUMBERS])
            table.add_row(token, str(begin), str(end), numbers)
    return table


def _show_neighbours(words: _Words) -> None:
    senses = Table("the word in", "is nearest to the one in", "cosine", pad_edge=False)
    senses.title, senses.title_justify = "Words with two senses", "left"
    for row in _senses(words):
        senses.add_row(*row)
    OUTPUT.print(senses)
    OUTPUT.print("\nNearest other words", style="italic")
    for probe in _PROBES:
        OUTPUT.print(f"  {probe}: {_neighbours(words, probe)}", highlight=False)


def _senses(words: _Words) -> Iterator[tuple[str, str, str]]:
    for word in _TWO_SENSES:
        places = words.places(word)
        for place in places:
            other, cosine = words.nearest(place, [one for one in places if one != place])[0]
            yield words.context(place), words.context(other), f"{cosine:.2f}"


def _neighbours(words: _Words, probe: str) -> str:
    (place, *_) = words.places(probe)
    others = [one for one, token in enumerate(words.token) if token != probe and token.isalpha()]
    best: dict[str, float] = {}
    for other, cosine in words.nearest(place, others):
        best.setdefault(words.token[other], cosine)
    shown = list(best.items())[:_NEIGHBOURS]
    return ", ".join(f"{token} {cosine:.2f}" for token, cosine in shown)
