"""Every known text on which the annotators deliberately differ from Spark NLP 5.5.3.

On these texts the results of its SentenceDetector and Tokenizer are not parts of the text: characters are lost or
replaced, half an emoji is a token, or the job fails. Here a result is always a part of the text. `real` was recorded
from Spark NLP itself.
"""

from typing import Any, NamedTuple


class Difference(NamedTuple):
    """A text and its annotations: begin, end and result of each. `real` is the error if Spark NLP fails."""

    text: str
    params: dict[str, Any]
    real: list[tuple[int, int, str]] | str
    ours: list[tuple[int, int, str]]


SENTENCES = [
    # A backslash behind a closing single quote is taken for an escape, and lost; the sentence is not found
    # in the text then, so it begins at -1.
    Difference("'a'\\ b. c", {}, [(-1, 4, "'a' b."), (8, 8, "c")], [(0, 6, "'a'\\ b."), (8, 8, "c")]),
    # Its internal marks, box-drawing and private-use characters, become full stops or vanish.
    Difference("x\u2554y. z", {}, [(-1, 2, "x.y."), (5, 5, "z")], [(0, 3, "x\u2554y."), (5, 5, "z")]),
    Difference("one\uf057. two.", {}, [(-1, 2, "one."), (6, 9, "two.")], [(0, 4, "one\uf057."), (6, 9, "two.")]),
    # A custom bound behind a closing single quote is protected: it cuts nothing and is left out.
    Difference("'Go.'\n(No. x)", {"customBounds": ["\n"]}, [(-1, 10, "'Go.'(No. x)")], [(0, 12, "'Go.'\n(No. x)")]),
    Difference(
        "See 'Go.'-- and x. b",
        {"customBounds": ["--"]},
        [(-1, 14, "See 'Go.' and x."), (19, 19, "b")],
        [(0, 8, "See 'Go.'"), (12, 17, "and x."), (19, 19, "b")],
    ),
]

TOKENS = [
    # Its internal mark of a place between tokens.
    Difference("a\u2187b c", {}, [(0, 0, "a"), (2, 2, "b"), (4, 4, "c")], [(0, 2, "a\u2187b"), (4, 4, "c")]),
    # Behind an emoji that targetPattern excludes, an exception is cut out at the wrong place.
    Difference(
        "\U0001f642 a b c",
        {"targetPattern": r"\w+", "exceptions": ["a b"]},
        [(2, 4, " a "), (6, 6, "c")],
        [(2, 4, "a b"), (6, 6, "c")],
    ),
    # The text of an exception is taken for a replacement pattern.
    Difference(
        "Mr$ x",
        {"exceptions": ["Mr."]},
        "java.lang.IllegalArgumentException: Illegal group reference: group index is missing",
        [(0, 2, "Mr$"), (4, 4, "x")],
    ),
    # A pattern that matches everywhere cuts an emoji in two; its halves are shown as question marks.
    Difference(
        "\U0001f642|",
        {"splitChars": ["|", "-"]},
        [(0, 0, "?"), (1, 1, "?"), (2, 2, "|")],
        [(0, 1, "\U0001f642"), (2, 2, "|")],
    ),
]

# RegexTokenizer.
REGEX_TOKENS = [
    # A pattern of no characters cuts an emoji in two; its halves are shown as question marks.
    Difference(
        "\U0001f642a",
        {"pattern": ""},
        [(0, 0, "?"), (1, 1, "?"), (2, 2, "a")],
        [(0, 1, "\U0001f642"), (2, 2, "a")],
    ),
    # With a positional mask an empty document fails.
    Difference(
        "", {"positionalMask": True}, "java.lang.StringIndexOutOfBoundsException: begin -1, end 0, length 0", []
    ),
]

# TextMatcher on a document and its tokens; the Params are the phrases. A phrase is missed at the end of a part of
# another phrase that is also the start of a third.
PHRASES = [
    Difference(
        "a b c",
        {"phrases": ["a b c x", "b c y", "c"]},
        [],
        [(4, 4, "c")],
    ),
]

# ChunkEmbeddings of pairs of tokens (NGramGenerator). A chunk's sentence is taken for a place among the
# sentences that have vectors, so after one without any (a lone zero-width space) chunks lose theirs.
CHUNKS = [
    Difference(
        "A b. \u200b(a) c",
        {},
        [(0, 2, "A b"), (2, 3, "b .")],
        [(0, 2, "A b"), (2, 3, "b ."), (6, 7, "( a"), (7, 8, "a )"), (8, 10, ") c")],
    ),
]
