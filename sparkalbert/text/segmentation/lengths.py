"""Applies minLength and maxLength, which Spark NLP's SentenceDetector and Tokenizer count in UTF-16 units."""

from __future__ import annotations

from sparkalbert.errors import ParamError
from sparkalbert.offsets import Span, utf16_length

__all__ = ["check_lengths", "spans_of_length"]


def check_lengths(min_length: int, max_length: int) -> None:
    """Raise ParamError unless ``0 <= min_length <= max_length``.

    Examples
    --------
    >>> check_lengths(2, 1)
    Traceback (most recent call last):
    sparkalbert.errors.ParamError: maxLength must be at least minLength (2), got 1.
    """
    if min_length < 0:
        msg = f"minLength must be at least 0, got {min_length}."
        raise ParamError(msg)
    if max_length < min_length:
        msg = f"maxLength must be at least minLength ({min_length}), got {max_length}."
        raise ParamError(msg)


def spans_of_length(
    text: str, spans: list[Span], lags: list[int], min_length: int, max_length: int
) -> tuple[list[Span], list[int]]:
    """Return the spans of `min_length` to `max_length` UTF-16 units, each with its item of `lags`.

    Examples
    --------
    >>> spans_of_length("a🙂b", [Span(0, 1), Span(0, 2), Span(0, 3)], [5, 6, 7], 2, 3)
    ([Span(start=0, stop=2)], [6])
    """
    if min_length <= 1 and 2 * len(text) <= max_length:
        return spans, lags
    kept = [
        (span, lag)
        for span, lag in zip(spans, lags, strict=True)
        if min_length <= utf16_length(text[span.start : span.stop]) <= max_length
    ]
    return [span for span, _ in kept], [lag for _, lag in kept]
