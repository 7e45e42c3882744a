"""The weights of a bundle: their names, number formats and file."""

__all__: list[str] = []
