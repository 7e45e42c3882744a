"""The README and the pages beside the notebooks: their Python and commands run, and each lists what the code has."""

import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer

import sparkalbert
from sparkalbert import errors
from sparkalbert.cli.app import app
from sparkalbert.nlu import Predictor
from tests import models_page
from tests.child_processes import own_spark_environment, run_python
from tests.pages import PAGES, README, ROOT, blocks, shell_lines

BATCH = ROOT / "notebooks" / "batch.md"
ERRORS = ROOT / "notebooks" / "errors.md"
MIGRATION = ROOT / "notebooks" / "migration.md"
SECTION = re.compile(r"^## (\w+Error) \((\w+)\)\n(.*?)(?=^## )", flags=re.DOTALL | re.MULTILINE)
CLASSES = {name for name in errors.__all__ if name != "SparkAlbertError"}
NOT_RUN = {
    "make demo": "installs packages; tests/cli/test_embed.py runs the demo",
    "make test": "would run itself",
    "spark-submit --properties-file": "needs a cluster",
    "sparkalbert convert albert-xlarge-v2": "needs a download",
    "sparkalbert inspect albert-xlarge-v2": "needs that checkpoint",
    "sparkalbert verify albert-xlarge-int8": "needs that model",
    "pip install": "needs a package index",
    "hf download": "needs a network",
    "SPARKALBERT_HOME=/models/cache": "needs a network",
    "sparkalbert distill": "needs torch, a teacher and an hour",
    "sparkalbert convert student": "needs that student",
}


def test_the_page_of_models_is_that_of_the_names():
    """Write it again with ``python -m tests.models_page > notebooks/models.md``."""
    assert (ROOT / "notebooks" / "models.md").read_text(encoding="utf-8") == models_page.page()


def test_the_readme_names_every_page():
    text = README.read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"](notebooks/{page.name})" not in text] == []


def test_the_python_of_all_pages_runs(tmp_path):
    """The pages are independent of each other; they share a process because each would start a Spark of its own."""
    code = {page.name: "\n".join(blocks(page, "python")) for page in PAGES if page != ERRORS}
    run = "\n".join(f"exec(compile({text!r}, {name!r}, 'exec'), {{}})" for name, text in code.items())
    done = run_python(run, cwd=tmp_path)
    assert re.search(r"\|\s*nlp\|", done.stdout), "the pipeline of the migration page"


def test_the_commands_run_on_the_file_of_the_batch_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec("\n".join(blocks(BATCH, "python")), {})  # noqa: S102 - our own page, which writes a file
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    lines = list(dict.fromkeys(line for page in (README, *PAGES) for line in shell_lines(page)))
    ran = [line for line in lines if not line.startswith(tuple(NOT_RUN))]
    shown = {line.split()[1]: _run_command(line, tmp_path) for line in ran}
    assert [name for name in NOT_RUN if not any(line.startswith(name) for line in lines)] == []
    assert list(shown) == ["plan", "embed", "spark-submit"]
    assert "the session of spark-submit" in shown["spark-submit"], "it puts both streams into one"
    assert "2 rows" in shown["spark-submit"]
    vectors = [pq.read_table(tmp_path / name) for name in ("vectors", "submitted-vectors")]
    assert [sorted(table["id"].to_pylist()) for table in vectors] == [["a", "b"]] * 2
    assert vectors[0]["vectors"].to_pylist() == vectors[1]["vectors"].to_pylist()


def _run_command(line, folder):
    environment = {
        **own_spark_environment(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


def commands():
    """Yield every use of the command in a shell block: the subcommand and its words."""
    for page in (README, *PAGES):
        for line in shell_lines(page):
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


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.stem)
def test_every_link_exists(page):
    links = re.findall(r"\]\(([^)#]*)(#[^)]+)?\)", page.read_text(encoding="utf-8"))
    inside = [(page.parent / path if path else page, anchor) for path, anchor in links if "://" not in path]
    assert inside or page != README
    assert [str(path) for path, _ in inside if not path.exists()] == []
    assert [anchor for path, anchor in inside if anchor and anchor not in _anchors(path)] == []


def _anchors(page):
    """Return the anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def sections():
    return SECTION.findall(ERRORS.read_text(encoding="utf-8"))


def test_every_error_has_its_section_with_its_builtin_and_a_fix():
    found = {name: builtin for name, builtin, _ in sections()}
    assert found == {name: getattr(errors, name).__bases__[1].__name__ for name in CLASSES}
    assert [name for name, _, text in sections() if "**Fix:**" not in text] == []


def test_every_example_raises_the_error_above_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    setup, *_ = blocks(ERRORS, "python")
    names = {}
    exec(setup, names)  # noqa: S102 - our own page
    without = []
    for name, _, text in sections():
        examples = re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
        if not examples:
            without.append(name)
            continue
        with pytest.raises(getattr(errors, name)) as raised:
            exec(examples[0], names)  # noqa: S102
        assert type(raised.value).__name__ == name
    # They depend on the machine, on installed packages, or on damage that cannot be done in a line.
    assert without == ["VerificationError", "InferenceError", "MissingDependencyError"]


@pytest.mark.parametrize("module", ["base", "annotator", "embeddings", "functions", "annotation", "common"])
def test_the_migration_page_lists_every_name_of_a_module(module):
    (row,) = [
        line
        for line in MIGRATION.read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| `sparknlp.{module}`:")
    ]
    listed = set(re.findall(r"`(\w+)`", row.split("|")[1]))
    names = set(importlib.import_module(f"sparkalbert.{module}").__all__)
    assert listed == names - ({"Annotation"} if module in {"base", "functions"} else set())


def test_the_setters_that_it_lists_exist():
    setters = set(re.findall(r"`\.(set\w+)`", MIGRATION.read_text(encoding="utf-8")))
    assert setters
    assert [name for name in setters if not hasattr(sparkalbert.AlbertEmbeddings, name)] == []


NLUS_PREDICT = [
    "data", "output_level", "output_path", "positions", "keep_stranger_features", "metadata", "multithread",
    "drop_irrelevant_cols", "return_spark_df", "get_embeddings", "parser_output", "parser_config", "partition",
]  # fmt: skip
NLUS_LOAD = ["request", "path", "verbose", "gpu", "streamlit_caching", "apple_silicon", "get_tracer"]


def test_the_page_lists_every_keyword_of_nlu_and_each_is_accepted():
    """In the order of NLU 5.4.1."""
    text = MIGRATION.read_text(encoding="utf-8")
    assert [name for name in [*NLUS_PREDICT, *NLUS_LOAD] if not re.search(rf"\b{name}\b", text)] == []
    predict = inspect.signature(Predictor.predict).parameters
    assert list(predict)[1 : len(NLUS_PREDICT) + 1] == NLUS_PREDICT
    load = inspect.signature(sparkalbert.load).parameters
    assert list(load)[: len(NLUS_LOAD)] == ["model", *NLUS_LOAD[1:]]
    assert "request" in load
