"""Finds sentences and tokens by the rules of Spark NLP's SentenceDetector and Tokenizer."""

__all__: list[str] = []
