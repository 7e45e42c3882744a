"""The systems of a benchmark that run on Spark, each in a session of its own; see :mod:`sparkalbert.bench`."""

__all__: list[str] = []
