"""Generates made-up news: paragraphs of sentences with the lengths of news sentences, from a list of common words.

The text means little, but it has what a tokenizer and a model meet in a newspaper: names, numbers, quotations, commas,
and the same spread of lengths. Sentence lengths are drawn from a log-normal distribution with a mean of about 24
tokens, that of the Wall Street Journal in the Penn Treebank. No sentence occurs twice, so computing equal sentences
once saves nothing. The same seed gives the same text. Every word of it was written for this project.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

__all__ = ["news_paragraphs"]

_MEAN_LOG_LENGTH: Final = 3.09
_SIGMA_LOG_LENGTH: Final = 0.5
_SHORTEST, _LONGEST = 4, 70
_PARAGRAPH_SENTENCES: Final = ((1, 2, 3, 4), (0.35, 0.4, 0.2, 0.05))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NAMES: Final = _words(
    "Adams Baker Carter Collins Edwards Fischer Garcia Hughes Ivanov Jensen Keller Lopez Martin Nguyen "
    "O'Brien Patel Rossi Santos Tanaka Weber Williams Young"
)
_PLACES: Final = _words(
    "Athens Berlin Boston Brussels Cairo Chicago Denver Geneva London Madrid Mumbai Oslo Paris Rome Seattle "
    "Tokyo Toronto Vienna Warsaw Zurich"
)
_TITLES: Final = ("President", "Minister", "Governor", "Professor", "Dr.", "Judge", "Mayor", "Senator")
_DAYS: Final = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_MONTHS: Final = _words("January March April May June July September October November December")
_NOUNS: Final = _words(
    "government company market bank report decision plan court official study price election budget "
    "hospital school industry worker family team season player coach storm river road bridge airport "
    "train energy oil climate technology network research vaccine patient doctor teacher student "
    "university museum film author song festival investor share profit debt tax policy law bill vote "
    "party campaign leader minister council agency police investigation trial sentence victim protest "
    "strike union contract factory farmer harvest drought flood fire rescue border agreement treaty talks "
    "sanction export supply demand consumer shop restaurant tourist hotel neighborhood apartment "
    "construction project engineer satellite software computer phone data security attack defense army "
    "soldier peace conflict crisis history tradition community volunteer charity church theater audience "
    "critic newspaper editor interview statement spokeswoman analyst economist scientist shareholder "
    "manufacturer competitor regulator legislation infrastructure unemployment inflation investment "
    "environment administration organization"
)
_ADJECTIVES: Final = _words(
    "new national local former senior public private recent major early late strong weak long short high low "
    "foreign domestic economic political financial military medical legal social cultural global regional "
    "annual quarterly monthly daily young old small large rising falling unexpected controversial historic "
    "independent international environmental unprecedented preliminary third-party record state-owned"
)
_VERBS: Final = _words(
    "announced approved rejected reported expected delayed opened closed bought sold raised cut increased "
    "reduced met warned supported opposed won lost led joined left visited built repaired published reviewed "
    "tested discovered launched canceled extended signed signaled criticized praised investigated suspended "
    "acquired abandoned postponed renegotiated"
)
_SAYING: Final = ("said", "told reporters", "wrote in a statement", "added", "said in an interview")
_PREPOSITIONS: Final = (
    "in",
    "after",
    "before",
    "during",
    "near",
    "without",
    "despite",
    "because of",
    "under",
)
_LINKS: Final = ("while", "but", "and", "although", "because", "as", "which means that", "so")
_UNITS: Final = ("million", "billion", "percent", "people", "years", "miles", "jobs", "tons")


def news_paragraphs(num_words: int, *, seed: int = 0) -> list[str]:
    """Return paragraphs with about `num_words` words and punctuation marks in all.

    Parameters
    ----------
    num_words
        Length of the text.
    seed
        Seed of Python's random generator.

    Examples
    --------
    >>> paragraphs = news_paragraphs(100)
    >>> paragraphs == news_paragraphs(100), paragraphs == news_paragraphs(100, seed=1)
    (True, False)
    """
    rng = random.Random(seed)  # noqa: S311 - makes a text, not a secret
    sentences = _distinct_sentences(rng)
    paragraphs = []
    counted = 0
    while counted < num_words:
        (size,) = rng.choices(*_PARAGRAPH_SENTENCES)
        chosen = [next(sentences) for _ in range(size)]
        counted += sum(_length(sentence) for sentence in chosen)
        paragraphs.append(" ".join(chosen))
    return paragraphs


def _distinct_sentences(rng: random.Random) -> Iterator[str]:
    seen = set()
    while True:
        sentence = _sentence(rng, round(rng.lognormvariate(_MEAN_LOG_LENGTH, _SIGMA_LOG_LENGTH)))
        if sentence not in seen:
            seen.add(sentence)
            yield sentence


def _sentence(rng: random.Random, length: int) -> str:
    """Return a sentence of about `length` tokens: a clause, and phrases and clauses until it is long."""
    length = min(max(length, _SHORTEST), _LONGEST)
    parts = [_subject(rng), rng.choice(_VERBS), *([_thing(rng)] if length > _SHORTEST + 1 else [])]
    while (missing := length - 1 - sum(map(_length, parts))) > 1:
        roll = rng.random()
        if missing > 8 and roll < 0.35:  # noqa: PLR2004 - a clause has about eight tokens
            clause = (rng.choice(_LINKS), _subject(rng), rng.choice(_VERBS), _thing(rng))
            parts += [", " + " ".join(clause)]
        elif missing > 5 and roll < 0.45:  # noqa: PLR2004 - a name and a verb of saying have about five
            parts += [f", {rng.choice(_NAMES)} {rng.choice(_SAYING)},"]
        elif roll < 0.8:  # noqa: PLR2004
            parts += [f"{rng.choice(_PREPOSITIONS)} {_thing(rng)}"]
        else:
            parts += [_time_or_place(rng)]
    text = " ".join(parts).replace(" ,", ",").replace(",,", ",").rstrip(",")
    text = text[0].upper() + text[1:]
    return f'"{text}," {rng.choice(_NAMES)} said.' if rng.random() < 0.05 else f"{text}."  # noqa: PLR2004


def _subject(rng: random.Random) -> str:
    if rng.random() < 0.3:  # noqa: PLR2004
        return f"{rng.choice(_TITLES)} {rng.choice(_NAMES)}"
    return _thing(rng)


def _thing(rng: random.Random) -> str:
    roll = rng.random()
    noun = rng.choice(_NOUNS)
    if roll < 0.15:  # noqa: PLR2004
        return f"{_number(rng)} {rng.choice(_UNITS)}"
    if roll < 0.55:  # noqa: PLR2004
        return f"{rng.choice(('the', 'its', 'their', 'another', 'this'))} {rng.choice(_ADJECTIVES)} {noun}"
    if roll < 0.7:  # noqa: PLR2004
        return f"the {noun} of {rng.choice(_PLACES)}"
    return f"{rng.choice(('the', 'its', 'their', 'every', 'his', 'her'))} {noun}"


def _time_or_place(rng: random.Random) -> str:
    return rng.choice(
        (
            f"on {rng.choice(_DAYS)}",
            f"in {rng.choice(_PLACES)}",
            f"on {rng.choice(_MONTHS)} {rng.randint(1, 30)}",
            f"since {rng.randint(1950, 2025)}",
        )
    )


def _number(rng: random.Random) -> str:
    return rng.choice(
        (
            str(rng.randint(2, 99)),
            f"{rng.randint(1, 99)}.{rng.randint(1, 9)}",
            f"{rng.randint(1000, 99999):,}",
        )
    )


def _length(text: str) -> int:
    """Return the number of tokens of a text: its words, commas, full stops and quotation marks."""
    return len(text.split()) + sum(text.count(mark) for mark in ',."')
