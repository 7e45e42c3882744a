from pathlib import Path

from tests.distill.conftest import needs_torch

pytestmark = needs_torch

CHECKPOINT = Path(__file__).parents[2] / "data/albert_mini_en"


def test_the_recipe_makes_a_student_of_the_sizes_of_the_published_model():
    from conf.albert_mini_en.training import training_options
    from sparkalbert.distill.student import load_student

    options = training_options(CHECKPOINT, workers=3)
    assert options.student == load_student(CHECKPOINT).config
    assert [training.workers for training in (options.training, *options.refinements)] == [3, 3]
    card = (CHECKPOINT / "MODEL_CARD.md").read_text(encoding="utf-8")
    for training in (options.training, *options.refinements):
        assert (
            f"{training.steps:,} steps of at most {training.batches.max_pieces:,} pieces, seed {training.seed}" in card
        )
