"""Reads the files of a foreign graph: the ONNX file and the data files that hold its weights.

The ONNX file may come from anyone, so no name in it is trusted: data files must be beside the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx import ModelProto, NodeProto, TensorProto
from onnx.external_data_helper import uses_external_data

from sparkalbert.bundle import folder as bundle_folder
from sparkalbert.storage.reading import wrap_unreadable

__all__ = ["data_files", "depends_on_batch", "read_graph"]

_RESERVED: Final = frozenset(
    {
        "..",
        bundle_folder.CONFIG_FILE,
        bundle_folder.GRAPH_FILE,
        bundle_folder.MANIFEST_FILE,
        bundle_folder.TOKENIZER_CONFIG_FILE,
        bundle_folder.TOKENIZER_FILE,
        bundle_folder.VOCABULARY_FILE,
    }
)

_BATCH_DEPENDENT: Final = frozenset(
    {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "MatMulNBits"}
)
"""Operators of ONNX and ONNX Runtime whose result for a sequence depends on the whole batch. The first three choose one
scale for a whole tensor when the graph runs. With ``MatMulNBits`` of 8 bits, vectors differed by 0.03 to 0.07 on a CPU
with AVX512-VNNI; on a CPU with AVX2, only products of a single row did."""


def read_graph(path: Path, problems: list[str]) -> ModelProto | None:
    """Return the graph in an ONNX file, without its external data; None if it cannot be read.

    Parameters
    ----------
    path
        The ONNX file.
    problems
        One line is appended if the file cannot be read.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        problems.append(f"{path.name} is not an ONNX graph ({type(error).__name__}: {error})")
        return None
    # protobuf returns text that is not valid UTF-8 as bytes.
    if any(isinstance(item, bytes) for item in _contents(model)):
        problems.append(f"{path.name} is not an ONNX graph: it holds a name that is not valid UTF-8")
        return None
    return model


def data_files(model: ModelProto, folder: Path, problems: list[str]) -> list[Path]:
    """Return the external data files of a graph, each once, sorted by name.

    Parameters
    ----------
    model
        The graph, without its external data.
    folder
        The folder of the ONNX file.
    problems
        One line is appended for each file that is missing or not allowed.

    Raises
    ------
    CheckpointError
        If the folder cannot be read.
    """
    tensors = [item for item in _contents(model) if isinstance(item, TensorProto)]
    names = {name for tensor in tensors if uses_external_data(tensor) for name in _locations(tensor)}
    with wrap_unreadable(folder):
        existing = {path.name for path in folder.iterdir() if path.is_file()}
    paths = []
    for name in sorted(names):
        if not _is_plain_name(name):
            problems.append(
                f"the graph names the data file {name!r}; expected a file beside the graph, with a name that no "
                "other file of a bundle has"
            )
        elif name not in existing:
            problems.append(f"the graph's data file {name} is missing")
        else:
            paths.append(folder / name)
    return paths


def depends_on_batch(model: ModelProto) -> bool:
    """Return whether the graph has an operator whose result for a sequence depends on the whole batch, with padding."""
    return any(isinstance(item, NodeProto) and item.op_type in _BATCH_DEPENDENT for item in _contents(model))


def _contents(message: Message) -> Iterator[Message | str | bytes]:
    """Yield a message and all messages and texts inside it, at any depth.

    Tensors occur in graphs, nested graphs, functions, sparse tensors and attributes, and later versions of
    ONNX may add places. The message's own description lists them all. Fields of bytes, such as weights, are
    skipped.
    """
    yield message
    for field in message.DESCRIPTOR.fields:
        if field.type not in {field.TYPE_MESSAGE, field.TYPE_STRING}:
            continue
        value = getattr(message, field.name)
        if isinstance(value, Message):
            items = [value] if message.HasField(field.name) else []
        else:
            items = [value] if isinstance(value, (str, bytes)) else value
        for item in items:
            if isinstance(item, Message):
                yield from _contents(item)
            else:
                yield item


def _locations(tensor: TensorProto) -> list[str]:
    """Return every location of a tensor: if it has several, readers differ in which they use."""
    return [entry.value for entry in tensor.external_data if entry.key == "location"] or [""]


def _is_plain_name(name: str) -> bool:
    """Return whether a name is that of a file in a folder, and not of another file of a bundle."""
    is_path = PurePosixPath(name).name != name or "\\" in name or "\0" in name
    return bool(name) and not is_path and name.casefold() not in _RESERVED
