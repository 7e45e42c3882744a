"""Encodes texts and tokens as SentencePiece pieces, and aligns pieces with tokens."""

__all__: list[str] = []
