"""The command ``embed``: a file or folder of texts in, a folder of vectors out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sparkalbert.cli.bundles import Precision
from sparkalbert.cli.screen import ERRORS, OUTPUT, shown_progress
from sparkalbert.errors import ParamError

if TYPE_CHECKING:
    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.job.embed_job import EmbedSummary

__all__ = ["embed", "show_note", "summary_line"]

_INPUT, _MODEL, _SPARK = "Input and output", "Model and vectors", "Spark"


def embed(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A file, a folder or a pattern, as Spark takes it.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", help="The folder to make.", rich_help_panel=_INPUT)
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="A folder, or a name that `sparkalbert models` lists.",
            rich_help_panel=_MODEL,
        ),
    ],
    text_col: Annotated[str, typer.Option(help="Column of texts.", rich_help_panel=_INPUT)] = "text",
    input_format: Annotated[
        Literal["text", "csv", "json", "parquet"] | None,
        typer.Option("--format", help="By default the end of INPUT tells.", rich_help_panel=_INPUT),
    ] = None,
    output_format: Annotated[Literal["parquet", "json"], typer.Option(rich_help_panel=_INPUT)] = "parquet",
    id_cols: Annotated[
        str | None,
        typer.Option(help="Input columns to keep, comma separated; by default all.", rich_help_panel=_INPUT),
    ] = None,
    annotations: Annotated[
        bool,
        typer.Option(
            "--annotations",
            help="Write one column as Spark NLP has it, 'embeddings'.",
            rich_help_panel=_INPUT,
        ),
    ] = False,
    vectors: Annotated[
        Literal["float", "binary"],
        typer.Option(
            help="binary: each vector as the bytes of its float32 numbers, faster to write and to read.",
            rich_help_panel=_INPUT,
        ),
    ] = "float",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier output.", rich_help_panel=_INPUT)
    ] = False,
    precision: Annotated[
        Precision | None, typer.Option(help="For a model that is converted now.", rich_help_panel=_MODEL)
    ] = None,
    pooling: Annotated[
        Literal["first", "last", "mean", "first_last"],
        typer.Option(help="Which pieces make a word's vector.", rich_help_panel=_MODEL),
    ] = "first",
    layers: Annotated[
        str, typer.Option(help="Layers to average, such as -4,-3,-2,-1.", rich_help_panel=_MODEL)
    ] = "-1",
    max_sentence_length: Annotated[
        int, typer.Option(help="Most pieces in one window.", rich_help_panel=_MODEL)
    ] = 128,
    encoding: Annotated[
        Literal["sentence", "token"],
        typer.Option(help="sentence: as ALBERT was trained; token: as Spark NLP.", rich_help_panel=_MODEL),
    ] = "sentence",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.", rich_help_panel=_MODEL)] = "cpu",
    memory_budget_mb: Annotated[
        int | None,
        typer.Option(help="Memory that one Python worker may take.", rich_help_panel=_SPARK, min=1),
    ] = None,
    partitions: Annotated[
        int | None,
        typer.Option(help="Spread rows over so many tasks; their order is lost.", rich_help_panel=_SPARK),
    ] = None,
    master: Annotated[
        str | None,
        typer.Option(
            help="local[N], a cluster, or sc://host; without spark-submit this machine.",
            rich_help_panel=_SPARK,
        ),
    ] = None,
    conf: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Spark settings.", rich_help_panel=_SPARK)
    ] = None,
) -> None:
    """Embed every text of a file or folder with Spark.

    Each row keeps its columns and gets [bold]tokens[/], [bold]begin[/], [bold]end[/] (UTF-16 units of the
    text, end inclusive, as in Spark NLP) and [bold]vectors[/], all of equal length. A null text gets nulls,
    an empty one empty lists. The output appears when it is complete.
    """
    from sparkalbert.ml import AlbertEmbeddings
    from sparkalbert.ml.job.embed_job import VectorTarget, embed_texts
    from sparkalbert.ml.job.text_source import TextSource
    from sparkalbert.ml.session.spark_session import spark_session

    kept = None if id_cols is None else [name.strip() for name in id_cols.split(",") if name.strip()]
    texts = TextSource(source, input_format, text_col, kept, partitions)
    target = VectorTarget(output, output_format, annotations, overwrite, vectors)
    stage = AlbertEmbeddings.pretrained(model, precision=precision).setParams(
        pooling=pooling,
        layers=_numbers(layers),
        maxSentenceLength=max_sentence_length,
        encoding=encoding,
        device=device,
    )
    if memory_budget_mb is not None:
        stage.setMemoryBudgetMb(memory_budget_mb)
    with spark_session(master, _settings(conf or [])) as opened:
        ERRORS.print(opened.origin, highlight=False, soft_wrap=True)
        with shown_progress("Embedding") as report:
            summary = embed_texts(opened.spark, stage, texts, target, report)
    show_note(stage)
    OUTPUT.print(f"{summary_line(summary)} -> {output}", highlight=False, soft_wrap=True)


def show_note(stage: AlbertEmbeddings) -> None:
    """Print what the model's manifest wants users to know."""
    from sparkalbert.bundle import find_model

    note = find_model(stage.getModel(), allow_download=False).manifest.note
    if note:
        OUTPUT.print(f"Note on {stage.getModel()}: {note}", style="yellow", highlight=False, soft_wrap=True)


def summary_line(summary: EmbedSummary) -> str:
    """Return what was done, in words."""
    took = f"in {summary.duration_s:.1f} s, the start of the workers included"
    if summary.rows is None or summary.tokens is None:
        return f"Done {took}"
    return f"{summary.rows:,} rows, {summary.tokens:,} tokens {took}"


def _numbers(layers: str) -> list[int]:
    try:
        return [int(number) for number in layers.split(",")]
    except ValueError as error:
        msg = f"--layers is {layers!r}, expected whole numbers with commas between, such as -4,-3,-2,-1."
        raise ParamError(msg) from error


def _settings(lines: list[str]) -> dict[str, str]:
    settings = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals:
            msg = f"--conf {line!r} is no setting, expected KEY=VALUE."
            raise ParamError(msg)
        settings[name.strip()] = value.strip()
    return settings
