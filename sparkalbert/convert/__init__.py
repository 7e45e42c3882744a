"""Checkpoint to bundle, without torch: the only package that reads safetensors and writes ONNX."""

from sparkalbert.convert.pipeline import convert_checkpoint

__all__ = ["convert_checkpoint"]
