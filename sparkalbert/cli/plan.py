"""The command ``plan``: what embedding a file or folder of texts will take."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.table import Table

from sparkalbert.cli.screen import ERRORS, OUTPUT, size_in_words

__all__ = ["plan"]

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_LARGE: Final = 1000


def plan(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A file, a folder or a pattern, as Spark takes it.")
    ],
    model: Annotated[str, typer.Option("--model", "-m", help="A model's folder or name.")],
    text_col: Annotated[str, typer.Option(help="Column of texts.")] = "text",
    input_format: Annotated[
        Literal["text", "csv", "json", "parquet"] | None,
        typer.Option("--format", help="By default the end of INPUT tells."),
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Most rows to look at.")] = 1000,
    seconds: Annotated[
        float, typer.Option(min=0, help="How long to embed the sample, to see how fast this machine is.")
    ] = 10.0,
    cores: Annotated[int, typer.Option(min=0, help="Cores to use here; 0 for all.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the plan here.")] = None,
) -> None:
    """Tell the work, the time, the output and Spark settings before anything is embedded.

    A sample is tokenized, and embedded for some seconds on this machine. The time for 100 cores is for cores
    like these.
    """
    from sparkalbert.bench.plan import PlanOptions
    from sparkalbert.bench.plan import plan as planned
    from sparkalbert.bundle import find_model
    from sparkalbert.ml.job.sample import sample_texts
    from sparkalbert.ml.job.text_source import TextSource
    from sparkalbert.ml.session.spark_session import spark_session

    texts = TextSource(source, input_format, text_col)
    bundle = find_model(model)
    started_s = time.perf_counter()
    with ERRORS.status("reading"), spark_session() as opened:
        drawn = sample_texts(texts.read(opened.spark), text_col, sample)
        start_s = time.perf_counter() - started_s
    with ERRORS.status("embedding the sample"):
        found = planned(bundle, drawn, PlanOptions(seconds, cores, start_s))
    OUTPUT.print(_table(found))
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        OUTPUT.print(f"Plan: {json_file}", highlight=False, soft_wrap=True)


def _table(found: Mapping[str, Any]) -> Table:
    machine, tokens = found["machine"], found["tokens_a_row"]
    features = ", ".join(machine["cpu_features"]) or "no known features"
    spread = ", ".join(f"{name} {value:,.0f}" for name, value in tokens.items())
    start, whole = (time_in_words(found[name]) for name in ("start_s", "expected_s"))
    rows = {
        "rows": f"{found['rows']:,}, {found['sampled_rows']:,} of them looked at",
        "tokens": f"{_about(found['tokens'])}; a row: {spread}",
        "pieces": f"{_about(found['pieces'])} in {_about(found['windows'])} windows",
        "work": f"{_about(found['gflop'])} GFLOP",
        "this machine": f"{machine['cores']} cores ({features}): {machine['gflop_per_s']:,.1f} GFLOP/s, "
        f"{machine['pieces_per_s']:,.0f} pieces/s",
        "time here": f"{whole}, {start} of it to start",
        "time on 100 such cores": time_in_words(found["expected_s_100_cores"]),
        "output": f"{size_in_words(found['output_bytes'])} of float32 vectors",
        "Spark": "\n".join(f"{name} {value}" for name, value in found["spark"].items()),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _about(number: float) -> str:
    """Return an estimate with three digits that mean something.

    Examples
    --------
    >>> _about(12.345), _about(1_234_567)
    ('12.3', '1,230,000')
    """
    return f"{number:.3g}" if number < _LARGE else f"{float(f'{number:.3g}'):,.0f}"


def time_in_words(seconds: float) -> str:
    """Return a duration as people say it.

    Examples
    --------
    >>> time_in_words(0.5), time_in_words(90), time_in_words(5400), time_in_words(200_000)
    ('1 s', '1.5 min', '1.5 h', '2.3 days')
    """
    for unit_s, unit in ((_DAY_S, "days"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{max(seconds, 1):.0f} s"
