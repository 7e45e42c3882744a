"""The ``sparkalbert`` command, also as ``python -m sparkalbert``.

All it does itself is to say what is missing where the command's packages are not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_NEEDED = {"click", "rich", "typer"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of the command line: 0, 1 after an error, 2 for wrong usage.

    Parameters
    ----------
    arguments
        The words after ``sparkalbert``; those of this process by default.

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
        if missing not in _NEEDED:
            raise
        print(  # noqa: T201 - there is no rich to print with
            f"The sparkalbert command needs {missing}: pip install 'sparkalbert[cli]'", file=sys.stderr
        )
        return 1
    return run(sys.argv[1:] if arguments is None else arguments)


if __name__ == "__main__":
    sys.exit(main())
