"""Assembles the commands and runs one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

import sparkalbert
from sparkalbert.cli import bench, demo, distill, doctor, embed, explore, models, plan
from sparkalbert.cli.failures import TERMINATED, failure_message, unwinding_on_sigterm
from sparkalbert.cli.screen import ERRORS, print_line
from sparkalbert.cli.session import DEBUG

__all__ = ["app", "run"]

_DEBUG: Final = "--debug"

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


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show the traceback of an error, and Spark's log.")] = False,
) -> None:
    """ALBERT token embeddings on Apache Spark: one token in, one vector out, always the same vector."""
    del version, debug


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    An expected error becomes one message on standard error and exit code 1. With ``--debug``, at any position, its
    traceback and Spark's log are shown too. After SIGTERM everything is cleaned up as after Ctrl-C.

    Parameters
    ----------
    arguments
        The words after ``sparkalbert``.

    Returns
    -------
    int
        0, 1 after an error, 2 after wrong usage, 143 after SIGTERM.
    """
    words = [word for word in arguments if word != _DEBUG]
    debug = DEBUG.set(len(words) < len(arguments))
    try:
        with unwinding_on_sigterm():
            app(words, prog_name="sparkalbert")
    except SystemExit as ended:
        if ended.code == TERMINATED:
            print_line("Terminated.", to=ERRORS)
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
    return 0
