"""."""

from __future__ import annotations

from sparkalbert.convert.graph_nodes import Nodes

__all__ = ["int8_products"]


def int8_products(nodes: Nodes, rows: str, weight: str) -> str:
    raise NotImplementedError
