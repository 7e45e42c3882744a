"""What the tests of the commands share."""

import pytest
from rich.console import Console

from sparkalbert.cli import screen


@pytest.fixture
def terminal(monkeypatch):
    """Make the error console as it is made where standard error is a terminal."""

    def make(**variables):
        for name, value in {"TERM": "xterm-256color", "TTY_COMPATIBLE": "1", "COLUMNS": "140", **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(screen, "ERRORS", Console(stderr=True))

    return make
