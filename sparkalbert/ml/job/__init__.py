"""The batch job: reads texts, embeds them and writes the vectors, and what users run before it."""

__all__: list[str] = []
