"""Finds the tokenizer of a model folder: the file with its vocabulary, and what the other files state about it.

If a folder has several vocabularies, the SentencePiece file is taken: it is what a model was pre-trained with, and what
Spark NLP reads. ``tokenizer.json`` is taken instead if ``tokenizer_config.json`` states that the model was last trained
with the tokenizers library (``backend``, or a class that only that library has). ``vocab.txt`` comes last, because
a ``tokenizer.json`` beside it must contain the same vocabulary. Tokens that ``added_tokens.json`` or
``tokenizer_config.json`` add are read beside every vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Literal

from sparkalbert.bundle.folder import CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, VOCABULARY_FILE
from sparkalbert.errors import CheckpointError, ConfigError, ModelNotFoundError, problem_list
from sparkalbert.storage.reading import wrap_unreadable
from sparkalbert.text.pieces.special_tokens import MAX_TOKENS, AddedToken, SpecialNames, is_token_id

__all__ = [
    "LFS_POINTER",
    "MAX_VOCABULARY_BYTES",
    "TOKENIZER_FILES",
    "TOKENIZER_SETTINGS",
    "VOCABULARIES",
    "VOCABULARY_FILE",
    "FoundTokenizer",
    "Kind",
    "find_tokenizer",
    "read_bounded",
    "tokenizer_files",
    "vocabulary_path",
]

Kind = Literal["sentencepiece", "wordpiece", "tokenizers"]
"""What a vocabulary is: a SentencePiece model, a WordPiece ``vocab.txt``, or a ``tokenizer.json``."""

_WORDPIECE_FILE: Final = "vocab.txt"
_SENTENCEPIECE_FILES: Final = (VOCABULARY_FILE, "30k-clean.model", "vocabulary.spm", "sentencepiece.bpe.model")
_GOOGLE_FILE: Final = "30k-clean.model"
_SPECIAL_TOKENS_FILE: Final = "special_tokens_map.json"
_ADDED_TOKENS_FILE: Final = "added_tokens.json"
TOKENIZER_SETTINGS: Final = (TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, _SPECIAL_TOKENS_FILE, _ADDED_TOKENS_FILE)
"""Names of the files that may state options or added tokens of any vocabulary."""

TOKENIZER_FILES: Final = (*_SENTENCEPIECE_FILES, _WORDPIECE_FILE, *TOKENIZER_SETTINGS)
"""Names of the files from which a tokenizer is read; ``config.json`` may state its class too."""

VOCABULARIES: Final = frozenset({*_SENTENCEPIECE_FILES, TOKENIZER_FILE, _WORDPIECE_FILE})
"""Names of the files that hold a vocabulary."""

LFS_POINTER: Final = b"version https://git-lfs"
"""How a file begins that stands for a file of Git LFS that was not downloaded."""

_MAX_CANDIDATES: Final = 3
_PLACES: Final = (".", "assets", "assets/tokenizer")
MAX_VOCABULARY_BYTES: Final = 64 << 20
"""Several times the largest vocabulary of an ALBERT: a ``tokenizer.json`` of 200,000 pieces has 16 MB."""

_MAX_SETTINGS_BYTES: Final = 16 << 20
_OPTIONS: Final = ("do_lower_case", "keep_accents", "remove_space", "strip_accents", "tokenize_chinese_chars")
_OWN_OPTION: Final = "replace_quotes"
"""Hugging Face has no key for the quote step; bundles state it."""

_ALBERT_CLASSES: Final = frozenset({"", "AlbertTokenizer", "AlbertTokenizerFast"})
_BERT_CLASSES: Final = frozenset({"BertTokenizer", "BertTokenizerFast"})
_LIBRARY_CLASSES: Final = frozenset({"PreTrainedTokenizerFast", "TokenizersBackend"})
_BERT_NAMES: Final = SpecialNames("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]")


@dataclass(frozen=True)
class FoundTokenizer:
    """The tokenizer of a model folder, as its files describe it.

    Attributes
    ----------
    kind, path
        The vocabulary.
    stated
        The options that a file states, by Hugging Face's names.
    names
        How the vocabulary spells its special tokens.
    added_tokens
        Tokens that were added to the vocabulary. A ``tokenizer.json`` contains its own; those of the files beside it
        are here.
    tokenizer_class
        The class of transformers that the files name; empty if they name none.
    has_config
        Whether there is a ``tokenizer_config.json``. transformers writes every option into it that was ever set, so an
        option that is missing had the default of its class when the model was trained.
    other_pieces
        The pieces of a ``tokenizer.json`` beside a SentencePiece file, None if there is none.
    other_words
        The ``vocab.txt`` beside a ``tokenizer.json`` that must contain the same vocabulary, because which of them is
        read depends on the class of transformers; None if there is none.
    """

    kind: Kind
    path: Path
    stated: Mapping[str, bool] = field(default_factory=dict)
    names: SpecialNames = field(default_factory=SpecialNames)
    added_tokens: tuple[AddedToken, ...] = ()
    has_config: bool = False
    other_pieces: list[Any] | None = None
    tokenizer_class: str = ""
    other_words: Path | None = None

    @property
    def is_bert(self) -> bool:
        """Whether the files name BERT's class, which takes its options from ``tokenizer_config.json`` alone."""
        return self.tokenizer_class in _BERT_CLASSES

    @property
    def is_of_library(self) -> bool:
        """Whether the files name a class that takes everything from ``tokenizer.json``."""
        return self.tokenizer_class in _LIBRARY_CLASSES


def find_tokenizer(path: Path) -> FoundTokenizer:
    """Return the tokenizer of a model folder, or that of a vocabulary file and the files beside it.

    Raises
    ------
    ModelNotFoundError
        If there is no vocabulary.
    CheckpointError
        If the files name a tokenizer that sparkalbert does not have, or a file cannot be read.
    ConfigError
        If a file is not valid; every problem is listed.
    """
    with wrap_unreadable(path):
        settings = _Settings.read(path)
        kind, vocabulary = _vocabulary(path, settings)
        words = _first(path if path.is_dir() else path.parent, (_WORDPIECE_FILE,)) if kind == "tokenizers" else None
    _check_class(kind, settings.tokenizer_class, vocabulary)
    defaults = _BERT_NAMES if kind == "wordpiece" or settings.has_bert_program else SpecialNames()
    names = replace(defaults, **settings.names)
    added = settings.added_tokens()
    if settings.reads_only_program:
        words = None
    has_found_tokens = bool(names.additional_special_tokens) or any(token.content not in names.all() for token in added)
    _check_settings(kind, settings, reads_words=words is not None, has_found_tokens=has_found_tokens)
    stated = dict(settings.stated)
    if vocabulary.name == _GOOGLE_FILE:
        stated.setdefault(_OWN_OPTION, False)  # Google's own rule has no quote step
    other = settings.program_pieces if kind == "sentencepiece" else None
    return FoundTokenizer(
        kind, vocabulary, stated, names, added, bool(settings.config), other, settings.tokenizer_class, words
    )


def vocabulary_path(path: Path) -> Path:
    """Return the file with the vocabulary of a model folder, see :func:`find_tokenizer`."""
    return find_tokenizer(path).path


def tokenizer_files(folder: Path) -> list[Path]:
    """Return every existing file of a model folder from which a tokenizer is read."""
    candidates = [folder / place / name for place in _PLACES for name in TOKENIZER_FILES]
    return [path for path in candidates if path.is_file()]


def read_bounded(path: Path, max_bytes: int = MAX_VOCABULARY_BYTES) -> bytes:
    """Return the bytes of a file of plausible size.

    Raises
    ------
    CheckpointError
        If it is larger, and then nothing is read; or if it cannot be read.
    """
    with wrap_unreadable(path):
        size_bytes = path.stat().st_size
    if size_bytes > max_bytes:
        msg = f"{path} has {size_bytes:,} bytes, expected at most {max_bytes:,}. Copy the file again."
        raise CheckpointError(msg)
    with wrap_unreadable(path):
        content = path.read_bytes()
    if content.startswith(LFS_POINTER):
        msg = f"{path} is a pointer of Git LFS, expected the file itself. Download it (git lfs pull)."
        raise CheckpointError(msg)
    return content


@dataclass(frozen=True)
class _Settings:
    """The contents of the small files beside a vocabulary."""

    config: Mapping[str, Any]
    config_path: Path
    special: Mapping[str, Any]
    added: Mapping[str, Any]
    program: Mapping[str, Any]
    model_class: str

    @classmethod
    def read(cls, path: Path) -> _Settings:
        folders = [path / place for place in _PLACES] if path.is_dir() else [path.parent]
        program = path.name if path.is_file() and path.suffix == ".json" else TOKENIZER_FILE
        model_config = _read_json(folders, CONFIG_FILE, strict=False)[0]
        config, config_path = _read_json(folders, TOKENIZER_CONFIG_FILE)
        return cls(
            config,
            config_path,
            _read_json(folders, _SPECIAL_TOKENS_FILE)[0],
            _read_json(folders, _ADDED_TOKENS_FILE)[0],
            _read_json(folders, program, MAX_VOCABULARY_BYTES)[0],
            str(model_config.get("tokenizer_class") or ""),
        )

    @property
    def tokenizer_class(self) -> str:
        return str(self.config.get("tokenizer_class") or self.model_class)

    @property
    def reads_only_program(self) -> bool:
        """Whether no class of transformers reads another vocabulary than ``tokenizer.json``."""
        return self.config.get("backend") == "tokenizers" or self.tokenizer_class in _LIBRARY_CLASSES

    @property
    def uses_library(self) -> bool:
        """Whether the model was last trained with the tokenizers library."""
        return self.reads_only_program or self.tokenizer_class.endswith("Fast")

    @property
    def has_bert_program(self) -> bool:
        """Whether ``tokenizer.json`` spells the unknown token as BERT does."""
        model = self.program.get("model")
        return isinstance(model, dict) and model.get("unk_token") == _BERT_NAMES.unk_token

    @property
    def stated(self) -> dict[str, bool]:
        values = {name: self.config[name] for name in (*_OPTIONS, _OWN_OPTION) if self.config.get(name) is not None}
        problems = [
            f"{name} must be true or false, got {value!r}"
            for name, value in values.items()
            if not isinstance(value, bool)
        ]
        if problems:
            raise ConfigError(problem_list(str(self.config_path), problems))
        return values

    @property
    def names(self) -> dict[str, Any]:
        """The special tokens that the files name, as transformers 4 reads them."""
        sources = [self.config] if "added_tokens_decoder" in self.config else [self.special, self.config]
        names: dict[str, Any] = {}
        for key in (each.name for each in fields(SpecialNames)):
            for values in sources:
                value = values.get(key)
                content = value.get("content") if isinstance(value, dict) else value
                if _is_name(content):
                    names[key] = content
                    break
        for values in sources:
            # transformers 5 writes the second name.
            additional = values.get("additional_special_tokens", values.get("extra_special_tokens"))
            if isinstance(additional, list):
                contents = [entry.get("content") if isinstance(entry, dict) else entry for entry in additional]
                names["additional_special_tokens"] = tuple(filter(_is_name, contents))
                break
        return names

    @property
    def program_pieces(self) -> list[Any] | None:
        """The pieces of a unigram vocabulary in ``tokenizer.json``."""
        model = self.program.get("model")
        vocab = model.get("vocab") if isinstance(model, dict) else None
        return [entry[0] for entry in vocab if isinstance(entry, list) and entry] if isinstance(vocab, list) else None

    def added_tokens(self) -> tuple[AddedToken, ...]:
        """Return the added tokens in the order of the files, each id once.

        Raises
        ------
        ConfigError
            If an entry is not a token with an id; every problem is listed.
        """
        tokens: dict[int, AddedToken] = {}
        problems: list[str] = []
        for name, token_id, values in self._added_entries():
            number = int(token_id) if isinstance(token_id, str) and token_id.isdecimal() else token_id
            if not is_token_id(number):
                problems.append(f"{name} has the id {token_id!r}, expected an integer from 0 to {MAX_TOKENS - 1:,}")
            elif not isinstance(values.get("content"), str) or not values["content"]:
                problems.append(f"{name} has a token {values.get('content')!r} with the id {number}, expected a string")
            else:
                tokens[number] = AddedToken.from_dict(values, number)  # a later file decides about the flags
        if problems:
            raise ConfigError(problem_list(f"The tokenizer of {self.config_path.parent}", problems))
        return tuple(tokens.values())

    def _added_entries(self) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
        decoder = self.config.get("added_tokens_decoder")
        if isinstance(decoder, dict):
            for token_id, values in decoder.items():
                yield "added_tokens_decoder", token_id, values if isinstance(values, dict) else {}
            return
        names = self.names
        special = {*names.pop("additional_special_tokens", ()), *names.values()}
        for content, token_id in self.added.items():
            is_special = content in special
            yield (
                _ADDED_TOKENS_FILE,
                token_id,
                {"content": content, "special": is_special, "normalized": not is_special},
            )
        entries = self.program.get("added_tokens")
        for values in entries if isinstance(entries, list) else []:
            if isinstance(values, dict):
                yield TOKENIZER_FILE, values.get("id"), values


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _vocabulary(path: Path, settings: _Settings) -> tuple[Kind, Path]:
    if path.is_file():
        kinds: dict[str, Kind] = {".json": "tokenizers", ".txt": "wordpiece"}
        return kinds.get(path.suffix, "sentencepiece"), path
    program, words = _first(path, (TOKENIZER_FILE,)), _first(path, (_WORDPIECE_FILE,))
    is_bert = words is not None and settings.tokenizer_class in _BERT_CLASSES
    sentence_pieces = None if is_bert else _first(path, _SENTENCEPIECE_FILES)
    if sentence_pieces and not (program and settings.uses_library):
        foreign = settings.tokenizer_class not in _ALBERT_CLASSES
        return ("tokenizers", program) if program and foreign else ("sentencepiece", sentence_pieces)
    if program:
        return "tokenizers", program
    if words:
        return "wordpiece", words
    found = "the folder contains none of them" if path.is_dir() else "that path does not exist"
    msg = (
        f"Expected a vocabulary at {path} ({', '.join(_SENTENCEPIECE_FILES)}, {TOKENIZER_FILE} or {_WORDPIECE_FILE}; "
        f"{VOCABULARY_FILE} may be in assets/), but {found}. {_candidates(path)}"
    )
    raise ModelNotFoundError(msg)


def _candidates(folder: Path) -> str:
    """Return what to do about a folder without a vocabulary of a known name."""
    for pattern, name in ((("*.model", "*.spm"), VOCABULARY_FILE), (("*vocab*.txt",), _WORDPIECE_FILE)):
        found = sorted(path.name for each in pattern for path in folder.glob(each) if path.is_file())
        if found:
            return f"If {' or '.join(found[:_MAX_CANDIDATES])} is the vocabulary of the model, rename it to {name}."
    return "Copy the tokenizer files of the checkpoint there."


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    candidates = (folder / place / name for place in _PLACES for name in names)
    return next((path for path in candidates if path.is_file()), None)


def _check_class(kind: Kind, name: str, vocabulary: Path) -> None:
    known = {"sentencepiece": _ALBERT_CLASSES | _LIBRARY_CLASSES, "wordpiece": _ALBERT_CLASSES | _BERT_CLASSES}
    if kind in known and name not in known[kind]:
        expected = "AlbertTokenizer" if kind == "sentencepiece" else "BertTokenizer"
        msg = (
            f"The files beside {vocabulary} name the tokenizer class {name}, expected {expected}: its pieces or ids "
            f"are not those of this vocabulary alone. Write a {TOKENIZER_FILE} with transformers "
            f"({name}.from_pretrained(FOLDER).save_pretrained(FOLDER)), if that class has one, or use another model."
        )
        raise CheckpointError(msg)


def _check_settings(kind: Kind, settings: _Settings, *, reads_words: bool, has_found_tokens: bool) -> None:
    """Check that no file states an option that changes the ids and that sparkalbert does not have.

    Parameters
    ----------
    kind
        What the vocabulary is.
    settings
        The files beside it.
    reads_words
        Whether a ``vocab.txt`` is beside the vocabulary, which the slow tokenizer of BERT would read.
    has_found_tokens
        Whether there are tokens that are found in texts.
    """
    config = settings.config
    names = ["sp_model_kwargs"] if kind == "sentencepiece" else []
    names += ["never_split"] if kind == "wordpiece" or reads_words else []
    names += ["split_special_tokens"] if has_found_tokens else []
    problems = [f"{name} is {str(config[name])[:100]}" for name in names if config.get(name)]
    if "never_split" in names and config.get("do_basic_tokenize") is False:
        problems.append(f"do_basic_tokenize is {config['do_basic_tokenize']}")
    if problems:
        advice = "which sparkalbert does not support; remove it if the model was trained without it"
        raise ConfigError(problem_list(str(settings.config_path), [f"{problem}, {advice}" for problem in problems]))


def _read_json(
    folders: list[Path], name: str, max_bytes: int = _MAX_SETTINGS_BYTES, *, strict: bool = True
) -> tuple[Mapping[str, Any], Path]:
    """Return the object in the first file of that name, and its path; empty if there is none.

    A broken file is an error; if not `strict`, it counts as missing.
    """
    path = next((file for folder in folders if (file := folder / name).is_file()), None)
    if path is None:
        return {}, folders[0] / name
    content = read_bounded(path, max_bytes)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        if not strict:
            return {}, path
        msg = f"{path} is not valid JSON: {error}"
        raise ConfigError(msg) from error
    if isinstance(values, dict):
        return values, path
    if not strict:
        return {}, path
    msg = f"{path} must contain a JSON object, got a {type(values).__name__}."
    raise ConfigError(msg)
