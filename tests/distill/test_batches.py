import numpy as np
import pytest

from tests.distill.conftest import needs_torch

pytestmark = needs_torch


@pytest.fixture
def shard():
    return random_shard(300)


def random_shard(num_pieces):
    from sparkalbert.distill.targets import Shard

    random = np.random.default_rng(0)
    lengths = random.integers(3, 30, 400).astype(np.int32)
    counts = np.minimum(random.integers(1, 9, 400), lengths - 2).astype(np.int32)
    return Shard(
        ids=random.integers(5, num_pieces, lengths.sum()).astype(np.int32),
        lengths=lengths,
        first_pieces=np.concatenate([np.arange(1, 1 + count) for count in counts]).astype(np.int32),
        word_counts=counts,
        word_vectors=random.normal(size=(counts.sum(), 8)).astype(np.float16),
        sentences=random.normal(size=(400, 12)).astype(np.float16),
    )


def test_batches_contain_every_text_once_and_unchanged(shard):
    from sparkalbert.distill.batches import BatchOptions, batches_of

    options = BatchOptions(max_pieces=600, max_texts=50, short_repeats=0, repeated_share=0.0)
    rows = []
    for batch in batches_of(shard, options, np.random.default_rng(1)):
        assert batch.ids.numel() <= 600
        assert len(batch.ids) <= 50
        for index in range(len(batch.ids)):
            mine = batch.word_rows == index
            rows.append(
                (
                    batch.sentences[index].numpy().tobytes(),
                    batch.ids[index][batch.mask[index]].tolist(),
                    batch.word_positions[mine].tolist(),
                    batch.word_vectors[mine].numpy().tobytes(),
                )
            )
    pieces = np.split(shard.ids, np.cumsum(shard.lengths)[:-1])
    words = np.cumsum(shard.word_counts)[:-1]
    expected = [
        (
            sentence.astype(np.float32).tobytes(),
            ids.tolist(),
            positions.tolist(),
            vectors.astype(np.float32).tobytes(),
        )
        for sentence, ids, positions, vectors in zip(
            shard.sentences,
            pieces,
            np.split(shard.first_pieces, words),
            np.split(shard.word_vectors, words),
            strict=True,
        )
    ]
    assert sorted(rows) == sorted(expected)


def test_short_texts_are_repeated(shard):
    from sparkalbert.distill.batches import BatchOptions, batches_of

    short = int((shard.word_counts <= 2).sum())
    batches = batches_of(shard, BatchOptions(short_repeats=2, repeated_share=0.0), np.random.default_rng(1))
    assert sum(len(batch.ids) for batch in batches) == 400 + 2 * short
    assert short > 0


def test_texts_that_share_words_are_batched_together():
    from sparkalbert.distill.batches import BatchOptions, batches_of

    shard = random_shard(1000)
    plain = list(batches_of(shard, BatchOptions(1600, 768, 0, 0.0), np.random.default_rng(1)))
    batches = list(batches_of(shard, BatchOptions(1600, 768, 0, 0.5), np.random.default_rng(1)))
    assert len(batches) == len(plain) + round(len(plain) / 2) > len(plain)
    sharing = sorted(map(texts_per_word, batches), reverse=True)[: len(batches) - len(plain)]
    assert min(sharing) > max(map(texts_per_word, plain))
    for batch in batches:
        assert len(np.unique(batch.sentences.numpy(), axis=0)) == len(batch.ids), "no text twice"


def texts_per_word(batch):
    """Return the mean number of texts in which a word of the batch occurs."""
    pairs = {(int(row), int(piece)) for row, piece in zip(batch.word_rows, batch.word_pieces, strict=True)}
    return len(pairs) / len({piece for _, piece in pairs})


def test_without_shared_words_every_text_is_in_one_batch(shard):
    from dataclasses import replace

    from sparkalbert.distill.batches import BatchOptions, batches_of

    different = replace(shard, ids=np.arange(len(shard.ids), dtype=np.int32))
    batches = batches_of(different, BatchOptions(short_repeats=0), np.random.default_rng(1))
    assert sum(len(batch.ids) for batch in batches) == 400
