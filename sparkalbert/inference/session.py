"""One ONNX Runtime session over a bundle's graph: ids in, hidden states out.

The only module that imports onnxruntime. It knows nothing about text, words or Spark.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt

from sparkalbert.bundle import Bundle
from sparkalbert.errors import BundleError, InferenceError, ParamError

__all__ = ["EncoderSession", "SessionOptions", "available_cores", "shared_session"]

Float32Array = npt.NDArray[np.float32]
Int64Array = npt.NDArray[np.int64]

_KEPT_SESSIONS: Final = 2
_ERRORS_ONLY: Final = 3

_SLOWER_FUSIONS: Final = ["SkipLayerNormFusion", "BiasSkipLayerNormFusion"]
"""What ONNX Runtime would fuse on CPUs into SkipLayerNormalization, which takes there four times as long
as what it replaces: 2.66 against 0.60 ms for 256 rows of 2048, one thread."""


@dataclass(frozen=True)
class SessionOptions:
    """How a session uses the machine; never what it computes.

    Attributes
    ----------
    threads
        Threads of one call. ONNX Runtime ignores ``OMP_NUM_THREADS`` and would take every core.
    device
        ``cpu``, ``cuda`` or ``cuda:N``.
    spinning
        Whether idle threads burn their core while they wait; at best a little faster, and far slower where
        others want the core.
    prepacking
        Whether ONNX Runtime keeps its own rearranged copy of the weights: faster, and one private
        copy a process. Without it the weights stay in the file's memory map.

    Notes
    -----
    What two cores do in all ways to share them, pieces a second, lengths of news sentences, base shape, CPU
    with AVX512-VNNI. So each task has one core and one thread unless memory forbids it:

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
    spinning: bool = False
    prepacking: bool = True

    def __post_init__(self) -> None:
        if self.threads < 1:
            msg = f"threads is {self.threads}, expected at least 1."
            raise ParamError(msg)
        kind, _, number = self.device.partition(":")
        if kind not in {"cpu", "cuda"} or (number and not number.isdecimal()) or self.device == "cpu:":
            msg = f"device is {self.device!r}, expected 'cpu', 'cuda' or 'cuda:N'."
            raise ParamError(msg)


def available_cores() -> int:
    """Return how many cores this process may use; in a container often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
        When ONNX Runtime cannot load the graph.
    ParamError
        When the device is not available to this ONNX Runtime.
    """

    def __init__(self, bundle: Bundle, options: SessionOptions | None = None) -> None:
        self.bundle = bundle
        self.options = options or SessionOptions()
        self._session = _open(bundle, self.options)
        self._inputs = {node.name: node.type for node in self._session.get_inputs()}
        self._output = _output_name([node.name for node in self._session.get_outputs()])

    @property
    def mixes_layers(self) -> bool:
        """Whether the graph takes ``layer_weights``; a foreign graph gives its last layer only."""
        return "layer_weights" in self._inputs

    def run(
        self, input_ids: Int64Array, attention_mask: Int64Array, layer_weights: Float32Array
    ) -> Float32Array:
        """Compute the weighted sum of hidden states of right-padded sequences.

        Parameters
        ----------
        input_ids
            int64 ``[batch, pieces]``.
        attention_mask
            int64 ``[batch, pieces]``: 1 for a piece, 0 for padding.
        layer_weights
            float32 ``[num_hidden_layers + 1]``; index 0 is the embedding, ``i`` the ``i``-th layer.
            Layers after the last non-zero weight are not computed.

        Returns
        -------
        ndarray
            float32 ``[batch, pieces, hidden]``; rows of padding mean nothing.

        Raises
        ------
        InferenceError
            When ONNX Runtime fails.
        """
        offered: dict[str, npt.NDArray[Any]] = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "layer_weights": layer_weights,
        }
        if "token_type_ids" in self._inputs:
            offered["token_type_ids"] = np.zeros_like(input_ids)
        feed = {name: _as_declared(offered[name], kind) for name, kind in self._inputs.items()}
        try:
            (hidden,) = self._session.run([self._output], feed)
        except Exception as error:
            msg = (
                f"ONNX Runtime failed on model {self.bundle.manifest.name!r} "
                f"({self.bundle.manifest.precision}) for ids of shape {list(input_ids.shape)}: {error}"
            )
            raise InferenceError(msg) from error
        return np.asarray(hidden, dtype=np.float32)


def _output_name(names: list[str]) -> str:
    for known in ("hidden_state", "last_hidden_state"):
        if known in names:
            return known
    return names[0]


def _as_declared(values: npt.NDArray[Any], kind: str) -> npt.NDArray[Any]:
    """Foreign graphs sometimes take int32 ids."""
    return values.astype(np.int32) if kind == "tensor(int32)" else values


def _open(bundle: Bundle, options: SessionOptions) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(
            str(bundle.graph_path),
            _settings(options),
            providers=_providers(options.device),
            disabled_optimizers=_SLOWER_FUSIONS if options.device == "cpu" else None,
        )
    except ParamError:
        raise
    except Exception as error:
        msg = f"ONNX Runtime {onnxruntime.__version__} cannot load {bundle.graph_path}: {error}"
        raise BundleError(msg) from error


def _settings(options: SessionOptions) -> Any:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.log_severity_level = _ERRORS_ONLY
    # Every call has its own shape: a plan made for one would be memory kept for nothing.
    settings.enable_mem_pattern = False
    settings.add_session_config_entry("session.intra_op.allow_spinning", "1" if options.spinning else "0")
    settings.add_session_config_entry("session.disable_prepacking", "0" if options.prepacking else "1")
    return settings


def _providers(device: str) -> list[Any]:
    import onnxruntime

    kind, _, number = device.partition(":")
    if kind == "cpu":
        return ["CPUExecutionProvider"]
    available = onnxruntime.get_available_providers()
    if "CUDAExecutionProvider" not in available:
        msg = (
            f"device is {device!r}, but this onnxruntime offers {', '.join(available)}. "
            "Install onnxruntime-gpu in its place, or set device to 'cpu'."
        )
        raise ParamError(msg)
    return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]


_sessions: OrderedDict[tuple[str, SessionOptions], EncoderSession] = OrderedDict()
_in_use: WeakValueDictionary[tuple[str, SessionOptions], EncoderSession] = WeakValueDictionary()
_sessions_lock = threading.Lock()


def shared_session(bundle: Bundle, options: SessionOptions) -> EncoderSession:
    """Return this process's session for a bundle, loading it on first use.

    The key is the bundle's content and the options, so a reused Spark worker that is handed another
    GPU gets another session. The two sessions used last are kept, and any that somebody still holds is
    shared rather than loaded again.
    """
    key = (bundle.digest, options)
    with _sessions_lock:
        session = _in_use.get(key)
        if session is None:
            session = _in_use[key] = EncoderSession(bundle, options)
        _sessions[key] = session
        _sessions.move_to_end(key)
        while len(_sessions) > _KEPT_SESSIONS:
            _sessions.popitem(last=False)
        return session
