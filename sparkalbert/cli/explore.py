"""The command ``explore``: turns the output of ``embed`` into a page to look at in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from sparkalbert.cli.files import check_target, whole_file
from sparkalbert.cli.screen import print_line, shown_wait, size_in_words
from sparkalbert.errors import InputError, OutputError

if TYPE_CHECKING:
    from sparkalbert.plots.words import Words

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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing page.")] = False,
) -> None:
    """Write a page on which word vectors are points: hover to read a sentence, search for words, zoom.

    The page is one file that works without a network. It contains the sentences of the words that it shows.
    """
    from sparkalbert.plots.page import page_of

    target = page or source.with_name(f"{source.name}.html")
    if target.exists() and not overwrite:
        msg = f"{target} already exists. Pass --overwrite to replace it, or choose another file with --page."
        raise OutputError(msg)
    check_target(target, "--page")
    with shown_wait("Reading"):
        words, total = _drawn(source, max_points, token_col, vector_col)
    with shown_wait(f"Projecting {len(words):,} words"):
        content = page_of(words, source.name, method, total=total)
    with whole_file(target) as path:
        path.write_text(content, encoding="utf-8")
    print_line(f"Page: {target} ({len(words):,} of {total:,} words, {size_in_words(target.stat().st_size)})")


def _drawn(source: Path, count: int, token_col: str | None, vector_col: str | None) -> tuple[Words, int]:
    """Return `count` words drawn at random from Parquet files of any size, and the number of all words."""
    from sparkalbert.plots.words import sample_words

    return sample_words(_frames(source), count, token_col=token_col, vector_col=vector_col)


def _frames(source: Path) -> Iterator[Any]:
    """Yield Parquet files as pandas DataFrames of some rows each."""
    import pyarrow as pa
    from pyarrow import dataset

    try:
        for batch in dataset.dataset(source, format="parquet").to_batches(batch_size=_ROWS):
            yield batch.to_pandas()
    except (OSError, pa.ArrowException) as error:
        msg = f"{source} cannot be read as Parquet: {error}. Expected the output of `sparkalbert embed`."
        raise InputError(msg) from error
