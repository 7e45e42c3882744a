import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from sparkalbert.convert.graph.int8 import non_negative_rows, product, symmetric_rows
from sparkalbert.convert.graph.nodes import Constants, Nodes
from sparkalbert.convert.weights.quantize import ACTIVATION_FLOOR, SCALE, dequantize, quantize_columns

FLOOR = ACTIVATION_FLOOR["tanh"]


def run_product(kind: str, rows: np.ndarray, integers: np.ndarray, scales: np.ndarray) -> dict[str, np.ndarray]:
    """Run the nodes of a layer's product alone in a graph, with the intermediate values as outputs."""
    nodes = Nodes(Constants())
    integer_rows = symmetric_rows(nodes, "rows") if kind == "symmetric" else non_negative_rows(nodes, "rows", FLOOR)
    multiplied = product(nodes, integer_rows, "weight")
    (node,) = (node for node in nodes.nodes if node.op_type == "MatMulIntegerToFloat")
    outputs = {"product": multiplied, "sums": node.output[0], "quantized": node.input[0]}
    graph = helper.make_graph(
        nodes.nodes,
        kind,
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["batch", "pieces", rows.shape[-1]])],
        [helper.make_empty_tensor_value_info(name) for name in outputs.values()],
        [
            *nodes.constants.tensors.values(),
            numpy_helper.from_array(integers, "weight"),
            numpy_helper.from_array(scales, f"weight{SCALE}"),
        ],
    )
    model = helper.make_model(
        graph,
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)],
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(outputs, session.run(list(outputs.values()), {"rows": rows}), strict=True))


def rows_of(name: str, kind: str, width: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    shape = (3, 7, width)
    rows = {
        "normal": rng.standard_normal(shape),
        "heavy": rng.standard_t(2, size=shape),
        "all max": np.full(shape, 3.0),
        "all min": np.full(shape, -3.0),
        "alternating": np.where(np.arange(width) % 2, 4.0, -4.0) * np.ones(shape),
        "zeros": np.zeros(shape),
        "tiny": np.full(shape, 1e-38),
        "huge": np.full(shape, 1e30) * np.sign(rng.standard_normal(shape)),
    }[name].astype(np.float32)
    return rows if kind == "symmetric" else np.maximum(rows, np.float32(-0.17))


def integers_of(name: str, width: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(6)
    return {
        "random": rng.integers(-127, 128, size=(width, columns)),
        "all max": np.full((width, columns), 127),
        "all min": np.full((width, columns), -127),
        "alternating": np.where(np.arange(width) % 2, 127, -127)[:, None] * np.ones((1, columns)),
    }[name].astype(np.int8)


@pytest.mark.parametrize("kind", ["symmetric", "non-negative"])
@pytest.mark.parametrize("name", ["normal", "heavy", "all max", "all min", "alternating", "zeros", "tiny", "huge"])
@pytest.mark.parametrize("weights", ["random", "all max", "all min", "alternating"])
@pytest.mark.parametrize(("width", "columns"), [(32, 48), (33, 5), (768, 65)])
def test_integer_sums_are_exact_on_this_machine(kind, name, weights, width, columns):
    """float32 represents every sum here exactly (below 2**24), so an error of one unit shows.

    A kernel that adds two products in 16 bits fails this test by orders of magnitude.
    """
    rows = rows_of(name, kind, width)
    integers = integers_of(weights, width, columns)
    values = run_product(kind, rows, integers, np.ones(columns, dtype=np.float32))
    quantized = values["quantized"].astype(np.int64)
    assert quantized.max() <= 127
    zero_point = 64 if kind == "symmetric" else 0
    sums = (quantized - zero_point) @ integers.astype(np.int64)
    assert np.abs(sums).max() < 2**24
    np.testing.assert_array_equal(values["sums"], sums)
    assert np.isfinite(values["product"]).all()


def test_the_widest_sums_are_exact_to_float32():
    """8192 extreme products exceed 2**24: the result must be the float32 nearest to the exact sum."""
    rows = np.full((1, 2, 8192), 2.5, dtype=np.float32)
    integers = integers_of("all max", 8192, 16)
    values = run_product("non-negative", rows, integers, np.ones(16, dtype=np.float32))
    exact = values["quantized"].astype(np.int64) @ integers.astype(np.int64)
    assert exact.min() == 127 * 127 * 8192
    np.testing.assert_array_equal(values["sums"], exact.astype(np.float32))


@pytest.mark.parametrize("kind", ["symmetric", "non-negative"])
def test_a_product_is_close_to_the_float_product(kind):
    rng = np.random.default_rng(8)
    rows = rows_of("normal", kind, 256)
    matrix = rng.standard_normal((256, 40), dtype=np.float32)
    integers, scales = quantize_columns(matrix)
    computed = run_product(kind, rows, integers, scales)["product"]
    expected = rows.astype(np.float64) @ dequantize(integers, scales)
    if kind == "non-negative":
        expected = expected + FLOOR * dequantize(integers, scales).sum(axis=0, dtype=np.float64)
    assert computed.shape == (3, 7, 40)
    # The error of each value is at most half a step; a step is the row's range divided by 126 or 127.
    step = 2 * np.abs(rows).max() / 126 if kind == "symmetric" else (rows.max() + FLOOR) / 127
    bound = step / 2 * np.abs(dequantize(integers, scales)).sum(axis=0).max()
    assert np.abs(computed - expected).max() < bound
    assert np.abs(computed - expected).std() < step / 3 * np.linalg.norm(dequantize(integers, scales), axis=0).max()
