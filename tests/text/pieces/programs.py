"""Files of tokenizers to change and to load."""

import json

from sparkalbert.text.pieces.tokenizer import PieceTokenizer
from tests.recorded.tokenizer_folders import FOLDER, WORD_PIECES

UNIGRAM = FOLDER / "unigram4"


def document(**changes):
    return {**json.loads((UNIGRAM / "tokenizer.json").read_text(encoding="utf-8")), **changes}


def load(folder, values, **given):
    (folder / "tokenizer.json").write_text(json.dumps(values), encoding="utf-8")
    return PieceTokenizer.load(folder, **given)


def bert_document(folder, name="cased words", **normalizer):
    """Return the tokenizer.json of a folder of word pieces, with keys of its normalizer replaced."""
    WORD_PIECES[name](folder)
    values = json.loads(PieceTokenizer.load(folder)._encoder.serialized())
    (folder / "tokenizer_config.json").unlink()
    return {**values, "normalizer": {**values["normalizer"], **normalizer}}
