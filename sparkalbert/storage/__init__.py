"""Writes folders safely, locks and verifies files, and locates the folders that hold models.

Standard library only, because executors run it too.
"""

__all__: list[str] = []
