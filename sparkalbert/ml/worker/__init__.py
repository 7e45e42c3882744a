"""The code that runs in Spark's Python workers, on Arrow columns.

Separate from the stages, because a worker that unpickles a task must not import Params and pipelines.
"""

__all__: list[str] = []
