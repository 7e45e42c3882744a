"""Collects the nodes and constants of an ONNX graph in order, and names them after their operators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

__all__ = ["CONTRIB", "Constants", "Nodes"]

CONTRIB: Final = "com.microsoft"
"""Domain of ONNX Runtime's fused operators."""


@dataclass
class Constants:
    """The small constants of a graph and of its subgraphs; equal constants are stored once."""

    tensors: dict[str, TensorProto] = field(default_factory=dict)

    def add(self, values: Any, dtype: npt.DTypeLike) -> str:
        """Add a constant and return its name; a scalar stays a scalar."""
        array = np.asarray(values, dtype=dtype)
        name = f"constant_{array.dtype}_{'x'.join(map(str, array.shape))}_{'_'.join(map(str, array.ravel()))}"
        self.tensors.setdefault(name, numpy_helper.from_array(array, name))
        return name


@dataclass
class Nodes:
    """The nodes of one graph, loop body or branch.

    Attributes
    ----------
    constants
        The constants, shared with the enclosing graph, whose names a subgraph can read.
    scope
        Prefix of the names of nodes and values, different for each subgraph.
    """

    constants: Constants
    scope: str = ""
    nodes: list[NodeProto] = field(default_factory=list)

    def add(self, op_type: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        return self.add_many(op_type, *inputs, outputs=1, domain=domain, **attributes)[0]

    def add_many(self, op_type: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> list[str]:
        """Add a node with several outputs and return their names."""
        name = f"{self.scope}{op_type}_{len(self.nodes)}"
        names = [name if outputs == 1 else f"{name}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op_type, inputs, names, name=f"{name}_node", domain=domain, **attributes))
        return names

    def rename_output(self, value: str, name: str) -> None:
        """Add a node that gives a value another name."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name=f"{self.scope}{name}_node"))
