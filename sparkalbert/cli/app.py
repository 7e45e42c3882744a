"""The commands put together, and what becomes of their errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

import sparkalbert
from sparkalbert.cli import bench, bundles, demo, distill, embed, plan
from sparkalbert.cli.screen import ERRORS, OUTPUT
from sparkalbert.errors import SparkAlbertError

__all__ = ["app", "run"]

_DEBUG: Final = "--debug"
_EXTRAS: Final = {
    "huggingface_hub": "hub",
    "onnx": "convert",
    "pyspark": "spark",
    "safetensors": "convert",
    "torch": "distill",
    "transformers": "distill",
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("embed")(embed.embed)
app.command("models")(bundles.models)
app.command("convert")(bundles.convert)
app.command("inspect")(bundles.inspect)
app.command("verify")(bundles.verify)
app.command("distill")(distill.distill)
app.command("bench")(bench.bench)
app.command("plan")(plan.plan)


def _show_version(wanted: bool) -> None:
    if wanted:
        OUTPUT.print(f"sparkalbert {sparkalbert.__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show where an error came from.")] = False,
) -> None:
    """ALBERT token embeddings on Apache Spark: one token in, one vector out, always the same vector."""
    del version, debug


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    An error that sparkalbert raises on purpose becomes one red message and exit code 1. With
    ``--debug``, which may stand anywhere, its traceback is shown too.

    Parameters
    ----------
    arguments
        The words after ``sparkalbert``.
    """
    words = [word for word in arguments if word != _DEBUG]
    try:
        app(words, prog_name="sparkalbert")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except (SparkAlbertError, ModuleNotFoundError) as error:
        message = _message(error)
        if message is None:
            raise
        if len(words) < len(arguments):
            ERRORS.print_exception()
        ERRORS.print(f"Error: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def _message(error: SparkAlbertError | ModuleNotFoundError) -> str | None:
    """Return what to tell the user, None for a module that is no optional one."""
    if isinstance(error, SparkAlbertError):
        return str(error)
    package = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(package)
    return extra and f"This command needs {package}: pip install 'sparkalbert[{extra}]'"
