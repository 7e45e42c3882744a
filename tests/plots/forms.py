"""The same two sentences with vectors in the forms in which sparkalbert returns them."""

import numpy as np
import pandas as pd
import pyarrow as pa

from sparkalbert import EmbeddedText

SENTENCES = ["A  bank, by the river.", "It's wide."]
REBUILT = ["A bank, by the river.", "It's wide."]
TOKENS = ["A", "bank", ",", "by", "the", "river", ".", "It's", "wide", "."]
STARTS = [0, 2, 6, 8, 11, 15, 20, 0, 5, 9]
VECTORS = np.arange(30, dtype=np.float32).reshape(10, 3) / 7


def embedded():
    """One text of both sentences: its spans are those in ``" ".join(SENTENCES)``."""
    text, spans, position = " ".join(SENTENCES), [], 0
    for token in TOKENS:
        position = text.index(token, position)
        spans.append((position, position + len(token)))
        position += len(token)
    start, stop = map(list, zip(*spans, strict=True))
    return EmbeddedText(TOKENS, start, stop, [0] * 7 + [1] * 3, VECTORS)


def wide(**columns):
    text = embedded()
    inclusive = [stop - 1 for stop in text.stop]
    vectors = list(VECTORS)
    found = {"id": "one", "text": " ".join(SENTENCES), "tokens": TOKENS, "begin": text.start, "end": inclusive}
    return pd.DataFrame({name: [value] for name, value in {**found, "vectors": vectors, **columns}.items()})


def annotations(**changes):
    text = embedded()
    return [
        {
            "annotatorType": "word_embeddings",
            "begin": begin,
            "end": stop - 1,
            "result": token,
            "metadata": {"sentence": str(sentence)},
            "embeddings": vector,
            **changes,
        }
        for token, begin, stop, sentence, vector in zip(
            TOKENS, text.start, text.stop, text.sentence, VECTORS.tolist(), strict=True
        )
    ]


def nlu():
    frame = pd.DataFrame({"token": TOKENS, "word_embedding_albert": list(VECTORS)}, index=[4] * 7 + [9] * 3)
    return frame.assign(label="kept")


FORMS = {
    "EmbeddedText": embedded(),
    "a list of it": [embedded()],
    "its pandas frame": embedded().to_pandas(),
    "embed": wide(),
    "embed, lists": wide(vectors=VECTORS.tolist()),
    "annotations": pd.DataFrame(
        {"document": [[{"result": "x", "embeddings": []}]], "embeddings": [annotations()], "text": ["x"]}
    ),
    "Arrow": pa.table({"text": ["x"], "embeddings": [annotations(metadata=[("sentence", "0")])[:7]
                       + annotations(metadata=[("sentence", "1")])[7:]]}),
}  # fmt: skip
