"""The command ``doctor``: checks the environment and prints one line per check."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sparkalbert.cli.failures import failure_message
from sparkalbert.cli.options import Model
from sparkalbert.cli.screen import OUTPUT, print_line, shown_wait
from sparkalbert.cli.session import command_session

if TYPE_CHECKING:
    from sparkalbert.bundle import Bundle
    from sparkalbert.doctor.check import Check

__all__ = ["doctor"]

_WITH_SPARK: Final = {"PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION", "SPARK_REMOTE"}
"""Environment variables of platforms that have started Spark, with a Java of its own."""

_STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "red"}


def doctor(
    model: Model = "albert_mini_en",
    master: Annotated[
        str | None,
        typer.Option(
            help="local[N], the URL of a cluster, or sc://host. By default as spark-submit sets it, else local."
        ),
    ] = None,
    spark: Annotated[bool, typer.Option("--spark/--no-spark", help="Check a Spark session and its executors.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Check Python, libraries, Java, cache, Hub, and the executors of a Spark session.

    Each line reports what was found and, if something is wrong, what to do. The exit code is 1 if a check failed.
    """
    checks = []
    with shown_wait("Checking"):
        for check in _checks(model, master, spark=spark):
            checks.append(check)
            if not as_json:
                mend = f" -> {check.mend}" if check.mend else ""
                print_line(f"{check.status:<8} {check.name:<13} {check.found}{mend}", style=_STYLES[check.status])
    failures = sum(check.status == "failed" for check in checks)
    warnings = sum(check.status == "warning" for check in checks)
    if as_json:
        OUTPUT.print_json(json.dumps({"ok": not failures, "checks": [asdict(check) for check in checks]}))
    else:
        print_line(f"{len(checks)} checks: {failures} failed, {warnings} with a warning")
    if failures:
        raise typer.Exit(1)


def _checks(model: str, master: str | None, *, spark: bool) -> Iterator[Check]:
    from sparkalbert.doctor.libraries import java_check, library_checks, pyspark_check, python_check
    from sparkalbert.doctor.models import cache_checks, hub_check, model_check

    yield python_check()
    yield from library_checks()
    yield from cache_checks()
    found, bundle = model_check(model)
    yield found
    yield hub_check()
    if not spark:
        return
    pyspark = pyspark_check()
    yield pyspark
    if pyspark.status == "failed":
        return
    if not (master or "").startswith("sc:") and os.environ.keys().isdisjoint(_WITH_SPARK):
        java = java_check()
        yield java
        if java.status == "failed":
            return
    yield from _session_checks(master, bundle)


def _session_checks(master: str | None, bundle: Bundle | None) -> Iterator[Check]:
    from sparkalbert.doctor.check import failed
    from sparkalbert.doctor.cluster import session_checks

    try:
        with command_session(master) as opened:
            yield from session_checks(opened.spark, opened.origin, bundle)
    except Exception as error:
        message = failure_message(error)
        if message is None:
            raise
        yield failed("session", message)
