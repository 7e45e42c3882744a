"""Records what the slow AlbertTokenizer of transformers 4 makes of texts: python -m tests.recorded.record_token_ids

It runs by hand in an environment of its own (``pip install "transformers==4.57.1" sentencepiece``), from the project's
root. See README.md for the file that it writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.peers import random_texts
from tests.recorded.texts import SEED, all_texts

FOLDER = Path(__file__).with_name("albert")
NUM_RANDOM = 60
OPTIONS: dict[str, dict[str, bool]] = {
    "ids": {},
    "cased_ids": {"do_lower_case": False, "keep_accents": True},
    "spaced_ids": {"remove_space": False},
}
# Texts in which pieces end in a digit and a comma, and spaces that `remove_space` changes.
MORE_TEXTS = [
    "In 1999, 2000, and 2001, 9,000, 17,000, and 1,234,567, boxes: 9, 19, 29.",
    "a 1, b 2,c 3 ,4, 5,, 6,. (7,) \"8,\" '9,'",
    "''quoted'' ``quoted`` '''x''' ''' `` '' \"",
    "  two  spaces\tand\u00a0\u3000more \n\n ",
    "²9, ٣, ½, ①, ㈠ ﬁ… … ‥ Å ǆ Ǆ",
    "[CLS] [SEP] [MASK] <pad> <unk> [cls] ▁ ▁a",
]


def main() -> None:
    """Write token_ids.jsonl: the ids of each text without special pieces, for each of OPTIONS."""
    from transformers import AlbertTokenizer

    made = [*random_texts.texts(NUM_RANDOM, SEED + 1), *random_texts.prose(NUM_RANDOM // 2, SEED + 1)]
    tokenizers: dict[str, Any] = {
        name: AlbertTokenizer(str(FOLDER / "spiece.model"), **options) for name, options in OPTIONS.items()
    }
    with (FOLDER / "token_ids.jsonl").open("w", encoding="utf-8") as lines:
        for text in [*all_texts().values(), *MORE_TEXTS, *made]:
            row = {"text": text}
            for name, tokenizer in tokenizers.items():
                # Not encode(), which looks for special pieces in the text first.
                row[name] = tokenizer.convert_tokens_to_ids(tokenizer._tokenize(text))
            lines.write(f"{json.dumps(row, ensure_ascii=False, separators=(',', ':'))}\n")


if __name__ == "__main__":
    sys.exit(main())
