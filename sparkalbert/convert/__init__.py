"""Checkpoint to bundle, without torch: the only package that reads safetensors and writes ONNX."""

from sparkalbert.convert.onnx_import import import_onnx
from sparkalbert.convert.pipeline import convert_checkpoint
from sparkalbert.convert.spark_nlp_export import export_spark_nlp
from sparkalbert.convert.verify import Verification, verify_bundle

__all__ = ["Verification", "convert_checkpoint", "export_spark_nlp", "import_onnx", "verify_bundle"]
