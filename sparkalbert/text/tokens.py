r"""Tokens of a sentence, as Spark NLP's Tokenizer finds them.

Candidates are stretches of characters that `target_pattern` allows, by default everything between ASCII
white space. Of a candidate, the context characters at its start are one token, those at its end another
and what lies between a third; a candidate of context characters only is one token. Prefix, suffix and
infix patterns replace that rule, exceptions and splits refine it.

A token here always is a slice of the text. Where Spark NLP's begin and end drift away from the token,
:meth:`WordTokenizer.tokenize_with_lags` tells by how much. One thing is not repeated: U+2187 and U+2188, its
internal marks, are characters like others.

It knows nothing about Spark columns or pieces. Time is linear with the default patterns. Whole batches of
texts are :mod:`sparkalbert.text.plain_tokens`' business.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from sparkalbert.annotations import Span, is_bmp, utf16_length, utf16_units
from sparkalbert.errors import ParamError
from sparkalbert.text.java_regex import compile_java, find_java, one_of_class
from sparkalbert.text.lengths import check_lengths, spans_of_length
from sparkalbert.text.plain_tokens import byte_classes

__all__ = ["TokenizerOptions", "WordTokenizer"]

_DEFAULT_TARGET = r"\S+"
# Lone surrogates, which no valid text holds: a space inside an exception, and a character between tokens.
_JOINED, _BETWEEN = "\udc00", "\udc01"


@dataclass(frozen=True)
class TokenizerOptions:
    r"""The Params of Spark NLP's Tokenizer. Patterns are Java regular expressions.

    Parameters
    ----------
    target_pattern
        Which characters a token may hold. Spark NLP puts it between ``[^(?:`` and ``)]``, so it is the
        inside of a character class: ``(``, ``?``, ``:``, ``)`` and signs such as ``+`` stand for themselves.
    prefix_pattern, suffix_pattern
        What to split off at the start and end of a candidate, each group a token. Begins with ``\A``,
        ends with ``\z``. By default all `context_chars` there.
    infix_patterns
        What is left between them, each group a token; the first that matches counts. A candidate that
        none matches stays whole.
    context_chars
        The characters of the default patterns.
    exceptions
        Patterns that are not taken apart, even over spaces.
    case_sensitive_exceptions
        Whether `exceptions` distinguish ``A`` from ``a``.
    split_pattern, split_chars
        Where to cut tokens further, leaving out what matches; the pattern comes first. As in Spark NLP the
        characters, joined by ``|``, are a Java pattern too, so ``.`` is written ``\.``; where they are no
        valid pattern (``*``), they cut nothing.
    min_length, max_length
        Tokens shorter or longer than this are left out; counted in UTF-16 units.

    Raises
    ------
    ParamError
        A value cannot work; the message names the Param.
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
            yield (
                r"prefixPattern must begin with \A to ensure it is the beginning of the string, found"
                rf" {self.prefix_pattern!r}. Please put \A in front."
            )
        if self.suffix_pattern is not None and not self.suffix_pattern.endswith(r"\z"):
            yield (
                r"suffixPattern must end with \z to ensure it is the end of the string, found"
                rf" {self.suffix_pattern!r}. Please put \z at its end."
            )
        for infix in self.infix_patterns:
            if "(" not in infix or ")" not in infix:
                yield (
                    f"infixPatterns must use regex group, found {infix!r}."
                    " Please put parentheses around each token."
                )
        for character in self.context_chars:
            if len(character) != 1:
                yield f"contextChars must be single characters, found {character!r}. Please split it."
        for character in self.split_chars:
            if not re.fullmatch(r"\\?.", character, re.DOTALL):
                yield f"splitChars must be single characters, found {character!r}. Please split it."


def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern that is Python's already."""
    return re.compile(pattern, re.ASCII)


def _context_body(options: TokenizerOptions) -> str:
    """Return the context characters as the body of a class; without any, a mark no text holds."""
    return "".join(map(re.escape, options.context_chars)) or _JOINED


def _plain_pattern(options: TokenizerOptions) -> re.Pattern[str] | None:
    """Return one pattern that finds all tokens where only context characters differ from the default.

    Between spaces there are runs of context characters and runs of others. A token is either the
    longest stretch from one run of others to another, or a run of context characters that is left.
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
    return _compile(rf"[^\s{context}]+(?:[{context}]+[^\s{context}]+)*|[{context}]+")


def _rules(options: TokenizerOptions) -> tuple[re.Pattern[str], ...]:
    """Return prefix, infix and suffix together, one pattern for each infix."""
    context = _context_body(options)
    # Not Spark NLP's (?:.*[^..])*, which takes exponential time where a custom suffix fails; it matches
    # the same.
    infixes = options.infix_patterns or (rf"([^{context}](?:(?s:.*)[^{context}])?)",)
    prefix = options.prefix_pattern or rf"\A([{context}]*)"
    suffix = options.suffix_pattern or rf"([{context}]*)\z"
    return tuple(compile_java(prefix + infix + suffix, "infixPatterns") for infix in infixes)


def _between(options: TokenizerOptions) -> re.Pattern[str]:
    """Return the pattern of one character that no token holds, except within an exception."""
    return _compile(one_of_class(rf"^(?:{options.target_pattern}){_JOINED}", "targetPattern"))


def _exceptions(options: TokenizerOptions) -> re.Pattern[str] | None:
    if not options.exceptions:
        return None
    flag = "" if options.case_sensitive_exceptions else "(?i)"
    return compile_java("|".join(flag + exception for exception in options.exceptions), "exceptions")


def _split_chars(options: TokenizerOptions) -> re.Pattern[str] | None:
    try:
        return compile_java("|".join(options.split_chars), "splitChars")
    except ParamError:
        return None


def _java_split(pattern: re.Pattern[str], text: str) -> list[Span]:
    """Return what ``String.split`` returns: empty parts stay, but not at the end."""
    parts = []
    start = 0
    for found in find_java(pattern, text):
        if found.end() == 0:  # an empty match at the start separates nothing
            continue
        parts.append(Span(start, found.start()))
        start = found.end()
    parts.append(Span(start, len(text)))
    while len(parts) > 1 and parts[-1].start == parts[-1].stop:
        parts.pop()
    return parts if parts[-1].stop > parts[-1].start or not text else []


class WordTokenizer:
    """Finds the tokens of a sentence.

    Attributes
    ----------
    options
        The Params.
    byte_classes
        With which :func:`~sparkalbert.text.plain_tokens.find_tokens` finds the same tokens, in many texts
        at once; None where a Param rules that out.

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
        self._candidate = _compile(rf"[^{_BETWEEN}]+")
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
            Never empty spans. They do not overlap, unless groups of a custom pattern do.
        """
        return self.tokenize_with_lags(text)[0]

    def tokenize_with_lags(self, text: str) -> tuple[list[Span], list[int]]:
        r"""Return the tokens, and how far Spark NLP's begin and end lie before the right ones.

        With the default pattern all lags are 0. They count UTF-16 units. Spark NLP's offsets drift

        - with a `target_pattern` such as ``\w+``, which excludes emoji: it looks for tokens in a copy of
          the sentence, in which a character between tokens is one unit even where it was two;
        - behind what `split_pattern`, `split_chars` or the groups of a custom pattern leave out: it puts
          each token of a candidate right after the one before, and searches the parts of a split from
          there on.

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
            if candidate in kept or _JOINED in found[0]:
                yield Span(start, stop), lag
                continue
            for span, own_lag in self._parts(candidate):
                yield Span(start + span.start, start + span.stop), lag + own_lag

    def _with_exceptions(self, text: str) -> tuple[str, set[str]]:
        """Mark what would separate parts of an exception; return the exceptions without such, too."""
        kept: set[str] = set()
        if self._exceptions is None:
            return text, kept

        def joined(found: re.Match[str]) -> str:
            marked = self._between.sub(_JOINED, found[0])
            if marked == found[0]:
                kept.add(found[0])
            return marked

        return self._exceptions.sub(joined, text), kept

    def _parts(self, candidate: str) -> Iterator[tuple[Span, int]]:
        """Take a candidate apart by the first rule that matches it."""
        for rule in self._rules:
            found = rule.search(candidate)
            if found is not None:
                break
        else:
            yield Span(0, len(candidate)), 0
            return
        units = utf16_units(found[0])
        shown = utf16_length(candidate[: found.start()])
        for start, stop in found.regs[1:]:
            parts = self._splits(candidate[start:stop])
            for span in [Span(0, stop - start)] if parts is None else parts:
                part = utf16_units(candidate[start + span.start : start + span.stop])
                if parts is not None:
                    shown = units.find(part, min(max(shown, 0), len(units)))
                yield (
                    Span(start + span.start, start + span.stop),
                    utf16_length(candidate[: start + span.start]) - shown,
                )
                shown += len(part)

    def _splits(self, token: str) -> list[Span] | None:
        """Cut a token, None where nothing is cut.

        The pattern counts where it leaves two parts; the characters even if none is left.
        """
        if self._split_pattern is not None:
            parts = _java_split(self._split_pattern, token)
            if len(parts) > 1:
                return parts
        if self._split_chars is not None and any(sign in token for sign in self._split_triggers):
            return _java_split(self._split_chars, token)
        return None
