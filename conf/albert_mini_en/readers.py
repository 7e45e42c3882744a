"""Readers of the sources' formats: dictionaries, prose in JSON files and HTML manuals.

Each reader returns passages: whole definitions, examples or paragraphs.
"""

from __future__ import annotations

import gzip
import html
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sparkalbert.distill.corpora import one_line, seeded

__all__ = [
    "dictionary_passages",
    "html_passages",
    "json_passages",
    "webster_passages",
    "wordnet_entries",
    "wordnet_texts",
]

# Writes a definition, from a random number generator and the words to choose from.
Entry = Callable[[random.Random, Sequence[str]], str]

_MIN_EXAMPLE = 15
_BARE_SHARE = 0.35
_NO_EXAMPLE_SHARE = 0.6
_BRACKETED = re.compile(r"\[[^\]]{0,200}\]")
_WEBSTER_MARKS = re.compile(r"--[A-Z][\w.&' ]{0,40}|\{|\}|\?|\((?:[A-Z][a-z]+\.?(?: ?& ?)?)+\)")
_NUMBERING = re.compile(r"^(?:\d+\.|\([a-z]\)|Syn:|Note:)\s*")
_TAGS = re.compile(r"<[^>]+>")


def wordnet_texts(folder: Path, seed: int) -> Iterator[str]:
    """Yield texts of WordNet's ``data.*`` files: examples, definitions in several forms, and lemmas.

    Parameters
    ----------
    folder
        Holds ``data.noun``, ``data.verb``, ``data.adj`` and ``data.adv`` (format: ``wndb(5WN)``).
    seed
        Decides the form of each definition.
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

    The function returns the definition alone, after a word, or after a word and followed by an example.
    """
    for name in ("data.noun", "data.verb", "data.adj", "data.adv"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):
                continue
            words, definition, examples = _synset(line)
            entry = partial(_entry, definition=definition, examples=examples)
            yield words, [example for example in examples if len(example) >= _MIN_EXAMPLE], entry


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
    if form < _BARE_SHARE:
        return definition
    if form < _NO_EXAMPLE_SHARE or not examples:
        return f"{word}: {definition}"
    return f"{word}: {definition}. {choose.choice(examples)}"


def dictionary_passages(path: Path) -> Iterator[str]:
    """Yield the paragraphs of a dictd dictionary (``*.dict.dz``), each on one line."""
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for paragraph in re.split(r"\n\s*\n", file.read()):
            yield one_line(_BRACKETED.sub(" ", paragraph).replace("{", "").replace("}", ""))


def webster_passages(path: Path) -> Iterator[str]:
    """Yield the definitions of GCIDE that come from Webster's of 1913, which is in the public domain.

    In the dictd format a paragraph ends with its source. Only paragraphs are read that end with ``[1913 Webster]`` and
    have no line that ends with another bracket, so nothing is read that was added later.
    """
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for paragraph in re.split(r"\n\s*\n", file.read()):
            sources = re.findall(r"\[([^\]]+)\]\s*$", paragraph, re.MULTILINE)
            if not sources or any(one_line(source) != "1913 Webster" for source in sources):
                continue
            head, _, body = paragraph.partition("\n")
            text = body if "\\" in head else paragraph
            text = _WEBSTER_MARKS.sub(" ", _BRACKETED.sub(" ", one_line(text)))
            text = _NUMBERING.sub("", one_line(text)).replace(" .", ".").strip()
            if "\\" not in text:
                yield text


def json_passages(path: Path) -> Iterator[str]:
    """Yield every string in a JSON file at any depth, paragraph by paragraph, without markup."""
    yield from _strings(json.loads(path.read_text(encoding="utf-8")))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        for part in re.split(r"<br\s*/?>|</p>|\n\s*\n", value):
            yield one_line(html.unescape(_TAGS.sub(" ", part)))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


class _Paragraphs(HTMLParser):
    """Collects the text of ``<p>`` elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._parts: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - inherited
        if tag == "p":
            self._parts = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "p" and self._parts is not None:
            self.found.append(one_line("".join(self._parts)))
            self._parts = None

    def handle_data(self, data: str) -> None:
        if self._parts is not None:
            self._parts.append(data)


def html_passages(path: Path) -> Iterator[str]:
    """Yield the paragraphs of an HTML page."""
    parser = _Paragraphs()
    parser.feed(path.read_text(encoding="utf-8", errors="replace"))
    yield from parser.found
