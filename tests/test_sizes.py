"""Files stay small enough to be read whole; a long one gives a warning, because not every file has a seam."""

import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 400
MAX_NOTEBOOK_BYTES = 30_000


@pytest.mark.filterwarnings("default:.* lines:UserWarning")
def test_long_files_give_a_warning():
    paths = sorted((ROOT / "sparkalbert").rglob("*.py"))
    assert len(paths) > 100
    for path in paths:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_LINES:
            warnings.warn(f"{path.relative_to(ROOT)} has {lines} lines, expected at most {MAX_LINES}", stacklevel=1)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_small(path):
    assert path.stat().st_size <= MAX_NOTEBOOK_BYTES
