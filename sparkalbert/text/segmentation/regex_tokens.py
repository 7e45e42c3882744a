r"""Splits a sentence at a pattern into the tokens that Spark NLP's RegexTokenizer finds.

As in Spark NLP, each part between two matches is searched for in the text again, from the end of the previous part. So
begin and end are too low where the text that a match covers contains the next part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from sparkalbert.errors import ParamError
from sparkalbert.offsets import is_bmp, utf16_index
from sparkalbert.text.segmentation.java_case import lower_java
from sparkalbert.text.segmentation.java_regex import compile_java, remove_java, split_java

__all__ = ["FoundToken", "RegexTokenSplitter", "RegexTokenizerOptions"]

_SPACES: Final = r"\s+"


@dataclass(frozen=True)
class RegexTokenizerOptions:
    r"""The Params of Spark NLP's RegexTokenizer.

    Parameters
    ----------
    pattern
        Java regular expression of the text between tokens.
    to_lowercase
        If true, the text is lower-cased first.
    trim_whitespace
        If true, white space inside a token is removed after the token's length was checked.
    preserve_position
        If false, begin and end leave out the white space that `trim_whitespace` removes at the edges.
    min_length, max_length
        Shorter and longer tokens are dropped; counted in UTF-16 units.

    Raises
    ------
    ParamError
        If a value is invalid; the message names the Param.
    """

    pattern: str = _SPACES
    to_lowercase: bool = False
    trim_whitespace: bool = False
    preserve_position: bool = True
    min_length: int = 1
    max_length: int | None = None

    def __post_init__(self) -> None:
        compile_java(self.pattern, "pattern")
        if self.min_length < 0:
            msg = f"minLength must be at least 0, got {self.min_length}."
            raise ParamError(msg)
        if self.max_length is not None and self.max_length < 1:
            msg = f"maxLength must be at least 1, got {self.max_length}."
            raise ParamError(msg)


class FoundToken(NamedTuple):
    """A token, and its place in the sentence: half open, in UTF-16 units."""

    result: str
    start: int
    stop: int


class RegexTokenSplitter:
    """Splits texts by the rules of some options.

    Examples
    --------
    >>> splitter = RegexTokenSplitter(RegexTokenizerOptions(pattern=","))
    >>> splitter.split("a,b c")
    [FoundToken(result='a', start=0, stop=1), FoundToken(result='b c', start=2, stop=5)]
    """

    def __init__(self, options: RegexTokenizerOptions) -> None:
        self._options = options
        self._pattern = compile_java(options.pattern, "pattern")
        self._spaces, self._leading, self._trailing = (
            compile_java(pattern, "trimWhitespace") for pattern in (_SPACES, r"^\s+", r"\s+$")
        )

    def split(self, text: str) -> list[FoundToken]:
        """Return the tokens of a sentence in order."""
        if self._options.to_lowercase:
            text = lower_java(text)
        found = [FoundToken(*token) for token in self._placed(text)]
        return [self._trimmed(token) for token in found] if self._options.trim_whitespace else found

    def _placed(self, text: str) -> Iterator[tuple[str, int, int]]:
        units = range(len(text) + 1) if is_bmp(text) else utf16_index(text).tolist()
        shortest, longest = max(self._options.min_length, 1), self._options.max_length
        at = 0
        for part in split_java(self._pattern, text):
            start = text.index(part, at)
            at = start + len(part)
            length = units[at] - units[start]
            if length >= shortest and (longest is None or length <= longest):
                yield part, units[start], units[at]

    def _trimmed(self, token: FoundToken) -> FoundToken:
        result, start, stop = token
        trimmed = remove_java(self._spaces, result)
        if self._options.preserve_position:
            return FoundToken(trimmed, start, stop)
        # Each white space character is one UTF-16 unit.
        left, right = (len(result) - len(remove_java(edge, result)) for edge in (self._leading, self._trailing))
        return FoundToken(trimmed, start + left, stop - right)
