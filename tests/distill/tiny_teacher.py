"""A random BERT with a vocabulary of letters: a teacher that takes milliseconds."""

import string
from functools import cache
from pathlib import Path

HIDDEN = 32


def write(folder: Path, seed: int = 0) -> Path:
    """Write it in Hugging Face's format; return the folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_letters()]
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizerFast(str(vocabulary)).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@cache
def _letters() -> tuple[str, ...]:
    characters = string.ascii_lowercase + string.digits + string.punctuation
    return (*characters, *(f"##{character}" for character in characters))
