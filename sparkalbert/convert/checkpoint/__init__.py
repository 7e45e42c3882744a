"""Reads Hugging Face checkpoint folders, and writes them for benchmarks."""

__all__: list[str] = []
