"""What only a benchmark runs on Spark: contenders in sessions of their own, and what the workers tell.

Each contender lives in a process of its own, see :mod:`sparkalbert.bench`.
"""

__all__: list[str] = []
