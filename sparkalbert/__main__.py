"""The ``sparkalbert`` command, also as ``python -m sparkalbert``.

The command itself is :mod:`sparkalbert.cli`; without its packages, one line describes how to install them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["command", "main"]

_REQUIRED: Final = {"click", "rich", "typer"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code, see :func:`sparkalbert.cli.run`.

    Parameters
    ----------
    arguments
        The words after ``sparkalbert``; by default those of this process.

    Examples
    --------
    >>> main(["--version"])  # doctest: +ELLIPSIS
    sparkalbert ...
    0
    """
    try:
        from sparkalbert.cli import run
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _REQUIRED:
            raise
        print(  # noqa: T201 - rich may be what is missing
            f"The sparkalbert command requires {missing}: pip install 'sparkalbert[cli]'", file=sys.stderr
        )
        return 1
    _accept_any_text()
    return run(sys.argv[1:] if arguments is None else arguments)


def command() -> None:
    """Run the command line as an installed script and a Databricks wheel task do.

    Raises
    ------
    SystemExit
        With the exit code, if the command fails. A wheel task ignores what its function returns.
    """
    code = main()
    if code:
        sys.exit(code)


def _accept_any_text() -> None:
    """Print characters that the output's encoding lacks as escapes; a file name may contain any bytes."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    command()
