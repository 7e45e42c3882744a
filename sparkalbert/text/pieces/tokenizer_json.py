"""Reads and edits what a ``tokenizer.json`` specifies, without the ``tokenizers`` library.

A document is the object in such a file. Functions that edit a document return a new one; those with json in their name
return the text of a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sparkalbert.errors import CheckpointError, ParamError
from sparkalbert.text.pieces.normalization import NormalizationOptions
from sparkalbert.text.pieces.options import PieceOptions
from sparkalbert.text.pieces.special_tokens import MAX_TOKENS, AddedToken, SpecialNames, is_token_id

__all__ = [
    "CONTINUATION",
    "UNSPELLABLE",
    "ids_around",
    "json_without_special_tokens",
    "parse_document",
    "read_options",
    "token_document",
    "unknown_id",
    "vocabulary_ids",
    "with_added_tokens",
    "with_bert_normalizer",
    "with_options",
    "wordpiece_json",
]

UNSPELLABLE: Final = "\U0010fffe\U0010ffff"
"""Two noncharacters before the name of a special token keep texts that spell the name from getting its id."""

CONTINUATION: Final = "##"
"""The prefix of a WordPiece piece that continues a word."""

_QUOTE: Final = "``"


def parse_document(text: str | bytes, source: str) -> dict[str, Any]:
    """Return the document in the bytes or text of a file, whose model states its type.

    Raises
    ------
    CheckpointError
        If it is not a document, has no vocabulary, has an id that is not plausible or draws pieces at random.
    """
    try:
        document = json.loads(text)
        model = document["model"]
        vocab = model["vocab"]
        kind = model.get("type") or _model_type(model)
        _check_entries(vocabulary_ids(model))
        _check_entries({token["content"]: token["id"] for token in document.get("added_tokens") or []})
        _unk_id({**model, "type": kind}, {})
        read_options(document)
        (document.get("post_processor") or {}).get("type")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError, OverflowError) as error:
        msg = f"{source} is not a tokenizer.json ({type(error).__name__}: {error}). Copy the file again."
        raise CheckpointError(msg) from error
    if not vocab or not isinstance(vocab, (list, dict)):
        msg = f"{source} has no vocabulary. Copy the file again."
        raise CheckpointError(msg)
    if model.get("dropout"):
        msg = (
            f"Expected a tokenizer that gives a text the same pieces each time, but {source} draws them at random "
            f"(dropout is {model['dropout']!r:.200} in its model), which is for training. Set it to null in the file."
        )
        raise CheckpointError(msg)
    return {**document, "model": {**model, "type": kind}}


def vocabulary_ids(model: Mapping[str, Any]) -> dict[str, int]:
    """Return the id of each piece of a document's model, without added tokens."""
    vocab = model["vocab"]
    if isinstance(vocab, list):
        return {entry[0]: index for index, entry in enumerate(vocab)}
    return dict(vocab)


def unknown_id(model: Mapping[str, Any], ids: Mapping[str, int], source: str) -> int:
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


def ids_around(processor: Mapping[str, Any] | None, source: str) -> tuple[int, int] | None:
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


def read_options(document: Mapping[str, Any]) -> NormalizationOptions:
    """Return the normalization of a document, as far as these options can express it."""
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


def with_bert_normalizer(document: dict[str, Any], keys: Mapping[str, bool | None]) -> dict[str, Any]:
    """Return the document with keys of BERT's normalizer replaced, if it has no other step."""
    step = document.get("normalizer")
    if not isinstance(step, dict) or step["type"] != "BertNormalizer":
        return document
    return {**document, "normalizer": {**step, **keys}}


def with_added_tokens(document: dict[str, Any], tokens: Sequence[AddedToken], names: SpecialNames) -> dict[str, Any]:
    """Return the document with tokens that other files add or name, as transformers adds them to the library's."""
    entries = {entry["content"]: entry for entry in document.get("added_tokens") or []}
    for token in sorted(tokens, key=lambda token: token.id):
        entries[token.content] = {"id": token.id, **token.to_dict()}
    ids = vocabulary_ids(document["model"]) | {content: entry["id"] for content, entry in entries.items()}
    for name in names.additional_special_tokens:
        if name not in entries:
            index = ids.setdefault(name, max(ids.values()) + 1)
            entries[name] = {"id": index, **AddedToken(name, index, normalized=False, special=True).to_dict()}
    return {**document, "added_tokens": list(entries.values())} if entries else document


def with_options(document: dict[str, Any], given: PieceOptions) -> dict[str, Any]:
    """Return the document with options in place of those that it specifies.

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
    current = read_options(document)
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
        # Not a sequence: TokenizerProgram.bert_normalizer recognizes a single step.
        return {**document, "normalizer": steps[0]}
    return {**document, "normalizer": {"type": "Sequence", "normalizers": steps}}


def token_document(document: dict[str, Any], options: PieceOptions) -> dict[str, Any]:
    """Return the document for tokens on their own: with other options, without the quote step and added tokens."""
    changed = with_options(document, options)
    steps = [step for step in _steps(changed) if not _is_quote_step(step)]
    return {**changed, "normalizer": {"type": "Sequence", "normalizers": steps}, "added_tokens": []}


def json_without_special_tokens(document: Mapping[str, Any], names: SpecialNames) -> str:
    """Return the file with special tokens under names that no text spells, and no more steps than encoding needs."""
    special = names.all()

    def renamed(name: str) -> str:
        return UNSPELLABLE + name if name in special else name

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


def wordpiece_json(
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
            "continuing_subword_prefix": CONTINUATION,
            "max_input_chars_per_word": 100,
            "vocab": {piece: index for index, piece in enumerate(pieces)},
        },
    }
    return json.dumps(document, ensure_ascii=False)


def _model_type(model: Mapping[str, Any]) -> str:
    """Return the type of a model in files that do not state it."""
    if isinstance(model["vocab"], list):
        return "Unigram"
    return "BPE" if "merges" in model else "WordPiece"


def _check_entries(ids: Mapping[Any, Any]) -> None:
    """Check the ids of tokens by their contents, before memory for each id is needed."""
    for content, index in ids.items():
        if not isinstance(content, str):
            msg = f"the token with the id {index!r:.200} has the content {content!r:.200}, expected a string"
            raise ValueError(msg)  # noqa: TRY004 - of a file, which is broken
        if not is_token_id(index):
            msg = (
                f"the token {content!r:.200} has the id {index!r:.200}, expected an integer from 0 to "
                f"{MAX_TOKENS - 1:,}"
            )
            raise ValueError(msg)


def _unk_id(model: Mapping[str, Any], ids: Mapping[str, int]) -> int:
    if model["type"] == "Unigram":
        unk_id = model.get("unk_id")
        return -1 if unk_id is None else int(unk_id)
    return ids.get(model.get("unk_token") or "", -1)


def _checked_id(index: Any) -> int:
    """Return an id of a special token, before memory for it is needed."""
    if not is_token_id(index):
        raise ValueError  # replaced by the message of ids_around
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
