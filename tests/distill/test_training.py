import numpy as np
import pytest

from tests.distill.conftest import needs_torch

pytestmark = needs_torch


@pytest.fixture
def shard():
    from sparkalbert.distill.targets import Shard

    random = np.random.default_rng(0)
    lengths = random.integers(3, 30, 400).astype(np.int32)
    counts = np.minimum(random.integers(1, 9, 400), lengths - 2).astype(np.int32)
    return Shard(
        ids=random.integers(5, 300, lengths.sum()).astype(np.int32),
        lengths=lengths,
        first_pieces=np.concatenate([np.arange(1, 1 + count) for count in counts]).astype(np.int32),
        word_counts=counts,
        word_vectors=random.normal(size=(counts.sum(), 8)).astype(np.float16),
        sentences=random.normal(size=(400, 12)).astype(np.float16),
    )


def test_batches_hold_every_text_once_and_unchanged(shard):
    from sparkalbert.distill.training import TrainingOptions, batches_of

    options = TrainingOptions(batch_pieces=600, batch_texts=50, short_repeats=0)
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
                    batch.word_places[mine].tolist(),
                    batch.word_vectors[mine].numpy().tobytes(),
                )
            )
    pieces = np.split(shard.ids, np.cumsum(shard.lengths)[:-1])
    words = np.cumsum(shard.word_counts)[:-1]
    expected = [
        (
            sentence.astype(np.float32).tobytes(),
            ids.tolist(),
            places.tolist(),
            vectors.astype(np.float32).tobytes(),
        )
        for sentence, ids, places, vectors in zip(
            shard.sentences,
            pieces,
            np.split(shard.first_pieces, words),
            np.split(shard.word_vectors, words),
            strict=True,
        )
    ]
    assert sorted(rows) == sorted(expected)


def test_short_texts_come_again(shard):
    from sparkalbert.distill.training import TrainingOptions, batches_of

    short = int((shard.word_counts <= 2).sum())
    batches = batches_of(shard, TrainingOptions(short_repeats=2), np.random.default_rng(1))
    assert sum(len(batch.ids) for batch in batches) == 400 + 2 * short
    assert short > 0


def test_half_of_the_sampled_words_repeat():
    import torch

    from sparkalbert.distill.training import sample_words

    torch.manual_seed(0)
    # Kind 0 is everywhere, kinds 1 to 40 occur three times, the others once.
    pieces = torch.cat([torch.zeros(500), torch.arange(1, 41).repeat(3), torch.arange(41, 300)]).long()
    sample = sample_words(pieces, 200)
    assert len(set(sample.tolist())) == 200
    kinds, counts = torch.unique(pieces[sample[:100]], return_counts=True)
    assert kinds.min() >= 1
    assert kinds.max() <= 40
    assert (counts == 3).sum() >= 33
    assert sorted(sample_words(pieces[:7], 200).tolist()) == list(range(7))


def test_a_shard_survives_the_disk(shard, tmp_path):
    from sparkalbert.distill.targets import Shard

    shard.save(tmp_path / "shard-00000.npz")
    loaded = Shard.load(tmp_path / "shard-00000.npz")
    for name in Shard.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(shard, name))
    assert [path.name for path in tmp_path.iterdir()] == ["shard-00000.npz"]


def test_a_student_that_says_what_it_was_told_has_no_loss():
    import torch

    from sparkalbert.distill.training import Batch, losses

    told = torch.nn.functional.normalize(torch.randn(6, 8, generator=torch.manual_seed(0)), dim=1)
    rows = torch.tensor([0, 0, 1, 2, 2, 2])
    means = torch.stack([told[rows == row].mean(dim=0) for row in range(3)])
    batch = Batch(
        ids=torch.zeros(3, 1, dtype=torch.int64),
        mask=torch.ones(3, 1, dtype=torch.bool),
        word_rows=rows,
        word_places=torch.zeros(6, dtype=torch.int64),
        word_pieces=torch.tensor([7, 8, 7, 9, 8, 7]),
        word_vectors=told,
        sentences=means,
    )
    parts = losses(told, batch, torch.eye(8), torch.arange(6))
    assert set(parts) == {"word", "text", "word_similarity", "same_word", "text_similarity"}
    for value in parts.values():
        assert value.item() == pytest.approx(0, abs=1e-6)
    worse = losses(told.flip(0), batch, torch.eye(8), torch.arange(6))
    assert all(value.item() > 0.01 for value in worse.values())


def test_the_projection_keeps_cosines(teacher_folder):
    import torch

    from sparkalbert.distill.targets import fit_projection
    from sparkalbert.distill.teacher import Teacher

    teacher = Teacher(teacher_folder, torch.device("cpu"))
    texts = [f"text number {index} of this test" for index in range(60)]
    projection = fit_projection(teacher, texts, 32)
    vectors = teacher.embed(texts)
    turned = vectors @ projection
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-4)
    narrower = vectors @ fit_projection(teacher, texts, 20)
    assert np.abs(narrower @ narrower.T - vectors @ vectors.T).max() < 0.2
