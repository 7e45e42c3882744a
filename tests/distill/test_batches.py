import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.distill.conftest import needs_torch

pytestmark = needs_torch

NUM_TEXTS = 400


@pytest.fixture
def texts():
    return random_texts(300)


def random_texts(num_chunks):
    """Return texts of chunks of one word; word ``i`` is piece ``5 + i`` and, for the teacher, two pieces."""
    from sparkalbert.distill.encoded import EncodedTexts

    random = np.random.default_rng(0)
    lengths = random.integers(1, 12, NUM_TEXTS)
    ones, pieces = np.ones(num_chunks), np.arange(num_chunks) + 5
    arrays = {
        "special": [2, 3, 101, 102],
        "ids": np.stack([pieces, np.full(num_chunks, 4)], axis=1).ravel()[: 2 * num_chunks],
        "counts": 2 * ones,
        "teacher_ids": np.repeat(pieces, 2),
        "teacher_counts": 2 * ones,
        "first_pieces": 0 * ones,
        "teacher_starts": 0 * ones,
        "teacher_stops": 2 * ones,
        "word_counts": ones,
        "chunks": random.integers(0, num_chunks, lengths.sum()),
        "chunk_counts": lengths,
    }
    return EncodedTexts(**{name: np.asarray(values, dtype=np.int32) for name, values in arrays.items()})


def epoch(texts, **options):
    from sparkalbert.distill.batches import Batches, BatchOptions

    chosen = BatchOptions(**{"short_repeats": 0, "repeated_share": 0.0} | options)
    return list(Batches(texts, chosen).epoch(1))


def words_of(batch):
    """Return the chunks of each text."""
    return [(batch.word_pieces[batch.word_rows == row] - 5).tolist() for row in range(len(batch.ids))]


def all_words(texts):
    return [chunks.tolist() for chunks in np.split(texts.chunks, np.cumsum(texts.chunk_counts)[:-1])]


def test_batches_contain_every_text_once_and_unchanged(texts):
    found = []
    for batch in epoch(texts, max_pieces=400, max_texts=40):
        assert batch.mask.sum(dim=1).max() * len(batch.ids) <= 400 or len(batch.ids) == 1
        assert len(batch.ids) <= 40
        found += words_of(batch)
        for row, words in enumerate(words_of(batch)):
            ids = [piece for word in words for piece in (5 + word, 4)]
            assert batch.ids[row][batch.mask[row]].tolist() == [2, *ids, 3]
            teacher_ids = [5 + word for word in words for _ in range(2)]
            assert batch.teacher_ids[row][batch.teacher_mask[row]].tolist() == [101, *teacher_ids, 102]
            mine = batch.word_rows == row
            starts = [1 + 2 * index for index in range(len(words))]
            assert batch.word_positions[mine].tolist() == starts
            assert batch.teacher_starts[mine].tolist() == starts
            assert batch.teacher_stops[mine].tolist() == [start + 2 for start in starts]
    assert sorted(found) == sorted(all_words(texts))


def test_short_texts_are_repeated(texts):
    short = sum(len(words) <= 2 for words in all_words(texts))
    assert short > 0
    assert sum(len(batch.ids) for batch in epoch(texts, short_repeats=2)) == NUM_TEXTS + 2 * short


def test_texts_that_share_words_are_batched_together():
    texts = random_texts(1000)
    plain = epoch(texts, max_pieces=320)
    batches = epoch(texts, max_pieces=320, repeated_share=0.5)
    assert len(batches) == len(plain) + round(len(plain) / 2) > len(plain)
    sharing = sorted(map(most_texts_of_a_word, batches), reverse=True)[: len(batches) - len(plain)]
    assert np.mean(sharing) > 2 * np.mean(list(map(most_texts_of_a_word, plain)))
    for batch in batches:
        rows = {tuple(words) for words in words_of(batch)}
        assert len(rows) == len(batch.ids), "no text twice"


def most_texts_of_a_word(batch):
    return max(Counter(word for words in words_of(batch) for word in set(words)).values())


def test_without_shared_words_every_text_is_in_one_batch():
    texts = random_texts(NUM_TEXTS * 12)
    texts.chunks[:] = np.arange(len(texts.chunks))
    assert sum(len(batch.ids) for batch in epoch(texts, repeated_share=0.5)) == NUM_TEXTS


def test_a_share_of_the_texts_is_cut_or_has_other_chunks(texts):
    unchanged = {tuple(words) for words in all_words(texts)}
    pairs = {pair for words in unchanged for pair in itertools.pairwise(words)}
    found = [tuple(words) for batch in epoch(texts, changed_share=0.6) for words in words_of(batch)]
    assert len(found) == NUM_TEXTS
    assert min(map(len, found)) >= 1, "a text that is cut keeps a word"
    changed = [words for words in found if words not in unchanged]
    cut = [words for words in changed if set(itertools.pairwise(words)) <= pairs]
    assert 0.3 * NUM_TEXTS < len(changed) < 0.6 * NUM_TEXTS
    assert 0.3 * len(changed) < len(cut) < 0.7 * len(changed)
    assert sum(map(len, found)) < len(texts.chunks)


@pytest.mark.parametrize("model", ["counts", "teacher_counts"])
def test_chunks_of_many_pieces_are_not_exchanged_for_others(texts, model):
    """A chunk that the student does not know is one piece of it, but may be a hundred of the teacher's."""
    getattr(texts, model)[10:] = 4
    starts = {"counts": "ids", "teacher_counts": "teacher_ids"}
    pieces = np.repeat(np.arange(300) + 5, getattr(texts, model))
    texts = replace(texts, **{starts[model]: pieces.astype(np.int32)})
    before = Counter(word for words in all_words(texts) for word in words)
    options = {"changed_share": 1.0, "exchanged_share": 1.0}
    after = Counter(word for batch in epoch(texts, **options) for words in words_of(batch) for word in words)
    assert sum(after[word] for word in range(10)) > 5 * sum(before[word] for word in range(10))
    assert all(after[word] <= before[word] for word in range(10, 300))


def test_without_a_chunk_of_few_pieces_nothing_is_exchanged(texts):
    texts.teacher_counts[:] = 4
    texts = replace(texts, teacher_ids=np.repeat(np.arange(300) + 5, 4).astype(np.int32))
    unchanged = {tuple(words) for words in all_words(texts)}
    pairs = {pair for words in unchanged for pair in itertools.pairwise(words)}
    found = [tuple(words) for batch in epoch(texts, changed_share=1.0) for words in words_of(batch)]
    assert len(found) == NUM_TEXTS
    assert all(set(itertools.pairwise(words)) <= pairs for words in found), "texts are cut only"


def test_the_largest_width_of_a_batch_is_known():
    from sparkalbert.distill.batches import BatchOptions

    assert BatchOptions().max_text_pieces == 160
    assert BatchOptions(changed_share=0.1).max_text_pieces == 480


def test_workers_assemble_the_same_batches(texts):
    from sparkalbert.distill.batches import Batches, BatchOptions

    batches = Batches(texts, BatchOptions(max_pieces=400, changed_share=0.5))
    number = len(batches.groups(1, 0)) + 2
    alone = itertools.islice(batches.stream(1), number)
    together = itertools.islice(batches.stream(1, workers=2), number)
    for first, second in zip(alone, together, strict=True):
        assert first.ids.equal(second.ids)
        assert first.sample.equal(second.sample)


def test_half_of_the_sampled_words_are_repeated_words():
    from sparkalbert.distill.batches import sample_words

    # Piece 0 occurs 500 times, pieces 1 to 40 three times, the others once.
    pieces = np.concatenate([np.zeros(500), np.repeat(np.arange(1, 41), 3), np.arange(41, 300)]).astype(np.int64)
    sample = sample_words(pieces, 200, np.random.default_rng(0))
    assert len(set(sample.tolist())) == 200
    kinds, counts = np.unique(pieces[sample[:100]], return_counts=True)
    assert kinds.min() >= 1
    assert kinds.max() <= 40
    assert (counts == 3).sum() >= 33
    assert sorted(sample_words(pieces[:7], 200, np.random.default_rng(0)).tolist()) == list(range(7))
