from sparkalbert import WordEmbedder
from sparkalbert.inference.sequences import encode_texts
from sparkalbert.timings import TIMINGS
from tests import tiny_bundle

TEXTS = ["The river was high. Snow fell.", "", "He counted. " * 3, " ".join(["word"] * 150), "\u200b"]


def test_the_pieces_are_those_that_the_embedder_computes():
    """Without the sequences that occur again, which the embedder computes once."""
    encoded = encode_texts(tiny_bundle.bundle(), TEXTS)
    embedder = WordEmbedder(tiny_bundle.bundle())
    before = TIMINGS.pieces
    results = embedder.embed(TEXTS)
    assert encoded.words == [len(result) for result in results] == [8, 0, 9, 150, 1]
    distinct = {sequence.tobytes(): len(sequence) for sequence in encoded.sequences}
    assert sum(distinct.values()) == TIMINGS.pieces - before
    assert max(distinct.values()) == 128
    repeated = encoded.pieces - sum(distinct.values())
    assert encoded.repeated_share == repeated / encoded.pieces > 0


def test_without_texts_there_is_nothing_to_compute():
    encoded = encode_texts(tiny_bundle.bundle(), [])
    assert (encoded.pieces, encoded.words, encoded.repeated_share) == (0, [], 0)
