import pytest

from tests.distill.conftest import needs_torch

pytestmark = needs_torch


def test_half_of_the_sampled_words_are_repeated_words():
    import torch

    from sparkalbert.distill.losses import sample_words

    torch.manual_seed(0)
    # Piece 0 occurs 500 times, pieces 1 to 40 three times, the others once.
    pieces = torch.cat([torch.zeros(500), torch.arange(1, 41).repeat(3), torch.arange(41, 300)]).long()
    sample = sample_words(pieces, 200)
    assert len(set(sample.tolist())) == 200
    kinds, counts = torch.unique(pieces[sample[:100]], return_counts=True)
    assert kinds.min() >= 1
    assert kinds.max() <= 40
    assert (counts == 3).sum() >= 33
    assert sorted(sample_words(pieces[:7], 200).tolist()) == list(range(7))


def test_a_student_equal_to_the_target_has_no_loss():
    import torch

    from sparkalbert.distill.batches import Batch
    from sparkalbert.distill.losses import losses

    target = torch.nn.functional.normalize(torch.randn(6, 8, generator=torch.manual_seed(0)), dim=1)
    rows = torch.tensor([0, 0, 1, 2, 2, 2])
    means = torch.stack([target[rows == row].mean(dim=0) for row in range(3)])
    batch = Batch(
        ids=torch.zeros(3, 1, dtype=torch.int64),
        mask=torch.ones(3, 1, dtype=torch.bool),
        word_rows=rows,
        word_positions=torch.zeros(6, dtype=torch.int64),
        word_pieces=torch.tensor([7, 8, 7, 9, 8, 7]),
        word_vectors=target,
        sentences=means,
    )
    parts = losses(target, batch, torch.eye(8), torch.arange(6))
    assert set(parts) == {"word", "text", "word_similarity", "same_word", "context", "text_similarity"}
    for value in parts.values():
        assert value.item() == pytest.approx(0, abs=1e-6)
    worse = losses(target.flip(0), batch, torch.eye(8), torch.arange(6))
    assert all(value.item() > 0.01 for value in worse.values())


def test_the_context_error_ignores_what_all_occurrences_of_a_word_have_in_common():
    import torch

    from sparkalbert.distill.losses import _context_error

    torch.manual_seed(0)
    target = torch.nn.functional.normalize(torch.randn(12, 8), dim=1)
    pieces = torch.arange(12) % 4
    moved = target + 3 * torch.nn.functional.normalize(torch.randn(4, 8), dim=1)[pieces]
    assert _context_error(target, target, pieces).item() == pytest.approx(0, abs=1e-6)
    assert _context_error(torch.randn(12, 8), target, pieces).item() > 0.5
    assert _context_error(moved, target, pieces).item() < 0.1, "a shift of all occurrences does not count"
    assert _context_error(target, target.flip(0), torch.arange(12)).item() == 0, "no word occurs twice"
