"""The batch job: texts read, embedded and written, with progress; whole or not at all."""

__all__: list[str] = []
