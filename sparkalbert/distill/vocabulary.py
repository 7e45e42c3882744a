"""A SentencePiece vocabulary laid out as ALBERT's: the same special pieces at the same ids.

It knows nothing about models: texts in, ``spiece.model`` out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import sentencepiece

from sparkalbert.text.normalization import NormalizationOptions, normalize

__all__ = ["train_vocabulary"]

_CONTROL_SYMBOLS: Final = ["[CLS]", "[SEP]", "[MASK]"]
_USER_SYMBOLS: Final = ["(", ")", '"', "-", ".", "–", "£", "€"]  # noqa: RUF001 - ALBERT's own list
_CHARACTER_COVERAGE: Final = 0.9999


def train_vocabulary(texts: Iterable[str], folder: Path, size: int, seed: int = 0) -> Path:
    """Return the path of the trained ``spiece.model``; ``tokenizer_config.json`` is written beside it.

    Ids 0-4 are ``<pad> <unk> [CLS] [SEP] [MASK]`` and 5-12 the user-defined symbols of ALBERT's own
    vocabulary; pieces are trained on text normalized by ALBERT's rule.

    Parameters
    ----------
    texts
        What to train on.
    folder
        Where to write.
    size
        Number of pieces, special ones included.
    seed
        Decides which sentences are sampled.
    """
    options = NormalizationOptions()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "spiece.model"
    sentencepiece.set_random_generator_seed(seed)
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(normalize(text, options).text for text in texts),
            model_writer=file,
            vocab_size=size,
            model_type="unigram",
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            control_symbols=_CONTROL_SYMBOLS,
            user_defined_symbols=_USER_SYMBOLS,
            character_coverage=_CHARACTER_COVERAGE,
            normalization_rule_name="nmt_nfkc",
            num_threads=2,
            minloglevel=2,
        )
    config = {"do_lower_case": True, "keep_accents": False, "model_max_length": 512, "remove_space": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return path
