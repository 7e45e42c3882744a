"""Imports a foreign ONNX export of an ALBERT as a bundle: graph, weights and vocabulary are copied.

Three layouts are read: Spark NLP's import folder (``model.onnx`` beside ``assets/``), the folders that
optimum exports, and a model folder that Spark NLP saved. Such a graph returns its last layer only, so
``num_layers`` of the manifest is 0.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto

from sparkalbert.arrays import Float32Array, Int64Array
from sparkalbert.bundle import Bundle, Manifest, Precision, write_bundle
from sparkalbert.bundle.folder import BUNDLE_KIND, CONFIG_FILE, GRAPH_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint.folder import read_tokenizer
from sparkalbert.convert.conversion import library_versions
from sparkalbert.convert.foreign.graph_files import data_files, depends_on_batch, read_graph
from sparkalbert.convert.foreign.interface import (
    GraphInputs,
    find_inputs,
    find_output,
    output_dimension,
    rename_inputs,
)
from sparkalbert.convert.foreign.saved_model import unpacked_model
from sparkalbert.errors import BundleError, CheckpointError, ConfigError, InferenceError, problem_list
from sparkalbert.inference.batching import pad
from sparkalbert.inference.session import EncoderSession
from sparkalbert.storage.folders import check_target
from sparkalbert.storage.paths import with_home
from sparkalbert.storage.reading import copy_readable, wrap_unreadable
from sparkalbert.text import PieceTokenizer
from sparkalbert.text.pieces.options import PieceOptions

__all__ = ["import_onnx"]

_GRAPHS: Final = (GRAPH_FILE, f"onnx/{GRAPH_FILE}")
_CONFIGS: Final = (CONFIG_FILE, f"assets/{CONFIG_FILE}", f"onnx/{CONFIG_FILE}")
_DEFAULT_MAX_PIECES: Final = 512
_PADDING_TOLERANCE: Final = 1e-2
"""Largest change by padding, relative to the root mean square of the hidden states: far above rounding errors,
even in float16, and far below the effect of a wrong mask."""

_QUANTIZED_TOLERANCE: Final = 0.5
"""The same for a graph with quantization that depends on the batch, relative to the change by padding that is not
masked."""

_LONG: Final = 70
"""Pieces of the longer sequence in the batch that shows whether a graph is batch invariant. Matrix products change how
they add up when a batch becomes longer than 64 pieces, see :mod:`sparkalbert.convert.graph.attention`."""

_ALONE: Final = (
    "The vectors of the graph would change with the other texts of a batch, for instance by dynamic quantization. "
    "Each sequence runs alone instead, which costs 5 % of the speed for sentences of 28 pieces and two thirds for "
    "sentences of 6 (base shape). Convert the checkpoint that it was exported from instead (precision int8)."
)


class _DependsOnBatch(Exception):  # noqa: N818 - it chooses how the bundle is written
    """A graph gives a sequence other vectors in a batch than alone, although its operators do not show it."""


@dataclass(frozen=True)
class _Export:
    """The files found in the source folder."""

    folder: Path
    graph_path: Path
    model: ModelProto
    config_path: Path | None
    config: AlbertConfig | None
    tokenizer: PieceTokenizer

    @property
    def hidden_size(self) -> int:
        return self.config.hidden_size if self.config else 0

    @property
    def max_pieces(self) -> int:
        return self.config.max_position_embeddings if self.config else _DEFAULT_MAX_PIECES


def import_onnx(  # noqa: PLR0913 - all but two are keywords
    source: str | Path,
    target: str | Path,
    *,
    name: str | None = None,
    overwrite: bool = False,
    do_lower_case: bool | None = None,
    keep_accents: bool | None = None,
    remove_space: bool | None = None,
) -> Bundle:
    """Make a bundle from a foreign ONNX export of an ALBERT and open it.

    Parameters
    ----------
    source
        Folder with ``model.onnx`` or ``onnx/model.onnx`` (or one ``.onnx`` file of another name), and
        ``spiece.model``, beside it or in ``assets/``, or another vocabulary; ``config.json`` and
        ``tokenizer_config.json`` are optional. The graph takes ``input_ids``, ``attention_mask`` and perhaps
        ``token_type_ids``, under these names or others, integers ``[batch, pieces]``, and returns
        ``last_hidden_state``, or one float output of rank 3. Or a model folder that Spark NLP saved (``albert_onnx``,
        ``albert_spp``).
    target
        The bundle folder to write. It appears complete or not at all.
    name
        Name of the model; by default the name of the source folder.
    overwrite
        If true, an existing bundle at `target` is replaced.
    do_lower_case, keep_accents, remove_space
        Options of the tokenizer, for models whose files do not state them; None leaves them to the files.

    Raises
    ------
    ConfigError
        If no file states an option of the tokenizer, and the vocabulary contradicts the default.
    CheckpointError
        If the folder holds no such graph, or ONNX Runtime cannot run it; the message lists every problem. If a file
        cannot be read.
    OutputError
        If `target` exists and must not be replaced, or cannot be written.
    """
    check_target(target, BUNDLE_KIND, overwrite=overwrite)
    source = Path(with_home(os.fspath(source)))
    given = PieceOptions(do_lower_case, keep_accents, remove_space)
    folder_name = source.resolve().name
    with unpacked_model(source) as folder:
        export = _open(folder, source, given)
        model = export.model
        problems: list[str] = []
        inputs = find_inputs(model, problems)
        output = find_output(model, problems)
        vocabulary_size = export.tokenizer.vocabulary_size
        dimension = output_dimension(model, output, export.hidden_size, vocabulary_size, problems) if output else 0
        weights = data_files(model, export.graph_path.parent, problems)
        if problems or output is None:
            raise CheckpointError(problem_list(f"The ONNX export {source}", problems))
        tokenizer = export.tokenizer.check_vocabulary()
        rename_inputs(model, inputs)
        del model.graph.output[:]
        model.graph.output.append(output)
        is_dependent = depends_on_batch(model)
        manifest = Manifest(
            name=name or folder_name,
            source=folder_name,
            precision=_precision(model),
            dimension=dimension,
            max_pieces=export.max_pieces,
            num_layers=0,
            files={},
            versions=library_versions(),
            weights=export.graph_path.relative_to(folder).as_posix(),
            batch_invariant=not is_dependent,
            note=_ALONE if is_dependent else "",
            tokenizer=tokenizer.record,
        )
        try:
            _write(export, weights, inputs, target, manifest, overwrite=overwrite)
        except _DependsOnBatch:
            manifest = replace(manifest, batch_invariant=False, note=_ALONE)
            _write(export, weights, inputs, target, manifest, overwrite=overwrite)
    return Bundle.open(with_home(os.fspath(target)))


def _open(folder: Path, source: Path, given: PieceOptions) -> _Export:
    problems: list[str] = []
    config = None
    with wrap_unreadable(folder):
        graph_path = _graph_path(folder, problems)
        config_path = _first(folder, _CONFIGS)
    if config_path:
        try:
            config = AlbertConfig.from_file(config_path)
        except ConfigError as error:
            problems.append(str(error))
    tokenizer = read_tokenizer(folder, config, given, problems)
    model = read_graph(graph_path, problems) if graph_path else None
    if problems or graph_path is None or model is None or tokenizer is None:
        raise CheckpointError(problem_list(f"The ONNX export {source}", problems))
    return _Export(folder, graph_path, model, config_path, config, tokenizer)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _graph_path(folder: Path, problems: list[str]) -> Path | None:
    known = _first(folder, _GRAPHS)
    others = sorted([*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")])
    if known is None and len(others) != 1:
        found = ", ".join(path.relative_to(folder).as_posix() for path in others) or "none"
        problems.append(f"expected {' or '.join(_GRAPHS)}, or one .onnx file of another name, found {found}")
        return None
    return known or others[0]


def _precision(model: ModelProto) -> Precision:
    """Return the number format of most weights."""
    counts: dict[int, float] = {}
    for tensor in model.graph.initializer:
        count = float(np.prod(tensor.dims, dtype=float))
        counts[tensor.data_type] = counts.get(tensor.data_type, 0) + count
    data_type = max(counts, key=lambda data_type: counts[data_type], default=TensorProto.FLOAT)
    if data_type in {TensorProto.INT8, TensorProto.UINT8}:
        return "int8"
    return "fp16" if data_type == TensorProto.FLOAT16 else "fp32"


def _write(
    export: _Export,
    weights: list[Path],
    inputs: GraphInputs,
    target: str | Path,
    manifest: Manifest,
    *,
    overwrite: bool,
) -> None:
    """Write a bundle and check that it runs, see :func:`_check_runs`."""
    with write_bundle(target, manifest, overwrite=overwrite) as work:
        export.tokenizer.save(work)
        _write_files(export, weights, work)
        _check_runs(Bundle(work, manifest), inputs)


def _write_files(export: _Export, weights: list[Path], folder: Path) -> None:
    for file in weights:
        copy_readable(file, folder / file.name)
    if export.config_path:
        copy_readable(export.config_path, folder / CONFIG_FILE)
    try:
        (folder / GRAPH_FILE).write_bytes(export.model.SerializeToString(deterministic=True))
    except (EncodeError, ValueError) as error:
        msg = (
            f"{export.graph_path} is too large to be written again ({error}). Export the model again with "
            "external data, which keeps the weights in a file of their own."
        )
        raise CheckpointError(msg) from error


def _check_runs(bundle: Bundle, inputs: GraphInputs) -> None:
    """Run a few pieces to refuse a graph that cannot run, or whose inputs are not what their names suggest.

    Raises
    ------
    CheckpointError
        If the graph is refused.
    _DependsOnBatch
        If the manifest states that the graph is batch invariant, but it is not.
    """
    source = bundle.manifest.source
    ids = np.array([[2, 4, 5, 3]], dtype=np.int64)
    padding = [(0, 0), (0, 3)]
    padded, mask = np.pad(ids, padding), np.pad(np.ones_like(ids), padding)
    try:
        session = EncoderSession(bundle)
        hidden = _run(session, ids, np.ones_like(ids))
        expected = (*ids.shape, bundle.manifest.dimension)
        if hidden.shape != expected:
            msg = (
                f"The ONNX export {source} returns an array of shape {list(hidden.shape)} "
                f"for ids of shape {list(ids.shape)}, expected {list(expected)}."
            )
            raise CheckpointError(msg)
        reordered = _run(session, ids[:, [0, 2, 1, 3]], np.ones_like(ids))
        masked, unmasked = (_run(session, padded, used)[:, : ids.shape[1]] for used in (mask, np.ones_like(mask)))
        is_refuted = bundle.manifest.batch_invariant and not _is_batch_invariant(session, ids)
    except (BundleError, InferenceError) as error:
        msg = f"ONNX Runtime cannot run the ONNX export {source}: {error}"
        raise CheckpointError(msg) from error
    allowed = _PADDING_TOLERANCE * float(np.sqrt(np.mean(hidden.astype(np.float64) ** 2)))
    if not bundle.manifest.batch_invariant:
        allowed = max(allowed, _QUANTIZED_TOLERANCE * _distance(unmasked, hidden))
    depends_on_ids = not np.array_equal(reordered, hidden)
    if not (depends_on_ids and _distance(masked, hidden) <= allowed):
        found = "change with masked padding" if depends_on_ids else "do not change with the ids"
        names = ", ".join(f"{name} as {role}" for role, name in inputs.names.items())
        how = "in Hugging Face's order, because no name gives a hint" if inputs.guessed else "by their names"
        msg = (
            f"The vectors of the ONNX export {source} {found}. Its inputs were taken {how} ({names}) and may be "
            "swapped. Export the model again with Hugging Face's names and a mask."
        )
        raise CheckpointError(msg)
    if is_refuted:
        raise _DependsOnBatch


def _is_batch_invariant(session: EncoderSession, ids: Int64Array) -> bool:
    """Return whether a short and a long sequence have the same bits alone and in one batch.

    This shows what the list of operators does not contain. Another batch may still differ.
    """
    length = min(_LONG, session.bundle.manifest.max_pieces)
    alone = [ids[0, :length], np.resize(ids, length)]
    batch, mask = pad(alone, 0)
    together = _run(session, batch, mask)
    return all(
        np.array_equal(_run(session, sequence[None], np.ones_like(sequence[None]))[0], vectors[: len(sequence)])
        for sequence, vectors in zip(alone, together, strict=True)
    )


def _distance(one: Float32Array, other: Float32Array) -> float:
    return float(np.abs(one - other).max())


def _run(session: EncoderSession, ids: Int64Array, mask: Int64Array) -> Float32Array:
    return session.run(ids, mask, np.ones(1, dtype=np.float32))
