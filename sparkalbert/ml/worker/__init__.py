"""What runs in Spark's Python workers, and how it gets there: Arrow columns in, Arrow columns out.

Kept apart from the stages: a worker that unpickles one task must not import Params and pipelines.
"""

__all__: list[str] = []
