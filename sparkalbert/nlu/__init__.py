"""NLU's one-liner: ``sparkalbert.load(model).predict(data)`` returns a pandas frame.

Columns have the names and the order of NLU 5.4; :meth:`Predictor.predict` documents the differences.
"""

from __future__ import annotations

from sparkalbert.nlu.loading import load
from sparkalbert.nlu.predictor import Predictor

__all__ = ["Predictor", "load"]
