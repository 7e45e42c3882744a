"""The command ``demo``: the model card's pipeline on a sample text, what came out of it, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from sparkalbert.cli.embed import show_note, summary_line
from sparkalbert.cli.sample import SAMPLE
from sparkalbert.cli.screen import OUTPUT, shown_progress

__all__ = ["demo"]

_SHOWN_TEXTS: Final = (0, 2)
_SHOWN_NUMBERS: Final = 4


def demo(
    output: Annotated[
        str, typer.Option("--output", "-o", help="Folder for the Parquet files.")
    ] = "demo-output",
    model: Annotated[str, typer.Option("--model", "-m", help="A model's name or folder.")] = "albert_mini_en",
) -> None:
    """Turn a sample text into vectors with Spark, show them, write Parquet and draw a picture."""
    from sparkalbert.cli.neighbours import show_neighbours
    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
    from sparkalbert.ml.job.text_source import TextSource
    from sparkalbert.ml.session.spark_session import spark_session

    stage = AlbertEmbeddings.pretrained(model)
    stages = "DocumentAssembler -> SentenceDetector -> Tokenizer -> AlbertEmbeddings"
    OUTPUT.print(f"text -> {stages} -> vectors", soft_wrap=True)
    with spark_session("local[*]") as opened:
        OUTPUT.print(opened.origin, highlight=False, soft_wrap=True)
        source, target = TextSource(f"file:{SAMPLE}", "text"), VectorTarget(output, overwrite=True)
        with shown_progress("Embedding the sample") as report:
            summary = embed_texts(opened.spark, stage, source, target, report)
    rows = _read(output)
    OUTPUT.print(_vector_table(rows))
    show_note(stage)
    show_neighbours(rows)
    OUTPUT.print(f"\n{summary_line(summary)}", highlight=False)
    OUTPUT.print(f"Parquet: {output} (columns {', '.join(rows[0])})", highlight=False, soft_wrap=True)
    OUTPUT.print(_picture_line(model, Path(f"{output}.png")), highlight=False, soft_wrap=True)


def _picture_line(model: str, target: Path) -> str:
    """Draw the picture, if it can be drawn, and return what to say of it."""
    from sparkalbert.cli.picture import draw_picture

    try:
        draw_picture(model, target)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        return "Picture: none, it needs matplotlib: pip install 'sparkalbert[plot]'"
    return f"Picture: {target} (words, uses of a word and sentences; near each other where their vectors are)"


def _read(folder: str) -> list[dict[str, Any]]:
    """Read what Spark wrote, as any other program would, in the order of the sample."""
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(folder).to_pylist()
    order = {text: number for number, text in enumerate(SAMPLE.read_text(encoding="utf-8").splitlines())}
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
