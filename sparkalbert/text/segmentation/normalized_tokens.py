"""Cleans tokens as Spark NLP's Normalizer does: replaces slang, removes what patterns match, lower-cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkalbert.errors import ParamError
from sparkalbert.offsets import utf16_length
from sparkalbert.text.segmentation.java_case import lower_java
from sparkalbert.text.segmentation.java_regex import compile_java, remove_java, split_java

__all__ = ["NormalizerOptions", "TokenNormalizer"]


@dataclass(frozen=True)
class NormalizerOptions:
    r"""The Params of Spark NLP's Normalizer.

    Parameters
    ----------
    cleanup_patterns
        Java regular expressions of what to remove, in this order.
    lowercase
        If true, tokens are lower-cased at the end.
    slang
        What to write instead of a token: words separated by spaces. Keys must be in lower case unless
        `slang_match_case` is true.
    slang_match_case
        If true, `slang` distinguishes ``A`` from ``a``.
    min_length, max_length
        Shorter and longer tokens are dropped; counted in UTF-16 units.

    Raises
    ------
    ParamError
        If a value is invalid; the message names the Param.
    """

    cleanup_patterns: tuple[str, ...] = (r"[^\pL+]",)
    lowercase: bool = False
    slang: Mapping[str, str] = field(default_factory=dict)
    slang_match_case: bool = False
    min_length: int = 0
    max_length: int | None = None

    def __post_init__(self) -> None:
        for pattern in self.cleanup_patterns:
            compile_java(pattern, "cleanupPatterns")
        if self.min_length < 0:
            msg = f"minLength must be greater equal than 0, got {self.min_length}."
            raise ParamError(msg)
        if self.max_length is not None and self.max_length < self.min_length:
            msg = f"maxLength must be greater equal than minLength ({self.min_length}), got {self.max_length}."
            raise ParamError(msg)


class TokenNormalizer:
    """Cleans tokens by the rules of some options.

    Examples
    --------
    >>> TokenNormalizer(NormalizerOptions(slang={"im": "I am"})).normalize("Im")
    ['I', 'am']
    """

    def __init__(self, options: NormalizerOptions) -> None:
        self._options = options
        self._patterns = [compile_java(pattern, "cleanupPatterns") for pattern in options.cleanup_patterns]
        self._space = compile_java(" ", "slangDictionary")

    def normalize(self, token: str) -> list[str]:
        """Return the words that replace a token: none, one or, for slang, several."""
        options = self._options
        slang = options.slang.get(token if options.slang_match_case else lower_java(token))
        words = [token] if slang is None else split_java(self._space, slang)
        return [word for word in map(self._cleaned, words) if self._is_kept(word)]

    def _cleaned(self, word: str) -> str:
        for pattern in self._patterns:
            word = remove_java(pattern, word)
        return lower_java(word) if self._options.lowercase else word

    def _is_kept(self, word: str) -> bool:
        length, longest = utf16_length(word), self._options.max_length
        return length >= max(self._options.min_length, 1) and (longest is None or length <= longest)
