"""NLU's one-liner: ``sparkalbert.load(model).predict(data)`` returns a pandas frame.

Columns are named and ordered as NLU 5.4 does. Where it differs, see :meth:`Predictor.predict`.
"""

from __future__ import annotations

from sparkalbert.nlu.loading import load
from sparkalbert.nlu.predictor import Predictor

__all__ = ["Predictor", "load"]
