"""ALBERT's tokenizer: the pieces of a text, with offsets into the raw text.

:meth:`PieceTokenizer.encode` follows the program that the model was trained with: for a SentencePiece vocabulary
google-research/albert ``tokenization.py`` and the slow ``AlbertTokenizer`` of transformers 3 and 4 (normalize, encode
with sentencepiece, split pieces that end in a digit and a comma; transformers 5 does not split them), for a
``tokenizer.json`` or a WordPiece vocabulary the tokenizers library. :meth:`PieceTokenizer.encode_token` follows Spark
NLP's annotators instead.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sparkalbert.bundle.folder import TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, VOCABULARY_FILE
from sparkalbert.bundle.manifest import TokenizerRecord
from sparkalbert.errors import CheckpointError, ConfigError, ParamError
from sparkalbert.text.pieces.files import FoundTokenizer, find_tokenizer, read_bounded
from sparkalbert.text.pieces.normalization import NormalizationOptions
from sparkalbert.text.pieces.options import PieceOptions
from sparkalbert.text.pieces.sentence_pieces import SentencePieces
from sparkalbert.text.pieces.special_tokens import MAX_TOKENS, AddedToken, SpecialNames
from sparkalbert.text.pieces.unproducible import check_options
from sparkalbert.text.pieces.vocabulary import Pieces

if TYPE_CHECKING:
    from sparkalbert.text.pieces.tokenizers_library import TokenizerProgram

__all__ = ["PieceTokenizer"]

_LOGGER: Final = logging.getLogger("sparkalbert")
_NOTHING_GIVEN: Final = PieceOptions()
_CLASSES: Final = {"sentencepiece": "AlbertTokenizer", "tokenizers": "PreTrainedTokenizerFast"}
_GIVEN: Final = "given"
_DEFAULT: Final = "default"


class _Encoder(Protocol):
    """The interface that the tokenizers of all kinds of vocabulary share."""

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


class PieceTokenizer:
    """A vocabulary and the normalization that goes with it.

    Instances are immutable, can be shared between threads and can be pickled. Usually made by :meth:`load`.

    Parameters
    ----------
    vocabulary
        The bytes of a ``spiece.model``.
    options
        The normalization of the checkpoint; by default that of ``transformers.AlbertTokenizer``.
    source
        The name of the vocabulary in error messages.
    names
        How the vocabulary spells its special tokens.
    added_tokens
        Tokens that were added to it.

    Raises
    ------
    CheckpointError
        If `vocabulary` is not a SentencePiece model or lacks ALBERT's special pieces.
    """

    def __init__(
        self,
        vocabulary: bytes,
        options: NormalizationOptions | None = None,
        *,
        source: str = VOCABULARY_FILE,
        names: SpecialNames | None = None,
        added_tokens: Sequence[AddedToken] = (),
    ) -> None:
        options = NormalizationOptions() if options is None else options
        names = SpecialNames() if names is None else names
        self._encoder: _Encoder = SentencePieces(vocabulary, options, names, added_tokens, source)
        self._source = source
        self._origins: Mapping[str, str] = {}
        self._doubt = ""

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        do_lower_case: bool | None = None,
        keep_accents: bool | None = None,
        remove_space: bool | None = None,
        check_vocabulary: bool = False,
    ) -> PieceTokenizer:
        """Load the tokenizer of a model folder or a vocabulary file.

        Parameters
        ----------
        path
            A bundle, a Hugging Face checkpoint, a Spark NLP import folder (``assets/spiece.model``),
            or a vocabulary file. See :func:`sparkalbert.text.pieces.files.find_tokenizer` for the file that is taken.
            Options, special tokens and added tokens come from the files beside it; unknown keys are ignored, missing
            keys have Hugging Face's defaults.
        do_lower_case, keep_accents, remove_space
            Override the options of the files if not None.
        check_vocabulary
            If true, options that nothing states must agree with the vocabulary; if a ``tokenizer_config.json`` leaves
            them to the defaults of its class, a contradiction is a warning. Options that it states must agree with the
            ``tokenizer.json`` beside it, unless the files name a class that never reads them.

        Raises
        ------
        ModelNotFoundError
            If `path` or its vocabulary does not exist.
        CheckpointError
            If ALBERT cannot have this vocabulary, or sparkalbert does not have its tokenizer.
        ConfigError
            If ``tokenizer_config.json`` cannot be read; every problem is listed. With `check_vocabulary` and without
            such a file, if the vocabulary has pieces that options nobody stated could never produce; with it, if two
            files contradict each other.
        MissingDependencyError
            If the model requires the tokenizers library, which is not installed.
        """
        given = PieceOptions(do_lower_case, keep_accents, remove_space)
        found = find_tokenizer(Path(path))
        make = _sentence_pieces if found.kind == "sentencepiece" else _program
        encoder, origins = make(found, given, check=check_vocabulary)
        tokenizer = cls._of(encoder, str(found.path), origins)
        if check_vocabulary:
            unstated = [name for name in origins if origins[name] == _DEFAULT]
            tokenizer._doubt = check_options(  # noqa: SLF001
                encoder, unstated, str(found.path), only_warn=found.has_config
            )
        return tokenizer

    @classmethod
    def _of(cls, encoder: _Encoder, source: str, origins: Mapping[str, str]) -> PieceTokenizer:
        tokenizer = cls.__new__(cls)
        tokenizer._encoder, tokenizer._source, tokenizer._origins = encoder, source, origins  # noqa: SLF001
        tokenizer._doubt = ""  # noqa: SLF001
        return tokenizer

    @property
    def options(self) -> NormalizationOptions:
        """The normalization that :meth:`encode` applies."""
        return self._encoder.options

    @property
    def doubt(self) -> str:
        """Why options that no file states are probably wrong; empty if that is not known (see :meth:`load`)."""
        return self._doubt

    @property
    def vocabulary_size(self) -> int:
        """The number of ids: one more than the largest that a text can get."""
        return len(self._encoder.pieces)

    @property
    def pad_id(self) -> int:
        """An id for padding, which is masked: that of ``<pad>``, if it is in the vocabulary."""
        return self._encoder.pad_id

    @property
    def unk_id(self) -> int:
        """Id of ``<unk>``; -1 if the vocabulary has none."""
        return self._encoder.unk_id

    @property
    def cls_id(self) -> int:
        """Id of the special token before a text, ``[CLS]``."""
        return self._encoder.cls_id

    @property
    def sep_id(self) -> int:
        """Id of the special token after a text, ``[SEP]``."""
        return self._encoder.sep_id

    @property
    def record(self) -> TokenizerRecord:
        """What the manifest of a bundle reports about the tokenizer."""
        return TokenizerRecord(
            self._encoder.kind, self._encoder.file, Path(self._source).name, asdict(self.options), dict(self._origins)
        )

    def piece(self, piece_id: int) -> str:
        """Return the piece with an id; empty for an id that nothing names.

        Raises
        ------
        ParamError
            If the vocabulary has no such id.
        """
        if not 0 <= piece_id < self.vocabulary_size:
            msg = f"piece_id must be between 0 and {self.vocabulary_size - 1}, got {piece_id}."
            raise ParamError(msg)
        return self._encoder.pieces[piece_id]

    def encode(self, text: str) -> Pieces:
        """Encode a text by the rule of the reference tokenizers.

        Special tokens that are written in the text (``[MASK]``) are treated like any other text. Tokens that were added
        to the vocabulary get their ids.

        Raises
        ------
        TextError
            If `text` contains a lone surrogate.
        """
        return self._encoder.encode(text)

    def encode_token(self, token: str, case_sensitive: bool = False) -> Pieces:
        """Encode one token by the rule of Spark NLP.

        The token is lower-cased unless `case_sensitive` is true, and encoded on its own; pieces that are a
        lone ``▁`` are dropped. Accents and quotes are kept, and no piece is split at a comma (Spark NLP
        ``Albert.scala``, ``SentencepieceEncoder.scala``). A character beyond U+FFFF is unknown, even if the
        vocabulary has it or its normal form (U+1D59B, a v), because Spark NLP hands sentencepiece the JVM's
        modified UTF-8, in which such a character is invalid (seen in 5.5.3). A WordPiece vocabulary follows
        ``BertEmbeddings``, which drops accents when it lower-cases.

        Returns
        -------
        Pieces
            Offsets count from the start of `token`. Empty if no piece of the token is left.

        Raises
        ------
        TextError
            If `token` contains a lone surrogate.
        """
        return self._encoder.encode_token(token, case_sensitive=case_sensitive)

    def save(self, folder: Path) -> None:
        """Write the files of the tokenizer as a bundle has them.

        The vocabulary is ``spiece.model`` or ``tokenizer.json``; ``tokenizer_config.json`` states every option, special
        token and added token under Hugging Face's names.
        """
        encoder = self._encoder
        (folder / encoder.file).write_bytes(encoder.serialized())
        config: dict[str, Any] = {**asdict(encoder.options), **asdict(encoder.names)}
        config["tokenizer_class"] = _CLASSES[encoder.kind]
        if encoder.added_tokens:
            config["added_tokens_decoder"] = {str(token.id): token.to_dict() for token in encoder.added_tokens}
        text = json.dumps(config, indent=2, ensure_ascii=False, sort_keys=True)
        (folder / TOKENIZER_CONFIG_FILE).write_text(f"{text}\n", encoding="utf-8")

    def __reduce__(self) -> tuple[Any, ...]:
        encoder = self._encoder
        state = (encoder.options, encoder.names, encoder.added_tokens, self._source, self._origins)
        return _unpickled, (encoder.kind, encoder.serialized(), *state)


def _sentence_pieces(
    found: FoundTokenizer,
    given: PieceOptions,
    *,
    check: bool,  # noqa: ARG001 - only a program can be overruled
) -> tuple[_Encoder, dict[str, str]]:
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
    return encoder, origins


def _program(found: FoundTokenizer, given: PieceOptions, *, check: bool) -> tuple[_Encoder, dict[str, str]]:
    from sparkalbert.text.pieces.tokenizers_library import TokenizerProgram, wordpiece_document

    text = _decoded(found.path)
    if found.kind == "tokenizers":
        normalizer = _bert_normalizer(found) if found.is_bert else None
        encoder = TokenizerProgram(
            text, found.names, given, str(found.path), added_tokens=found.added_tokens, normalizer=normalizer
        )
        _check_processor(found, encoder.document)
        if found.other_words is not None:
            _check_same_words(found, found.other_words, encoder)
        _check_overruled(found, encoder, given, only_warn=not check or found.is_of_library)
        return encoder, _program_origins(found, encoder, given)
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
    if origins["keep_accents"] == _DEFAULT:
        origins["keep_accents"] = origins["do_lower_case"]  # BERT's rule: lower-casing drops accents
    document = wordpiece_document(
        _words(text, found.path),
        NormalizationOptions(**options),
        found.added_tokens,
        unk=found.names.unk_token,
        chinese=found.stated.get("tokenize_chinese_chars", True),
    )
    return TokenizerProgram(document, found.names, _NOTHING_GIVEN, str(found.path)), origins


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
        lower = TOKENIZER_CONFIG_FILE if "do_lower_case" in found.stated else _DEFAULT
        accents = TOKENIZER_CONFIG_FILE if "strip_accents" in found.stated else lower
        origins |= {"do_lower_case": lower, "keep_accents": accents}
    return origins | dict.fromkeys(given.stated, _GIVEN)


def _check_overruled(found: FoundTokenizer, encoder: TokenizerProgram, given: PieceOptions, *, only_warn: bool) -> None:
    """Check that ``tokenizer_config.json`` does not contradict the normalizer of a ``tokenizer.json``.

    Which of them is used depends on the class and on the version of transformers, except for the classes of the
    library, which use ``tokenizer.json``.

    Raises
    ------
    ConfigError
        If it does; the message names the options to pass.
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
        return
    contradictions = " and ".join(f"{name}={stated[name]}" for name in wrong)
    msg = (
        f"{TOKENIZER_CONFIG_FILE} states {contradictions}, but {found.path} beside it normalizes with "
        f"{' and '.join(f'{name}={used[name]}' for name in wrong)}"
    )
    passed = [name for name in wrong if name != "tokenize_chinese_chars"]
    advice = f"Pass {' and '.join(passed)} to decide" if passed else "Correct the file that is wrong"
    if only_warn:
        _LOGGER.warning("%s, which is used. %s.", msg, advice)
        return
    msg = f"{msg}; which of them is used depends on the version of transformers. {advice}."
    raise ConfigError(msg)


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
    origins = dict.fromkeys(defaults, _DEFAULT)
    origins |= dict.fromkeys(stated, TOKENIZER_CONFIG_FILE) | dict.fromkeys(given.stated, _GIVEN)
    return {**defaults, **stated, **given.stated}, origins


def _decoded(path: Path) -> str:
    try:
        return read_bounded(path).decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text ({error}). Copy the model's tokenizer files again."
        raise CheckpointError(msg) from error


def _unpickled(  # noqa: PLR0913, PLR0917 - the parts of a tokenizer
    kind: str,
    vocabulary: bytes,
    options: NormalizationOptions,
    names: SpecialNames,
    added_tokens: Sequence[AddedToken],
    source: str,
    origins: Mapping[str, str],
) -> PieceTokenizer:
    from sparkalbert.text.pieces.tokenizers_library import TokenizerProgram

    encoder: _Encoder
    if kind == SentencePieces.kind:
        encoder = SentencePieces(vocabulary, options, names, added_tokens, source)
    else:
        encoder = TokenizerProgram(vocabulary, names, _NOTHING_GIVEN, source)
    return PieceTokenizer._of(encoder, source, origins)  # noqa: SLF001
