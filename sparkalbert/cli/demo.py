"""The command ``demo``: embeds a sample text with Spark, shows the result and draws a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from sparkalbert.cli.embed import print_note, summary_line
from sparkalbert.cli.files import SAMPLE, check_folder_target, check_target, named_path, reported_on_interrupt
from sparkalbert.cli.options import Model
from sparkalbert.cli.screen import OUTPUT, print_line, shown_progress
from sparkalbert.cli.session import command_session
from sparkalbert.errors import MissingDependencyError, OutputError
from sparkalbert.models import find_model
from sparkalbert.storage.paths import file_uri, local_path

__all__ = ["demo"]

_SHOWN_TEXT: Final = 0
_SHOWN_NUMBERS: Final = 4


def demo(
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for the Parquet files.")] = "demo-output",
    model: Model = "albert_mini_en",
) -> None:
    """Turn a sample text into vectors with Spark, show them, write Parquet and draw a picture."""
    from sparkalbert.cli.neighbours import show_neighbours
    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
    from sparkalbert.ml.job.text_source import TextSource

    folder = _local_folder(output)
    picture = folder.parent / f"{folder.name}.png"
    check_folder_target(folder, "--output")
    if picture.parent.exists():
        check_target(picture, "The picture")
    _check_replaceable(folder, picture)
    bundle = find_model(model)
    stage = AlbertEmbeddings.pretrained(str(bundle.path))
    print_line("text -> DocumentAssembler -> SentenceDetector -> Tokenizer -> AlbertEmbeddings -> vectors")
    with command_session("local[*]") as opened:
        print_line(opened.origin)
        source = TextSource(file_uri(SAMPLE), "text")
        # A URI, because a path without a scheme may be in another file system, where nothing was checked.
        target = VectorTarget(file_uri(folder.absolute()), overwrite=True)
        with reported_on_interrupt(folder), shown_progress("Embedding the sample") as report:
            summary = embed_texts(opened.spark, stage, source, target, report)
    rows = _read(folder)
    OUTPUT.print(_vector_table(rows))
    print_note(bundle)
    show_neighbours(rows)
    print_line(f"\n{summary_line(summary)}")
    print_line(f"Parquet: {folder} (columns {', '.join(rows[0])})")
    with reported_on_interrupt(picture):
        print_line(_draw(str(bundle.path), picture))


def _local_folder(output: str) -> Path:
    """Return the folder that ``--output`` names on this machine's file system, as a path or a ``file:`` URI."""
    folder = local_path(output) if output else None
    if folder is None:
        msg = (
            f"--output is {output!r}, expected a folder of this machine, because the demo reads its result. To write "
            "elsewhere, use `sparkalbert embed`."
        )
        raise OutputError(msg)
    return named_path(folder)


def _check_replaceable(folder: Path, picture: Path) -> None:
    """Check that a folder and the picture beside it, if they exist, are those of an earlier demo."""
    existing = [path for path in (folder, picture) if path.exists()]
    is_empty = existing == [folder] and not any(folder.iterdir())
    if existing and not is_empty and not _is_demo(folder):
        msg = (
            f"{existing[0]} already exists, and {folder} is not the result of an earlier demo. Remove {existing[0]} "
            "first, or choose another folder."
        )
        raise OutputError(msg)


def _is_demo(folder: Path) -> bool:
    """Return whether a folder holds the texts of the sample, and nothing else; its vectors are not read."""
    from pyarrow import ArrowException, dataset

    texts = SAMPLE.read_text(encoding="utf-8").splitlines()
    try:
        found = dataset.dataset(folder, format="parquet")
        if found.count_rows() != len(texts):
            return False
        return sorted(found.to_table(columns=["text"])["text"].to_pylist()) == sorted(texts)
    except (OSError, TypeError, ArrowException):
        return False


def _draw(model: str, target: Path) -> str:
    """Draw the picture if matplotlib is installed, and return a line about it."""
    from sparkalbert.cli.picture import draw_picture

    try:
        draw_picture(model, target)
    except MissingDependencyError as error:
        return f"Picture: none. {error}"
    return f"Picture: {target} (uses of a word, words and sentences; near each other if their vectors are)"


def _read(folder: Path) -> list[dict[str, Any]]:
    """Read the rows that Spark wrote, as any other program can, in the order of the sample."""
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(folder).to_pylist()
    order = {text: number for number, text in enumerate(SAMPLE.read_text(encoding="utf-8").splitlines())}
    return sorted(rows, key=lambda row: order[row["text"]])


def _vector_table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="One vector for each token of the first text", title_justify="left", pad_edge=False)
    for name in ("token", "begin", "end"):
        table.add_column(name, justify="left" if name == "token" else "right")
    dimension = len(rows[0]["vectors"][0])
    table.add_column(f"first {_SHOWN_NUMBERS} of {dimension} numbers")
    row = rows[_SHOWN_TEXT]
    for token, begin, end, vector in zip(row["tokens"], row["begin"], row["end"], row["vectors"], strict=True):
        numbers = " ".join(f"{number:8.4f}" for number in vector[:_SHOWN_NUMBERS])
        table.add_row(token, str(begin), str(end), numbers)
    return table
