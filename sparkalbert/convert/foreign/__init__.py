"""Imports ONNX graphs that other programs exported."""

__all__: list[str] = []
