"""Which input of a foreign graph is which, and the graph given the names that a bundle's graph has.

Exporters agree on what goes in and not on what it is called. It knows names and types of inputs, nothing
of what the graph computes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from onnx import ModelProto, TensorProto, ValueInfoProto, helper

__all__ = ["GraphInputs", "find_inputs", "rename_inputs", "shape_text"]

_ROLES: Final = ("input_ids", "attention_mask", "token_type_ids")
"""In the order in which Hugging Face's models take them."""

_REQUIRED: Final = _ROLES[:2]
_EXPECTED: Final = f"expected {', '.join(_REQUIRED)} and perhaps {_ROLES[2]}"
_HINTS: Final[Mapping[str, str]] = {
    "token_type_ids": r"type|segment",
    "attention_mask": r"mask",
    "": r"position|head|past|embeds|labels",
    "input_ids": r"ids|token|word",
}
"""What a name tells, the first that fits: ``input_word_ids``, ``input_mask`` and ``segment_ids`` are
TensorFlow Hub's, for instance. Names under "" are those of inputs that nothing here can give."""

_INTEGERS: Final = (TensorProto.INT64, TensorProto.INT32)
_RANK: Final = 2


@dataclass(frozen=True)
class GraphInputs:
    """The inputs of a foreign graph by what they are.

    Attributes
    ----------
    names
        ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids`` to the graph's own names.
    guessed
        Whether names told nothing and Hugging Face's order had to decide.
    """

    names: Mapping[str, str]
    guessed: bool


def find_inputs(model: ModelProto, problems: list[str]) -> GraphInputs:
    """Tell the inputs by their names; where no name tells anything, by Hugging Face's order.

    Parameters
    ----------
    model
        The graph.
    problems
        Takes a line for each input that is missing, surplus, or not integers ``[batch, pieces]``.
    """
    weights = {tensor.name for tensor in model.graph.initializer}  # older files list them among the inputs
    inputs = {value.name: value for value in model.graph.input if value.name not in weights}
    names: dict[str, str] = {}
    unknown, surplus = [], []
    for name in sorted(inputs, key=lambda name: name not in _ROLES):  # whoever has the very name comes first
        role = name if name in _ROLES else _hint(name)
        if role in names or role == "":
            surplus.append(name)
        elif role is None:
            unknown.append(name)
        else:
            names[role] = name
    guessed = len(unknown) == len(inputs)
    left = _ROLES if guessed else [role for role in _REQUIRED if role not in names]
    names.update(zip(left, unknown, strict=False))
    surplus += unknown[len(left) :]
    problems += [f"the graph takes {name}, which nothing here can give; {_EXPECTED}" for name in surplus]
    problems += [
        f"the graph has no input {role}; found {', '.join(inputs) or 'none'}, {_EXPECTED}"
        for role in _REQUIRED
        if role not in names
    ]
    for name in names.values():
        _check_type(inputs[name], problems)
    return GraphInputs(names, guessed)


def rename_inputs(model: ModelProto, inputs: GraphInputs) -> None:
    """Call the inputs as a bundle's graph does, in place.

    A node in front passes each on under its old name, so that nothing behind it needs to change, graphs
    inside of nodes included.
    """
    renamed = {found: role for role, found in inputs.names.items() if found != role}
    for value in model.graph.input:
        if value.name in renamed:
            value.name = renamed[value.name]
    nodes = [
        helper.make_node("Identity", [role], [found], name=f"rename_{role}")
        for found, role in renamed.items()
    ]
    nodes += model.graph.node
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def shape_text(value: ValueInfoProto) -> str:
    """Return type and shape of an input or output in words, for messages."""
    tensor = value.type.tensor_type
    kind = TensorProto.DataType.Name(tensor.elem_type)
    if not tensor.HasField("shape"):
        return f"{kind} of any shape"
    dims = [str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param for dim in tensor.shape.dim]
    return f"{kind} [{', '.join(dims)}]"


def _hint(name: str) -> str | None:
    return next((role for role, hint in _HINTS.items() if re.search(hint, name.lower())), None)


def _check_type(value: ValueInfoProto, problems: list[str]) -> None:
    tensor = value.type.tensor_type
    if tensor.elem_type not in _INTEGERS:
        found = TensorProto.DataType.Name(tensor.elem_type)
        problems.append(f"the input {value.name} is {found}, expected INT64 or INT32")
    elif any(dimension.HasField("dim_value") for dimension in tensor.shape.dim):
        problems.append(
            f"the input {value.name} has the fixed shape {shape_text(value)}; "
            "export it again with dynamic axes [batch, pieces]"
        )
    elif tensor.HasField("shape") and len(tensor.shape.dim) != _RANK:
        problems.append(f"the input {value.name} is {shape_text(value)}, expected [batch, pieces]")
