"""The sample text that comes with the package, one short text a line; written for this purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["SAMPLE"]

SAMPLE: Final = Path(__file__).with_name("sample.txt")
