"""Trains a SentencePiece vocabulary with ALBERT's layout: the same special pieces at the same ids.

It is trained on words and weights, not on running text. A word's vector is that of its first piece, so whole
words are valuable pieces, more valuable than their frequency in the texts suggests.
"""

from __future__ import annotations

import io
import json
import math
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import sentencepiece
from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]

from sparkalbert.distill.work import whole_file
from sparkalbert.errors import InputError
from sparkalbert.text.pieces.normalization import NormalizationOptions, normalize

__all__ = ["count_words", "train_vocabulary", "word_weights"]

_CONTROL_SYMBOLS: Final = ["[CLS]", "[SEP]", "[MASK]"]
_USER_SYMBOLS: Final = ["(", ")", '"', "-", ".", "–", "£", "€"]  # noqa: RUF001 - ALBERT's own list
_REQUIRED: Final = "abcdefghijklmnopqrstuvwxyz0123456789,;:!?'&%/$*+=<>[]{}@#_"
_CHARACTER_COVERAGE: Final = 0.9999
_LAST_MARK: Final = 0x1FFFF
_MARKS: Final = "".join(
    character for character in map(chr, range(0x300, _LAST_MARK)) if unicodedata.category(character).startswith("M")
)
_WORD: Final = re.compile(f"[^\\W_](?:[^\\W_]|[{_MARKS}])*")
"""A word: letters and digits, and the marks that belong to them, which ``\\w`` does not match."""

_OPTIONS: Final = NormalizationOptions()
_MAX_WORDS: Final = 60_000
_MAX_PARTS: Final = 60_000
_MAX_PART_LENGTH: Final = 10
_COUNT_PER_WEIGHT: Final = 100
_TOO_HIGH: Final = "Vocabulary size too high"
_TOO_LOW: Final = "Vocabulary size is smaller than required_chars"


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Return how often each word occurs, after ALBERT's normalization.

    Examples
    --------
    >>> count_words(["Bread and butter", "bread"])["bread"]
    2
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_WORD.findall(normalize(text, _OPTIONS).text))
    return counts


def word_weights(texts: Iterable[str]) -> dict[str, float]:
    """Return the weight of each word in a vocabulary: the square root of its count."""
    return {word: math.sqrt(count) for word, count in count_words(texts).items()}


def train_vocabulary(weights: Mapping[str, float], folder: Path, size: int, seed: int = 0) -> Path:
    """Train a vocabulary and return the path of its ``spiece.model``; ``tokenizer_config.json`` is beside it.

    Ids 0 to 4 are ``<pad> <unk> [CLS] [SEP] [MASK]``, and 5 to 12 the user-defined symbols of ALBERT's own
    vocabulary.

    Parameters
    ----------
    weights
        The weight of each word, normalized by ALBERT's rule.
    folder
        The folder to write to.
    size
        Number of pieces, including special ones.
    seed
        Seed of SentencePiece.

    Raises
    ------
    InputError
        If there are too few words for that number of pieces, too few pieces for the characters of the words, or
        SentencePiece cannot be trained for another reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = sorted(weights, key=lambda word: (-weights[word], word))[:_MAX_WORDS]
    counts = {word: max(1, round(_COUNT_PER_WEIGHT * weights[word])) for word in words}
    sentencepiece.set_random_generator_seed(seed)
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _train(Path(scratch), counts, size, model)
        except RuntimeError as error:
            raise InputError(_problem(str(error), len(counts), size)) from error
    config = {"do_lower_case": True, "keep_accents": False, "model_max_length": 512, "remove_space": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    with whole_file(folder / "spiece.model") as path:
        path.write_bytes(_without_paths(model.getvalue()))
    return folder / "spiece.model"


def _problem(reason: str, num_words: int, size: int) -> str:
    """Return the message for an error of SentencePiece, which has one class for all of its errors."""
    reason = reason.strip().rstrip(".")
    if not num_words or _TOO_HIGH in reason:
        return (
            f"{num_words} words are not enough for a vocabulary of {size} pieces: {reason}. "
            "Add text, or request fewer pieces (vocab_size)."
        )
    if _TOO_LOW in reason:
        return (
            f"A vocabulary of {size} pieces is too small for the characters of {num_words} words: {reason}. "
            "Request more pieces (vocab_size)."
        )
    return f"SentencePiece cannot train a vocabulary of {size} pieces on {num_words} words: {reason}."


def _without_paths(model: bytes) -> bytes:
    """Return a model without the paths of the files it was trained on."""
    proto = ModelProto()
    proto.ParseFromString(model)
    proto.trainer_spec.ClearField("input")
    proto.trainer_spec.ClearField("seed_sentencepieces_file")
    without: bytes = proto.SerializeToString()
    return without


def _train(scratch: Path, counts: Mapping[str, int], size: int, model: io.BytesIO) -> None:
    sentencepiece.SentencePieceTrainer.train(
        input=_write_table(scratch / "words.tsv", counts),
        input_format="tsv",
        seed_sentencepieces_file=_write_table(scratch / "parts.tsv", _parts(counts, 2 * size)),
        model_writer=model,
        vocab_size=size,
        model_type="unigram",
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=_CONTROL_SYMBOLS,
        user_defined_symbols=_USER_SYMBOLS,
        required_chars=_REQUIRED,
        character_coverage=_CHARACTER_COVERAGE,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,  # sums of several threads differ in their last bits, and so would the pieces
        minloglevel=2,
    )


def _parts(counts: Mapping[str, int], num_whole_words: int) -> dict[str, int]:
    """Return the candidate pieces and their weights: frequent parts of words, and the first words as a whole.

    SentencePiece's own candidates leave out a word that no other word starts with.
    """
    found: Counter[str] = Counter()
    for word, count in counts.items():
        marked = f"▁{word}"
        for start in range(len(marked)):
            for stop in range(start + 2, min(len(marked), start + _MAX_PART_LENGTH) + 1):
                found[marked[start:stop]] += count
    parts = {part: count * len(part) for part, count in found.most_common(_MAX_PARTS)}
    for word in list(counts)[:num_whole_words]:
        parts[f"▁{word}"] = max(parts.get(f"▁{word}", 0), counts[word] * (len(word) + 1))
    return dict(sorted(parts.items(), key=lambda item: (-item[1], item[0])))


def _write_table(path: Path, counts: Mapping[str, int]) -> str:
    path.write_text("".join(f"{word}\t{count}\n" for word, count in counts.items()), encoding="utf-8")
    return str(path)
