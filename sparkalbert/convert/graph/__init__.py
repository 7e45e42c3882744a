"""Builds the ONNX graph of an ALBERT."""

__all__: list[str] = []
