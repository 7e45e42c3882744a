"""Spark sessions: the one that is there, or a local one on the Java that can be found."""

__all__: list[str] = []
