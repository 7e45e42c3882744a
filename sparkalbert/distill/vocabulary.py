"""A SentencePiece vocabulary laid out as ALBERT's: the same special pieces at the same ids.

It is trained on words and their weights, not on running text: a word's vector is that of its first
piece, so a word that is one piece is worth much, and how often a text says a word is not what it is
worth. It knows nothing about models: weighted words in, ``spiece.model`` out.
"""

from __future__ import annotations

import io
import json
import math
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import sentencepiece
from sentencepiece.sentencepiece_model_pb2 import ModelProto  # type: ignore[attr-defined]

from sparkalbert.errors import InputError
from sparkalbert.text.normalization import NormalizationOptions, normalize

__all__ = ["count_words", "train_vocabulary", "word_weights"]

_CONTROL_SYMBOLS: Final = ["[CLS]", "[SEP]", "[MASK]"]
_USER_SYMBOLS: Final = ["(", ")", '"', "-", ".", "–", "£", "€"]  # noqa: RUF001 - ALBERT's own list
_REQUIRED: Final = "abcdefghijklmnopqrstuvwxyz0123456789,;:!?'&%/$*+=<>[]{}@#_"
_CHARACTER_COVERAGE: Final = 0.9999
_WORD: Final = re.compile(r"[^\W_]+")
_OPTIONS: Final = NormalizationOptions()
_MOST_WORDS: Final = 60_000
_MOST_PARTS: Final = 60_000
_LONGEST_PART: Final = 10
_SCALE: Final = 100


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Return how often each word is used, normalized by ALBERT's rule.

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
    """Return each word's weight in a vocabulary: the root of how often texts use it."""
    return {word: math.sqrt(count) for word, count in count_words(texts).items()}


def train_vocabulary(weights: Mapping[str, float], folder: Path, size: int, seed: int = 0) -> Path:
    """Return the path of the trained ``spiece.model``; ``tokenizer_config.json`` is written beside it.

    Ids 0-4 are ``<pad> <unk> [CLS] [SEP] [MASK]`` and 5-12 the user-defined symbols of ALBERT's own
    vocabulary.

    Parameters
    ----------
    weights
        Words, normalized by ALBERT's rule, and what each weighs.
    folder
        Where to write.
    size
        Number of pieces, special ones included.
    seed
        Of SentencePiece.

    Raises
    ------
    InputError
        When the words are too few for so many pieces.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "spiece.model"
    words = sorted(weights, key=lambda word: (-weights[word], word))[:_MOST_WORDS]
    counts = {word: max(1, round(_SCALE * weights[word])) for word in words}
    sentencepiece.set_random_generator_seed(seed)
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            _train(Path(scratch), counts, size, model)
        except RuntimeError as error:
            msg = (
                f"no vocabulary of {size} pieces can be made of {len(counts)} words: {error}. "
                "Please add text or ask for fewer pieces."
            )
            raise InputError(msg) from error
    path.write_bytes(_without_paths(model.getvalue()))
    config = {"do_lower_case": True, "keep_accents": False, "model_max_length": 512, "remove_space": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return path


def _without_paths(model: bytes) -> bytes:
    """Return a model that does not say in which files its words lay."""
    proto = ModelProto()
    proto.ParseFromString(model)
    proto.trainer_spec.ClearField("input")
    proto.trainer_spec.ClearField("seed_sentencepieces_file")
    without: bytes = proto.SerializeToString()
    return without


def _train(scratch: Path, counts: Mapping[str, int], size: int, model: io.BytesIO) -> None:
    sentencepiece.SentencePieceTrainer.train(
        input=_rows(scratch / "words.tsv", counts),
        input_format="tsv",
        seed_sentencepieces_file=_rows(scratch / "parts.tsv", _parts(counts, 2 * size)),
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


def _parts(counts: Mapping[str, int], whole_words: int) -> dict[str, int]:
    """Return the pieces to choose from: frequent parts of words, and the first words whole.

    SentencePiece's own choice leaves out a word that no other word begins with.
    """
    found: Counter[str] = Counter()
    for word, count in counts.items():
        marked = f"▁{word}"
        for start in range(len(marked)):
            for stop in range(start + 2, min(len(marked), start + _LONGEST_PART) + 1):
                found[marked[start:stop]] += count
    parts = {part: count * len(part) for part, count in found.most_common(_MOST_PARTS)}
    for word in list(counts)[:whole_words]:
        parts[f"▁{word}"] = max(parts.get(f"▁{word}", 0), counts[word] * (len(word) + 1))
    return dict(sorted(parts.items(), key=lambda item: (-item[1], item[0])))


def _rows(path: Path, counts: Mapping[str, int]) -> str:
    path.write_text("".join(f"{word}\t{count}\n" for word, count in counts.items()), encoding="utf-8")
    return str(path)
