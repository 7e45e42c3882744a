"""The command ``doctor``: checks the environment and prints one line per check."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sparkalbert.cli.failures import failure_message
from sparkalbert.cli.options import Model
from sparkalbert.cli.screen import print_json, print_line, shown_wait
from sparkalbert.cli.session import command_session

if TYPE_CHECKING:
    from sparkalbert.bundle import Bundle
    from sparkalbert.doctor.check import Check

__all__ = ["doctor"]

_WITH_SPARK: Final = {"PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION", "SPARK_REMOTE"}
"""Environment variables of platforms that have started Spark, with a Java of its own."""

_WITHOUT_SPARK: Final = ("Python", "libraries", "cache", "model", "Hub")
_STEPS: Final = (*_WITHOUT_SPARK, "pyspark", "Java", "session", "executors", "embedding")
"""What is checked, in this order; a step may be left out, and may have several checks."""

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
    steps = _STEPS if spark else _WITHOUT_SPARK
    with shown_wait("Checking") as show:  # without the time left, which steps of such different lengths do not give

        def begin(step: str) -> None:
            show(f"Checking {step}, step {steps.index(step) + 1} of {len(steps)}")

        for check in _checks(model, master, begin, spark=spark):
            checks.append(check)
            if not as_json:
                mend = f" -> {check.mend}" if check.mend else ""
                print_line(f"{check.status:<8} {check.name:<13} {check.found}{mend}", style=_STYLES[check.status])
    failures = sum(check.status == "failed" for check in checks)
    warnings = sum(check.status == "warning" for check in checks)
    if as_json:
        print_json({"ok": not failures, "checks": [asdict(check) for check in checks]})
    else:
        print_line(f"{len(checks)} checks: {failures} failed, {warnings} with a warning")
    if failures:
        raise typer.Exit(1)


def _checks(model: str, master: str | None, begin: Callable[[str], None], *, spark: bool) -> Iterator[Check]:
    from sparkalbert.doctor.libraries import java_check, library_checks, pyspark_check, python_check
    from sparkalbert.doctor.models import cache_checks, hub_check, model_check

    begin("Python")
    yield python_check()
    begin("libraries")
    yield from library_checks()
    begin("cache")
    yield from cache_checks()
    begin("model")
    found, bundle = model_check(model)
    yield found
    begin("Hub")
    yield hub_check()
    if not spark:
        return
    begin("pyspark")
    pyspark = pyspark_check()
    yield pyspark
    if pyspark.status == "failed":
        return
    if not (master or "").startswith("sc:") and os.environ.keys().isdisjoint(_WITH_SPARK):
        begin("Java")
        java = java_check()
        yield java
        if java.status == "failed":
            return
    begin("session")
    yield from _session_checks(master, bundle, begin)


def _session_checks(master: str | None, bundle: Bundle | None, begin: Callable[[str], None]) -> Iterator[Check]:
    from sparkalbert.doctor.check import failed
    from sparkalbert.doctor.cluster import session_checks

    try:
        with command_session(master) as opened:
            yield from session_checks(opened.spark, opened.origin, bundle, begin)
    except Exception as error:
        message = failure_message(error)
        if message is None:
            raise
        yield failed("session", message)
