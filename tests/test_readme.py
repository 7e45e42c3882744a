"""The README's Python runs as pasted; its make targets exist, and its table of versions is that of the matrix."""

import re
import subprocess

from tests.child_processes import run_python
from tests.pages import README, ROOT, blocks


def test_the_python_examples_run_one_after_the_other(tmp_path):
    done = run_python("\n".join(blocks(README, "python")), cwd=tmp_path)
    assert re.search(r"\|\s*refused\|\[", done.stdout), "the first example with Spark"
    assert "love 2 6" in done.stdout, "the table without Spark"
    assert re.search(r"\|\s+love\|\s+2\|\s+5\|", done.stdout), "the table of the pipeline"
    assert "size(vectors)" in done.stdout
    assert re.search(r"token +word_embedding_albert\n0 +I +\[", done.stdout), "the one-liner"
    assert re.search(r"\na +I love NLP\. +5 +\[", done.stdout), "a sentence with one vector"


def test_every_make_target_it_names_exists():
    targets = set(re.findall(r"^([a-z-]+):", _makefile(), flags=re.MULTILINE))
    code = " ".join([*blocks(README, "sh"), *re.findall(r"`([^`\n]+)`", README.read_text(encoding="utf-8"))])
    named = set(re.findall(r"\bmake ([a-z-]+)", code))
    assert {"demo", "test", "help"} <= named <= targets


def test_the_table_of_versions_has_the_rows_of_the_matrix():
    rows = re.search(r"^MATRIX \?= (.*)$", _makefile(), flags=re.MULTILINE)[1].split()
    row = r"^\| (\d\.\d\.\d) \| (3\.\d+) \| (\d\.\d\.\d) \| (?:not yet|20\d\d-\d\d-\d\d.*) \|$"
    table = re.findall(row, README.read_text(encoding="utf-8"), re.MULTILINE)
    assert table == [(spark, python, pandas) for python, spark, pandas in (row.split(",") for row in rows)]


def test_help_explains_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    (phony,) = re.findall(r"^\.PHONY: (.*)$", _makefile(), flags=re.MULTILINE)
    shown = re.findall(r"^  make (\S+)\s+\S", done.stdout, flags=re.MULTILINE)
    assert shown == phony.split()


def _makefile():
    return (ROOT / "Makefile").read_text(encoding="utf-8")
