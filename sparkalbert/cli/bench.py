"""The command ``bench``: measure on this machine, show a table, write JSON and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from sparkalbert.cli.screen import ERRORS, OUTPUT, print_wide
from sparkalbert.errors import InputError, MissingDependencyError, ParamError

if TYPE_CHECKING:
    from sparkalbert.bench.benchmark import BenchOptions

__all__ = ["EMISSION_COLUMNS", "SPEED_COLUMNS", "bench"]

_WHAT, _OTHERS, _OUTPUT = "What is measured", "Spark NLP", "Output"
SPEED_COLUMNS: Final = (
    "contender",
    "precision",
    "CPU",
    "words/s",
    "pieces/s",
    "of limit",
    "of Spark NLP",
    "padding",
    "worker MB",
    "load s",
)
EMISSION_COLUMNS: Final = ("form", "CPU", "", "MB", "seconds", "MB/s a core")
_EMITTED_DIMENSION: Final = 2048
_EMITTED_MB: Final = 400


def bench(
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="A checkpoint folder, or a bundle by folder or name.", rich_help_panel=_WHAT
        ),
    ] = None,
    shape: Annotated[
        Literal["mini", "base", "large", "xlarge", "xxlarge"] | None,
        typer.Option(help="Random weights in a published shape. The default is mini.", rich_help_panel=_WHAT),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, int8 or both, comma separated.", rich_help_panel=_WHAT)
    ] = "fp32,int8",
    text: Annotated[
        Path | None, typer.Option(help="Texts, a line each; by default made-up news.", rich_help_panel=_WHAT)
    ] = None,
    words: Annotated[int, typer.Option(help="How much made-up news.", rich_help_panel=_WHAT)] = 4000,
    rounds: Annotated[
        int, typer.Option(help="Rounds; the median of them counts.", rich_help_panel=_WHAT)
    ] = 3,
    cores: Annotated[int, typer.Option(help="Cores to use; 0 for all.", rich_help_panel=_WHAT)] = 0,
    contenders: Annotated[
        str | None,
        typer.Option(help="Some of bare, embedder, pipeline, naive_udf, spark_nlp.", rich_help_panel=_WHAT),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="PxTxN",
            help="Processes, threads and pieces a call of the bare ONNX Runtime, such as 2x1x512; by default "
            "the best is searched.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    spark_nlp: Annotated[
        str,
        typer.Option(
            metavar="PYTHON", help="Interpreter of an environment with spark-nlp.", rich_help_panel=_OTHERS
        ),
    ] = "",
    spark_nlp_jars: Annotated[
        str,
        typer.Option(metavar="FOLDER", help="Its jars; by default Maven is asked.", rich_help_panel=_OTHERS),
    ] = "",
    spark_nlp_settings: Annotated[
        str,
        typer.Option(
            metavar="BxT,...",
            help="Batch sizes and ONNX threads to try beside its defaults.",
            rich_help_panel=_OTHERS,
        ),
    ] = "32x1",
    emission: Annotated[
        bool,
        typer.Option(
            "--emission",
            help="Measure only how fast vectors of 2048 numbers leave a worker, with a stub for a model.",
            rich_help_panel=_WHAT,
        ),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the record here.", rich_help_panel=_OUTPUT)
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw throughput against the limit, PNG.", rich_help_panel=_OUTPUT)
    ] = None,
) -> None:
    """Compare the Spark pipeline with the limit of this machine and with what else does the same work.

    The limit is bare ONNX Runtime. How it measures is told in [bold]sparkalbert/bench/__init__.py[/].
    """
    from sparkalbert.bench.benchmark import KINDS, BenchOptions, run_benchmark

    if model is not None and shape is not None:
        msg = "--model and --shape are both given, expected one of them."
        raise ParamError(msg)
    options = BenchOptions(
        model=model or shape or "mini",
        precisions=_precisions(precision),
        words=words,
        texts=() if text is None else _lines(text),
        rounds=rounds,
        cores=cores,
        kinds=KINDS if contenders is None else _names(contenders),
        bare_split=None if split is None else _numbers(split, 3, "--split"),
        spark_nlp_python=spark_nlp and str(Path(spark_nlp).absolute()),
        spark_nlp_jars=spark_nlp_jars and str(Path(spark_nlp_jars).absolute()),
        spark_nlp_settings=[
            tuple(_numbers(pair, 2, "--spark-nlp-settings"))  # type: ignore[misc]
            for pair in _names(spark_nlp_settings)
        ],
    )
    with ERRORS.status("preparing") as status:
        tell: Any = status.update if ERRORS.is_terminal else _say
        record = _emission(options, tell) if emission else run_benchmark(options, tell)
    _show_emission(record) if emission else _show(record)
    if json_file is not None:
        json_file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        _line(f"Record: {json_file}")
    if picture is not None and not emission:
        _draw(record, picture)


def _emission(options: BenchOptions, tell: Any) -> dict[str, Any]:
    from sparkalbert.bench.machine import available_cores, machine_facts
    from sparkalbert.ml.bench.emission import emission_speeds

    speeds = emission_speeds(
        options.cores or available_cores(),
        dimension=_EMITTED_DIMENSION,
        megabytes=_EMITTED_MB,
        rounds=options.rounds,
        tell=tell,
    )
    return {"machine": machine_facts(), "dimension": _EMITTED_DIMENSION, "emission": speeds}


def _show_emission(record: Mapping[str, Any]) -> None:
    table = _table(f"Vectors of {record['dimension']} numbers out of a worker, medians", *EMISSION_COLUMNS)
    for one in record["emission"]:
        numbers = (f"{one['megabytes']:,.0f}", f"{one['median_s']:.2f}", f"{one['mb_per_s_a_core']:,.0f}")
        table.add_row(one["title"], _best_feature(record), "", *numbers)
    print_wide(table)


def _say(line: Any) -> None:
    ERRORS.print(line, highlight=False, soft_wrap=True)


def _draw(record: Mapping[str, Any], path: Path) -> None:
    from sparkalbert.bench.picture import draw

    try:
        draw(record, path)
    except MissingDependencyError as error:
        _line(f"No picture: {error}")
    else:
        _line(f"Picture: {path}")


def _show(record: Mapping[str, Any]) -> None:
    machine, text = record["machine"], record["text"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    features = ", ".join(machine["cpu_features"]) or "no known features"
    _line(f"{record['model']}; {text['rows']:,} rows, {text['words']:,} words, {text['pieces']:,} pieces")
    _line(f"{machine['cores']} cores of {machine['cpu']} ({features}); {libraries}")
    if text["repeated_share"]:
        _line(f"{text['repeated_share']:.1%} of the pieces are in sentences that occur again")
    ran = [one for one in record["contenders"] if not one["skipped"]]
    for table in (_speed_table(ran, _best_feature(record)), _stage_table(ran)):
        print_wide(table)
    for one in record["contenders"]:
        _line(f"{one['title']} ({one['precision']}): {_skipped_or_settings(one)}")


def _best_feature(record: Mapping[str, Any]) -> str:
    features: list[str] = record["machine"]["cpu_features"]
    return features[-1] if features else "-"


def _line(text: str) -> None:
    OUTPUT.print(text, markup=False, highlight=False, soft_wrap=True)


def _skipped_or_settings(contender: Mapping[str, Any]) -> str:
    return f"skipped, {contender['skipped']}" if contender["skipped"] else str(contender["settings"])


def _speed_table(contenders: Sequence[Mapping[str, Any]], feature: str) -> Table:
    table = _table("Throughput: medians of one run", *SPEED_COLUMNS)
    for one in contenders:
        table.add_row(
            one["title"],
            one["precision"],
            feature,
            _shown(one["words_per_s"], ",.1f"),
            _shown(one["pieces_per_s"], ",.1f"),
            _shown(one["of_limit"], ".3f"),
            _shown(one["of_spark_nlp"], ".2f"),
            _shown(one["padding_share"], ".1%"),
            _shown(one["memory_mb"], ",d"),
            _shown(one["load_s"], ".2f"),
        )
    return table


def _stage_table(contenders: Sequence[Mapping[str, Any]]) -> Table:
    from sparkalbert.stage_times import STAGES

    stages = (*STAGES, "rest")
    table = _table("Where the cores' time went in the last round", "contender", "precision", *stages)
    for one in contenders:
        shares = one["stage_shares"]
        if shares is not None:
            table.add_row(one["title"], one["precision"], *(_shown(shares[stage], ".1%") for stage in stages))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=True, justify="right" if number > 2 else "left")  # noqa: PLR2004
    return table


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def _precisions(listed: str) -> list[Any]:
    names = _names(listed)
    if not names or set(names) - {"fp32", "int8"}:
        msg = f"--precision is {listed!r}, expected fp32, int8 or fp32,int8."
        raise ParamError(msg)
    return names


def _numbers(words: str, count: int, option: str) -> list[int]:
    parts = words.split("x")
    if len(parts) != count or not all(part.isdecimal() and int(part) for part in parts):
        msg = f"{option} has {words!r}, expected {count} whole numbers with x between."
        raise ParamError(msg)
    return [int(part) for part in parts]


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read as lines of UTF-8: {error}"
        raise InputError(msg) from error
    texts = [line for line in lines if line.strip()]
    if not texts:
        msg = f"{path} holds no text."
        raise InputError(msg)
    return texts
