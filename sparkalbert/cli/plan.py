"""The command ``plan``: estimates what embedding a file or folder of texts takes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from sparkalbert.cli.files import check_not_input, check_target, reported_on_interrupt, whole_file
from sparkalbert.cli.options import Encoding, Format, Input, Model, ModelPrecision, Separator, TextColumn
from sparkalbert.cli.screen import pair_table, print_line, print_tables, shown_steps, shown_wait, size_in_words
from sparkalbert.cli.session import command_session
from sparkalbert.models import find_model

if TYPE_CHECKING:
    from sparkalbert.bundle import Bundle
    from sparkalbert.ml.job.text_source import TextSource

__all__ = ["plan", "time_in_words"]

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_THOUSAND: Final = 1000


def plan(
    source: Input,
    model: Model,
    text_col: TextColumn = "text",
    input_format: Format = None,
    sep: Separator = None,
    encoding: Encoding = None,
    precision: ModelPrecision = None,
    sample: Annotated[int, typer.Option(min=1, help="Maximum number of rows to sample.")] = 1000,
    seconds: Annotated[
        float, typer.Option(min=0, help="Seconds for which to embed the sample, to measure this machine.")
    ] = 10.0,
    cores: Annotated[int, typer.Option(min=0, help="Cores to use on this machine; 0 for all.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="A file to write the plan to.")] = None,
) -> None:
    """Estimate work, time and output size, and suggest Spark settings, before anything is embedded.

    A sample is tokenized, and embedded on this machine for some seconds. The time on 100 cores is for cores like
    those of this machine.
    """
    from sparkalbert.ml.job.text_source import TextSource

    check_target(json_file, "--json")
    check_not_input(json_file, "--json", source)
    texts = TextSource(source, input_format, text_col, sep=sep, encoding=encoding)
    bundle = find_model(model, precision=precision)
    with reported_on_interrupt(json_file):
        found = _estimate(bundle, texts, sample, seconds, cores)
        # Before anything is printed: whoever reads the output may have closed it.
        if json_file is not None:
            with whole_file(json_file) as path:
                path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print_tables(_table(found))
    if json_file is not None:
        print_line(f"Plan: {json_file}")


def _estimate(bundle: Bundle, texts: TextSource, sample: int, seconds: float, cores: int) -> dict[str, Any]:
    """Read a sample of at most `sample` rows with Spark, embed it for some seconds, and return the plan."""
    from sparkalbert.ml.failures import raise_job_errors
    from sparkalbert.ml.job.plan import PlanOptions
    from sparkalbert.ml.job.plan import plan as estimate
    from sparkalbert.ml.job.sample import sample_texts

    started_s = time.perf_counter()
    with shown_wait("Reading the sample"), command_session() as opened:
        with raise_job_errors(), texts.settings(opened.spark):
            drawn = sample_texts(texts.read(opened.spark), texts.text_col, sample)
        start_s = time.perf_counter() - started_s
    with shown_steps("Loading the model", in_logs=False) as show:

        def report(spent_s: float, pieces_per_s: float) -> None:
            show(f"Embedding the sample, {pieces_per_s:,.0f} pieces/s", min(spent_s, seconds), seconds)

        return estimate(bundle, drawn, PlanOptions(seconds, cores, start_s), report)


def _table(found: Mapping[str, Any]) -> Table:
    machine, tokens = found["machine"], found["tokens_per_row"]
    features = ", ".join(machine["cpu_features"]) or "no known features"
    spread = ", ".join(f"{name} {value:,.0f}" for name, value in tokens.items())
    start, whole = (time_in_words(found[name]) for name in ("start_s", "expected_s"))
    return pair_table(
        {
            "rows": f"{found['rows']:,}, {found['sampled_rows']:,} of them sampled",
            "tokens": f"{_rounded(found['tokens'])}; per row: {spread}",
            "pieces": f"{_rounded(found['pieces'])} in {_rounded(found['windows'])} windows",
            "work": f"{_rounded(found['gflop'])} GFLOP",
            "this machine": f"{machine['cores']} cores ({features}): {machine['gflop_per_s']:,.1f} GFLOP/s, "
            f"{machine['pieces_per_s']:,.0f} pieces/s",
            "time here": f"{whole}, of which {start} to start",
            "time on 100 such cores": time_in_words(found["expected_s_100_cores"]),
            "output": f"{size_in_words(found['output_bytes'])} of float32 vectors",
            "memory per Python worker": size_in_words(found["worker_bytes"]),
            "Spark": "\n".join(f"{name} {value}" for name, value in found["spark"].items()),
        }
    )


def _rounded(number: float) -> str:
    """Return an estimate with three significant digits.

    Examples
    --------
    >>> _rounded(12.345), _rounded(1_234_567)
    ('12.3', '1,230,000')
    """
    return f"{number:.3g}" if number < _THOUSAND else f"{float(f'{number:.3g}'):,.0f}"


def time_in_words(seconds: float) -> str:
    """Return a duration as text.

    Examples
    --------
    >>> time_in_words(0.5), time_in_words(90), time_in_words(5400), time_in_words(200_000)
    ('1 s', '1.5 min', '1.5 h', '2.3 days')
    """
    for unit_s, unit in ((_DAY_S, "days"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.1f} {unit}"
    return f"{max(seconds, 1):.0f} s"
