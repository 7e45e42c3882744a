"""Records how Hugging Face's classes tokenize with the files of a folder: python -m tests.recorded.record_tokenizers

The folders are those of ``tokenizer_folders.py``. It runs by hand from the project's root, in two environments of its
own: ``pip install "transformers==4.57.1" sentencepiece protobuf`` records the slow ``AlbertTokenizer`` and a
``tokenizer.json`` that ``AlbertTokenizerFast`` wrote; ``pip install "transformers==5.23.0"`` records ``BertTokenizer``
and a ``tokenizer.json`` that ``AlbertTokenizer`` wrote.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.recorded.tokenizer_folders import FOLDER, SENTENCE_PIECES, WORD_PIECES, texts


def ids(tokenizer: Any) -> list[list[int]]:
    """Return the ids of each text, without the special tokens around it."""
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts()]


def small_vocabulary() -> bytes:
    """Return a SentencePiece model without a table of normalizations, so that the files made from it are small."""
    import sentencepiece

    from tests import tiny_vocabulary

    model = io.BytesIO()
    lines = [*tiny_vocabulary.TEXT.lower().strip().splitlines(), "café naïve straße 日本語 한글 ωμεγα"]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(2 * lines), model_writer=model, vocab_size=330, hard_vocab_limit=False,
        normalization_rule_name="identity", character_coverage=1.0, pad_id=0, unk_id=1, bos_id=-1, eos_id=-1,
        pad_piece="<pad>", unk_piece="<unk>", control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        user_defined_symbols=["(", ")", "-", "."], num_threads=1, minloglevel=3,
    )  # fmt: skip
    return model.getvalue()


def main() -> None:
    """Write transformers4.json or transformers5.json, and the tokenizer.json of that version in a folder beside it."""
    import transformers

    is_4 = transformers.__version__.startswith("4.")
    version = transformers.__version__.partition(".")[0]
    albert = transformers.AlbertTokenizer
    found: dict[str, list[list[int]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, write in (SENTENCE_PIECES if is_4 else WORD_PIECES).items():
            folder = Path(scratch) / name
            folder.mkdir()
            write(folder)
            (folder / "config.json").write_text('{"model_type": "albert"}', encoding="utf-8")
            found[name] = ids((albert if is_4 else transformers.BertTokenizer).from_pretrained(folder))
        source = Path(scratch) / "source"
        source.mkdir()
        (source / "spiece.model").write_bytes(small_vocabulary())
        fast = transformers.AlbertTokenizerFast if is_4 else albert
        saved = Path(scratch) / "saved"
        fast.from_pretrained(source).save_pretrained(saved)
        (saved / "spiece.model").unlink(missing_ok=True)
        target = FOLDER / f"unigram{version}"
        target.mkdir(parents=True, exist_ok=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(saved / name, target / name)
        found["unigram"] = ids(fast.from_pretrained(target))
    lines = [
        {"text": text, **{name: rows[index] for name, rows in found.items()}} for index, text in enumerate(texts())
    ]
    with (FOLDER / f"transformers{version}.jsonl").open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(f"{json.dumps(line, ensure_ascii=False, separators=(',', ':'))}\n")


if __name__ == "__main__":
    sys.exit(main())
