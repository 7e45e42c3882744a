"""Files of foreign graphs: which are read, copied and refused."""

import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sparkalbert.bundle import Bundle
from sparkalbert.convert import export_spark_nlp, import_onnx
from sparkalbert.inference.session import EncoderSession
from tests import tiny_bundle
from tests.convert.foreign.exports import LAST_LAYER, TABLE, load, refusal, write_export

NOT_BESIDE = "expected a file beside the graph, with a name that no other file of a bundle has"


def external_tensor(*locations: str) -> TensorProto:
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for location in locations:
        tensor.external_data.add(key="location", value=location)
    return tensor


def constant(tensor: TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["unused"], value=tensor)


def in_initializer(model, tensor):
    model.graph.initializer.append(tensor)


def in_sparse_initializer(model, tensor):
    sparse = onnx.SparseTensorProto(values=tensor, indices=numpy_helper.from_array(np.array([0])), dims=[4])
    model.graph.sparse_initializer.append(sparse)


def in_indices_of_a_sparse_initializer(model, tensor):
    sparse = onnx.SparseTensorProto(values=numpy_helper.from_array(TABLE[0, :1]), indices=tensor, dims=[4])
    model.graph.sparse_initializer.append(sparse)


def in_attribute(model, tensor):
    model.graph.node.append(constant(tensor))


def in_list_of_tensors(model, tensor):
    node = helper.make_node("Constant", [], ["unused"])
    node.attribute.append(onnx.AttributeProto(name="x", type=onnx.AttributeProto.TENSORS, tensors=[tensor]))
    model.graph.node.append(node)


def in_sparse_attribute(model, tensor):
    node = helper.make_node("Constant", [], ["unused"])
    sparse = onnx.SparseTensorProto(values=tensor)
    node.attribute.append(
        onnx.AttributeProto(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR, sparse_tensor=sparse)
    )
    model.graph.node.append(node)


def in_subgraph(model, tensor):
    inner = helper.make_graph([constant(tensor)], "inner", [], [])
    middle = helper.make_graph([helper.make_node("If", ["c"], [], then_branch=inner)], "middle", [], [])
    model.graph.node.append(helper.make_node("If", ["c"], [], then_branch=middle))


def in_function(model, tensor):
    opset = helper.make_opsetid("", 18)
    model.functions.append(helper.make_function("local", "f", [], ["unused"], [constant(tensor)], [opset]))


def in_default_of_a_function(model, tensor):
    in_function(model, numpy_helper.from_array(np.zeros(1, np.float32)))
    model.functions[0].attribute_proto.append(helper.make_attribute("x", tensor))


def in_training_info(model, tensor):
    model.training_info.add().initialization.initializer.append(tensor)


PLACES = [
    in_initializer,
    in_sparse_initializer,
    in_indices_of_a_sparse_initializer,
    in_attribute,
    in_list_of_tensors,
    in_sparse_attribute,
    in_subgraph,
    in_function,
    in_default_of_a_function,
    in_training_info,
]


def add(source, place, tensor):
    model = load(source)
    place(model, tensor)
    (source / "model.onnx").write_bytes(model.SerializeToString())


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_data_file_elsewhere_is_refused_wherever_it_is_named(tmp_path, place):
    source = write_export(tmp_path / "export")
    add(source, place, external_tensor("../../etc/passwd"))
    assert f"the graph names the data file '../../etc/passwd'; {NOT_BESIDE}" in refusal(source)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_missing_data_file_is_named_wherever_it_is_named(tmp_path, place):
    source = write_export(tmp_path / "export")
    add(source, place, external_tensor("weights.bin"))
    assert "the graph's data file weights.bin is missing" in refusal(source)


def test_a_data_file_of_a_name_that_is_too_long_is_missing(tmp_path):
    source = write_export(tmp_path / "export")
    add(source, in_initializer, external_tensor("a" * 300))
    assert f"the graph's data file {'a' * 300} is missing" in refusal(source)


@pytest.mark.parametrize("locations", [["model.weights", "../secret"], ["../secret", "model.weights"]])
def test_every_location_of_a_tensor_counts(tmp_path, locations):
    """ONNX Runtime uses the last one, other readers the first."""
    source = write_export(tmp_path / "export")
    (source / "model.weights").write_bytes(bytes(8))
    add(source, in_initializer, external_tensor(*locations))
    assert "the graph names the data file '../secret'" in refusal(source)


@pytest.mark.parametrize(
    "location",
    ["../secret", "/etc/hostname", "manifest.json", "Model.ONNX", "sub/weights", "a\\b", "..", ".", "", "a\0b"],
)
def test_data_files_elsewhere_and_reserved_names_are_refused(tmp_path, location):
    source = write_export(tmp_path / "export", data_file="model.onnx_data")
    (tmp_path / "secret").write_bytes(bytes(TABLE.nbytes + 8))
    model = load(source)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    (source / "model.onnx").write_bytes(model.SerializeToString())
    assert NOT_BESIDE in refusal(source)


def test_a_tensor_without_a_location_is_refused(tmp_path):
    source = write_export(tmp_path / "export")
    add(source, in_initializer, external_tensor())
    assert f"the graph names the data file ''; {NOT_BESIDE}" in refusal(source)


def test_missing_and_truncated_data_files_are_refused(tmp_path):
    source = write_export(tmp_path / "export", data_file="model.onnx_data")
    (source / "model.onnx_data").write_bytes(b"")
    assert "ONNX Runtime cannot run the ONNX export export" in refusal(source)
    (source / "model.onnx_data").unlink()
    assert "the graph's data file model.onnx_data is missing" in refusal(source)


@pytest.mark.parametrize("data_file", ["model.onnx_data", "weights.bin", "model.onnx.data", "onnx__Table_7"])
def test_data_files_of_any_name_are_part_of_the_bundle(tmp_path, data_file):
    source = write_export(tmp_path / "export", data_file=data_file)
    bundle = import_onnx(source, tmp_path / "bundle")
    files = {"manifest.json", "model.onnx", "spiece.model", "tokenizer_config.json", data_file}
    assert {path.name for path in bundle.path.iterdir()} == files
    assert set(bundle.manifest.files) == files - {"manifest.json"}
    assert bundle.manifest.files[data_file].size_bytes == (source / data_file).stat().st_size
    shutil.rmtree(source)
    moved = Bundle.open(bundle.path.rename(tmp_path / "moved")).verify()
    ids = np.array([[4, 5, 200]])
    np.testing.assert_array_equal(EncoderSession(moved).run(ids, np.ones_like(ids), LAST_LAYER), TABLE[ids])


def test_weights_in_several_files_are_all_copied(tmp_path):
    source = export_spark_nlp(tiny_bundle.checkpoint(), tmp_path / "export")
    path = str(source / "model.onnx")
    model = onnx.load(path)
    names = {tensor.name for tensor in model.graph.initializer if len(tensor.raw_data) >= 1000}
    onnx.save(model, path, save_as_external_data=True, all_tensors_to_one_file=False, size_threshold=1000)
    bundle = import_onnx(source, tmp_path / "bundle").verify()
    assert len(names) > 5
    assert set(bundle.manifest.files) == {"config.json", "model.onnx", "spiece.model", "tokenizer_config.json", *names}


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08" * 100])
def test_a_file_that_is_not_a_graph_is_refused(tmp_path, content):
    source = write_export(tmp_path / "export")
    (source / "model.onnx").write_bytes(content)
    refusal(source)


@pytest.mark.parametrize("name", [b"input_ids", b"last_hidden_state", b"Gather", b"table"])
def test_names_that_are_not_utf8_are_refused(tmp_path, name):
    source = write_export(tmp_path / "export")
    path = source / "model.onnx"
    path.write_bytes(path.read_bytes().replace(name, b"\xff" * len(name)))
    assert "model.onnx is not an ONNX graph: it holds a name that is not valid UTF-8" in refusal(source)
