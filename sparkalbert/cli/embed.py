"""The command ``embed``: reads a file or folder of texts and writes a folder of vectors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from sparkalbert.bundle import Bundle
from sparkalbert.cli.files import check_folder_target, reported_on_interrupt
from sparkalbert.cli.options import FILES, MODEL, Encoding, Format, Input, Model, ModelPrecision, Separator, TextColumn
from sparkalbert.cli.screen import IS_QUIET, print_line, print_status, shown_progress
from sparkalbert.cli.session import command_session
from sparkalbert.errors import ParamError
from sparkalbert.models import find_model
from sparkalbert.storage.paths import local_path

if TYPE_CHECKING:
    from sparkalbert.ml.job.embed_job import EmbedSummary
    from sparkalbert.ml.job.text_source import TextSource

__all__ = ["embed", "print_note", "summary_line"]

_SPARK: Final = "Spark"
_PIECE_ENCODINGS: Final = ("sentence", "token")
_DEFAULT_FILES: Final = "spark.hadoop.fs.defaultFS"
_CONFIGURED: Final = (
    "DATABRICKS_RUNTIME_VERSION",
    "HADOOP_CONF_DIR",
    "PYSPARK_GATEWAY_PORT",
    "SPARK_CONF_DIR",
    "SPARK_HOME",
    "SPARK_REMOTE",
    "YARN_CONF_DIR",
)
"""Environment variables with which a platform, or an installed Spark, may configure another file system."""


def embed(
    source: Input,
    output: Annotated[str, typer.Option("--output", "-o", help="The folder to write.", rich_help_panel=FILES)],
    model: Model,
    text_col: TextColumn = "text",
    input_format: Format = None,
    sep: Separator = None,
    encoding: Encoding = None,
    output_format: Annotated[
        Literal["parquet", "json"], typer.Option(help="Format of the output.", rich_help_panel=FILES)
    ] = "parquet",
    id_cols: Annotated[
        str | None,
        typer.Option(help="Input columns to keep, separated by commas. By default all.", rich_help_panel=FILES),
    ] = None,
    annotations: Annotated[
        bool,
        typer.Option(
            "--annotations",
            help="Write one column 'embeddings' with Spark NLP's annotations.",
            rich_help_panel=FILES,
        ),
    ] = False,
    vectors: Annotated[
        Literal["float", "binary", "binary16"],
        typer.Option(
            help="float: lists of numbers. binary: each vector as the bytes of its float32 numbers, faster to write "
            "and to read. binary16: as float16 numbers, half the size.",
            rich_help_panel=FILES,
        ),
    ] = "float",
    level: Annotated[
        Literal["token", "sentence", "document"],
        typer.Option(
            help="What has a vector. That of a sentence or document is the mean of the vectors of its tokens.",
            rich_help_panel=FILES,
        ),
    ] = "token",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the output of an earlier run.", rich_help_panel=FILES)
    ] = False,
    precision: ModelPrecision = None,
    pooling: Annotated[
        Literal["first", "last", "mean", "first_last"],
        typer.Option(help="Which pieces of a word make its vector.", rich_help_panel=MODEL),
    ] = "first",
    layers: Annotated[str, typer.Option(help="Layers to average, such as -4,-3,-2,-1.", rich_help_panel=MODEL)] = "-1",
    max_sentence_length: Annotated[
        int,
        typer.Option(
            help="Maximum number of pieces per window, 3 to 512. Longer sentences are covered by overlapping windows.",
            rich_help_panel=MODEL,
        ),
    ] = 128,
    piece_encoding: Annotated[
        Literal["sentence", "token"] | None,
        typer.Option(
            help="sentence: encode the text of a sentence as a whole, as ALBERT was trained (default). token: encode "
            "each token on its own, as Spark NLP does. In Python this is the Param encoding.",
            rich_help_panel=MODEL,
        ),
    ] = None,
    compatibility: Annotated[
        Literal["none", "spark-nlp"],
        typer.Option(
            help="none: every token has a vector. spark-nlp: the tokens and vectors of Spark NLP at batch size 1.",
            rich_help_panel=MODEL,
        ),
    ] = "none",
    on_error: Annotated[
        Literal["fail", "null"],
        typer.Option(
            help="What a row that cannot be embedded does. fail: it ends the job. null: it gets null, and the reason "
            "in a column 'error'.",
            rich_help_panel=MODEL,
        ),
    ] = "fail",
    max_error_fraction: Annotated[
        float,
        typer.Option(
            help="With --on-error null, the fraction of the rows that may fail; more end the job.",
            rich_help_panel=MODEL,
            min=0,
            max=1,
        ),
    ] = 0.5,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.", rich_help_panel=MODEL)] = "cpu",
    memory_budget_mb: Annotated[
        int | None,
        typer.Option(
            help="Memory that the Python workers of a task may take, in MB (1,000,000 bytes). By default there is no "
            "limit.",
            rich_help_panel=_SPARK,
            min=1,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            help="Threads of one forward pass. By default the cores of a task, spark.task.cpus.",
            rich_help_panel=_SPARK,
            min=1,
        ),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(
            help="Number of tasks to spread the rows over. Their order is lost. By default Spark decides.",
            rich_help_panel=_SPARK,
        ),
    ] = None,
    master: Annotated[
        str | None,
        typer.Option(
            help="local[N], the URL of a cluster, or sc://host. By default what spark-submit sets, or this machine.",
            rich_help_panel=_SPARK,
        ),
    ] = None,
    conf: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A Spark setting; may be repeated.", rich_help_panel=_SPARK),
    ] = None,
) -> None:
    """Embed every text of a file or folder with Spark.

    Each row keeps its columns and gets [bold]tokens[/], [bold]begin[/], [bold]end[/] (UTF-16 units of the text, end
    inclusive, as in Spark NLP) and [bold]vectors[/], all of equal length. A null text gets nulls, an empty text empty
    lists. With --level
    sentence there are [bold]sentences[/] in the place of tokens, with --level document only a [bold]vector[/], zeros
    for an empty text. The output appears when it is complete: a run that ends early leaves none, and the command must
    be run again from the start. What was counted is shown, and written to [bold]_summary.json[/] beside the vectors.
    """
    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.job.embed_job import VectorTarget, check_local_target, embed_texts
    from sparkalbert.ml.job.text_source import TextSource
    from sparkalbert.ml.session.connect import is_connect_session

    if encoding in _PIECE_ENCODINGS:
        msg = f"--encoding is {encoding}, expected a character encoding. Did you mean --piece-encoding {encoding}?"
        raise ParamError(msg)
    kept = None if id_cols is None else [name.strip() for name in id_cols.split(",") if name.strip()]
    texts = TextSource(source, input_format, text_col, kept, partitions, sep, encoding)
    target = VectorTarget(output, output_format, annotations, overwrite, vectors, level)
    averaged, settings = _layers(layers), _settings(conf or [])
    folder = _local_folder(output, master, settings)
    if folder is not None:
        check_folder_target(folder, "--output")
        check_local_target(target)
    bundle = find_model(model, precision=precision)
    stage = AlbertEmbeddings.pretrained(str(bundle.path)).setParams(
        pooling=pooling,
        layers=averaged,
        maxSentenceLength=max_sentence_length,
        encoding=piece_encoding,
        compatibility=compatibility,
        onError=on_error,
        maxErrorFraction=max_error_fraction,
        device=device,
        threads=threads,
        memoryBudgetMb=memory_budget_mb,
    )
    with command_session(master, settings) as opened:
        print_status(opened.origin)
        remote = is_connect_session(opened.spark)
        with reported_on_interrupt(output, on_server=remote), shown_progress("Embedding") as report:
            summary = embed_texts(opened.spark, stage, texts, target, report)
    print_note(bundle)
    _print_replaced(summary, texts)
    print_line(f"{summary_line(summary)} -> {output}")


def _local_folder(output: str, master: str | None, settings: Mapping[str, str]) -> Path | None:
    """Return the folder to write if it is certain to be on this machine, so that it can be checked before Spark starts.

    A path without a scheme is in the file system of Spark's configuration, which a cluster sets to its own.
    """
    is_configured = any(name in os.environ for name in _CONFIGURED) or _DEFAULT_FILES in settings
    is_local = (master or "local").startswith("local") and not is_configured
    return local_path(output) if is_local or output.startswith("file:") else None


def print_note(bundle: Bundle) -> None:
    """Print the note to users in a model's manifest, if there is one, unless ``--quiet`` is given."""
    manifest = bundle.manifest
    if manifest.note and not IS_QUIET.get():
        print_line(f"Note on {manifest.name}: {manifest.note}", style="yellow")


def summary_line(summary: EmbedSummary) -> str:
    """Return what a job did, as text."""
    took = f"in {summary.duration_s:.1f} s, including the start of the workers"
    if summary.rows is None:
        return f"Done {took}"
    counts = [f"{summary.rows:,} rows"]
    if summary.tokens is not None:
        without = f" ({summary.pieceless_tokens:,} without a piece)" if summary.pieceless_tokens else ""
        counts.append(f"{summary.tokens:,} tokens{without}")
    if summary.windows is not None:
        counts.append(f"{summary.windows:,} windows")
    if summary.nulls:
        counts.append(f"{summary.nulls:,} null")
    if summary.failures:
        counts.append(f"{summary.failures:,} failed")
    return f"{', '.join(counts)} {took}"


def _print_replaced(summary: EmbedSummary, source: TextSource) -> None:
    """Warn of texts in which bytes were not read as characters: usually the file has another encoding."""
    if not summary.replaced_texts:
        return
    advice = "" if source.file_format == "parquet" else " Pass the file's encoding, such as --encoding windows-1252."
    print_line(
        f"Texts that contain U+FFFD: {summary.replaced_texts:,} (occurrences: {summary.replacement_characters:,}). It "
        f"stands for bytes that are not characters in {source.encoding or 'UTF-8'}.{advice}",
        style="yellow",
    )


def _layers(listed: str) -> list[int]:
    try:
        return [int(number) for number in listed.split(",")]
    except ValueError as error:
        msg = f"--layers is {listed!r}, expected whole numbers separated by commas, such as -4,-3,-2,-1."
        raise ParamError(msg) from error


def _settings(assignments: list[str]) -> dict[str, str]:
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            msg = f"--conf is {assignment!r}, expected KEY=VALUE, such as spark.driver.memory=4g."
            raise ParamError(msg)
        settings[name.strip()] = value.strip()
    return settings
