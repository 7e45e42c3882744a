"""Encodes texts as a ``tokenizer.json`` or a WordPiece ``vocab.txt`` specifies, with the ``tokenizers`` library.

Why the library and not code of our own, which could rebuild a unigram vocabulary from the file: a ``tokenizer.json``
specifies a program, not only a vocabulary, and which one depends on who wrote it. transformers 4 and 5 let ALBERT's
user-defined symbols (``(``, ``-``, ``.``) split the text first, earlier files do not; some split at white space, some
do not. Of 1,486 strings, rebuilding the vocabulary and applying the rule of pre-training gives other ids than
transformers does for 408 (files of 4.57) and 445 (files of 5.23); the library gives the same ids for all. It is slower
(0.5 ms for a text of 90 characters, against 0.04 ms in sentencepiece; a forward pass takes tens of milliseconds) and
weighs 12 MB, so it is an extra: only models that have no SentencePiece vocabulary need it.

This is the only module that imports tokenizers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sparkalbert.bundle.folder import TOKENIZER_FILE
from sparkalbert.errors import CheckpointError, MissingDependencyError
from sparkalbert.text.pieces.normalization import NormalizationOptions, check_unicode, normalize
from sparkalbert.text.pieces.options import PieceOptions
from sparkalbert.text.pieces.sentence_pieces import (
    TOKEN_LOWERED,
    TOKEN_UNCHANGED,
    with_raw_offsets,
    without_lone_spaces,
)
from sparkalbert.text.pieces.special_tokens import AddedToken, SpecialNames
from sparkalbert.text.pieces.tokenizer_json import (
    CONTINUATION,
    UNSPELLABLE,
    ids_around,
    json_without_special_tokens,
    parse_document,
    read_options,
    token_document,
    unknown_id,
    vocabulary_ids,
    with_added_tokens,
    with_bert_normalizer,
    with_options,
)
from sparkalbert.text.pieces.vocabulary import Pieces

if TYPE_CHECKING:
    import tokenizers

__all__ = ["TokenizerProgram"]

_SPACE: Final = "▁"
_RESERVED: Final = re.compile(r"\[[^\]]+\]")
_CACHED_CHARACTERS: Final = 32_768


class TokenizerProgram:
    """The tokenizer that a ``tokenizer.json`` specifies.

    Parameters
    ----------
    text
        The file.
    names
        How the vocabulary spells its special tokens. The file's post-processor decides the first and the last.
    given
        Options that replace those of the file.
    source
        The name of the file in error messages.
    added_tokens
        Tokens that the files beside it add. They replace the file's own tokens of the same content.
    normalizer
        Keys that replace those of BERT's normalizer in the file, if that is all that its normalizer consists of.

    Attributes
    ----------
    kind, file
        For the manifest of a bundle, and the name of the file in a bundle.
    document
        The file's object, with the given options and all added tokens.
    names, added_tokens
        As given; the added tokens include the file's own.
    pieces
        Every piece by id, added tokens included; empty for an id that nothing names. Special tokens that were added and
        that no text gets are left out at the end.
    unk_id, cls_id, sep_id, pad_id
        Ids of special tokens; -1 if the file has no unknown token and needs none. Padding is masked, so without a piece
        for it `pad_id` is 0.
    options
        The normalization, as far as these options can express it.
    model_ids
        Id of each piece, without added tokens.

    Raises
    ------
    CheckpointError
        If the library cannot read the file, the file does not arrange special tokens as ALBERT does, or it lacks the
        unknown token.
    MissingDependencyError
        If tokenizers is not installed.
    """

    kind = "tokenizers"
    file = TOKENIZER_FILE

    def __init__(
        self,
        text: str | bytes,
        names: SpecialNames,
        given: PieceOptions,
        source: str,
        *,
        added_tokens: Sequence[AddedToken] = (),
        normalizer: Mapping[str, bool | None] | None = None,
    ) -> None:
        self._source = source
        document = with_bert_normalizer(parse_document(text, source), normalizer or {})
        self.document = document = with_added_tokens(with_options(document, given), added_tokens, names)
        self._model: dict[str, Any] = document["model"]
        self.names = names
        self.added_tokens = tuple(
            AddedToken.from_dict(token, token["id"]) for token in document.get("added_tokens") or []
        )
        self.model_ids = model_ids = vocabulary_ids(self._model)
        ids = model_ids | {token.content: token.id for token in self.added_tokens}
        missing = [name for name in (names.cls_token, names.sep_token) if name not in ids]
        around = ids_around(document.get("post_processor"), source)
        if missing and around is None:
            msg = f"{source} has no token {' and no token '.join(missing)}. Copy the model's tokenizer files again."
            raise CheckpointError(msg)
        self.cls_id, self.sep_id = around or (ids[names.cls_token], ids[names.sep_token])
        self.unk_id = unknown_id(self._model, model_ids, source)
        emitted = [index for content, index in ids.items() if content in model_ids or content not in names.all()]
        self.pieces = [""] * (max(*emitted, self.cls_id, self.sep_id) + 1)
        for content, index in ids.items():
            if index < len(self.pieces):
                self.pieces[index] = content
        unnamed = [index for index in (self.cls_id, self.sep_id) if not self.pieces[index]]
        if unnamed:
            msg = f"{source} puts the id {unnamed[0]} around texts, which no token has. Copy the file again."
            raise CheckpointError(msg)
        pad_id = ids.get(names.pad_token, 0)
        self.pad_id = pad_id if pad_id < len(self.pieces) else 0
        self.options = read_options(document)
        self._tokenizer = _built(json_without_special_tokens(document, names), source)
        self._check_added_tokens()
        self._marks_spaces = self._model["type"] != "WordPiece"
        self._space_id = ids.get(_SPACE, -1)
        # The cache must not hold `self`: a cycle would keep the model alive until the garbage collector runs.
        self._shows_nothing = lru_cache(_CACHED_CHARACTERS)(partial(_shows_nothing, self._tokenizer.normalizer))

    @property
    def is_wordpiece(self) -> bool:
        """Whether the model is that of a ``vocab.txt``."""
        return not self._marks_spaces

    @property
    def bert_normalizer(self) -> Mapping[str, Any] | None:
        """BERT's normalizer, if the file has no other step; otherwise None."""
        step = self.document.get("normalizer")
        return step if step is not None and step["type"] == "BertNormalizer" else None

    def encode(self, text: str) -> Pieces:
        """Encode a text as the file specifies."""
        check_unicode(text)
        return self._encoded(self._tokenizer, text)

    def encode_token(self, token: str, *, case_sensitive: bool) -> Pieces:
        """Encode a token as Spark NLP would: in lower case, or unchanged if `case_sensitive`.

        For WordPiece, lower-casing also drops accents, as in Spark NLP's ``BertEmbeddings``. For other models it does
        not, as in ``AlbertEmbeddings``, and pieces that are a lone ``▁`` are dropped.
        """
        if not self._marks_spaces:
            check_unicode(token)
            return self._encoded(self._cased_words if case_sensitive else self._lowered_words, token)
        normalized = normalize(token, TOKEN_UNCHANGED if case_sensitive else TOKEN_LOWERED)
        encoded = self._encoded(self._cased_words, normalized.text)
        return without_lone_spaces(with_raw_offsets(encoded, normalized, len(token)), self._space_id)

    def serialized(self) -> bytes:
        """Return the ``tokenizer.json``, with the options that were given.

        A post-processor that is null is left out: it would state that texts get no special tokens.
        """
        document = {key: value for key, value in self.document.items() if key != "post_processor" or value is not None}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    def texts(self) -> dict[str, str]:
        """Return the text that each ordinary piece spells, by piece."""
        return {
            piece: piece.removeprefix(CONTINUATION).replace(_SPACE, "")
            for piece in self.pieces
            if piece and piece not in self.names.all() and not _RESERVED.fullmatch(piece)
        }

    def normalized(self, text: str, options: NormalizationOptions) -> str:
        """Return a text without spaces as BERT's normalization leaves it."""
        if text.isascii():
            return text.lower() if options.do_lower_case else text
        normalizer = _library(self._source).normalizers.BertNormalizer(
            clean_text=False,
            handle_chinese_chars=False,
            strip_accents=not options.keep_accents,
            lowercase=options.do_lower_case,
        )
        return str(normalizer.normalize_str(text))

    def _check_added_tokens(self) -> None:
        """Check that added tokens have the ids that the file states: the library counts on from the vocabulary."""
        for token in self.added_tokens:
            found = self._tokenizer.token_to_id(token.content)
            if token.content not in self.names.all() and found != token.id:
                msg = (
                    f"{self._source} adds a token with the id {token.id}, but the tokenizers library gives it {found}. "
                    "Copy the model's tokenizer files again."
                )
                raise CheckpointError(msg)

    @cached_property
    def _cased_words(self) -> tokenizers.Tokenizer:
        return self._variant(PieceOptions(do_lower_case=False, keep_accents=True))

    @cached_property
    def _lowered_words(self) -> tokenizers.Tokenizer:
        return self._variant(PieceOptions(do_lower_case=True, keep_accents=False))

    def _variant(self, options: PieceOptions) -> tokenizers.Tokenizer:
        """Return the tokenizer for tokens on their own, see :func:`.token_document`."""
        document = token_document(self.document, options)
        return _built(json_without_special_tokens(document, self.names), self._source)

    def _encoded(self, tokenizer: tokenizers.Tokenizer, text: str) -> Pieces:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        pieces: list[str] = encoding.tokens
        spans = encoding.offsets
        offsets = np.empty((len(pieces), 2), dtype=np.int64)
        next_start = len(text)
        for index in range(len(pieces) - 1, -1, -1):
            start, stop = spans[index]
            if self._marks_spaces and not pieces[index].strip(_SPACE):
                start = stop = next_start
            else:
                start, stop = self._shown(text, start, stop)
                next_start = start
                if pieces[index].startswith(UNSPELLABLE):
                    pieces[index] = text[start:stop]  # an unknown word
            offsets[index] = start, stop
        return Pieces(np.array(encoding.ids, dtype=np.int64), pieces, offsets)

    def _shown(self, text: str, start: int, stop: int) -> tuple[int, int]:
        """Return a span without the characters at its ends that show nothing, such as the space that became ``▁``."""
        first, last = start, stop
        while first < last and self._shows_nothing(text[first]):
            first += 1
        while first < last and self._shows_nothing(text[last - 1]):
            last -= 1
        return (first, last) if first < last else (start, stop)


def _library(source: str) -> ModuleType:
    try:
        import tokenizers
    except ImportError as error:
        msg = (
            f"{source} requires tokenizers on every machine that runs the model: pip install 'sparkalbert[tokenizers]'"
        )
        raise MissingDependencyError(msg) from error
    library: ModuleType = tokenizers
    return library


def _built(text: str, source: str) -> tokenizers.Tokenizer:
    library = _library(source)
    try:
        tokenizer: tokenizers.Tokenizer = library.Tokenizer.from_str(text)
    except Exception as error:  # the library raises Exception itself
        msg = f"The tokenizers library ({library.__version__}) does not read {source}: {error}"
        raise CheckpointError(msg) from error
    return tokenizer


def _shows_nothing(normalizer: Any, character: str) -> bool:
    shown = character if normalizer is None else normalizer.normalize_str(character)
    return not shown.strip(f"{_SPACE} \t\n\r\u3000")
