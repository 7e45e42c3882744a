"""fp16 on a GPU, xlarge shape with random weights: exactness, the rest of the batch, and speed (make test-gpu).

Needs a GPU and onnxruntime-gpu; the comparison with torch needs torch and transformers too. The speeds are printed
as a table at the end. Everything takes about two minutes.
"""

import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from sparkalbert.convert import convert_checkpoint
from sparkalbert.inference import BatchingOptions, EncoderSession, SessionOptions, VectorOptions
from sparkalbert.inference.engine import Engine, SpecialPieces
from sparkalbert.machine import available_cores
from sparkalbert.text.pieces.encoding import EncodedSentence
from tests import tiny_bundle, tiny_checkpoint
from tests.full_shapes import BASE, XLARGE

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("default"),  # which warnings torch gives depends on its version
]

SPECIAL = SpecialPieces(cls_id=2, sep_id=3, pad_id=0)
FP16_PEAKS = {"NVIDIA H100 80GB HBM3": 989e12, "NVIDIA H200": 989e12, "NVIDIA A100-SXM4-80GB": 312e12}
"""Dense float16 FLOP per second by the vendor's data sheets; for other cards a large product is the measure."""

ON_GPU = {"Attention", "MatMul", "SkipLayerNormalization", "FastGelu", "LayerNormalization"}
ONLY_SHAPES = {"Shape", "Gather", "Add", "Mul", "Sub", "Clip", "Cast", "Range", "Identity", "Size"}
PRODUCT_SIZE = 8192
lines: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def _gpu():
    if not Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has no NVIDIA GPU")
    EncoderSession(tiny_bundle.bundle(), SessionOptions(device="cuda"))  # its error says what is missing here


@pytest.fixture(scope="module", autouse=True)
def _table(pytestconfig):
    yield
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("", *lines, sep="\n")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return tiny_checkpoint.write(tmp_path_factory.mktemp("xlarge") / "checkpoint", seed=5, **XLARGE)


@pytest.fixture(scope="module")
def fp16(source):
    return convert_checkpoint(source, source.with_name("fp16"), precision="fp16")


@pytest.fixture(scope="module")
def gpu(fp16):
    return EncoderSession(fp16, SessionOptions(device="cuda"))


@pytest.fixture(scope="module")
def fp32(source):
    return convert_checkpoint(source, source.with_name("fp32"))


@pytest.fixture(scope="module")
def cpu(fp32):
    return EncoderSession(fp32, SessionOptions(threads=available_cores()))


def batch(sequences, pieces, seed=0, shortest=None):
    """Return ids, mask and the rows of all pieces but [CLS] and [SEP]."""
    random = np.random.default_rng(seed)
    lengths = random.integers(shortest or pieces, pieces + 1, sequences)
    positions = np.arange(pieces)
    mask = (positions < lengths[:, None]).astype(np.int64)
    ids = random.integers(5, XLARGE["vocab_size"], mask.shape) * mask
    inner = (positions > 0) & (positions < lengths[:, None] - 1)
    return ids, mask, np.flatnonzero(inner)


def weights_of(*layers):
    weights = np.zeros(XLARGE["num_hidden_layers"] + 1, dtype=np.float32)
    weights[list(layers)] = 1 / len(layers)
    return weights


LAST = weights_of(-1)


def distances(found, expected):
    """Return 1 - cosine of each row."""
    found, expected = found.astype(np.float64), expected.astype(np.float64)
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    return 1 - (found * expected).sum(axis=1) / norms


def seconds(compute, at_least=0.6):
    """Return the median of repeated calls, warmed up."""
    compute(), compute()
    taken = []
    while sum(taken) < at_least:
        started = time.perf_counter()
        compute()
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))


def flop_per_piece(shape, pieces):
    hidden, wide = shape["hidden_size"], shape["intermediate_size"]
    linear = 2 * (4 * hidden * hidden + 2 * hidden * wide)
    return shape["num_hidden_layers"] * (linear + 4 * pieces * hidden)


def report(name, pieces, took, flop):
    rate = pieces / took
    lines.append(f"{name:52}{rate:>11,.0f} pieces/s{rate * flop / 1e12:>8.0f} TFLOP/s")
    return rate


def test_no_operator_on_tensors_of_the_batch_runs_on_the_cpu(fp16):
    settings = onnxruntime.SessionOptions()
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = onnxruntime.InferenceSession(fp16.graph_path, settings, ["CUDAExecutionProvider"])
    if not hasattr(session, "get_provider_graph_assignment_info"):
        pytest.skip("this onnxruntime does not record where nodes run")
    on = {"CUDAExecutionProvider": set(), "CPUExecutionProvider": set()}
    for part in session.get_provider_graph_assignment_info():
        on[part.ep_name] |= {node.op_type for node in part.get_nodes()}
    assert on["CUDAExecutionProvider"] >= ON_GPU
    assert on["CPUExecutionProvider"] <= ONLY_SHAPES


@pytest.mark.parametrize("layers", [(-1,), (0,), (1, -1), (-4, -3, -2, -1)])
def test_fp16_is_close_to_fp32_on_the_cpu(gpu, cpu, layers):
    ids, mask, rows = batch(6, 24, shortest=9)
    found = distances(*(one.run_rows(ids, mask, weights_of(*layers), rows) for one in (gpu, cpu)))
    lines.append(f"fp16 to fp32 on the CPU, layers {layers}: 1 - cosine {found.mean():.1e}, worst {found.max():.1e}")
    assert found.mean() < 2e-5
    assert found.max() < 1e-4


def test_padding_is_no_piece_for_any_head_size(tmp_path):
    """Heads of 28 dimensions (``albert_tiny_bahasa_cased``) have a mask and a kernel of their own."""
    shape = {"hidden_size": 336, "num_attention_heads": 12, "intermediate_size": 1344, "num_hidden_layers": 2}
    source = tiny_checkpoint.write(tmp_path / "checkpoint", seed=6, **{**BASE, **shape})
    bundles = [convert_checkpoint(source, tmp_path / name, precision=name) for name in ("fp16", "fp32")]
    ids, mask, rows = batch(6, 24, shortest=9)
    weights = np.eye(3, dtype=np.float32)[-1]
    on_gpu, on_cpu = (
        EncoderSession(bundle, SessionOptions(device=device)).run_rows(ids, mask, weights, rows)
        for bundle, device in zip(bundles, ("cuda", "cpu"), strict=True)
    )
    assert distances(on_gpu, on_cpu).max() < 1e-4


def test_fp32_is_float32_on_the_gpu(fp32, cpu):
    """TF32, ONNX Runtime's default, has errors of 5e-3 in the base shape, float32 of 4e-6."""
    ids, mask, rows = batch(6, 24, shortest=9)
    session = EncoderSession(fp32, SessionOptions(device="cuda"))
    found, expected = (one.run_rows(ids, mask, LAST, rows) for one in (session, cpu))
    error = np.abs(found - expected).max()
    lines.append(f"fp32 on the GPU to fp32 on the CPU: largest error {error:.1e}")
    assert error < 5e-5
    ids, mask, rows = batch(32, 128)
    took = seconds(lambda: session.run_rows(ids, mask, LAST, rows))
    report("fp32 on the GPU, 32 x 128", ids.size, took, flop_per_piece(XLARGE, 128))


def test_a_vector_hardly_depends_on_the_rest_of_the_batch(gpu):
    """On a GPU the library chooses a product's algorithm by its size, so bits differ; how much is written here."""
    ids, mask, _ = batch(32, 128, shortest=100)
    together = gpu.run(ids, mask, LAST)
    worst = largest = 0.0
    for row in range(0, 32, 8):
        length = int(mask[row].sum())
        for pieces in (length, 128):
            alone = gpu.run(ids[row : row + 1, :pieces], mask[row : row + 1, :pieces], LAST)[0, :length]
            worst = max(worst, distances(alone, together[row, :length]).max())
            largest = max(largest, np.abs(alone - together[row, :length]).max())
    lines.append(f"fp16 alone to fp16 in a batch: 1 - cosine at most {worst:.1e}, largest error {largest:.1e}")
    assert worst < 1e-5
    assert np.array_equal(together, gpu.run(ids, mask, LAST))


def sentences(pieces, seed=1):
    """Return sentences with the lengths of news, each piece a word."""
    random = np.random.default_rng(seed)
    lengths = random.lognormal(np.log(30), 0.45, pieces // 33).astype(int) + 1
    spans = [np.arange(length) for length in lengths]
    return [
        EncodedSentence(random.integers(5, XLARGE["vocab_size"], len(span)), np.stack([span, span + 1], axis=1))
        for span in spans
    ]


def test_the_engine_reaches_a_good_part_of_the_session(gpu):
    """One process sorts, pads and copies at 91,000 to 99,000 pieces per second (H100); several share a GPU."""
    many = sentences(60_000)
    engine = Engine(gpu, SPECIAL, VectorOptions(), BatchingOptions())
    pieces = sum(len(one.ids) + 2 for one in many)
    rate = report(
        "engine, sentences of news", pieces, seconds(lambda: engine.embed(many), 2), flop_per_piece(XLARGE, 33)
    )
    ids, mask, rows = batch(128, 32)
    took = seconds(lambda: gpu.run_rows(ids, mask, LAST, rows))
    bare = report("session, 128 x 32", ids.size, took, flop_per_piece(XLARGE, 32))
    few = many[:40]
    apart = np.concatenate([engine.embed([one]) for one in few])
    assert distances(engine.embed(many)[: len(apart)], apart).max() < 1e-5
    assert rate > 0.4 * bare


@pytest.mark.parametrize(("name", "shape"), [("xlarge", XLARGE), ("base", BASE)])
def test_the_default_batch_is_near_the_fastest(gpu, tmp_path, name, shape):
    session = gpu
    if name == "base":
        checkpoint = tiny_checkpoint.write(tmp_path / name, **shape)
        bundle = convert_checkpoint(checkpoint, tmp_path / "bundle", precision="fp16")
        session = EncoderSession(bundle, SessionOptions(device="cuda"))
    weights = np.eye(shape["num_hidden_layers"] + 1, dtype=np.float32)[-1]
    rates = {}
    for sequences in (32, 128, 512, 2048):
        ids, mask, rows = batch(sequences, 32)
        took = seconds(lambda ids=ids, mask=mask, rows=rows: session.run_rows(ids, mask, weights, rows), 0.4)
        rates[ids.size] = report(f"{name}, {ids.size} pieces per batch", ids.size, took, flop_per_piece(shape, 32))
    best = BatchingOptions().for_model(session.bundle.manifest, on_cpu=False).pieces_per_batch
    assert rates[best] > 0.85 * max(rates.values())


@pytest.mark.skipif(
    find_spec("torch") is None or find_spec("transformers") is None, reason="needs torch and transformers"
)
def test_xlarge_reaches_forty_percent_of_the_peak_and_the_speed_of_torch(gpu, source):
    import torch
    from transformers import AlbertModel

    if not torch.cuda.is_available():
        pytest.skip("this torch cannot use the GPU")
    ids, mask, rows = batch(32, 128)
    flop = flop_per_piece(XLARGE, 128)
    ours = report("sparkalbert, 32 x 128", ids.size, seconds(lambda: gpu.run_rows(ids, mask, LAST, rows), 1), flop)

    model = AlbertModel.from_pretrained(source, attn_implementation="sdpa", dtype=torch.float16).cuda().eval()

    def with_torch():
        with torch.inference_mode():
            hidden = model(torch.from_numpy(ids).cuda(), attention_mask=torch.from_numpy(mask).cuda()).last_hidden_state
            return hidden.flatten(0, 1)[torch.from_numpy(rows).cuda()].float().cpu().numpy()

    theirs = report("torch fp16, SDPA, 32 x 128", ids.size, seconds(with_torch, 1), flop)
    assert distances(gpu.run_rows(ids, mask, LAST, rows), with_torch()).max() < 1e-4

    square = torch.randn(2, PRODUCT_SIZE, PRODUCT_SIZE, device="cuda", dtype=torch.float16)

    def product():
        torch.mm(square[0], square[1])
        torch.cuda.synchronize()

    measured = 2 * PRODUCT_SIZE**3 / seconds(product)
    card = torch.cuda.get_device_name()
    peak = max(FP16_PEAKS.get(card, 0), measured)
    lines.append(
        f"{card}: a large product reaches {measured / 1e12:.0f} TFLOP/s; sparkalbert has "
        f"{ours * flop / peak:.0%} of the peak of {peak / 1e12:.0f} and {ours / theirs:.2f} of torch's speed"
    )
    assert ours * flop >= 0.4 * peak
    assert ours >= theirs
