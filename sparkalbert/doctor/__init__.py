"""Checks of the environment: this machine, the cache, the Hub, and the executors of a Spark session.

Each check is one line with what was found and, if something is wrong, what to do.
"""

__all__: list[str] = []
