r"""Splits a sentence into the tokens that Spark NLP's Tokenizer finds.

Candidates are runs of characters that `target_pattern` allows, by default everything between ASCII white space. The
context characters at the start of a candidate are one token, those at its end another, and the rest is a third; a
candidate of context characters only is one token. Prefix, suffix and infix patterns replace that rule; exceptions
and splits refine it.

A token is always a slice of the text. Where Spark NLP's begin and end drift away from the token,
:meth:`WordTokenizer.tokenize_with_lags` reports by how much. Spark NLP's internal marks, U+2187 and U+2188, are
ordinary characters here.

With the default patterns the time is linear in the length of the text. For whole batches of texts see
:mod:`sparkalbert.text.segmentation.plain_tokens`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from sparkalbert.errors import ParamError
from sparkalbert.offsets import Span, is_bmp, utf16_length, utf16_units
from sparkalbert.text.segmentation.java_regex import compile_java, one_of_class, split_java_spans
from sparkalbert.text.segmentation.lengths import check_lengths, spans_of_length
from sparkalbert.text.segmentation.plain_tokens import byte_classes

__all__ = ["TokenizerOptions", "WordTokenizer"]

_DEFAULT_TARGET = r"\S+"
# Lone surrogates, which no valid text contains. They mark a space inside an exception and a character between tokens.
_JOINED, _BETWEEN = "\udc00", "\udc01"


@dataclass(frozen=True)
class TokenizerOptions:
    r"""The Params of Spark NLP's Tokenizer. Patterns are Java regular expressions.

    Parameters
    ----------
    target_pattern
        The characters that a token may contain. Spark NLP puts the pattern between ``[^(?:`` and ``)]``, so it
        is the inside of a character class: ``(``, ``?``, ``:``, ``)`` and signs such as ``+`` are literal.
    prefix_pattern, suffix_pattern
        What to split off at the start and end of a candidate, one token per group. They must begin with ``\A``
        and end with ``\z``. By default all `context_chars`.
    infix_patterns
        Patterns for the rest, one token per group; the first that matches is used. A candidate that matches
        none of them stays whole.
    context_chars
        The characters of the default patterns.
    exceptions
        Patterns whose matches are not split, even at spaces.
    case_sensitive_exceptions
        If false, `exceptions` ignore the case of ASCII letters.
    split_pattern, split_chars
        Where to split tokens further; the match is dropped. The pattern is tried first. As in Spark NLP, the
        characters are joined by ``|`` to a Java pattern, so ``.`` is written ``\.``; if that is not a valid
        pattern (``*``), they split nothing.
    min_length, max_length
        Shorter and longer tokens are dropped; counted in UTF-16 units.

    Raises
    ------
    ParamError
        If a value is invalid; the message names the Param.
    """

    target_pattern: str = _DEFAULT_TARGET
    prefix_pattern: str | None = None
    suffix_pattern: str | None = None
    infix_patterns: tuple[str, ...] = ()
    context_chars: tuple[str, ...] = (".", ",", ";", ":", "!", "?", "*", "-", "(", ")", '"', "'")
    exceptions: tuple[str, ...] = ()
    case_sensitive_exceptions: bool = True
    split_pattern: str | None = None
    split_chars: tuple[str, ...] = ()
    min_length: int = 0
    max_length: int = 99_999

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ParamError(problem)
        check_lengths(self.min_length, self.max_length)
        _between(self)
        _exceptions(self)
        for pattern, param in (
            (self.prefix_pattern, "prefixPattern"),
            (self.suffix_pattern, "suffixPattern"),
            (self.split_pattern, "splitPattern"),
            *((infix, "infixPatterns") for infix in self.infix_patterns),
        ):
            if pattern is not None:
                compile_java(pattern, param)

    def _problems(self) -> Iterator[str]:
        if self.prefix_pattern is not None and not self.prefix_pattern.startswith(r"\A"):
            yield rf"prefixPattern must begin with \A, got {self.prefix_pattern!r}. Put \A in front of it."
        if self.suffix_pattern is not None and not self.suffix_pattern.endswith(r"\z"):
            yield rf"suffixPattern must end with \z, got {self.suffix_pattern!r}. Put \z at its end."
        for infix in self.infix_patterns:
            if "(" not in infix or ")" not in infix:
                yield f"infixPatterns must use regex groups, got {infix!r}. Put parentheses around each token."
        for character in self.context_chars:
            if len(character) != 1:
                yield f"contextChars must be single characters, got {character!r}."
        for character in self.split_chars:
            if not re.fullmatch(r"\\?.", character, re.DOTALL):
                yield f"splitChars must be single characters, got {character!r}."


def _context_body(options: TokenizerOptions) -> str:
    """Return the context characters as the body of a class; without any, a mark that no text contains."""
    return "".join(map(re.escape, options.context_chars)) or _JOINED


def _plain_pattern(options: TokenizerOptions) -> re.Pattern[str] | None:
    """Return a pattern that finds all tokens, or None if any Param but `context_chars` differs from its default.

    Between spaces there are runs of context characters and runs of others. A token is the longest stretch from
    one run of others to another, or a run of context characters that is left over.
    """
    custom = (
        options.prefix_pattern is not None
        or options.suffix_pattern is not None
        or options.infix_patterns
        or options.exceptions
        or options.split_pattern is not None
        or options.split_chars
        or options.target_pattern != _DEFAULT_TARGET
    )
    if custom or any(character.isspace() for character in options.context_chars):
        return None
    context = _context_body(options)
    return re.compile(rf"[^\s{context}]+(?:[{context}]+[^\s{context}]+)*|[{context}]+", re.ASCII)


def _rules(options: TokenizerOptions) -> tuple[regex.Pattern[str], ...]:
    """Return prefix, infix and suffix as one pattern, for each infix."""
    context = _context_body(options)
    # Spark NLP's (?:.*[^..])* matches the same, but takes exponential time if a custom suffix does not match.
    infixes = options.infix_patterns or (rf"([^{context}](?:(?s:.*)[^{context}])?)",)
    prefix = options.prefix_pattern or rf"\A([{context}]*)"
    suffix = options.suffix_pattern or rf"([{context}]*)\z"
    return tuple(compile_java(prefix + infix + suffix, "infixPatterns") for infix in infixes)


def _between(options: TokenizerOptions) -> regex.Pattern[str]:
    """Return the pattern of a character that no token contains, except within an exception."""
    return regex.compile(one_of_class(rf"^(?:{options.target_pattern}){_JOINED}", "targetPattern"), regex.V1)


def _exceptions(options: TokenizerOptions) -> regex.Pattern[str] | None:
    if not options.exceptions:
        return None
    flag = "" if options.case_sensitive_exceptions else "(?i)"
    return compile_java("|".join(flag + exception for exception in options.exceptions), "exceptions")


def _split_chars(options: TokenizerOptions) -> regex.Pattern[str] | None:
    try:
        return compile_java("|".join(options.split_chars), "splitChars")
    except ParamError:
        return None


class WordTokenizer:
    """Finds the tokens of a sentence.

    Parameters
    ----------
    options
        The Params; by default those of Spark NLP.

    Attributes
    ----------
    options
        The Params.
    byte_classes
        Classes for :func:`~sparkalbert.text.segmentation.plain_tokens.find_tokens`, which finds the same tokens in
        many texts at once; None if the Params rule that out.

    Examples
    --------
    >>> text = 'He said "hi!"  (twice).'
    >>> [text[slice(*span)] for span in WordTokenizer().tokenize(text)]
    ['He', 'said', '"', 'hi', '!"', '(', 'twice', ').']
    """

    def __init__(self, options: TokenizerOptions = TokenizerOptions()) -> None:
        self.options = options
        self._plain = _plain_pattern(options)
        self.byte_classes = None if self._plain is None else byte_classes(options.context_chars)
        self._between = _between(options)
        self._candidate = re.compile(f"[^{_BETWEEN}]+")
        self._rules = _rules(options)
        self._exceptions = _exceptions(options)
        self._split_pattern = (
            None if options.split_pattern is None else compile_java(options.split_pattern, "splitPattern")
        )
        self._split_chars = _split_chars(options)
        self._split_triggers = [character[-1] for character in options.split_chars]

    def tokenize(self, text: str) -> list[Span]:
        """Return the tokens of a sentence in order, as spans of `text`.

        Returns
        -------
        list of Span
            No span is empty. They do not overlap, unless the groups of a custom pattern do.
        """
        return self.tokenize_with_lags(text)[0]

    def tokenize_with_lags(self, text: str) -> tuple[list[Span], list[int]]:
        r"""Return the tokens, and how many UTF-16 units Spark NLP's begin and end are before the right ones.

        With the default patterns all lags are 0. Spark NLP's offsets drift

        - with a `target_pattern` such as ``\w+``, which excludes emoji: Spark NLP looks for tokens in a copy of
          the sentence in which each character between tokens is one unit, even if it was two;
        - after text that `split_pattern`, `split_chars` or the groups of a custom pattern drop: Spark NLP puts
          each token of a candidate right after the previous one, and searches for the parts of a split from there.

        Examples
        --------
        >>> text = "🙂 -a"
        >>> WordTokenizer(TokenizerOptions(target_pattern=r"\w+")).tokenize_with_lags(text)
        ([Span(start=3, stop=4)], [1])
        >>> WordTokenizer(TokenizerOptions(split_chars=("-",))).tokenize_with_lags(text)
        ([Span(start=0, stop=1), Span(start=3, stop=4)], [0, 1])
        """
        if self._plain is not None:
            spans = [Span(*found.span()) for found in self._plain.finditer(text)]
            lags = [0] * len(spans)
        else:
            found = [(span, lag) for span, lag in self._all_tokens(text) if span.stop > span.start]
            spans, lags = [span for span, _ in found], [lag for _, lag in found]
        return spans_of_length(text, spans, lags, self.options.min_length, self.options.max_length)

    def _all_tokens(self, text: str) -> Iterator[tuple[Span, int]]:
        marked, kept = self._with_exceptions(text)
        wide: list[int] = []
        if not is_bmp(text):
            wide = [found.start() for found in self._between.finditer(text) if found[0] > "\uffff"]
        marked = self._between.sub(_BETWEEN, marked)
        for found in self._candidate.finditer(marked):
            start, stop = found.span()
            lag = bisect_left(wide, start)
            candidate = text[start:stop]
            whole = candidate in kept or _JOINED in found[0]
            parts = None if whole else self._first_match(candidate)
            if parts is None:
                yield Span(start, stop), lag
                continue
            for span, own_lag in self._parts(candidate, parts):
                yield Span(start + span.start, start + span.stop), lag + own_lag

    def _with_exceptions(self, text: str) -> tuple[str, set[str]]:
        """Mark the separators inside exceptions; return the exceptions that contain none, too."""
        kept: set[str] = set()
        if self._exceptions is None:
            return text, kept

        def joined(found: regex.Match[str]) -> str:
            marked = self._between.sub(_JOINED, found[0])
            if marked == found[0]:
                kept.add(found[0])
            return marked

        return self._exceptions.sub(joined, text), kept

    def _first_match(self, candidate: str) -> regex.Match[str] | None:
        for rule in self._rules:
            found = rule.search(candidate)
            if found is not None:
                return found
        return None

    def _parts(self, candidate: str, found: regex.Match[str]) -> Iterator[tuple[Span, int]]:
        """Return the tokens of a candidate, which are the groups of a rule's match or parts of them."""
        length = len if is_bmp(candidate) else utf16_length
        shown = length(candidate[: found.start()])
        for start, stop in found.regs[1:]:
            token = candidate[start:stop]
            parts = self._splits(token)
            if parts is None:
                yield Span(start, stop), length(candidate[:start]) - shown
                shown += length(token)
                continue
            units = utf16_units(found[0])
            for first, after_last in parts:
                part = utf16_units(token[first:after_last])
                shown = units.find(part, min(max(shown, 0), len(units)))
                yield Span(start + first, start + after_last), length(candidate[: start + first]) - shown
                shown += len(part)

    def _splits(self, token: str) -> list[Span] | None:
        """Return the parts of a token, or None if it is not split.

        The pattern applies if it leaves at least two parts, the characters even if they leave none.
        """
        if self._split_pattern is not None and self._split_pattern.search(token) is not None:
            parts = split_java_spans(self._split_pattern, token)
            if len(parts) > 1:
                return parts
        if self._split_chars is not None and any(sign in token for sign in self._split_triggers):
            return split_java_spans(self._split_chars, token)
        return None
