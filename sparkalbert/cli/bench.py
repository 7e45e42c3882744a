"""The command ``bench``: measures on this machine, shows tables, writes JSON and a picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from sparkalbert.cli.files import check_not_input, check_target, read_lines, reported_on_interrupt, whole_file
from sparkalbert.cli.screen import print_line, print_wide, shown_steps
from sparkalbert.errors import InferenceError, InputError, ParamError

if TYPE_CHECKING:
    from sparkalbert.bench.benchmark import BenchOptions
    from sparkalbert.bench.rounds import Notify
    from sparkalbert.bundle import Precision

__all__ = ["SPEED_COLUMNS", "THROUGHPUT_COLUMNS", "bench"]

_WHAT, _SPARK_NLP, _OUTPUT = "What is measured", "Spark NLP", "Output"
SPEED_COLUMNS: Final = (
    "system",
    "precision",
    "CPU",
    "words/s",
    "pieces/s",
    "pieces/CPU s",
    "of limit",
    "lowest-highest",
    "of limit/CPU s",
    "of product",
    "of Spark NLP",
    "of fastest Spark NLP",
    "start s",
    "job s",
    "other cores",
    "padding",
    "worker MB",
)
THROUGHPUT_COLUMNS: Final = ("vectors", "CPU", "MB", "seconds", "MB/s per core")
_DEFAULT_MODEL: Final = "albert_mini_en"
_OUTPUT_DIMENSION: Final = 2048
_OUTPUT_MB: Final = 400
_LIMITS: Final = {"of_limit_range": "the limit", "of_limit_cpu_range": "the limit per CPU second"}
_THROUGHPUT_PARAMS: Final = frozenset({"output_throughput", "rounds", "cores", "json_file"})


def bench(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="A checkpoint folder, or a bundle by folder or name.", rich_help_panel=_WHAT
        ),
    ] = None,
    shape: Annotated[
        Literal["mini", "base", "large", "xlarge", "xxlarge"] | None,
        typer.Option(
            help="Random weights in a published shape. By default the model albert_mini_en is used.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, int8 or both, separated by a comma.", rich_help_panel=_WHAT)
    ] = "fp32,int8",
    text: Annotated[
        Path | None,
        typer.Option(help="A UTF-8 file, one text per line. By default made-up news is used.", rich_help_panel=_WHAT),
    ] = None,
    words: Annotated[
        int,
        typer.Option(
            help="Number of words of made-up news, about, punctuation marks included; 0 for 100,000 per core. A slow "
            "model uses the first part of them.",
            rich_help_panel=_WHAT,
        ),
    ] = 0,
    rounds: Annotated[
        int, typer.Option(help="Number of rounds, of which the median counts.", rich_help_panel=_WHAT)
    ] = 3,
    seconds: Annotated[
        float,
        typer.Option(
            help="Seconds of each system in a round, about, in up to six slices; a first round is not measured. "
            "Shorter runs measure noise.",
            rich_help_panel=_WHAT,
        ),
    ] = 30.0,
    cores: Annotated[int, typer.Option(min=0, help="Number of cores to use; 0 for all.", rich_help_panel=_WHAT)] = 0,
    systems: Annotated[
        str | None,
        typer.Option(
            help="Some of bare, product, embedder, pipeline, naive_udf, spark_nlp, separated by commas. By default "
            "all.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="PxTxN",
            help="Processes, threads and pieces per batch of bare ONNX Runtime, such as 2x1x512. By default the "
            "fastest split is searched.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    spark_nlp: Annotated[
        str,
        typer.Option(
            metavar="PYTHON", help="Interpreter of an environment with spark-nlp.", rich_help_panel=_SPARK_NLP
        ),
    ] = "",
    spark_nlp_jars: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder with Spark NLP's jars. By default Spark downloads them from Maven.",
            rich_help_panel=_SPARK_NLP,
        ),
    ] = "",
    spark_nlp_settings: Annotated[
        str,
        typer.Option(
            metavar="BxT,...",
            help="Batch sizes and ONNX threads to try in addition to the defaults.",
            rich_help_panel=_SPARK_NLP,
        ),
    ] = "32x1",
    output_throughput: Annotated[
        bool,
        typer.Option(
            "--output-throughput",
            help="Measure only how fast vectors of 2048 numbers leave a worker, with a model that computes nothing. "
            "Uses --rounds, --cores and --json.",
            rich_help_panel=_WHAT,
        ),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="A file to write the record to.", rich_help_panel=_OUTPUT)
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="A PNG file for a chart of throughput against the limit.", rich_help_panel=_OUTPUT),
    ] = None,
) -> None:
    """Compare the Spark pipeline with the limit of this machine and with other systems for the same work.

    The limit is bare ONNX Runtime, that of the CPU the matrix products of the model alone. Systems alternate in slices
    of some seconds. [bold]sparkalbert/bench/__init__.py[/] describes how it is measured.
    """
    from sparkalbert.bench.benchmark import KINDS, BenchOptions, run_benchmark

    _check_combination(context)
    options = BenchOptions(
        model=shape or _model(model),
        precisions=_precisions(precision),
        words=words,
        texts=() if text is None else read_lines(text),
        rounds=rounds,
        seconds=seconds,
        cores=cores,
        kinds=KINDS if systems is None else _names(systems),
        bare_split=None if split is None else _numbers(split, 3, "--split"),
        spark_nlp_python=spark_nlp and _program(spark_nlp),
        spark_nlp_jars=spark_nlp_jars and _jar_folder(spark_nlp_jars),
        spark_nlp_settings=[
            cast(tuple[int, int], tuple(_numbers(pair, 2, "--spark-nlp-settings")))
            for pair in _names(spark_nlp_settings)
        ],
    )
    check_target(json_file, "--json")
    if picture is not None:
        import sparkalbert.plots.canvas  # noqa: F401 - without matplotlib it fails before the run, not after it

        check_target(picture, "--picture")
    if text is not None:
        check_not_input(json_file, "--json", str(text))
        check_not_input(picture, "--picture", str(text))
    with reported_on_interrupt(json_file, picture), shown_steps("preparing") as notify:
        record = _measure_output(options, notify) if output_throughput else run_benchmark(options, notify)
        # Before anything is printed: whoever reads the output may have closed it.
        if json_file is not None:
            with whole_file(json_file) as path:
                path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        drawn = "" if picture is None else _draw(record, picture)
    _show_throughput(record) if output_throughput else _show(record)
    if json_file is not None:
        print_line(f"Record: {json_file}")
    if drawn:
        print_line(drawn)
    failures = [system["failed"] for system in record.get("systems", ()) if system["failed"]]
    if failures:
        raise InferenceError("\n".join(failures))


def _check_combination(context: typer.Context) -> None:
    """Check that no option contradicts another, or requires one that is not given.

    Raises
    ------
    ParamError
        If one does.
    """
    params = context.params
    given = {name for name in params if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"}
    for first, second in (("model", "shape"), ("text", "words")):
        if {first, second} <= given:
            msg = f"--{first} and --{second} are both given, expected one of them."
            raise ParamError(msg)
    unused = sorted(name.replace("_", "-") for name in given - _THROUGHPUT_PARAMS)
    if params["output_throughput"] and unused:
        msg = (
            f"--output-throughput runs no model, found --{' and --'.join(unused)}. Expected no other options than "
            "--rounds, --cores and --json."
        )
        raise ParamError(msg)
    for name in ("spark_nlp_jars", "spark_nlp_settings"):
        if name in given and params[name] and not params["spark_nlp"]:
            msg = f"--{name.replace('_', '-')} is given without --spark-nlp, the Python with which Spark NLP runs."
            raise ParamError(msg)
    if {"json_file", "picture"} <= given and Path(params["json_file"]).resolve() == Path(params["picture"]).resolve():
        msg = f"--json and --picture are both {params['picture']}, expected two files."
        raise ParamError(msg)


def _model(given: str | None) -> str:
    """Return the model of ``--model``: a folder with the name of a shape becomes a path, which is not that shape."""
    from sparkalbert.bench.materials import SHAPES

    if given is None:
        return _DEFAULT_MODEL
    if not given:
        msg = "--model is empty, expected a checkpoint folder, or a bundle by folder or name."
        raise ParamError(msg)
    return f"./{given}" if given in SHAPES else given


def _measure_output(options: BenchOptions, notify: Notify) -> dict[str, Any]:
    from sparkalbert.machine import available_cores, machine_facts
    from sparkalbert.ml.bench.output_throughput import output_throughput

    cores = options.cores or available_cores()
    speeds = output_throughput(
        cores,
        dimension=_OUTPUT_DIMENSION,
        megabytes=_OUTPUT_MB,
        rounds=options.rounds,
        notify=notify,
    )
    return {"machine": machine_facts(), "cores": cores, "dimension": _OUTPUT_DIMENSION, "output_throughput": speeds}


def _draw(record: Mapping[str, Any], path: Path) -> str:
    """Draw the picture and return a line about it."""
    from sparkalbert.plots import throughput

    if not any(system["words_per_s"] for system in record["systems"]):
        return "Picture: none, because no system was measured"
    with whole_file(path) as work:
        throughput(record).savefig(work, dpi=120, format="png")
    return f"Picture: {path}"


def _show_throughput(record: Mapping[str, Any]) -> None:
    table = _table(f"Vectors of {record['dimension']} numbers that leave a worker, medians", THROUGHPUT_COLUMNS)
    for output in record["output_throughput"]:
        numbers = (
            f"{output['megabytes']:,.0f}",
            f"{output['median_s']:.2f}",
            f"{output['mb_per_s_per_core']:,.0f}",
        )
        table.add_row(output["title"], _best_feature(record), *numbers)
    print_wide(table)


def _show(record: Mapping[str, Any]) -> None:
    machine, text = record["machine"], record["text"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    features = ", ".join(machine["cpu_features"]) or "no known features"
    print_line(f"{record['model']}; {text['rows']:,} rows, {text['words']:,} words, {text['pieces']:,} pieces")
    print_line(f"{record['cores']} of {record['machine_cores']} cores of {machine['cpu']} ({features}); {libraries}")
    if text["repeated_share"]:
        print_line(
            f"{text['repeated_share']:.1%} of the pieces are in sentences that occur again, which sparkalbert may "
            "compute once: it may exceed the limit"
        )
    ran = [system for system in record["systems"] if not system["skipped"]]
    print_wide(_speed_table(ran, _best_feature(record)))
    print_line(
        '"of limit": steady throughput divided by that of bare ONNX Runtime in the slices beside it, and the same'
    )
    print_line(
        'per CPU second; "of product": by that of the lone matrix products, per CPU second; "of Spark NLP": by that of'
    )
    print_line(
        'Spark NLP with its defaults; "of fastest Spark NLP": with the fastest of its settings. Every ratio compares'
    )
    print_line('systems of the same precision. "start s": session, workers, model and first batch; "job s": start of a')
    print_line("later job.")
    for line in _warnings(record):
        print_line(line)
    print_line("")
    print_wide(_phase_table(ran))
    for system in record["systems"]:
        print_line(f"{system['title']} ({system['precision']}): {_state_or_settings(system)}")


def _warnings(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield how busy the machine was with other processes, and which figures to distrust."""
    if record["other_cores"] is not None:
        yield f"Other processes took {record['other_cores']:.1f} of {record['machine_cores']} cores."
    for system in record["systems"]:
        title = f"{system['title']} ({system['precision']})"
        if system["slices_left_out"]:
            yield (
                f"{title}: {system['slices_left_out']} of {len(system['slices'])} slices are left out, because the "
                "large job was not slower than the small one. Measure again on an idle machine."
            )
        for name, what in _LIMITS.items():
            # Equal sentences may be computed once by sparkalbert; bare ONNX Runtime computes them every time.
            lowest = (system[name] or [0.0])[0] * (1 - record["text"]["repeated_share"])
            if lowest > 1:
                yield (
                    f"{title} is above {what}, {lowest:.3f} in its lowest round. Measure again on an idle machine, or "
                    "try other settings of bare ONNX Runtime (--split)."
                )


def _best_feature(record: Mapping[str, Any]) -> str:
    features: list[str] = record["machine"]["cpu_features"]
    return features[-1] if features else "-"


def _state_or_settings(system: Mapping[str, Any]) -> str:
    if system["skipped"]:
        return f"skipped, {system['skipped']}"
    return f"{system['settings']}{'; failed, see below' if system['failed'] else ''}"


def _speed_table(systems: Sequence[Mapping[str, Any]], feature: str) -> Table:
    table = _table("Steady throughput: medians of the rounds", SPEED_COLUMNS, left_columns=3)
    for system in systems:
        table.add_row(
            system["title"],
            system["precision"],
            feature,
            _formatted(system["words_per_s"], ",.1f"),
            _formatted(system["pieces_per_s"], ",.1f"),
            _formatted(system["pieces_per_cpu_s"], ",.1f"),
            _formatted(system["of_limit"], ".3f"),
            "-".join(_formatted(share, ".3f") for share in system["of_limit_range"] or [None]),
            _formatted(system["of_limit_cpu"], ".3f"),
            _formatted(system["of_product"], ".2f"),
            _formatted(system["of_spark_nlp"], ".2f"),
            _formatted(system["of_best_spark_nlp"], ".2f"),
            _formatted(system["start_s"], ".1f"),
            _formatted(system["job_s"], ".2f"),
            _formatted(system["other_cores"], ".1f"),
            _formatted(system["padding_share"], ".1%"),
            _formatted(system["memory_mb"], ",d"),
        )
    return table


def _phase_table(systems: Sequence[Mapping[str, Any]]) -> Table:
    from sparkalbert.timings import PHASES

    phases = (*PHASES, "rest")
    table = _table("Where the time of the cores went in the last slice", ("system", "precision", *phases))
    for system in systems:
        shares = system["phase_shares"]
        if shares is not None:
            values = (_formatted(shares[phase], ".1%") for phase in phases)
            table.add_row(system["title"], system["precision"], *values)
    return table


def _table(title: str, columns: Sequence[str], *, left_columns: int = 2) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=True, justify="left" if number < left_columns else "right")
    return table


def _formatted(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def _precisions(listed: str) -> list[Precision]:
    names = list(dict.fromkeys(_names(listed)))
    if not names or set(names) - {"fp32", "int8"}:
        msg = f"--precision is {listed!r}, expected fp32, int8 or fp32,int8."
        raise ParamError(msg)
    return cast("list[Precision]", names)


def _numbers(joined: str, count: int, option: str) -> list[int]:
    parts = joined.split("x")
    if len(parts) != count or not all(part.isdecimal() and int(part) for part in parts):
        msg = f"{option} is {joined!r}, expected {count} positive whole numbers joined by x."
        raise ParamError(msg)
    return [int(part) for part in parts]


def _program(name: str) -> str:
    """Return the absolute path of an interpreter, because systems run in another working directory."""
    found = shutil.which(name)
    if found is None:
        msg = f"--spark-nlp is {name}, which is not a program. Expected the python of an environment with spark-nlp."
        raise InputError(msg)
    return str(Path(found).absolute())


def _jar_folder(name: str) -> str:
    folder = Path(name).absolute()
    if not any(folder.glob("*.jar")):
        msg = f"--spark-nlp-jars is {name}, expected a folder with *.jar files, found none there."
        raise InputError(msg)
    return str(folder)
