"""Compares a bundle with an independent forward pass over its weights."""

__all__: list[str] = []
