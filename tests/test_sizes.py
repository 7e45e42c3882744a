"""Files and functions stay small enough to be read whole."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "sparkalbert").rglob("*.py"))
LONGEST_FILE = 400
LONGEST_FUNCTION = 50
LARGEST_NOTEBOOK_BYTES = 30_000


def length(node):
    """Lines of a function without its docstring, decorators and parameters' help."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_and_its_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert [(node.name, length(node)) for node in functions if length(node) > LONGEST_FUNCTION] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_small(path):
    assert path.stat().st_size <= LARGEST_NOTEBOOK_BYTES
