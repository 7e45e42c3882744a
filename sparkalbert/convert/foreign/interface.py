"""Finds the inputs and the output of a foreign graph by name, type and shape.

Exporters agree on what a graph takes and returns, but not on the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from sparkalbert.bundle.folder import CONFIG_FILE

__all__ = ["GraphInputs", "find_inputs", "find_output", "output_dimension", "rename_inputs"]

_ROLES: Final = ("input_ids", "attention_mask", "token_type_ids")
"""In the order of the arguments of Hugging Face's models."""

_REQUIRED: Final = _ROLES[:2]
_EXPECTED: Final = f"expected {', '.join(_REQUIRED)} and optionally {_ROLES[2]}"
_HINTS: Final[Mapping[str, str]] = {
    "token_type_ids": r"type|segment",
    "attention_mask": r"mask",
    "": r"position|head|past|embeds|labels",
    "input_ids": r"ids|token|word",
}
"""The role that a name hints at; the first pattern found counts. TensorFlow Hub, for instance, has
``input_word_ids``, ``input_mask`` and ``segment_ids``. The role "" is that of inputs that are not
supported."""

_INTEGERS: Final = (TensorProto.INT64, TensorProto.INT32)
_INPUT_RANK: Final = 2
_OUTPUTS: Final = ("last_hidden_state", "hidden_state")
_FLOATS: Final = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_OUTPUT_RANK: Final = 3
_TABLE_RANK: Final = 2
_LINEAR: Final = frozenset({"Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "DynamicQuantizeMatMul"})
_PASSED_ON: Final = frozenset({"Identity", "Cast", "Reshape", "Dropout", "Squeeze", "Unsqueeze"})
_MAX_STEPS: Final = 8
_PREDICTIONS: Final = re.compile(r"logit|score|prob|prediction", re.IGNORECASE)
"""Names of outputs of a task head."""


_NO_EMBEDDINGS: Final = (
    "holds the predictions of a task head, not embeddings; export the model without its head "
    "(optimum: --task feature-extraction)"
)


@dataclass(frozen=True)
class GraphInputs:
    """The inputs of a foreign graph.

    Attributes
    ----------
    names
        The graph's own name of each role: ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids``.
    guessed
        Whether no name gave a hint, so that the inputs were assigned in Hugging Face's order.
    """

    names: Mapping[str, str]
    guessed: bool


def find_inputs(model: ModelProto, problems: list[str]) -> GraphInputs:
    """Find the inputs by their names; if no name gives a hint, by Hugging Face's order.

    Parameters
    ----------
    model
        The graph.
    problems
        One line is appended for each input that is missing, not supported, or not integers
        ``[batch, pieces]``.
    """
    weights = {tensor.name for tensor in model.graph.initializer}  # older files list them among the inputs
    inputs = {value.name: value for value in model.graph.input if value.name not in weights}
    names: dict[str, str] = {}
    unknown, unsupported = [], []
    for name in sorted(inputs, key=lambda name: name not in _ROLES):  # an exact name takes precedence
        role = name if name in _ROLES else _hint(name)
        if role in names or role == "":
            unsupported.append(name)
        elif role is None:
            unknown.append(name)
        else:
            names[role] = name
    guessed = len(unknown) == len(inputs)
    free = _ROLES if guessed else [role for role in _REQUIRED if role not in names]
    names.update(zip(free, unknown, strict=False))
    unsupported += unknown[len(free) :]
    problems += [f"the graph's input {name} is not supported; {_EXPECTED}" for name in unsupported]
    problems += [
        f"the graph has no input {role}; found {', '.join(inputs) or 'none'}, {_EXPECTED}"
        for role in _REQUIRED
        if role not in names
    ]
    for name in names.values():
        _check_input(inputs[name], problems)
    return GraphInputs(names, guessed)


def rename_inputs(model: ModelProto, inputs: GraphInputs) -> None:
    """Rename the inputs in place to those of a bundle's graph.

    An ``Identity`` node passes each input on under its old name, so no other node has to change, including
    those of graphs inside nodes.
    """
    renamed = {name: role for role, name in inputs.names.items() if name != role}
    for value in model.graph.input:
        if value.name in renamed:
            value.name = renamed[value.name]
    nodes = [helper.make_node("Identity", [role], [name], name=f"rename_{role}") for name, role in renamed.items()]
    nodes += model.graph.node
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def find_output(model: ModelProto, problems: list[str]) -> ValueInfoProto | None:
    """Return the output that holds the last hidden state; if it is ambiguous, append a problem and return None."""
    outputs: dict[str, ValueInfoProto] = {value.name: value for value in model.graph.output}
    for name in _OUTPUTS:
        if name in outputs and _may_be_hidden(outputs[name]):
            return outputs[name]
    candidates = [value for value in outputs.values() if _may_be_hidden(value) and _rank(value)]
    heads = [value.name for value in candidates if _PREDICTIONS.search(value.name)]
    if heads and len(heads) == len(candidates):
        problems.append(f"the output {heads[0]} {_NO_EMBEDDINGS}")
        return None
    candidates = [value for value in candidates if value.name not in heads]
    if len(candidates) == 1:
        return candidates[0]
    found = ", ".join(f"{name} {_shape_text(value)}" for name, value in outputs.items()) or "none"
    problems.append(
        f"found the outputs {found}; expected last_hidden_state, or exactly one float output of rank {_OUTPUT_RANK}"
    )
    return None


def output_dimension(
    model: ModelProto, output: ValueInfoProto, hidden_size: int, vocabulary_size: int, problems: list[str]
) -> int:
    """Return the width of the vectors: as declared, else inferred from the graph, else from ``config.json``.

    Parameters
    ----------
    model
        The graph.
    output
        The output with the vectors.
    hidden_size
        ``hidden_size`` of ``config.json``, 0 without that file.
    vocabulary_size
        The number of pieces.
    problems
        One line is appended if the width is unknown or that of predictions, or the two sources contradict each
        other; without a configuration also if a linear layer returns the output, because an ALBERT ends in a layer
        norm.
    """
    declared = _last_dim(output) or _inferred_dim(model, output.name)
    if declared in {vocabulary_size, _num_embedding_rows(model)} - {0, hidden_size}:
        problems.append(f"the output {output.name}, as wide as the vocabulary ({declared}), {_NO_EMBEDDINGS}")
    elif not hidden_size and output.name not in _OUTPUTS and _ends_in_linear_layer(model, output.name):
        problems.append(f"the output {output.name}, which a linear layer returns, {_NO_EMBEDDINGS}")
    elif declared and hidden_size and declared != hidden_size:
        problems.append(f"{output.name} is {declared} wide, but {CONFIG_FILE} has hidden_size {hidden_size}")
    if not declared and not hidden_size:
        problems.append(
            f"the graph does not define the width of {output.name} ({_shape_text(output)}); "
            f"put the model's {CONFIG_FILE} beside it"
        )
    return declared or hidden_size


def _num_embedding_rows(model: ModelProto) -> int:
    """Return the number of rows of the largest table in which the graph looks something up; 0 if it has none."""
    tables = {node.input[0] for node in model.graph.node if node.op_type == "Gather" and node.input}
    return max(
        (
            int(tensor.dims[0])
            for tensor in model.graph.initializer
            if tensor.name in tables and len(tensor.dims) == _TABLE_RANK
        ),
        default=0,
    )


def _ends_in_linear_layer(model: ModelProto, name: str) -> bool:
    """Return whether the last step of a graph is a linear layer, as in a task head, rather than a layer norm."""
    producers = {output: node for node in model.graph.node for output in node.output}
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {output for output, node in producers.items() if node.op_type == "Constant"}
    for _ in range(_MAX_STEPS):
        node = producers.get(name)
        if node is None or node.op_type in _LINEAR:
            return node is not None
        sources = [source for source in node.input if source not in constants]
        if node.op_type == "Mul":  # the scale of a quantized layer; a layer norm multiplies, too, but casts nothing
            sources = [source for source in sources if source in producers and producers[source].op_type == "Cast"]
        elif node.op_type != "Add":  # the bias of a linear layer is a constant, a skip connection is not
            sources = sources[:1] if node.op_type in _PASSED_ON else []
        if len(sources) != 1:
            return False
        name = sources[0]
    return False


def _hint(name: str) -> str | None:
    return next((role for role, hint in _HINTS.items() if re.search(hint, name.lower())), None)


def _check_input(value: ValueInfoProto, problems: list[str]) -> None:
    tensor = value.type.tensor_type
    if tensor.elem_type not in _INTEGERS:
        problems.append(f"the input {value.name} is {_type_name(value)}, expected INT64 or INT32")
    elif any(dimension.HasField("dim_value") for dimension in tensor.shape.dim):
        problems.append(
            f"the input {value.name} has the fixed shape {_shape_text(value)}; "
            "export the model again with dynamic axes [batch, pieces]"
        )
    elif tensor.HasField("shape") and _rank(value) != _INPUT_RANK:
        problems.append(f"the input {value.name} is {_shape_text(value)}, expected [batch, pieces]")


def _may_be_hidden(value: ValueInfoProto) -> bool:
    """Return whether an output may hold hidden states. Undeclared shapes may fit; a run will show it."""
    return value.type.tensor_type.elem_type in _FLOATS and _rank(value) in {0, _OUTPUT_RANK}


def _rank(value: ValueInfoProto) -> int:
    return len(value.type.tensor_type.shape.dim)


def _last_dim(value: ValueInfoProto) -> int:
    dims = value.type.tensor_type.shape.dim
    return int(dims[-1].dim_value) if dims else 0


def _inferred_dim(model: ModelProto, name: str) -> int:
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, ValueError):
        return 0
    return next((_last_dim(value) for value in inferred.graph.output if value.name == name), 0)


def _shape_text(value: ValueInfoProto) -> str:
    """Return the type and shape of an input or output for messages."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return f"{_type_name(value)} of any shape"
    dims = [str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param for dim in tensor.shape.dim]
    return f"{_type_name(value)} [{', '.join(dims)}]"


def _type_name(value: ValueInfoProto) -> str:
    number = value.type.tensor_type.elem_type
    known = TensorProto.DataType.values()
    return str(TensorProto.DataType.Name(number)) if number in known else f"of the unknown type {number}"
