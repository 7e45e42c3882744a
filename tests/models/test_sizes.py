import pytest

from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.conversion import weight_arrays
from sparkalbert.convert.weights.quantize import RESIDUAL
from sparkalbert.inference import BatchingOptions, VectorOptions
from sparkalbert.inference.memory import worker_memory
from sparkalbert.models.names import KNOWN_MODELS
from sparkalbert.models.sizes import megaflop_per_piece, weight_bytes, worker_bytes
from tests import tiny_bundle, tiny_checkpoint


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("shape", [{}, {"num_hidden_groups": 3, "inner_group_num": 2}, {"type_vocab_size": 1}])
def test_the_size_is_that_of_a_conversion(tmp_path, precision, shape):
    checkpoint = Checkpoint.open(tiny_checkpoint.write(tmp_path / "albert", **shape))
    arrays = [array for name, array in weight_arrays(checkpoint, precision) if RESIDUAL not in name]
    assert weight_bytes(checkpoint.config, precision) == sum(array.nbytes for array in arrays)


@pytest.mark.parametrize(("size", "megaflop"), [("base", 170), ("large", 604), ("xlarge", 2_416), ("xxlarge", 4_833)])
def test_work(size, megaflop):
    assert round(megaflop_per_piece(KNOWN_MODELS[f"albert_{size}_uncased"].config)) == megaflop


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_memory_of_a_worker_is_that_of_the_bundle(precision):
    bundle = tiny_bundle.bundle(precision)
    of_bundle = worker_memory(bundle, VectorOptions(), BatchingOptions()).total
    graph = bundle.manifest.files["model.onnx"].size_bytes
    padding = 4096 * 100
    assert 0 <= of_bundle - worker_bytes(bundle.config, precision) <= 2 * (graph + padding)


@pytest.mark.parametrize(("size", "memory_mb"), [("base", 453), ("xlarge", 696)])
def test_memory_of_a_worker(size, memory_mb):
    assert round(worker_bytes(KNOWN_MODELS[f"albert_{size}_uncased"].config, "fp32") / 1e6) == memory_mb
