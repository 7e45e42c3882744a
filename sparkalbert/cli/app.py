"""Assembles the commands and runs one of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Final

import typer

import sparkalbert
from sparkalbert.cli import bench, demo, distill, doctor, embed, explore, models, plan
from sparkalbert.cli.failures import INTERRUPTED, TERMINATED, failure_message, unwinding_on_sigterm
from sparkalbert.cli.screen import ERRORS, IS_QUIET, print_line
from sparkalbert.cli.session import DEBUG

__all__ = ["app", "run"]

_DEBUG: Final = "--debug"
_QUIET: Final = "--quiet"
_EXIT_CODES: Final = "Exit codes: 0 success, 1 error, 2 wrong usage, 130 after Ctrl-C, 143 after SIGTERM."
_ENDINGS: Final = {INTERRUPTED: "Interrupted.", TERMINATED: "Terminated."}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("embed")(embed.embed)
app.command("plan")(plan.plan)
app.command("explore")(explore.explore)
app.command("models")(models.models)
app.command("convert")(models.convert)
app.command("inspect")(models.inspect)
app.command("verify")(models.verify)
app.command("distill")(distill.distill)
app.command("doctor")(doctor.doctor)
app.command("bench")(bench.bench)


def _show_version(requested: bool) -> None:
    if requested:
        print_line(f"sparkalbert {sparkalbert.__version__}")
        raise typer.Exit


@app.callback(epilog=_EXIT_CODES)
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show the traceback of an error, and Spark's log.")] = False,
    quiet: Annotated[bool, typer.Option(_QUIET, help="Print results and errors only: no progress, no notes.")] = False,
) -> None:
    """ALBERT token embeddings on Apache Spark: one token in, one vector out, always the same vector."""
    del version, debug, quiet


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    An expected error becomes one message on standard error and exit code 1. With ``--debug``, at any position, its
    traceback and Spark's log are shown too; with ``--quiet``, at any position, neither progress nor notes. After
    SIGTERM everything is cleaned up as after Ctrl-C.

    Parameters
    ----------
    arguments
        The words after ``sparkalbert``.

    Returns
    -------
    int
        0, 1 after an error, 2 after wrong usage, 130 after Ctrl-C, 143 after SIGTERM.
    """
    words = [word for word in arguments if word not in {_DEBUG, _QUIET}]
    debug, quiet = DEBUG.set(_DEBUG in arguments), IS_QUIET.set(_QUIET in arguments)
    if IS_QUIET.get() or not ERRORS.is_terminal:
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # before a download imports huggingface_hub
    try:
        with unwinding_on_sigterm():
            app(words, prog_name="sparkalbert")
    except SystemExit as ended:
        if ended.code in _ENDINGS:
            print_line(_ENDINGS[ended.code], to=ERRORS)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception as error:
        message = failure_message(error)
        if message is None:
            raise
        if DEBUG.get():
            ERRORS.print_exception()
        print_line(f"Error: {message}", to=ERRORS, style="red")
        return 1
    finally:
        DEBUG.reset(debug)
        IS_QUIET.reset(quiet)
    return 0
