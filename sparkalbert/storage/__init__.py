"""Where models and results are kept, and how folders are written without losing anything.

Standard library only, because executors run it too.
"""

__all__: list[str] = []
