"""Spark sessions: the existing session, or a local session that needs nothing but Python."""

__all__: list[str] = []
