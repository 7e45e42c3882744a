"""Builds the encoder of a model from the tokenizer files that were found, and checks that the files agree."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from sparkalbert.bundle.folder import TOKENIZER_CONFIG_FILE, TOKENIZER_FILE
from sparkalbert.errors import CheckpointError, ParamError
from sparkalbert.text.pieces.files import FoundTokenizer, read_bounded
from sparkalbert.text.pieces.normalization import NormalizationOptions
from sparkalbert.text.pieces.options import NOTHING_GIVEN, PieceOptions
from sparkalbert.text.pieces.sentence_pieces import SentencePieces
from sparkalbert.text.pieces.special_tokens import MAX_TOKENS, AddedToken, SpecialNames
from sparkalbert.text.pieces.tokenizer_json import wordpiece_json
from sparkalbert.text.pieces.vocabulary import Pieces

if TYPE_CHECKING:
    from sparkalbert.text.pieces.tokenizers_library import TokenizerProgram

__all__ = ["DEFAULT", "LoadedEncoder", "PieceEncoder", "load_encoder", "restored_encoder"]

_LOGGER: Final = logging.getLogger("sparkalbert")
DEFAULT: Final = "default"
"""The origin of an option that neither the caller nor a file states."""

_GIVEN: Final = "given"


class PieceEncoder(Protocol):
    """What runs a vocabulary: the interface of :class:`.SentencePieces` and :class:`.TokenizerProgram`."""

    options: NormalizationOptions
    names: SpecialNames
    added_tokens: tuple[AddedToken, ...]
    pieces: list[str]
    unk_id: int
    cls_id: int
    sep_id: int
    pad_id: int

    @property
    def kind(self) -> str:
        """The kind of vocabulary, for the manifest of a bundle."""

    @property
    def file(self) -> str:
        """The name of the vocabulary in a bundle."""

    def encode(self, text: str) -> Pieces:
        """Encode a text."""

    def encode_token(self, token: str, *, case_sensitive: bool) -> Pieces:
        """Encode a token on its own."""

    def texts(self) -> dict[str, str]:
        """Return the text that each ordinary piece spells, by piece."""

    def normalized(self, text: str, options: NormalizationOptions) -> str:
        """Return a text as the normalization leaves it, with other options."""

    def serialized(self) -> bytes:
        """Return the bytes of the vocabulary."""


class LoadedEncoder(NamedTuple):
    """An encoder, and what its files state about its options.

    Attributes
    ----------
    encoder
        The encoder.
    origins
        The origin of each option: the caller, a file, or Hugging Face's defaults.
    contradiction
        How options of ``tokenizer_config.json`` contradict the ``tokenizer.json`` beside it, if it depends on the
        version of transformers which of them is used; otherwise empty.
    """

    encoder: PieceEncoder
    origins: dict[str, str]
    contradiction: str = ""


def load_encoder(found: FoundTokenizer, given: PieceOptions, *, warn: bool) -> LoadedEncoder:
    """Return the encoder of a tokenizer that was found.

    Parameters
    ----------
    found
        What the files of the model state.
    given
        Options that the caller gives.
    warn
        If true, a contradiction between two files is logged as a warning. If false, only one that is no error is.

    Raises
    ------
    CheckpointError
        If ALBERT cannot have this vocabulary, or if two files hold different vocabularies.
    MissingDependencyError
        If the model requires the tokenizers library, which is not installed.
    ParamError
        If an option is given that the vocabulary does not have.
    """
    if found.kind == "sentencepiece":
        return _sentence_pieces(found, given)
    return _program(found, given, warn=warn)


def restored_encoder(
    kind: str,
    vocabulary: bytes,
    options: NormalizationOptions,
    names: SpecialNames,
    added_tokens: Sequence[AddedToken],
    source: str,
) -> PieceEncoder:
    """Return the encoder that has these attributes, from the bytes that :meth:`PieceEncoder.serialized` returned.

    Raises
    ------
    MissingDependencyError
        If the vocabulary requires the tokenizers library, which is not installed.
    """
    if kind == SentencePieces.kind:
        return SentencePieces(vocabulary, options, names, added_tokens, source)
    from sparkalbert.text.pieces.tokenizers_library import TokenizerProgram

    return TokenizerProgram(vocabulary, names, NOTHING_GIVEN, source)  # its file states the rest


def _sentence_pieces(found: FoundTokenizer, given: PieceOptions) -> LoadedEncoder:
    defaults = asdict(NormalizationOptions())
    options, origins = _resolved(defaults, found, given)
    vocabulary = read_bounded(found.path)
    encoder = SentencePieces(
        vocabulary, NormalizationOptions(**options), found.names, found.added_tokens, str(found.path)
    )
    if found.other_pieces is not None and found.other_pieces != encoder.vocabulary.pieces:
        msg = (
            f"{found.path.name} ({len(encoder.vocabulary.pieces)} pieces) and {TOKENIZER_FILE} "
            f"({len(found.other_pieces)}) in {found.path.parent} are different vocabularies. Remove the file that does "
            "not belong to the model."
        )
        raise CheckpointError(msg)
    return LoadedEncoder(encoder, origins)


def _program(found: FoundTokenizer, given: PieceOptions, *, warn: bool) -> LoadedEncoder:
    from sparkalbert.text.pieces.tokenizers_library import TokenizerProgram

    text = _decoded(found.path)
    if found.kind == "tokenizers":
        normalizer = _bert_normalizer(found) if found.is_bert else None
        encoder = TokenizerProgram(
            text, found.names, given, str(found.path), added_tokens=found.added_tokens, normalizer=normalizer
        )
        _check_processor(found, encoder.document)
        if found.other_words is not None:
            _check_same_words(found, found.other_words, encoder)
        contradiction = _contradiction(found, encoder, given, warn=warn)
        return LoadedEncoder(encoder, _program_origins(found, encoder, given), contradiction)
    if given.remove_space is not None:
        msg = (
            f"remove_space is {given.remove_space}, but a WordPiece vocabulary ({found.path.name}) always splits words "
            "at white space. Leave remove_space out."
        )
        raise ParamError(msg)
    stated = dict(found.stated)
    if "strip_accents" in stated:
        stated["keep_accents"] = not stated["strip_accents"]
    lower = given.stated.get("do_lower_case", stated.get("do_lower_case", True))
    defaults = {"do_lower_case": True, "keep_accents": not lower}
    options, origins = _resolved(defaults, replace(found, stated=stated), given)
    if origins["keep_accents"] == DEFAULT:
        origins["keep_accents"] = origins["do_lower_case"]  # BERT's rule: lower-casing drops accents
    text = wordpiece_json(
        _words(text, found.path),
        NormalizationOptions(**options),
        found.added_tokens,
        unk=found.names.unk_token,
        chinese=found.stated.get("tokenize_chinese_chars", True),
    )
    return LoadedEncoder(TokenizerProgram(text, found.names, NOTHING_GIVEN, str(found.path)), origins)


def _words(text: str, path: Path) -> list[str]:
    """Return the pieces of a ``vocab.txt``; any line ending counts, as in ``transformers.BertTokenizer``."""
    if text.count("\n") + text.count("\r") > 2 * MAX_TOKENS:
        msg = f"{path} has more than {MAX_TOKENS:,} lines, expected one piece in each. Copy the file again."
        raise CheckpointError(msg)
    pieces = [line.removesuffix("\n") for line in io.StringIO(text, newline=None)]
    while pieces and not pieces[-1]:
        pieces.pop()
    return pieces


def _bert_normalizer(found: FoundTokenizer) -> dict[str, bool | None]:
    """Return the normalization of BERT's classes, which is not that of a ``tokenizer.json``."""
    stated = found.stated
    return {
        "lowercase": stated.get("do_lower_case", True),
        "strip_accents": stated.get("strip_accents"),
        "handle_chinese_chars": stated.get("tokenize_chinese_chars", True),
    }


def _program_origins(found: FoundTokenizer, encoder: TokenizerProgram, given: PieceOptions) -> dict[str, str]:
    origins = dict.fromkeys(asdict(encoder.options), found.path.name)
    if found.is_bert and encoder.bert_normalizer is not None:
        lower = TOKENIZER_CONFIG_FILE if "do_lower_case" in found.stated else DEFAULT
        accents = TOKENIZER_CONFIG_FILE if "strip_accents" in found.stated else lower
        origins |= {"do_lower_case": lower, "keep_accents": accents}
    return origins | dict.fromkeys(given.stated, _GIVEN)


def _contradiction(found: FoundTokenizer, encoder: TokenizerProgram, given: PieceOptions, *, warn: bool) -> str:
    """Return how ``tokenizer_config.json`` contradicts the normalizer of a ``tokenizer.json``, and what to do about it.

    Which of them is used depends on the class and on the version of transformers, except for the classes of the
    library, which use ``tokenizer.json``: for them a contradiction is a warning, and the result is empty.
    """
    used = {name: value for name, value in asdict(encoder.options).items() if name in {"do_lower_case", "keep_accents"}}
    stated = dict(found.stated)
    if found.is_bert:
        stated.pop("keep_accents", None)  # an option of ALBERT's classes
    if encoder.bert_normalizer is not None:
        used["tokenize_chinese_chars"] = bool(encoder.bert_normalizer.get("handle_chinese_chars", True))
        if "strip_accents" in stated:
            stated["keep_accents"] = not stated["strip_accents"]
    wrong = [name for name, value in used.items() if name not in given.stated and stated.get(name, value) != value]
    if not wrong:
        return ""
    contradictions = " and ".join(f"{name}={stated[name]}" for name in wrong)
    msg = (
        f"{TOKENIZER_CONFIG_FILE} states {contradictions}, but {found.path} beside it normalizes with "
        f"{' and '.join(f'{name}={used[name]}' for name in wrong)}"
    )
    passed = [name for name in wrong if name != "tokenize_chinese_chars"]
    advice = f"Pass {' and '.join(passed)} to decide" if passed else "Correct the file that is wrong"
    if warn or found.is_of_library:
        _LOGGER.warning("%s, which is used. %s.", msg, advice)
    if found.is_of_library:
        return ""
    return f"{msg}; which of them is used depends on the version of transformers. {advice}."


def _check_processor(found: FoundTokenizer, document: Mapping[str, Any]) -> None:
    """Check that the file puts special tokens around a text, if its class leaves that to the file.

    Bundles are not checked, which alone state `replace_quotes`: earlier versions wrote the key post_processor as null.
    """
    is_bundle = "replace_quotes" in found.stated
    if found.is_of_library and not is_bundle and "post_processor" in document and document["post_processor"] is None:
        msg = (
            f"{found.path} has no post_processor, so {found.tokenizer_class} puts no special tokens around a text; "
            f"expected one before and one after it. If the model was trained with {found.names.cls_token} and "
            f"{found.names.sep_token}, remove the key post_processor from the file."
        )
        raise CheckpointError(msg)


def _check_same_words(found: FoundTokenizer, path: Path, encoder: TokenizerProgram) -> None:
    """Check that a ``vocab.txt`` contains the vocabulary of the ``tokenizer.json`` beside it."""
    words = {piece: index for index, piece in enumerate(_words(_decoded(path), path))}
    added = {token.content for token in encoder.added_tokens}
    differing = sorted(
        piece for piece, _ in words.items() ^ encoder.model_ids.items() if piece.strip() and piece not in added
    )
    if encoder.is_wordpiece and differing:
        msg = (
            f"{path} ({len(words)} pieces) and {found.path.name} ({len(encoder.model_ids)}) are different "
            f"vocabularies: {', '.join(map(repr, differing[:3]))} differ. Remove the file that does not belong to the "
            "model."
        )
        raise CheckpointError(msg)


def _resolved(
    defaults: Mapping[str, bool], found: FoundTokenizer, given: PieceOptions
) -> tuple[dict[str, bool], dict[str, str]]:
    """Return the options, and where each comes from: the caller, a file, or Hugging Face's defaults."""
    stated = {name: value for name, value in found.stated.items() if name in defaults}
    origins = dict.fromkeys(defaults, DEFAULT)
    origins |= dict.fromkeys(stated, TOKENIZER_CONFIG_FILE) | dict.fromkeys(given.stated, _GIVEN)
    return {**defaults, **stated, **given.stated}, origins


def _decoded(path: Path) -> str:
    try:
        return read_bounded(path).decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text ({error}). Copy the model's tokenizer files again."
        raise CheckpointError(msg) from error
