"""A foreign ONNX export made into a bundle: graph and vocabulary copied, nothing computed anew.

It knows the layouts that people have: Spark NLP's import folder (``model.onnx`` beside ``assets/``), what
optimum exports, and a model folder that Spark NLP saved. Such a graph gives its last layer only, hence
``num_layers=0``.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto, ValueInfoProto

from sparkalbert.bundle import Bundle, Manifest, Precision, write_bundle
from sparkalbert.bundle.folder import CONFIG_FILE, GRAPH_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint import vocabulary_problems
from sparkalbert.convert.external_data import data_files
from sparkalbert.convert.graph_inputs import find_inputs, rename_inputs, shape_text
from sparkalbert.convert.pipeline import copy_tokenizer, library_versions
from sparkalbert.convert.saved_model import import_layout
from sparkalbert.errors import BundleError, CheckpointError, ConfigError, InferenceError, problem_list
from sparkalbert.inference.session import EncoderSession

__all__ = ["import_onnx"]

_GRAPHS: Final = (GRAPH_FILE, f"onnx/{GRAPH_FILE}")
_CONFIGS: Final = (CONFIG_FILE, f"assets/{CONFIG_FILE}", f"onnx/{CONFIG_FILE}")
_OUTPUTS: Final = ("last_hidden_state", "hidden_state")
_FLOATS: Final = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_RANK: Final = 3
_PADDING_TOLERANCE: Final = 1e-2
"""Far above rounding, int8's included, and far below what a wrong mask does."""

_DEFAULT_MAX_PIECES: Final = 512


@dataclass(frozen=True)
class _Export:
    """What was found in the source folder."""

    folder: Path
    graph_path: Path
    model: ModelProto
    config_path: Path | None
    config: AlbertConfig | None

    @property
    def max_pieces(self) -> int:
        return self.config.max_position_embeddings if self.config else _DEFAULT_MAX_PIECES


def import_onnx(
    source: str | Path, target: str | Path, *, name: str | None = None, overwrite: bool = False
) -> Bundle:
    """Make a bundle of a foreign ONNX export of an ALBERT and open it.

    Parameters
    ----------
    source
        Folder with ``model.onnx`` or ``onnx/model.onnx`` (or one ``.onnx`` file of another name), and
        ``spiece.model``, beside it or in ``assets/``; ``config.json`` and ``tokenizer_config.json`` are
        optional. The graph takes ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids``, under
        these names or others, integers ``[batch, pieces]``, and gives ``last_hidden_state``, or one float
        output of rank 3. Or a model folder that Spark NLP saved (``albert_onnx``, ``albert_spp``).
    target
        The bundle folder to appear; it appears whole or not at all.
    name
        Name of the model; the source folder's name by default.
    overwrite
        Whether a bundle at `target` may be replaced.

    Raises
    ------
    CheckpointError
        When the folder holds no such graph, or ONNX Runtime cannot run it; every problem is listed.
    OutputError
        When `target` exists and may not be replaced.
    """
    folder_name = Path(source).resolve().name
    with import_layout(Path(source)) as layout:
        export = _open(layout, Path(source))
        problems: list[str] = []
        inputs = find_inputs(export.model, problems)
        output = _output(export.model, problems)
        dimension = _dimension(export, output, problems) if output else 0
        files = data_files(export.model, export.graph_path.parent, problems)
        if problems or output is None:
            raise CheckpointError(problem_list(f"The ONNX export {source}", problems))
        rename_inputs(export.model, inputs)
        del export.model.graph.output[:]
        export.model.graph.output.append(output)
        manifest = Manifest(
            name=name or folder_name,
            source=folder_name,
            precision=_precision(export.model),
            dimension=dimension,
            max_pieces=export.max_pieces,
            num_layers=0,
            files={},
            versions=library_versions(),
        )
        with write_bundle(target, manifest, overwrite=overwrite) as folder:
            _write_files(export, files, folder)
            _check_runs(Bundle(folder, manifest), guessed=inputs.guessed)
    return Bundle.open(target)


def _write_files(export: _Export, weights: list[Path], folder: Path) -> None:
    for file in weights:
        shutil.copyfile(file, folder / file.name)
    copy_tokenizer(export.folder, folder)
    if export.config_path:
        shutil.copyfile(export.config_path, folder / CONFIG_FILE)
    (folder / GRAPH_FILE).write_bytes(export.model.SerializeToString(deterministic=True))


def _open(folder: Path, source: Path) -> _Export:
    problems = []
    graph_path = _first(folder, _GRAPHS) or _only_graph(folder)
    if graph_path is None:
        problems.append(f"there is neither {' nor '.join(_GRAPHS)}, nor one .onnx file of another name")
    config = None
    config_path = _first(folder, _CONFIGS)
    if config_path:
        try:
            config = AlbertConfig.from_file(config_path)
        except ConfigError as error:
            problems.append(str(error))
    problems += vocabulary_problems(folder, config)
    model = None
    if graph_path:
        try:
            model = onnx.load(str(graph_path), load_external_data=False)
        except (DecodeError, OSError, ValueError) as error:
            problems.append(f"{graph_path.name} is not an ONNX graph ({type(error).__name__}: {error})")
    if problems or graph_path is None or model is None:
        raise CheckpointError(problem_list(f"The ONNX export {source}", problems))
    return _Export(folder, graph_path, model, config_path, config)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _only_graph(folder: Path) -> Path | None:
    found = [*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")]
    return found[0] if len(found) == 1 else None


def _output(model: ModelProto, problems: list[str]) -> ValueInfoProto | None:
    outputs: dict[str, ValueInfoProto] = {value.name: value for value in model.graph.output}
    for name in _OUTPUTS:
        if name in outputs and _may_be_hidden(outputs[name]):
            return outputs[name]
    fitting = [value for value in outputs.values() if _may_be_hidden(value) and _rank(value)]
    if len(fitting) == 1:
        return fitting[0]
    found = ", ".join(f"{name} {shape_text(value)}" for name, value in outputs.items()) or "none"
    problems.append(
        f"found the outputs {found}; expected last_hidden_state, or exactly one float output of rank {_RANK}"
    )
    return None


def _may_be_hidden(value: ValueInfoProto) -> bool:
    """Whether an output may be hidden states; one whose shape is not declared is run to see."""
    return value.type.tensor_type.elem_type in _FLOATS and _rank(value) in {0, _RANK}


def _rank(value: ValueInfoProto) -> int:
    return len(value.type.tensor_type.shape.dim)


def _dimension(export: _Export, output: ValueInfoProto, problems: list[str]) -> int:
    """Return the vectors' width: declared, else inferred from the graph, else from config.json."""
    declared = _last_dim(output) or _inferred_dim(export.model, output.name)
    configured = export.config.hidden_size if export.config else 0
    if declared and configured and declared != configured:
        problems.append(f"{output.name} is {declared} wide, {CONFIG_FILE} says hidden_size {configured}")
    if not declared and not configured:
        problems.append(
            f"the width of {output.name} ({shape_text(output)}) is not told by the graph; "
            f"put the model's {CONFIG_FILE} beside it"
        )
    return declared or configured


def _last_dim(value: ValueInfoProto) -> int:
    dims = value.type.tensor_type.shape.dim
    return int(dims[-1].dim_value) if dims else 0


def _inferred_dim(model: ModelProto, name: str) -> int:
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, ValueError):
        return 0
    return next((_last_dim(value) for value in inferred.graph.output if value.name == name), 0)


def _precision(model: ModelProto) -> Precision:
    """Tell the number format by the type that most weight bytes have."""
    sizes: dict[int, float] = {}
    for tensor in model.graph.initializer:
        sizes[tensor.data_type] = sizes.get(tensor.data_type, 0) + float(np.prod(tensor.dims, dtype=float))
    most = max(sizes, key=lambda data_type: sizes[data_type], default=TensorProto.FLOAT)
    if most in {TensorProto.INT8, TensorProto.UINT8}:
        return "int8"
    return "fp16" if most == TensorProto.FLOAT16 else "fp32"


def _check_runs(bundle: Bundle, *, guessed: bool) -> None:
    """Run some pieces: a graph that cannot is refused now, not on a cluster."""
    ids = np.array([[2, 4, 5, 3]], dtype=np.int64)
    hidden = _run(bundle, ids, np.ones_like(ids))
    expected = (*ids.shape, bundle.manifest.dimension)
    if hidden.shape != expected:
        msg = (
            f"The ONNX export {bundle.manifest.source} gives an array of shape {list(hidden.shape)} "
            f"for ids of shape {list(ids.shape)}, expected {list(expected)}."
        )
        raise CheckpointError(msg)
    if not guessed:
        return
    padded = _run(bundle, np.pad(ids, [(0, 0), (0, 3)]), np.pad(np.ones_like(ids), [(0, 0), (0, 3)]))
    if not np.allclose(hidden, padded[:, : ids.shape[1]], rtol=0, atol=_PADDING_TOLERANCE):
        msg = (
            f"The names of the inputs of the ONNX export {bundle.manifest.source} do not tell what they are, "
            "and in the order input_ids, attention_mask, token_type_ids padding changes its vectors. Export "
            "it again with these names."
        )
        raise CheckpointError(msg)


def _run(bundle: Bundle, ids: npt.NDArray[np.int64], mask: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    try:
        return EncoderSession(bundle).run(ids, mask, np.ones(1, dtype=np.float32))
    except (BundleError, InferenceError) as error:
        msg = f"ONNX Runtime cannot run the ONNX export {bundle.manifest.source}: {error}"
        raise CheckpointError(msg) from error
