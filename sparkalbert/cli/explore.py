"""The command ``explore``: turns the output of ``embed`` into a page to look at in a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

import typer

from sparkalbert.cli.files import check_not_input, check_target, named_path, reported_on_interrupt, whole_file
from sparkalbert.cli.screen import ShowCount, print_line, shown_count, shown_wait, size_in_words
from sparkalbert.errors import InputError, OutputError, ParamError
from sparkalbert.storage.paths import is_folder

if TYPE_CHECKING:
    from sparkalbert.vectors import BinaryFormat

__all__ = ["explore"]

_ROWS: Final = 1000


def explore(
    source: Annotated[Path, typer.Argument(metavar="OUTPUT", help="A Parquet file or folder that `embed` wrote.")],
    page: Annotated[
        Path | None, typer.Option("--page", "-p", help="The HTML file to write. By default OUTPUT with .html added.")
    ] = None,
    max_points: Annotated[
        int, typer.Option(min=2, help="Largest number of words. Of more, this many are drawn at random.")
    ] = 20_000,
    method: Annotated[
        Literal["pca", "umap"],
        typer.Option(help="pca: the two main directions of the vectors. umap: neighbourhoods; requires umap-learn."),
    ] = "pca",
    token_col: Annotated[str | None, typer.Option(help="Column with the tokens. By default it is recognized.")] = None,
    vector_col: Annotated[
        str | None, typer.Option(help="Column with the vectors or annotations. By default it is recognized.")
    ] = None,
    vectors: Annotated[
        Literal["binary", "binary16"] | None,
        typer.Option(
            help="Format of vectors that are bytes: what was passed to `embed --vectors`. By default what the summary "
            "beside the vectors reports."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page.")] = False,
) -> None:
    """Write a page on which word vectors are points: hover to read a sentence, search for words, zoom.

    The page is one file that works without a network. It contains the sentences of the words that it shows.
    """
    from sparkalbert.plots.page import page_of
    from sparkalbert.plots.words import sample_words

    source = named_path(source)
    target = page or source.parent / f"{source.name}.html"
    check_not_input(target, "--page", str(source))
    if target.is_file() and not overwrite:
        msg = f"{target} already exists. Pass --overwrite to replace it, or choose another file with --page."
        raise OutputError(msg)
    check_target(target, "--page")
    vector_format = _vector_format(source, vectors)
    with reported_on_interrupt(target), shown_count("Reading", "rows") as show:
        words, total = sample_words(
            _frames(source, show),
            max_points,
            token_col=token_col,
            vector_col=vector_col,
            vector_format=vector_format,
        )
    with reported_on_interrupt(target), shown_wait(f"Projecting {len(words):,} words"):
        content = page_of(words, source.name, method, total=total)
    with whole_file(target) as path:
        path.write_text(content, encoding="utf-8")
    print_line(f"Page: {target} ({len(words):,} of {total:,} words, {size_in_words(target.stat().st_size)})")


def _vector_format(source: Path, given: BinaryFormat | None) -> BinaryFormat | None:
    """Return the format of vectors that are bytes: that of the option, or of the summary beside the vectors.

    Raises
    ------
    ParamError
        If they differ.
    """
    from sparkalbert.vectors import SUMMARY_FILE

    summary = (source if is_folder(source) else source.parent) / SUMMARY_FILE
    reported = _reported_format(summary)
    if given is not None and reported not in {None, given}:
        msg = f"--vectors is {given}, but {summary} reports {reported}. Leave --vectors out."
        raise ParamError(msg)
    return given or reported


def _reported_format(path: Path) -> BinaryFormat | None:
    """Return the format of bytes that a summary of `embed` reports; None if there is none."""
    from sparkalbert.vectors import BinaryFormat

    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    found = summary.get("vectors") if isinstance(summary, dict) else None
    return found if found in get_args(BinaryFormat) else None


def _frames(source: Path, show: ShowCount) -> Iterator[Any]:
    """Yield Parquet files as pandas DataFrames of some rows each, and show how many rows are used up."""
    import pyarrow as pa
    from pyarrow import dataset

    try:
        rows = dataset.dataset(source, format="parquet")
        done, total = 0, rows.count_rows()  # Parquet stores the number
        for batch in rows.to_batches(batch_size=_ROWS):
            yield batch.to_pandas()
            done += len(batch)
            show(done, total)
    except (OSError, pa.ArrowException) as error:
        # Arrow quotes a string that is not valid UTF-8, and our messages never contain the user's text.
        reason = "it contains text that is not valid UTF-8" if "Wrapping " in str(error) else error
        msg = f"{source} cannot be read as Parquet: {reason}. Expected the output of `sparkalbert embed`."
        raise InputError(msg) from error
