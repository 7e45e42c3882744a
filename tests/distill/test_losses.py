import pytest

from tests.distill.conftest import needs_torch

pytestmark = needs_torch


def test_a_student_equal_to_the_target_has_no_loss():
    import torch

    from sparkalbert.distill.batches import Batch
    from sparkalbert.distill.losses import losses
    from sparkalbert.distill.teacher import Targets

    target = torch.nn.functional.normalize(torch.randn(6, 8, generator=torch.manual_seed(0)), dim=1)
    rows = torch.tensor([0, 0, 1, 2, 2, 2])
    means = torch.stack([target[rows == row].mean(dim=0) for row in range(3)])
    nothing = torch.zeros(0)
    batch = Batch(
        *[nothing] * 4,
        word_rows=rows,
        word_positions=torch.zeros(6, dtype=torch.int64),
        word_pieces=torch.tensor([7, 8, 7, 9, 8, 7]),
        teacher_starts=nothing,
        teacher_stops=nothing,
        sample=torch.arange(6),
    )
    targets = Targets(target, means)
    parts = losses(target, batch, targets, torch.eye(8))
    assert set(parts) == {"word", "text", "word_similarity", "same_word", "context", "text_similarity"}
    for value in parts.values():
        assert value.item() == pytest.approx(0, abs=1e-6)
    worse = losses(target.flip(0), batch, targets, torch.eye(8))
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


def test_a_share_of_the_text_is_added_to_the_targets_of_words():
    import torch

    from sparkalbert.distill.batches import Batch
    from sparkalbert.distill.losses import losses
    from sparkalbert.distill.teacher import Targets

    torch.manual_seed(0)
    nothing, rows = torch.zeros(0), torch.tensor([0, 0, 1])
    targets = Targets(torch.randn(3, 8), torch.randn(2, 8))
    pieces = torch.tensor([7, 8, 7])
    batch = Batch(*[nothing] * 4, rows, rows, pieces, nothing, nothing, torch.arange(3))
    moved = targets.words + 0.5 * targets.sentences[rows]
    assert losses(moved, batch, targets, torch.eye(8), 0.5)["word"].item() == pytest.approx(0, abs=1e-6)
    assert losses(moved, batch, targets, torch.eye(8))["word"].item() > 0.01
