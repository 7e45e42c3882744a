"""Sessions of the real ONNX Runtime: how it optimizes a graph, its devices, its errors."""

import gc
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail, InvalidGraph

from sparkalbert.bundle import Bundle, write_bundle
from sparkalbert.errors import BundleError, InferenceError, ParamError, ParamTypeError
from sparkalbert.inference.session import _SLOWER_FUSIONS, EncoderSession, SessionOptions, _settings
from tests import tiny_bundle
from tests.damage import change_a_byte


def nodes(graph):
    """Yield the nodes of a graph and of its subgraphs."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes(attribute.g)


def optimized_nodes(bundle, path, disabled=_SLOWER_FUSIONS):
    settings = _settings(SessionOptions())
    settings.optimized_model_filepath = str(path)
    providers = ["CPUExecutionProvider"]
    onnxruntime.InferenceSession(str(bundle.graph_path), settings, providers, disabled_optimizers=disabled)
    return list(nodes(onnx.load(path, load_external_data=False).graph))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_layer_norms_are_not_fused(tmp_path, precision):
    found = [node.op_type for node in optimized_nodes(tiny_bundle.bundle(precision), tmp_path / "optimized.onnx")]
    assert found.count("LayerNormalization") == 3
    assert "SkipLayerNormalization" not in found


def test_by_default_they_would_be_fused(tmp_path):
    found = optimized_nodes(tiny_bundle.bundle(), tmp_path / "optimized.onnx", disabled=None)
    assert [node.op_type for node in found].count("SkipLayerNormalization") == 2


@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
def test_in_int8_no_activation_is_fused_with_its_bias_and_no_product_is_split(tmp_path, activation):
    found = optimized_nodes(tiny_bundle.bundle("int8", hidden_act=activation), tmp_path / "optimized.onnx")
    assert [len(node.input) for node in found if "Gelu" in node.op_type] == [1]
    assert "Split" not in {node.op_type for node in found}


def test_loading_is_logged_with_device_and_threads(caplog):
    caplog.set_level(logging.INFO, "sparkalbert")
    EncoderSession(tiny_bundle.bundle("int8"), SessionOptions(threads=2))
    assert [(record.name, record.levelno) for record in caplog.records] == [("sparkalbert", logging.INFO)]
    assert caplog.messages == ["Loaded plain (int8) on cpu with 2 threads"]


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices(device):
    assert SessionOptions(device=device).on_cpu is (device == "cpu")


@pytest.mark.parametrize(
    ("device", "suggestion"),
    [
        ("cpu:5", "cpu"),
        ("CPU", "cpu"),
        ("cuda:", "cuda"),
        ("cuda:-1", "cuda"),
        ("cuda:a", "cuda"),
        ("cuda0", "cuda"),
        ("CUDA:1", "cuda:1"),
        (" cuda:1", "cuda:1"),
        ("gpu", "cuda"),
        ("gpu:1", "cuda:1"),
        ("cuda:\u0663", "cuda"),
    ],
)
def test_a_misspelled_device_is_refused_with_a_suggestion(device, suggestion):
    with pytest.raises(ParamError) as caught:
        SessionOptions(device=device)
    assert str(caught.value) == (
        f"device is {device!r}, expected 'cpu', 'cuda' or 'cuda:N'. Did you mean {suggestion!r}?"
    )


@pytest.mark.parametrize("device", ["", "mps", "tpu:0", None, 0])
def test_another_device_is_refused(device):
    with pytest.raises(ParamError) as caught:
        SessionOptions(device=device)
    assert str(caught.value) == f"device is {device!r}, expected 'cpu', 'cuda' or 'cuda:N'."


@pytest.mark.parametrize(
    ("threads", "error"), [(0, ParamError), (-1, ParamError), (1.5, ParamTypeError), ("2", ParamTypeError)]
)
def test_an_invalid_number_of_threads(threads, error):
    with pytest.raises(error, match=r"threads is .*, expected "):
        SessionOptions(threads=threads)


def failing_creation(monkeypatch, error):
    """Let ONNX Runtime fail while it creates a session; return the list of the providers of each attempt."""
    attempts = []

    def fail(_, providers, *__):
        attempts.append(providers)
        raise error

    monkeypatch.setattr(onnxruntime.InferenceSession, "_create_inference_session", fail)
    return attempts


def test_a_creation_that_fails_is_not_tried_again(monkeypatch, capsys):
    """By default ONNX Runtime tries again without `disabled_optimizers`, which takes four times as long."""
    attempts = failing_creation(monkeypatch, RuntimeError("out of threads"))
    with pytest.raises(BundleError, match=r"cannot load .*model\.onnx on 'cpu': out of threads"):
        EncoderSession(tiny_bundle.bundle())
    assert attempts == [["CPUExecutionProvider"]]
    assert capsys.readouterr().out == ""


def test_a_provider_that_fails_later_is_not_replaced_by_the_cpu(monkeypatch, capsys):
    error = EPFail("CUDA failure 700: an illegal memory access was encountered")
    session = EncoderSession(tiny_bundle.bundle())
    real = session._session._sess

    class Failing:
        def __getattr__(self, name):
            return getattr(real, name)

        def run(self, *_):
            raise error

    monkeypatch.setattr(session._session, "_sess", Failing())
    ids = np.array([[2, 7, 3]])
    with pytest.raises(InferenceError, match=r"failed on model 'plain' .*: CUDA failure 700"):
        session.run(ids, np.ones_like(ids), np.array([0, 0, 0, 1], dtype=np.float32))
    assert isinstance(session._session._sess, Failing)
    assert capsys.readouterr().out == ""


class TestCuda:
    """Without a GPU: ONNX Runtime is real, only the list of its providers is replaced."""

    @pytest.fixture(autouse=True)
    def _cpu_build(self):
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            pytest.skip("this onnxruntime offers CUDA")

    def test_a_build_without_cuda(self):
        with pytest.raises(ParamError) as caught:
            EncoderSession(tiny_bundle.bundle(), SessionOptions(device="cuda"))
        offered = ", ".join(onnxruntime.get_available_providers())
        assert str(caught.value) == (
            f"device is 'cuda', but this onnxruntime offers {offered}. Install onnxruntime-gpu instead, or set device "
            "to 'cpu'."
        )

    @pytest.mark.filterwarnings("ignore:Specified provider")
    @pytest.mark.parametrize("device", ["cuda", "cuda:1"])
    def test_a_session_that_fell_back_to_the_cpu(self, device, monkeypatch):
        """ONNX Runtime only warns if CUDA's libraries are missing; the providers of the session show the fallback."""
        offered = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
        with pytest.raises(ParamError) as caught:
            EncoderSession(tiny_bundle.bundle(), SessionOptions(device=device))
        assert str(caught.value) == (
            f"device is {device!r}, but ONNX Runtime could not use CUDA and would compute on the CPU. Check that the "
            "GPU exists and that the CUDA and cuDNN libraries are installed (ONNX Runtime's log names them), or set "
            "device to 'cpu'."
        )

    def test_a_provider_that_cannot_be_created(self, monkeypatch, capsys):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
        attempts = failing_creation(monkeypatch, RuntimeError("CUDA failure 101: invalid device ordinal"))
        with pytest.raises(ParamError) as caught:
            EncoderSession(tiny_bundle.bundle(), SessionOptions(device="cuda:9"))
        assert str(caught.value) == (
            "device is 'cuda:9', but ONNX Runtime could not use CUDA: CUDA failure 101: invalid device ordinal. Check "
            "that the GPU exists and that the CUDA and cuDNN libraries are installed (ONNX Runtime's log names them), "
            "or set device to 'cpu'."
        )
        assert len(attempts) == 1
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("reason", ["Failed to allocate memory for requested buffer", "CUBLAS_STATUS_ALLOC_FAILED"])
    def test_a_gpu_whose_memory_is_full(self, monkeypatch, reason):
        """ONNX Runtime's own class of errors, as for a damaged graph."""
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
        failing_creation(monkeypatch, InvalidGraph(f"Exception during initialization: {reason}"))
        with pytest.raises(ParamError, match=r"does not fit into the free memory of device 'cuda:2'\. Let fewer tasks"):
            EncoderSession(tiny_bundle.bundle(), SessionOptions(device="cuda:2"))

    def test_libraries_are_loaded_before_providers_are_listed(self, monkeypatch):
        """A provider in a plug-in is listed only once CUDA is found."""
        offered = ["CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
        monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: offered.append("CUDAExecutionProvider"), raising=False)
        failing_creation(monkeypatch, InvalidGraph("it was tried"))
        with pytest.raises(BundleError, match="it was tried"):
            EncoderSession(tiny_bundle.bundle(), SessionOptions(device="cuda"))

    def test_a_graph_that_cannot_be_loaded_on_a_gpu(self, monkeypatch):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
        failing_creation(monkeypatch, InvalidGraph("no such operator"))
        with pytest.raises(BundleError, match=r"cannot load .*model\.onnx on 'cuda': no such operator"):
            EncoderSession(tiny_bundle.bundle(), SessionOptions(device="cuda"))

    def test_a_session_that_uses_cuda(self, monkeypatch):
        """The providers of a real session are replaced, so that it looks as on a machine with a GPU."""
        bundle = tiny_bundle.bundle()
        real, requested = onnxruntime.InferenceSession, []

        def open_session(path, settings, providers, **_):
            requested.append(providers)
            opened = real(path, settings, providers=["CPUExecutionProvider"])
            monkeypatch.setattr(opened, "get_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
            return opened

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
        monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
        EncoderSession(bundle, SessionOptions(device="cuda:3"))
        assert requested == [[("CUDAExecutionProvider", {"device_id": 3, "use_tf32": "0"}), "CPUExecutionProvider"]]


def test_fp16_needs_the_attention_kernel_that_reads_its_mask(monkeypatch):
    monkeypatch.setenv("ORT_DISABLE_MEMORY_EFFICIENT_ATTENTION", "1")
    manifest = tiny_bundle.bundle("fp16").manifest
    with pytest.raises(ParamError) as caught:
        SessionOptions(device="cuda").check(manifest)
    assert str(caught.value) == (
        "ORT_DISABLE_MEMORY_EFFICIENT_ATTENTION is '1', but model 'plain' (fp16) needs that kernel on 'cuda'. Unset it "
        "where the model runs."
    )
    SessionOptions().check(manifest)
    SessionOptions(device="cuda").check(tiny_bundle.bundle().manifest)
    monkeypatch.setenv("ORT_DISABLE_MEMORY_EFFICIENT_ATTENTION", "0")
    SessionOptions(device="cuda").check(manifest)


def test_int8_is_refused_on_a_gpu():
    with pytest.raises(ParamError) as caught:
        EncoderSession(tiny_bundle.bundle("int8"), SessionOptions(device="cuda:1"))
    assert str(caught.value) == (
        "device is 'cuda:1', but ONNX Runtime computes the integer products of model 'plain' (int8) on the CPU only. "
        "Convert the checkpoint with precision fp16 for a GPU, or set device to 'cpu'."
    )


def test_a_graph_that_cannot_be_loaded(tmp_path):
    with write_bundle(tmp_path / "bundle", tiny_bundle.bundle().manifest) as folder:
        (folder / "model.onnx").write_bytes(b"not a graph")
        (folder / "spiece.model").write_bytes(b"pieces")
    with pytest.raises(BundleError, match=r"ONNX Runtime \S+ cannot load .*model\.onnx on 'cpu': "):
        EncoderSession(Bundle.open(tmp_path / "bundle"))


def computed(session):
    ids = np.array([[2, 10, 11, 3]])
    weights = np.eye(session.bundle.manifest.num_layers + 1, dtype=np.float32)[-1]
    return session.run(ids, np.ones_like(ids), weights)


def test_weights_that_change_while_they_are_loaded_are_an_error_not_other_vectors(tmp_path):
    bundle = Bundle.open(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model"))
    session = EncoderSession(bundle)
    assert computed(session).shape == (1, 4, 32)
    row_bytes = 4 * 16
    change_a_byte(tmp_path / "model" / "model.onnx.data", 2 * row_bytes + 3)  # of the embedding of [CLS]
    with pytest.raises(InferenceError) as caught:
        computed(session)
    assert str(caught.value) == (
        f"The weights of model 'plain' must not change while it is loaded, but model.onnx.data in {tmp_path / 'model'} "
        "was written to. Load the model again; if that fails, restore the file."
    )
    assert caught.value.__cause__ is not None  # so that Spark runs the task again instead of blaming a row
    assert session.is_changed


def test_a_file_that_is_overwritten_with_its_old_time_is_noticed(tmp_path):
    """As ``cp -a`` does; only the time of change shows it."""
    session = EncoderSession(Bundle.open(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model")))
    weights = tmp_path / "model" / "model.onnx.data"
    before = weights.stat()
    change_a_byte(weights, 3)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert session.is_changed


def test_only_the_bytes_of_a_file_matter_not_its_mode_or_its_names(tmp_path):
    session = EncoderSession(Bundle.open(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model")))
    weights = tmp_path / "model" / "model.onnx.data"
    weights.chmod(0o600)
    assert not session.is_changed
    weights.chmod(0o644)
    (tmp_path / "link").hardlink_to(weights)
    (tmp_path / "link").unlink()
    (tmp_path / "model" / "MODEL_CARD.md").write_text("a model\n", encoding="utf-8")
    assert not session.is_changed
    assert computed(session).shape == (1, 4, 32)


def test_a_folder_that_is_replaced_or_removed_keeps_its_vectors(tmp_path):
    folder = Path(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model"))
    session = EncoderSession(Bundle.open(folder))
    before = computed(session)
    folder.rename(tmp_path / "old")
    shutil.copytree(tiny_bundle.bundle(num_hidden_layers=1).path, folder)
    assert np.array_equal(computed(session), before)
    shutil.rmtree(tmp_path / "old")
    assert np.array_equal(computed(session), before)
    assert not session.is_changed


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's /proc")
def test_a_session_closes_its_files(tmp_path):
    folder = Path(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model"))

    def opened():
        links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return sorted(link.name for link in links if link.parent == folder)

    session = EncoderSession(Bundle.open(folder))
    assert opened() == ["model.onnx", "model.onnx.data"]
    del session
    gc.collect()
    assert opened() == []


def test_weights_that_cannot_be_read(tmp_path):
    folder = Path(shutil.copytree(tiny_bundle.bundle().path, tmp_path / "model"))
    bundle = Bundle.open(folder)
    (folder / "model.onnx.data").unlink()
    reason = r"cannot be read \(No such file or directory\)\. Check that this user may read them\."
    with pytest.raises(BundleError, match=rf"^The weights of {folder} {reason}$"):
        EncoderSession(bundle)


def test_numbers_that_are_not_finite_are_an_error_not_a_vector():
    ids = np.array([[2, 10, 11, 3]])
    infinite = np.full(tiny_bundle.bundle().manifest.num_layers + 1, np.inf, dtype=np.float32)
    session = EncoderSession(tiny_bundle.bundle())
    with pytest.raises(
        InferenceError, match=r"^Model 'plain' \(fp32\) computed numbers that are infinite or NaN\. "
    ) as caught:
        session.run_rows(ids, np.ones_like(ids), infinite, np.array([1, 2]))
    assert caught.value.__cause__ is None, "so that Spark counts it as an error of the row"


def test_a_forward_pass_that_fails_names_the_model():
    session = EncoderSession(tiny_bundle.bundle())
    ids = np.array([[2, 10_000_000, 3]])
    with pytest.raises(InferenceError, match=r"failed on model 'plain' \(fp32\) for ids of shape \[1, 3\]: "):
        session.run(ids, np.ones_like(ids), np.array([0, 0, 0, 1], dtype=np.float32))
