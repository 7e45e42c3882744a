"""Runs the recipe: ``python conf/albert_mini_en COMMAND``."""

import sys
from pathlib import Path

# Python puts this folder on the path, but the package is imported from the folder above.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from albert_mini_en.commands import main  # noqa: E402 - needs the path

sys.exit(main())
