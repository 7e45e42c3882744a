"""Every notebook runs from its first cell to its last (``make notebooks``); ``make test`` checks how it is stored."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.child_processes import own_spark_environment, run_python

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DATABRICKS = sorted((ROOT / "notebooks").glob("databricks_*.py"))

WIDGETS = """
class dbutils:
    class widgets:
        text = staticmethod(lambda name, value: None)
        get = staticmethod(lambda name: {"target": "by_widget"}.get(name, settings[name]))
"""


def test_there_are_five():
    assert [path.name for path in NOTEBOOKS] == [
        "01_quickstart.ipynb",
        "02_your_own_model.ipynb",
        "03_words_in_context.ipynb",
        "04_downstream.ipynb",
        "05_scale.ipynb",
    ]


@pytest.mark.notebooks
@pytest.mark.timeout(180)  # a notebook takes less than three minutes from its first cell to its last
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    for name in os.environ.keys() - own_spark_environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("SPARKALBERT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, kernel_name="python3", resources=resources).execute()
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_stores_no_output(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


@pytest.mark.parametrize("path", DATABRICKS, ids=lambda path: path.stem)
def test_databricks_can_import_a_notebook(path):
    first, *cells = path.read_text(encoding="utf-8").split("\n# COMMAND ----------\n")
    assert first.startswith("# Databricks notebook source\n# MAGIC %md\n")
    assert len(cells) > 5
    for cell in cells:
        lines = [line for line in cell.splitlines() if line]
        magic = [line.startswith("# MAGIC") for line in lines]
        assert all(magic) or not any(magic), cell
        assert not magic[0] or re.match(r"# MAGIC %(md|pip|restart_python)", lines[0]), cell


@pytest.mark.notebooks
def test_the_notebook_for_clusters_runs_as_a_script(tmp_path):
    code = (ROOT / "notebooks" / "databricks_cluster.py").read_text(encoding="utf-8")
    run_python(f"{code}\nassert spark.table('token_vectors').count() == 16", cwd=tmp_path)


@pytest.mark.notebooks
def test_the_notebook_for_serverless_runs_on_connect_with_its_widgets(connect_spark, tmp_path):
    code = (ROOT / "notebooks" / "databricks_serverless.py").read_text(encoding="utf-8")
    remote = f"sc://127.0.0.1:{connect_spark.conf.get('spark.connect.grpc.binding.port')}"
    parts = [WIDGETS, code, "assert 'connect' in type(spark).__module__"]
    run_python("\n".join(parts), cwd=tmp_path, env={**own_spark_environment(), "SPARK_REMOTE": remote})
    assert connect_spark.table("by_widget").count() == 5
    connect_spark.sql("DROP TABLE by_widget")
