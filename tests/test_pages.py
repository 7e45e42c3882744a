"""The pages beside the notebooks: their Python runs, their links exist, and each lists what the code has."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import sparkalbert
from sparkalbert import errors
from sparkalbert.nlu import Predictor
from tests import models_page
from tests.child_processes import run_python

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "notebooks").glob("*.md"))
ERRORS = ROOT / "notebooks" / "errors.md"
MIGRATION = ROOT / "notebooks" / "migration.md"
SECTION = re.compile(r"^## (\w+Error) \((\w+)\)\n(.*?)(?=^## )", flags=re.DOTALL | re.MULTILINE)
CLASSES = {name for name in errors.__all__ if name != "SparkAlbertError"}


def python_blocks(text):
    return re.findall(r"^```python\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def sections():
    return SECTION.findall(ERRORS.read_text(encoding="utf-8"))


def test_there_are_five():
    assert [path.stem for path in PAGES] == ["errors", "migration", "models", "offline", "tuning"]


def test_the_page_of_models_is_that_of_the_names():
    """Write it again with ``python -m tests.models_page > notebooks/models.md``."""
    assert (ROOT / "notebooks" / "models.md").read_text(encoding="utf-8") == models_page.page()


@pytest.mark.parametrize("page", [page for page in PAGES if page != ERRORS], ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, tmp_path):
    done = run_python("\n".join(python_blocks(page.read_text(encoding="utf-8"))), cwd=tmp_path)
    if page == MIGRATION:
        assert re.search(r"\|\s*nlp\|", done.stdout)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_exists(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")) if "://" not in link]
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_error_has_its_section_with_its_builtin_and_a_fix():
    found = {name: builtin for name, builtin, _ in sections()}
    assert found == {name: getattr(errors, name).__bases__[1].__name__ for name in CLASSES}
    assert [name for name, _, text in sections() if "**Fix:**" not in text] == []


def test_every_example_raises_the_error_above_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    setup, *_ = python_blocks(ERRORS.read_text(encoding="utf-8"))
    names = {}
    exec(setup, names)  # noqa: S102 - our own page
    without = []
    for name, _, text in sections():
        blocks = python_blocks(text)
        if not blocks:
            without.append(name)
            continue
        with pytest.raises(getattr(errors, name)) as raised:
            exec(blocks[0], names)  # noqa: S102
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
