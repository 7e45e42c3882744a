"""minLength and maxLength, which Spark NLP's SentenceDetector and Tokenizer count in UTF-16 units."""

from __future__ import annotations

from sparkalbert.annotations import Span, utf16_length
from sparkalbert.errors import ParamError

__all__ = ["check_lengths", "spans_of_length"]


def check_lengths(min_length: int, max_length: int) -> None:
    """Raise ParamError unless ``0 <= min_length <= max_length``.

    Examples
    --------
    >>> check_lengths(2, 1)
    Traceback (most recent call last):
    sparkalbert.errors.ParamError: maxLength must be greater equal than minLength, found 1 and 2. \
Please raise maxLength or lower minLength.
    """
    if min_length < 0:
        msg = f"minLength must be greater equal than 0, found {min_length}. Please raise it."
        raise ParamError(msg)
    if max_length < min_length:
        msg = (
            f"maxLength must be greater equal than minLength, found {max_length} and {min_length}."
            " Please raise maxLength or lower minLength."
        )
        raise ParamError(msg)


def spans_of_length(
    text: str, spans: list[Span], lags: list[int], least: int, most: int
) -> tuple[list[Span], list[int]]:
    """Return the spans of `least` to `most` UTF-16 units, each with its item of `lags`.

    Examples
    --------
    >>> spans_of_length("a🙂b", [Span(0, 1), Span(0, 2), Span(0, 3)], [5, 6, 7], 2, 3)
    ([Span(start=0, stop=2)], [6])
    """
    if least <= 1 and 2 * len(text) <= most:
        return spans, lags
    kept = [
        (span, lag)
        for span, lag in zip(spans, lags, strict=True)
        if least <= utf16_length(text[span.start : span.stop]) <= most
    ]
    return [span for span, _ in kept], [lag for _, lag in kept]
