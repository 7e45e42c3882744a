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
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sparkalbert.bundle.folder import TOKENIZER_FILE
from sparkalbert.errors import CheckpointError, MissingDependencyError, ParamError
from sparkalbert.text.pieces.normalization import NormalizationOptions, check_unicode, normalize
from sparkalbert.text.pieces.options import PieceOptions
from sparkalbert.text.pieces.sentence_pieces import (
    TOKEN_LOWERED,
    TOKEN_UNCHANGED,
    with_raw_offsets,
    without_lone_spaces,
)
from sparkalbert.text.pieces.special_tokens import MAX_TOKENS, AddedToken, SpecialNames
from sparkalbert.text.pieces.vocabulary import Pieces

if TYPE_CHECKING:
    import tokenizers

__all__ = ["TokenizerProgram", "wordpiece_document"]

_SPACE: Final = "▁"
_UNSPELLABLE: Final = "\U0010fffe\U0010ffff"
"""Two noncharacters before the name of a special token keep texts that spell the name from getting its id."""

_CONTINUATION: Final = "##"
_RESERVED: Final = re.compile(r"\[[^\]]+\]")
_CACHED_CHARACTERS: Final = 32_768
_QUOTE: Final = "``"


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
        document = _with_normalizer(_parsed(text, source), normalizer or {})
        self.document = document = _with_added_tokens(_with_options(document, given), added_tokens, names)
        self._model: dict[str, Any] = document["model"]
        self.names = names
        self.added_tokens = tuple(
            AddedToken.from_dict(token, token["id"]) for token in document.get("added_tokens") or []
        )
        self.model_ids = model_ids = _ids(self._model)
        ids = model_ids | {token.content: token.id for token in self.added_tokens}
        missing = [name for name in (names.cls_token, names.sep_token) if name not in ids]
        around = _ids_around(document.get("post_processor"), source)
        if missing and around is None:
            msg = f"{source} has no token {' and no token '.join(missing)}. Copy the model's tokenizer files again."
            raise CheckpointError(msg)
        self.cls_id, self.sep_id = around or (ids[names.cls_token], ids[names.sep_token])
        self.unk_id = _checked_unk_id(self._model, model_ids, source)
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
        self.options = _read_options(document)
        self._tokenizer = _built(_without_special_tokens(document, names), source)
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
            piece: piece.removeprefix(_CONTINUATION).replace(_SPACE, "")
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
        """Return the tokenizer with other options, without the quote step and without added tokens."""
        document = _with_options(self.document, options)
        steps = [step for step in _steps(document) if not _is_quote_step(step)]
        document |= {"normalizer": {"type": "Sequence", "normalizers": steps}, "added_tokens": []}
        return _built(_without_special_tokens(document, self.names), self._source)

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
                if pieces[index].startswith(_UNSPELLABLE):
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


def wordpiece_document(
    pieces: Sequence[str],
    options: NormalizationOptions,
    added_tokens: Sequence[AddedToken],
    *,
    unk: str,
    chinese: bool,
) -> str:
    """Return the ``tokenizer.json`` of a ``vocab.txt``, as ``transformers.BertTokenizerFast`` makes it.

    Texts whose accents are kept are not composed (NFC), as in that class and in transformers 5. The slow class of
    transformers 4 composes them, so decomposed letters may get other ids there.

    Parameters
    ----------
    pieces
        The lines of the file.
    options
        ``do_lower_case`` and ``keep_accents``.
    added_tokens
        Tokens that were added to the vocabulary.
    unk
        The unknown token.
    chinese
        If true, Chinese characters are split from each other (``tokenize_chinese_chars``).
    """
    document = {
        "version": "1.0",
        "added_tokens": [
            {"id": token.id, **token.to_dict()} for token in sorted(added_tokens, key=lambda token: token.id)
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": chinese,
            "strip_accents": not options.keep_accents,
            "lowercase": options.do_lower_case,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "model": {
            "type": "WordPiece",
            "unk_token": unk,
            "continuing_subword_prefix": _CONTINUATION,
            "max_input_chars_per_word": 100,
            "vocab": {piece: index for index, piece in enumerate(pieces)},
        },
    }
    return json.dumps(document, ensure_ascii=False)


def _parsed(text: str | bytes, source: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
        model = document["model"]
        vocab = model["vocab"]
        kind = model.get("type") or _model_type(model)
        _check_entries(_ids(model))
        _check_entries({token["content"]: token["id"] for token in document.get("added_tokens") or []})
        _unk_id({**model, "type": kind}, {})
        _read_options(document)
        (document.get("post_processor") or {}).get("type")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError, OverflowError) as error:
        msg = f"{source} is not a tokenizer.json ({type(error).__name__}: {error}). Copy the file again."
        raise CheckpointError(msg) from error
    if not vocab or not isinstance(vocab, (list, dict)):
        msg = f"{source} has no vocabulary. Copy the file again."
        raise CheckpointError(msg)
    return {**document, "model": {**model, "type": kind}}


def _model_type(model: Mapping[str, Any]) -> str:
    """Return the type of a model in files that do not state it."""
    if isinstance(model["vocab"], list):
        return "Unigram"
    return "BPE" if "merges" in model else "WordPiece"


def _check_entries(ids: Mapping[Any, Any]) -> None:
    """Check the ids of tokens by their contents, before memory for each id is needed."""
    for content, index in ids.items():
        if not isinstance(content, str) or type(index) is not int or not 0 <= index < MAX_TOKENS:
            msg = f"the token {content!r:.200} has the id {index!r:.200}, expected an integer from 0 to {MAX_TOKENS:,}"
            raise ValueError(msg)


def _ids(model: Mapping[str, Any]) -> dict[str, int]:
    vocab = model["vocab"]
    if isinstance(vocab, list):
        return {entry[0]: index for index, entry in enumerate(vocab)}
    return dict(vocab)


def _unk_id(model: Mapping[str, Any], ids: Mapping[str, int]) -> int:
    if model["type"] == "Unigram":
        unk_id = model.get("unk_id")
        return -1 if unk_id is None else int(unk_id)
    return ids.get(model.get("unk_token") or "", -1)


def _checked_unk_id(model: Mapping[str, Any], ids: Mapping[str, int], source: str) -> int:
    """Return the id of the unknown token; without it, the library fails at the first unknown word.

    Raises
    ------
    CheckpointError
        If the model has no such token, and needs it.
    """
    unk_id = _unk_id(model, ids)
    if unk_id >= 0 or model["type"] == "BPE" or model.get("byte_fallback"):
        return unk_id
    name = model.get("unk_token")
    found = "names none" if name is None else f"does not contain {name}"
    msg = (
        f"Expected a vocabulary with a token for unknown words, but {source} {found}. Copy the model's tokenizer files "
        "again. If it has another name for that token, state it as unk_token: for a vocab.txt in "
        "tokenizer_config.json, for a tokenizer.json in its model."
    )
    raise CheckpointError(msg)


def _ids_around(processor: Mapping[str, Any] | None, source: str) -> tuple[int, int] | None:
    """Return the ids that the post-processor puts before and after a text; None if there is no post-processor.

    Raises
    ------
    CheckpointError
        If it does not put exactly one token before the text and one after it.
    """
    if processor is None:
        return None
    kind = processor.get("type")
    try:
        if kind in {"BertProcessing", "RobertaProcessing"}:
            return _checked_id(processor["cls"][1]), _checked_id(processor["sep"][1])
        if kind == "TemplateProcessing":
            first, text, last = processor["single"]
            known, _ = processor["special_tokens"], text["Sequence"]
            (cls_id,), (sep_id,) = (known[part["SpecialToken"]["id"]]["ids"] for part in (first, last))
            return _checked_id(cls_id), _checked_id(sep_id)
    except (KeyError, TypeError, ValueError, IndexError):
        pass
    msg = (
        f"{source} arranges special tokens in another way than ALBERT (post_processor {kind}); expected one token "
        "before a text and one after it."
    )
    raise CheckpointError(msg)


def _checked_id(index: Any) -> int:
    """Return an id of a special token, before memory for it is needed."""
    if type(index) is not int or not 0 <= index < MAX_TOKENS:
        msg = f"expected an integer from 0 to {MAX_TOKENS:,}, found {index!r:.200}"
        raise ValueError(msg)
    return index


def _steps(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of the normalizer in order, sequences unfolded."""
    return list(_unfolded(document.get("normalizer"), "normalizers"))


def _unfolded(step: Mapping[str, Any] | None, key: str) -> Iterator[dict[str, Any]]:
    if step is None:
        return
    if step["type"] == "Sequence":
        for inner in step[key]:
            yield from _unfolded(inner, key)
    else:
        yield dict(step)


def _is_quote_step(step: Mapping[str, Any]) -> bool:
    return step["type"] == "Replace" and step["pattern"].get("String") in {_QUOTE, "''"}


def _read_options(document: Mapping[str, Any]) -> NormalizationOptions:
    steps = _steps(document)
    types = {step["type"] for step in steps}
    bert: dict[str, Any] = next((step for step in steps if step["type"] == "BertNormalizer"), {})
    lower = bool(bert.get("lowercase", False))
    strips = bert.get("strip_accents")
    splitters = {step["type"] for step in _unfolded(document.get("pre_tokenizer"), "pretokenizers")}
    return NormalizationOptions(
        do_lower_case=lower or "Lowercase" in types,
        keep_accents=not ("StripAccents" in types or (lower if strips is None else strips)),
        remove_space=not splitters.isdisjoint({"WhitespaceSplit", "Whitespace", "BertPreTokenizer"}),
        replace_quotes=any(map(_is_quote_step, steps)),
    )


def _with_normalizer(document: dict[str, Any], keys: Mapping[str, bool | None]) -> dict[str, Any]:
    """Return the file with keys of BERT's normalizer replaced, if it has no other step."""
    step = document.get("normalizer")
    if not isinstance(step, dict) or step["type"] != "BertNormalizer":
        return document
    return {**document, "normalizer": {**step, **keys}}


def _with_added_tokens(document: dict[str, Any], tokens: Sequence[AddedToken], names: SpecialNames) -> dict[str, Any]:
    """Return the file with tokens that other files add or name, as transformers adds them to the library's."""
    entries = {entry["content"]: entry for entry in document.get("added_tokens") or []}
    for token in sorted(tokens, key=lambda token: token.id):
        entries[token.content] = {"id": token.id, **token.to_dict()}
    ids = _ids(document["model"]) | {content: entry["id"] for content, entry in entries.items()}
    for name in names.additional_special_tokens:
        if name not in entries:
            index = ids.setdefault(name, max(ids.values()) + 1)
            entries[name] = {"id": index, **AddedToken(name, index, normalized=False, special=True).to_dict()}
    return {**document, "added_tokens": list(entries.values())} if entries else document


def _with_options(document: dict[str, Any], given: PieceOptions) -> dict[str, Any]:
    """Return the file with options in place of those that it specifies.

    Raises
    ------
    ParamError
        If `remove_space` is given.
    """
    if given.remove_space is not None:
        msg = (
            f"remove_space is {given.remove_space}, but the tokenizer.json of this model decides what happens to white "
            "space. Leave remove_space out."
        )
        raise ParamError(msg)
    if not given.stated:
        return document
    steps = _steps(document)
    current = _read_options(document)
    lower = current.do_lower_case if given.do_lower_case is None else given.do_lower_case
    keep = current.keep_accents if given.keep_accents is None else given.keep_accents
    if any(step["type"] == "BertNormalizer" for step in steps):
        # Without keep_accents, `strip_accents` stays: null means that accents are dropped if the text is lower-cased.
        changed = {"lowercase": lower} | ({} if given.keep_accents is None else {"strip_accents": not keep})
        unwanted = {"Lowercase"} if given.do_lower_case is False else set()
        unwanted |= {"StripAccents"} if given.keep_accents else set()
        steps = [
            step | changed if step["type"] == "BertNormalizer" else step
            for step in steps
            if step["type"] not in unwanted
        ]
    else:
        dropped = {"Lowercase", "NFKD", "StripAccents"}
        quotes = [step for step in steps if _is_quote_step(step)]
        others = [step for step in steps if step["type"] not in dropped and not _is_quote_step(step)]
        chosen = [] if keep else [{"type": "NFKD"}, {"type": "StripAccents"}]
        chosen += [{"type": "Lowercase"}] if lower else []
        steps = [*quotes, *chosen, *others]
    if (document.get("normalizer") or {}).get("type") == "BertNormalizer":
        return {**document, "normalizer": steps[0]}  # see `bert_normalizer`
    return {**document, "normalizer": {"type": "Sequence", "normalizers": steps}}


def _without_special_tokens(document: Mapping[str, Any], names: SpecialNames) -> str:
    """Return the file with special tokens under names that no text spells, and no more steps than encoding needs."""
    special = names.all()

    def renamed(name: str) -> str:
        return _UNSPELLABLE + name if name in special else name

    model = dict(document["model"])
    if isinstance(model["vocab"], list):
        model["vocab"] = [[renamed(entry[0]), *entry[1:]] for entry in model["vocab"]]
    else:
        model["vocab"] = {renamed(piece): index for piece, index in model["vocab"].items()}
    if model.get("unk_token"):
        model["unk_token"] = renamed(model["unk_token"])
    added = [
        token | {"content": renamed(token["content"]), "normalized": False} if token["content"] in special else token
        for token in document.get("added_tokens") or []
    ]
    kept = {name: document.get(name) for name in ("version", "normalizer", "pre_tokenizer")}
    return json.dumps({**kept, "model": model, "added_tokens": added, "post_processor": None, "decoder": None})


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
