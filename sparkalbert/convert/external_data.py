"""Which files beside a foreign graph hold its weights, refusing names that lead elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from onnx import AttributeProto, GraphProto, ModelProto, TensorProto
from onnx.external_data_helper import uses_external_data

from sparkalbert.bundle import folder as bundle_folder

__all__ = ["data_files"]

_TAKEN = frozenset(
    {
        bundle_folder.CONFIG_FILE,
        bundle_folder.GRAPH_FILE,
        bundle_folder.MANIFEST_FILE,
        bundle_folder.TOKENIZER_CONFIG_FILE,
        bundle_folder.VOCABULARY_FILE,
    }
)


def data_files(model: ModelProto, folder: Path, problems: list[str]) -> list[Path]:
    """Return the external data files of a graph, each once.

    Parameters
    ----------
    model
        The graph, its external data not loaded.
    folder
        Where the graph's file lies.
    problems
        Takes a line for each file that is missing or may not be used.
    """
    names = sorted({_location(tensor) for tensor in _tensors(model.graph) if uses_external_data(tensor)})
    paths = []
    for name in names:
        path = folder / name
        if PurePosixPath(name).name != name or "\\" in name or name in {"", "..", *_TAKEN}:
            problems.append(f"the graph's weights file {name!r} must lie beside it under a name of its own")
        elif not path.is_file():
            problems.append(f"the graph's weights file {name} is missing")
        else:
            paths.append(path)
    return paths


def _location(tensor: TensorProto) -> str:
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield every tensor of a graph and of the graphs inside its nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from _of_attribute(attribute)


def _of_attribute(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    inner = [attribute.g] if attribute.HasField("g") else []
    for graph in (*inner, *attribute.graphs):
        yield from _tensors(graph)
