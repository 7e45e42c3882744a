"""The README's Python runs as pasted; its commands, make targets and links exist."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer

from sparkalbert.cli.app import app
from tests.child_processes import own_spark_environment, run_python

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """The finished process that ran the Python examples one after the other, and its folder."""
    folder = tmp_path_factory.mktemp("readme")
    return run_python("\n".join(blocks("python")), cwd=folder), folder


def test_the_python_examples_run_one_after_the_other(examples):
    done, _ = examples
    assert re.search(r"\|\s*refused\|\[", done.stdout), "the first example with Spark"
    assert "love 2 6" in done.stdout, "the table without Spark"
    assert re.search(r"\|\s+love\|\s+2\|\s+5\|", done.stdout), "the table of the pipeline"
    assert "size(vectors)" in done.stdout
    assert re.search(r"token +word_embedding_albert\n0 +I +\[", done.stdout), "the one-liner"
    assert re.search(r"\na +I love NLP\. +5 +\[", done.stdout), "a sentence with one vector"


NOT_RUN = {
    "make demo": "installs packages; tests/cli/test_embed.py runs the demo",
    "make test": "would run itself",
    "spark-submit --properties-file": "needs a cluster",
    "sparkalbert convert albert-xlarge-v2": "needs a download",
    "sparkalbert inspect albert-xlarge-int8": "needs that model",
    "sparkalbert inspect qwant/fralbert-base": "needs a network",
    "sparkalbert verify albert-xlarge-int8": "needs that model",
    "pip install": "needs a package index",
    "hf download": "needs a network",
    "sparkalbert distill": "needs torch, a teacher and an hour",
    "sparkalbert convert student": "needs that student",
}


def shell_lines():
    return [line for line in "".join(blocks("sh")).replace("\\\n", " ").splitlines() if line]


def test_the_commands_run_after_the_python_examples(examples):
    _, folder = examples
    (folder / "conf").symlink_to(ROOT / "conf")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = [line for line in shell_lines() if not line.startswith(tuple(NOT_RUN))]
    for line in ran:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=folder,
            env={**own_spark_environment(), "PATH": path},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert [name for name in NOT_RUN if not any(line.startswith(name) for line in shell_lines())] == []
    assert [line.split()[1] for line in ran] == ["embed", "plan", "spark-submit", "models"]
    vectors = [pq.read_table(folder / name) for name in ("vectors", "submitted-vectors")]
    assert [sorted(table["id"].to_pylist()) for table in vectors] == [["a", "b"]] * 2
    assert vectors[0]["vectors"].to_pylist() == vectors[1]["vectors"].to_pylist()


def test_every_make_target_it_names_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", " ".join([*blocks("sh"), *re.findall(r"`([^`\n]+)`", README)])))
    assert {"demo", "test", "help"} <= named <= targets


def commands():
    """Yield every use of the command in a shell block of the README or of a page: the subcommand and its words."""
    for page in (ROOT / "README.md", *sorted((ROOT / "notebooks").glob("*.md"))):
        found = re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for line in "".join(found).replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            starts = [place for place, word in enumerate(words) if word in {"sparkalbert", "conf/submit.py"}]
            if starts and words[starts[-1] + 1 : starts[-1] + 2]:
                yield pytest.param(words[starts[-1] + 1], words[starts[-1] + 2 :], id=f"{page.stem}-{line[:60]}")


@pytest.mark.parametrize(("name", "words"), [*commands()])
def test_every_command_and_option_exists(name, words):
    anywhere = {"--version", "--help", "--quiet", "--debug"}
    if name in anywhere:
        return
    command = typer.main.get_command(app).commands[name]
    options = [param for param in command.params if param.opts[0].startswith("-")]
    given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert given <= anywhere | {name for option in options for name in (*option.opts, *option.secondary_opts)}
    missing = [option.opts for option in options if option.required and not given & set(option.opts)]
    assert "--help" in given or missing == []


def test_every_link_into_the_checkout_exists():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_table_of_versions_has_the_rows_of_the_matrix():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rows = re.search(r"^MATRIX \?= (.*)$", makefile, flags=re.MULTILINE)[1].split()
    table = re.findall(
        r"^\| (\d\.\d\.\d) \| (3\.\d+) \| (\d\.\d\.\d) \| (?:not yet|20\d\d-\d\d-\d\d.*) \|$", README, re.MULTILINE
    )
    assert table == [(spark, python, pandas) for python, spark, pandas in (row.split(",") for row in rows)]


def test_help_explains_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    shown = re.findall(r"^  make (\S+)\s+\S", done.stdout, flags=re.MULTILINE)
    assert shown == phony.split()
