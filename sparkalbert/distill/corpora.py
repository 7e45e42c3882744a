"""Texts to learn from: readers of dictionaries, prose in JSON and HTML manuals, and plain lines.

Every reader gives passages: whole definitions, examples or paragraphs. :func:`training_texts` makes
sentences and windows of several sentences of them. It knows nothing about pieces, teachers or licences;
:mod:`sparkalbert.distill.sources` says what is read for the model that ships.
"""

from __future__ import annotations

import gzip
import html
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sparkalbert.text import SentenceSplitter

__all__ = [
    "dictionary_passages",
    "html_passages",
    "json_passages",
    "line_passages",
    "seeded",
    "training_texts",
    "webster_passages",
    "wordnet_entries",
    "wordnet_texts",
]

# Writes a definition: a source of chance and the words to choose from.
Entry = Callable[[random.Random, Sequence[str]], str]

_LONGEST_TEXT = 600
_SHORTEST_TEXT = 15
_SPACE = re.compile(r"\s+")
_LETTERS = re.compile(r"[A-Za-z]")
_BRACKETED = re.compile(r"\[[^\]]{0,200}\]")
_WEBSTER_MARKS = re.compile(r"--[A-Z][\w.&' ]{0,40}|\{|\}|\?|\((?:[A-Z][a-z]+\.?(?: ?& ?)?)+\)")
_NUMBERING = re.compile(r"^(?:\d+\.|\([a-z]\)|Syn:|Note:)\s*")
_TAGS = re.compile(r"<[^>]+>")


def seeded(seed: int) -> random.Random:
    """Return a source of chance for samples."""
    return random.Random(seed)  # noqa: S311 - no secret depends on it


def line_passages(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text file that hold text."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if stripped := line.strip():
                yield stripped


def wordnet_texts(folder: Path, seed: int) -> Iterator[str]:
    """Yield texts of WordNet's ``data.*`` files: examples, definitions in several forms, and lemmas.

    Parameters
    ----------
    folder
        Holds ``data.noun``, ``data.verb``, ``data.adj`` and ``data.adv`` (format: ``wndb(5WN)``).
    seed
        Decides which form a definition takes.
    """
    choose = seeded(seed)
    lemmas: set[str] = set()
    for words, examples, entry in wordnet_entries(folder):
        yield from examples
        yield entry(choose, words)
        lemmas.update(words)
    yield from sorted(lemmas)


def wordnet_entries(folder: Path) -> Iterator[tuple[list[str], list[str], Entry]]:
    """Yield each synset's words, its examples, and a function that writes its definition.

    The function takes a source of chance and the words to choose from. It gives the definition bare,
    after a word, or after a word and with an example behind it.
    """
    for name in ("data.noun", "data.verb", "data.adj", "data.adv"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):
                continue
            words, definition, examples = _synset(line)
            entry = partial(_entry, definition=definition, examples=examples)
            yield words, [example for example in examples if len(example) >= _SHORTEST_TEXT], entry


def _synset(line: str) -> tuple[list[str], str, list[str]]:
    fields, _, gloss = line.partition("|")
    parts = fields.split()
    count = int(parts[3], 16)
    words = [re.sub(r"\([a-z]+\)$", "", word).replace("_", " ") for word in parts[4 : 4 + 2 * count : 2]]
    examples = [example.strip() for example in re.findall(r'"([^"]+)"', gloss)]
    definition = gloss.split('"', 1)[0].strip().rstrip(";: ")
    return words, definition, examples


def _entry(choose: random.Random, words: Sequence[str], *, definition: str, examples: Sequence[str]) -> str:
    word = choose.choice(words)
    form = choose.random()
    if form < 0.35:  # noqa: PLR2004 - the share of bare definitions
        return definition
    if form < 0.6 or not examples:  # noqa: PLR2004 - the share without an example
        return f"{word}: {definition}"
    return f"{word}: {definition}. {choose.choice(examples)}"


def dictionary_passages(path: Path) -> Iterator[str]:
    """Yield the paragraphs of a dictd dictionary (``*.dict.dz``) as single lines."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for paragraph in re.split(r"\n\s*\n", file.read()):
            yield _one_line(_BRACKETED.sub(" ", paragraph).replace("{", "").replace("}", ""))


def webster_passages(path: Path) -> Iterator[str]:
    """Yield the definitions of GCIDE that come from Webster's of 1913, which is in the public domain.

    A paragraph of the dictd form closes with its source. Only those are read that close with
    ``[1913 Webster]`` and in which no line ends in another bracket, so nothing that was added later is.
    """
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for paragraph in re.split(r"\n\s*\n", file.read()):
            sources = re.findall(r"\[([^\]]+)\]\s*$", paragraph, re.MULTILINE)
            if not sources or any(_one_line(source) != "1913 Webster" for source in sources):
                continue
            head, _, body = paragraph.partition("\n")
            text = body if "\\" in head else paragraph
            text = _WEBSTER_MARKS.sub(" ", _BRACKETED.sub(" ", _one_line(text)))
            text = _NUMBERING.sub("", _one_line(text)).replace(" .", ".").strip()
            if "\\" not in text:
                yield text


def json_passages(path: Path) -> Iterator[str]:
    """Yield every string of prose in a JSON file, however deep; markup is taken out."""
    yield from _strings(json.loads(path.read_text(encoding="utf-8")))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        for part in re.split(r"<br\s*/?>|</p>|\n\s*\n", value):
            yield _one_line(html.unescape(_TAGS.sub(" ", part)))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


class _Paragraphs(HTMLParser):
    """Collects the text of ``<p>`` elements that is not code."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._parts: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base's
        if tag == "p":
            self._parts = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "p" and self._parts is not None:
            self.found.append(_one_line("".join(self._parts)))
            self._parts = None

    def handle_data(self, data: str) -> None:
        if self._parts is not None:
            self._parts.append(data)


def html_passages(path: Path) -> Iterator[str]:
    """Yield the paragraphs of an HTML page."""
    parser = _Paragraphs()
    parser.feed(path.read_text(encoding="utf-8", errors="replace"))
    yield from parser.found


def training_texts(passages: Iterable[str], seed: int, window_share: float = 0.15) -> Iterator[str]:
    """Yield sentences of passages and, for a share of them, windows of two to four sentences.

    Texts shorter than 15 or longer than 600 characters, and texts that are not mostly letters, are left
    out.
    """
    choose = seeded(seed)
    splitter = SentenceSplitter()
    for passage in passages:
        sentences = [_one_line(passage[span.start : span.stop]) for span in splitter.split(passage)]
        position = 0
        while position < len(sentences):
            size = choose.randint(2, 4) if choose.random() < window_share else 1
            text = " ".join(sentences[position : position + size])
            position += size
            if _is_prose(text):
                yield text


def _is_prose(text: str) -> bool:
    long_enough = _SHORTEST_TEXT <= len(text) <= _LONGEST_TEXT
    return long_enough and len(_LETTERS.findall(text)) > 0.7 * len(text)


def _one_line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()
