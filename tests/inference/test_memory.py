"""How a memory budget is divided, and the message if a model does not fit."""

import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import convert_model_to_external_data
from safetensors.numpy import load_file, save_file

from sparkalbert.bundle import Bundle
from sparkalbert.bundle.manifest import FileRecord
from sparkalbert.config import AlbertConfig
from sparkalbert.convert import convert_checkpoint, import_onnx
from sparkalbert.errors import ParamError
from sparkalbert.inference import BatchingOptions, VectorOptions, VectorSizes, plan_memory
from sparkalbert.inference.memory import worker_memory
from sparkalbert.models.sizes import weight_bytes
from tests import tiny_bundle, tiny_checkpoint, tiny_vocabulary
from tests.full_shapes import XLARGE

MB = 1_000_000
GRAPH = tiny_bundle.bundle().manifest.files["model.onnx"].size_bytes
FP32_WEIGHTS = 218_114_048 + GRAPH  # of xlarge: 54,528,512 numbers


def bundle_of(weights, precision="fp32", file="model.onnx.data", **shape):
    """Return a bundle of a large shape without its files: memory planning uses sizes only."""
    manifest = tiny_bundle.bundle().manifest
    files = {name: record for name, record in manifest.files.items() if name != "model.onnx.data"}
    config = AlbertConfig(**{**XLARGE, **shape})
    bundle = Bundle(
        tiny_bundle.bundle().path,
        replace(
            manifest,
            files={**files, file: FileRecord(weights - GRAPH, "0" * 64)},
            precision=precision,
            dimension=config.hidden_size,
            name="large",
        ),
    )
    vars(bundle)["config"] = config
    return bundle


def test_without_a_budget_sizes_are_the_fastest():
    plan = plan_memory(tiny_bundle.bundle(), VectorOptions(), BatchingOptions(), None)
    assert plan.sizes == VectorSizes(32 * MB, 16 * MB, None)
    assert plan.batching == BatchingOptions(512, overhead_pieces=8)


def test_the_memory_of_a_worker_of_xlarge():
    """Worked out by hand: 4 bytes x (16 x 2048 + 2 x 8192 + 16 heads x 128 pieces) = 204,800 bytes per piece."""
    found = worker_memory(bundle_of(FP32_WEIGHTS), VectorOptions(), BatchingOptions())
    assert found.process == 260_000_000
    assert found.weights == 218_114_048 + GRAPH
    assert found.batch == 256 * 204_800 == 52_428_800
    assert found.vectors == 4 * 32_000_000
    assert found.total == 260_000_000 + 2 * found.weights  # loading takes more than computing
    small = worker_memory(bundle_of(40 * MB, "int8"), VectorOptions(), BatchingOptions(64), VectorSizes(2 * MB, 1 * MB))
    assert small.batch == 128 * 204_800  # a window of 128 pieces is never split
    assert small.total == 260 * MB + 40 * MB + max(40 * MB, 26_214_400 + 8 * MB)


def test_a_large_budget_only_limits_a_row():
    plan = plan_memory(bundle_of(FP32_WEIGHTS), VectorOptions(), BatchingOptions(), 2000)
    assert plan.batching == BatchingOptions(256, overhead_pieces=8)
    row = 2000 * MB - 260 * MB - FP32_WEIGHTS - 52_428_800 - 3 * 32 * MB
    assert plan.sizes == VectorSizes(32 * MB, 16 * MB, row)


def test_a_gpu_gets_large_windows_and_takes_no_budget():
    bundle = bundle_of(FP32_WEIGHTS)
    plan = plan_memory(bundle, VectorOptions(), BatchingOptions(), None, on_cpu=False)
    assert plan.batching == BatchingOptions(4096, overhead_pieces=300)
    assert plan.sizes == VectorSizes(window_bytes=256 * MB)
    with pytest.raises(ParamError, match=r"memoryBudgetMb is 900, .* Leave it unset, or set device to 'cpu'\."):
        plan_memory(bundle, VectorOptions(), BatchingOptions(), 900, on_cpu=False)


def test_a_small_budget_makes_windows_then_batches_smaller():
    plans = [
        plan_memory(bundle_of(20 * MB, "int8"), VectorOptions(), BatchingOptions(512), budget)
        for budget in (1000, 600, 500, 400, 320)
    ]
    assert [plan.batching.pieces_per_batch for plan in plans] == [512, 512, 512, 512, 128]
    # 512 pieces take 104.8576 MB, 128 pieces 26.2144 MB; a quarter of what is left is one window.
    assert [plan.sizes.window_bytes for plan in plans] == [
        32_000_000,
        32_000_000,
        (220_000_000 - 104_857_600) // 4,
        (120_000_000 - 104_857_600) // 4,
        (40_000_000 - 26_214_400) // 4,
    ]


@given(
    budget=st.integers(1, 3000),
    weights=st.integers(1 * MB, 900 * MB),
    pieces=st.none() | st.integers(1, 4096),
    longest=st.integers(3, 512),
)
def test_a_worker_stays_within_its_budget(budget, weights, pieces, longest):
    """The plan of a budget, put into the formula of a worker's memory, which a test of real workers confirms."""
    bundle, vectors = bundle_of(weights), VectorOptions(max_sentence_length=longest)
    try:
        plan = plan_memory(bundle, vectors, BatchingOptions(pieces), budget)
    except ParamError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert needed_mb(refused) > budget
        return
    memory = worker_memory(bundle, vectors, plan.batching, plan.sizes)
    assert memory.total <= budget * MB
    held = 3 * plan.sizes.window_bytes + plan.sizes.row_bytes
    assert memory.process + memory.weights + memory.batch + held <= budget * MB
    assert plan.sizes.output_bytes <= plan.sizes.window_bytes
    assert plan.sizes.row_bytes >= plan.sizes.window_bytes
    assert plan.batching.pieces_per_batch <= (pieces or 256) or plan.batching.pieces_per_batch == longest


def needed_mb(error):
    return int(re.search(r"needs (\d+):", str(error)).group(1))


@pytest.mark.parametrize("weights_mb", [10, 300])
def test_the_budget_that_a_refusal_names_is_just_enough(weights_mb):
    bundle = bundle_of(weights_mb * MB)
    with pytest.raises(ParamError) as refused:
        plan_memory(bundle, VectorOptions(), BatchingOptions(), 100)
    smallest = needed_mb(refused.value)
    plan_memory(bundle, VectorOptions(), BatchingOptions(), smallest)
    with pytest.raises(ParamError):
        plan_memory(bundle, VectorOptions(), BatchingOptions(), smallest - 1)


def test_a_refusal_gives_the_calculation():
    with pytest.raises(ParamError) as refused:
        plan_memory(bundle_of(FP32_WEIGHTS), VectorOptions(), BatchingOptions(), 400)
    assert str(refused.value) == (
        "memoryBudgetMb is 400, but a worker of model 'large' (fp32) needs 697: 260 for the process and a batch of "
        "rows, 219 for the weights, and the larger of 219 to load them and 27 + 8 for a batch of 128 pieces and for "
        "vectors. Increase memoryBudgetMb, or use a smaller or int8 model."
    )


def test_other_workers_of_the_task_take_their_part_of_the_budget():
    bundle, options = bundle_of(FP32_WEIGHTS), (VectorOptions(), BatchingOptions())
    assert plan_memory(bundle, *options, 1100, annotator_bytes=320 * MB) == plan_memory(bundle, *options, 780)
    with pytest.raises(ParamError) as refused:
        plan_memory(bundle, *options, 1000, annotator_bytes=320 * MB)
    assert str(refused.value) == (
        "memoryBudgetMb is 1000, but a task of model 'large' (fp32) needs 1017: 260 for the process and a batch of "
        "rows, 219 for the weights, and the larger of 219 to load them and 27 + 8 for a batch of 128 pieces and for "
        "vectors. 320 are for the workers of SentenceDetector and Tokenizer. Increase memoryBudgetMb, or use a smaller "
        "or int8 model."
    )


@pytest.mark.parametrize("file", ["model.onnx.data", "weights.bin", "model.onnx_data", "exported"])
def test_weights_count_whatever_the_name_of_their_file(file):
    bundle = bundle_of(FP32_WEIGHTS, file=file)
    assert worker_memory(bundle, VectorOptions(), BatchingOptions()).weights == FP32_WEIGHTS


@pytest.mark.parametrize("shape", [{}, {"num_hidden_groups": 3, "inner_group_num": 2}, {"type_vocab_size": 1}])
def test_weights_that_a_file_stores_as_float16_count_as_float32(tmp_path, shape):
    source = tmp_path / "albert"
    tiny_checkpoint.write(source, hidden_size=128, intermediate_size=512, **shape)
    tensors = {name: values.astype(np.float16) for name, values in load_file(source / "model.safetensors").items()}
    save_file(tensors, source / "model.safetensors")
    plain, halved = (convert_checkpoint(source, tmp_path / f"{halve}", halve=halve) for halve in (False, True))
    sizes = {name: record.size_bytes for name, record in halved.manifest.files.items()}
    found = worker_memory(halved, VectorOptions(), BatchingOptions()).weights - sizes["model.onnx"]
    assert found == weight_bytes(halved.config, "fp32") > sizes["model.onnx.data"]
    sizes = {name: record.size_bytes for name, record in plain.manifest.files.items()}
    assert sizes["model.onnx.data"] >= found  # each tensor starts on a page
    found = worker_memory(plain, VectorOptions(), BatchingOptions()).weights
    assert found == sizes["model.onnx"] + sizes["model.onnx.data"]


def test_weights_of_an_imported_graph_count(tmp_path):
    """A real import of a graph whose external data has a name of its own."""
    rows = np.zeros((tiny_vocabulary.VOCABULARY_SIZE, 10_000), dtype=np.float32)
    rows[:, 0] = np.arange(len(rows))  # an import is refused if its vectors do not change with the ids
    names = ("input_ids", "attention_mask")
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "pieces"]) for name in names]
    vectors = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["batch", "pieces", 10_000])
    node = helper.make_node("Gather", ["rows", "input_ids"], ["last_hidden_state"])
    graph = helper.make_graph([node], "lookup", ids, [vectors], [numpy_helper.from_array(rows, "rows")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    convert_model_to_external_data(model, location="tensors.bin", size_threshold=0)
    tiny_vocabulary.write(tmp_path / "export")
    onnx.save(model, tmp_path / "export" / "model.onnx")
    bundle = import_onnx(tmp_path / "export", tmp_path / "bundle")
    assert bundle.manifest.files["tensors.bin"].size_bytes == rows.nbytes == 12 * MB
    assert worker_memory(bundle, VectorOptions(), BatchingOptions()).weights > 12 * MB
    with pytest.raises(ParamError, match=r"(12|13) for the weights"):
        plan_memory(bundle, VectorOptions(), BatchingOptions(), 100)
