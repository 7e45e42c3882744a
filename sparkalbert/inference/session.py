"""Runs a bundle's graph in ONNX Runtime: ids in, hidden states out.

This is the only module that imports onnxruntime.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.bundle import Bundle, Manifest
from sparkalbert.errors import BundleError, InferenceError, ParamError
from sparkalbert.inference.loaded_files import LoadedFiles
from sparkalbert.options import checked_integer

__all__ = ["EncoderSession", "SessionOptions"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_DEVICE: Final = re.compile(r"cpu|cuda(?::(?P<number>[0-9]+))?")
_ERRORS_ONLY: Final = 3
_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"

_CUDA_OPTIONS: Final = {"use_tf32": "0"}
"""float32 means float32: by default ONNX Runtime multiplies in TF32, whose largest error was 5e-3 instead of 4e-6 (base
shape, NVIDIA H100)."""

_PROVIDER_ERRORS: Final = (ValueError, RuntimeError)
"""What ONNX Runtime raises if it cannot create a provider. Its errors about the graph have classes of their own. By
default it prints these errors, creates the session again on the CPU, and does so again when a provider fails later."""

_NO_EFFICIENT_ATTENTION: Final = "ORT_DISABLE_MEMORY_EFFICIENT_ATTENTION"
"""Makes ONNX Runtime choose another attention kernel, which would take the padding of fp16 graphs for pieces, see
:mod:`sparkalbert.convert.graph.accelerator`."""

_OUT_OF_MEMORY: Final = re.compile("Failed to allocate memory|out of memory|ALLOC_FAILED")
"""In messages of ONNX Runtime, CUDA and cuBLAS."""

_SLOWER_FUSIONS: Final = ["SkipLayerNormFusion", "BiasSkipLayerNormFusion"]
"""Fusions into SkipLayerNormalization, which on CPUs takes four times as long as the operators that it replaces:
2.66 against 0.60 ms for 256 rows of 2048, one thread."""


@dataclass(frozen=True)
class SessionOptions:
    """How a session uses the machine. On a CPU, no option changes a vector.

    Attributes
    ----------
    threads
        Threads of one forward pass. ONNX Runtime ignores ``OMP_NUM_THREADS`` and would take every core.
    device
        ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    ParamError
        If a value is invalid.

    Notes
    -----
    Throughput of two cores for each way to share them, in pieces per second, with the sentence lengths of news, base
    shape, CPU with AVX512-VNNI. So each task uses one core and one thread, and idle threads do not spin while they
    wait:

    ===================  ==========  ==========
    processes x threads  fp32        int8
    ===================  ==========  ==========
    **2 x 1**            **1,109**   **3,267**
    1 x 2                1,047       2,862
    1 x 2, spinning      1,087       3,007
    2 x 2                963         2,924
    2 x 2, spinning      810         2,065
    ===================  ==========  ==========

    Examples
    --------
    >>> SessionOptions(threads=4, device="cuda:1").device
    'cuda:1'
    """

    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "threads", checked_integer("threads", self.threads, minimum=1))
        if not isinstance(self.device, str) or not _DEVICE.fullmatch(self.device):
            msg = f"device is {self.device!r}, expected 'cpu', 'cuda' or 'cuda:N'.{_suggestion(str(self.device))}"
            raise ParamError(msg)

    @property
    def on_cpu(self) -> bool:
        """Whether the graph runs on the CPU."""
        return self.device == "cpu"

    def check(self, manifest: Manifest) -> None:
        """Check the options against a model, on the driver, before anything runs.

        Raises
        ------
        ParamError
            If the device cannot run the model's number format.
        """
        if not self.on_cpu and manifest.precision == "int8":
            msg = (
                f"device is {self.device!r}, but ONNX Runtime computes the integer products of model "
                f"{manifest.name!r} (int8) on the CPU only. Convert the checkpoint with precision fp16 for a GPU, or "
                "set device to 'cpu'."
            )
            raise ParamError(msg)
        if not self.on_cpu and manifest.precision == "fp16" and os.environ.get(_NO_EFFICIENT_ATTENTION, "0") != "0":
            msg = (
                f"{_NO_EFFICIENT_ATTENTION} is {os.environ[_NO_EFFICIENT_ATTENTION]!r}, but model {manifest.name!r} "
                f"(fp16) needs that kernel on {self.device!r}. Unset it where the model runs."
            )
            raise ParamError(msg)


def _suggestion(device: str) -> str:
    """Return the valid device that was probably meant, as a sentence; empty if none is near."""
    close = re.sub("^gpu", "cuda", device.strip().lower())
    if not _DEVICE.fullmatch(close):
        close = next((kind for kind in ("cpu", "cuda") if close.startswith(kind)), "")
    return f" Did you mean {close!r}?" if close else ""


class EncoderSession:
    """A loaded graph.

    Parameters
    ----------
    bundle
        The bundle whose graph is run.
    options
        Threads and device.

    Raises
    ------
    BundleError
        If a file cannot be read, or ONNX Runtime cannot load the graph.
    ParamError
        If ONNX Runtime cannot use the device, or cannot run this model on it.
    """

    def __init__(self, bundle: Bundle, options: SessionOptions | None = None) -> None:
        self.bundle = bundle
        self.options = options or SessionOptions()
        self.options.check(bundle.manifest)
        self._files = LoadedFiles(bundle)
        self._session = _open(bundle, self.options)
        self._inputs = {node.name: node.type for node in self._session.get_inputs()}
        self._output = _output_name([node.name for node in self._session.get_outputs()])
        _LOGGER.info(
            "Loaded %s (%s) on %s with %d threads",
            bundle.manifest.name,
            bundle.manifest.precision,
            self.options.device,
            self.options.threads,
        )

    @property
    def mixes_layers(self) -> bool:
        """Whether the graph takes ``layer_weights``; an imported graph returns its last layer only."""
        return "layer_weights" in self._inputs

    @property
    def is_changed(self) -> bool:
        """Whether a file of weights was written to since the graph was loaded: it may compute other vectors then."""
        return bool(self._files.changed())

    def run(self, input_ids: Int64Array, attention_mask: Int64Array, layer_weights: Float32Array) -> Float32Array:
        """Compute the weighted sum of the hidden states of right-padded sequences.

        Parameters
        ----------
        input_ids
            int64 ``[batch, pieces]``.
        attention_mask
            int64 ``[batch, pieces]``: 1 for a piece, 0 for padding.
        layer_weights
            float32 ``[num_hidden_layers + 1]``; index 0 is the embedding, ``i`` the ``i``-th layer. Layers after
            the last non-zero weight are not computed.

        Returns
        -------
        ndarray
            float32 ``[batch, pieces, hidden]``; rows of padding are undefined.

        Raises
        ------
        InferenceError
            If ONNX Runtime fails, or a file of weights was written to since the graph was loaded.
        """
        hidden = self._forward(input_ids, attention_mask, layer_weights, np.arange(input_ids.size))
        return hidden.reshape(*input_ids.shape, -1)

    def run_rows(
        self, input_ids: Int64Array, attention_mask: Int64Array, layer_weights: Float32Array, rows: Int64Array
    ) -> Float32Array:
        """Compute some rows of :meth:`run`. fp16 graphs gather them, so that a GPU returns only these.

        Parameters
        ----------
        input_ids, attention_mask, layer_weights
            See :meth:`run`.
        rows
            int64 ``[rows]``, indices into ``[batch * pieces]``.

        Returns
        -------
        ndarray
            float32 ``[rows, hidden]``.

        Raises
        ------
        InferenceError
            If ONNX Runtime fails, a file of weights was written to since the graph was loaded, or a number is infinite
            or NaN.
        """
        hidden = self._forward(input_ids, attention_mask, layer_weights, rows)
        needed: Float32Array = hidden if "rows" in self._inputs else hidden.reshape(-1, hidden.shape[-1])[rows]
        if not np.isfinite(needed).all():
            msg = (
                f"Model {self.bundle.manifest.name!r} ({self.bundle.manifest.precision}) computed numbers that are "
                "infinite or NaN. If it is fp16, its activations are too large for that: convert it in fp32."
            )
            raise InferenceError(msg)
        return needed

    def _forward(
        self, input_ids: Int64Array, attention_mask: Int64Array, layer_weights: Float32Array, rows: Int64Array
    ) -> Float32Array:
        """Return the graph's output: only the given rows if the graph gathers rows."""
        available: dict[str, npt.NDArray[Any]] = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "layer_weights": layer_weights,
            "rows": rows,
        }
        if "token_type_ids" in self._inputs:
            available["token_type_ids"] = np.zeros_like(input_ids)
        feed = {name: _as_declared(available[name], kind) for name, kind in self._inputs.items()}
        try:
            (hidden,) = self._session.run([self._output], feed)
        except Exception as error:
            msg = (
                f"ONNX Runtime failed on model {self.bundle.manifest.name!r} "
                f"({self.bundle.manifest.precision}) for ids of shape {list(input_ids.shape)}: {error}"
            )
            raise InferenceError(msg) from error
        self._check_files()
        return np.asarray(hidden, dtype=np.float32)

    def _check_files(self) -> None:
        """Raise an error if the vectors that were just computed may be those of other weights."""
        changed = self._files.changed()
        if changed:
            cause = BundleError(f"{self.bundle.path} is not what was loaded")
            msg = (
                f"The weights of model {self.bundle.manifest.name!r} must not change while it is loaded, but "
                f"{', '.join(changed)} in {self.bundle.path} was written to. Load the "
                "model again; if that fails, restore the file."
            )
            raise InferenceError(msg) from cause  # with a cause it is an error of the machine, not of a row


def _output_name(names: list[str]) -> str:
    for known in ("hidden_state", "last_hidden_state"):
        if known in names:
            return known
    return names[0]


def _as_declared(values: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    """Convert ids for imported graphs that take int32."""
    return values.astype(np.int32) if kind == "tensor(int32)" else values


def _open(bundle: Bundle, options: SessionOptions) -> Any:
    import onnxruntime

    providers = _providers(options.device)
    try:
        session = onnxruntime.InferenceSession(
            str(bundle.graph_path),
            _settings(options),
            providers=providers,
            disabled_optimizers=_SLOWER_FUSIONS if options.on_cpu else None,
            enable_fallback=0,
        )
    except Exception as error:
        if not options.on_cpu and _OUT_OF_MEMORY.search(str(error)):
            msg = (
                f"Model {bundle.manifest.name!r} ({bundle.manifest.precision}) does not fit into the free memory of "
                f"device {options.device!r}. Let fewer tasks share the GPU (spark.task.resource.gpu.amount), or use a "
                f"smaller model: {error}"
            )
            raise ParamError(msg) from error
        if not options.on_cpu and isinstance(error, _PROVIDER_ERRORS):
            raise ParamError(_unusable(options.device, f"ONNX Runtime could not use CUDA: {error}")) from error
        msg = f"ONNX Runtime {onnxruntime.__version__} cannot load {bundle.graph_path} on {options.device!r}: {error}"
        raise BundleError(msg) from error
    session.disable_fallback()  # versions that do not know the argument above
    _check_providers(session.get_providers(), options.device)
    return session


def _check_providers(used: list[str], device: str) -> None:
    """Refuse a session that fell back to the CPU: ONNX Runtime does so without an error."""
    if device != "cpu" and _CUDA not in used:
        raise ParamError(_unusable(device, "ONNX Runtime could not use CUDA and would compute on the CPU"))


def _unusable(device: str, reason: str) -> str:
    return (
        f"device is {device!r}, but {reason.rstrip('.')}. Check that the GPU exists and that the CUDA and cuDNN "
        "libraries are installed (ONNX Runtime's log names them), or set device to 'cpu'."
    )


def _settings(options: SessionOptions) -> Any:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.log_severity_level = _ERRORS_ONLY
    # Every batch has its own shape, so the memory plan of a batch would be kept but hardly ever used again.
    settings.enable_mem_pattern = False
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return settings


def _providers(device: str) -> list[Any]:
    import onnxruntime

    if device == "cpu":
        return [_CPU]
    if hasattr(onnxruntime, "preload_dlls"):  # since 1.21: finds CUDA and cuDNN in NVIDIA's Python packages
        onnxruntime.preload_dlls()
    available = onnxruntime.get_available_providers()
    if _CUDA not in available:
        msg = (
            f"device is {device!r}, but this onnxruntime offers {', '.join(available)}. "
            "Install onnxruntime-gpu instead, or set device to 'cpu'."
        )
        raise ParamError(msg)
    found = _DEVICE.fullmatch(device)
    return [(_CUDA, {"device_id": int((found and found["number"]) or 0), **_CUDA_OPTIONS}), _CPU]
