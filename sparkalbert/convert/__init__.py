"""Makes bundles from checkpoints and ONNX exports, and verifies them. Needs neither torch nor transformers.

The packages build on each other from the bottom up: :mod:`.weights`, :mod:`.graph` and :mod:`.checkpoint`,
then :mod:`.conversion`, then :mod:`.foreign`, :mod:`.verify`, :mod:`.spark_nlp_export`, :mod:`.unrolled` and
:mod:`.lone_product`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkalbert.lazy import lazy_attributes

if TYPE_CHECKING:
    from sparkalbert.convert.conversion import convert_checkpoint
    from sparkalbert.convert.foreign.onnx_import import import_onnx
    from sparkalbert.convert.spark_nlp_export import export_spark_nlp
    from sparkalbert.convert.verify.verification import Verification, verify_bundle

__all__ = ["Verification", "convert_checkpoint", "export_spark_nlp", "import_onnx", "verify_bundle"]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "Verification": "sparkalbert.convert.verify.verification",
        "convert_checkpoint": "sparkalbert.convert.conversion",
        "export_spark_nlp": "sparkalbert.convert.spark_nlp_export",
        "import_onnx": "sparkalbert.convert.foreign.onnx_import",
        "verify_bundle": "sparkalbert.convert.verify.verification",
    },
)
