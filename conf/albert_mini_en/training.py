"""How ``albert_mini_en`` is trained: its sizes, and the trainings that its weights come from."""

from __future__ import annotations

from pathlib import Path

from sparkalbert.distill.batches import BatchOptions
from sparkalbert.distill.recipe import DistillOptions
from sparkalbert.distill.student import StudentConfig
from sparkalbert.distill.training import TrainingOptions

__all__ = ["training_options"]


def training_options(vocabulary: Path, workers: int) -> DistillOptions:
    """Return the options of the training.

    Four layers of 256, each applied twice, cost a third more time than one layer applied six times, and fit into
    10 MB as float16. The first training imitates the teacher; its batches are for a GPU. The second, which a CPU can
    do, trains the last layer alone to move words further towards the meaning of their text.

    Parameters
    ----------
    vocabulary
        Folder of the vocabulary.
    workers
        Number of processes that assemble batches.
    """
    return DistillOptions(
        student=StudentConfig(num_hidden_layers=8, num_hidden_groups=4, num_attention_heads=8, intermediate_size=960),
        training=TrainingOptions(
            steps=3767,
            learning_rate=1.5e-3,
            shift_share=0.15,
            embedding_share=0.03,
            workers=workers,
            batches=BatchOptions(
                max_pieces=32_768, max_texts=6_553, repeated_share=0.25, changed_share=0.3, sample_words=3072
            ),
        ),
        refinements=(
            TrainingOptions(
                steps=400,
                learning_rate=4e-4,
                warmup_share=0.05,
                shift_share=0.15,
                embedding_share=0.0,
                text_share=1.0,
                trained_groups=1,
                seed=1,
                workers=workers,
                batches=BatchOptions(
                    max_pieces=2048, max_texts=384, short_repeats=1, repeated_share=0.25, changed_share=0.3
                ),
            ),
        ),
        vocabulary=vocabulary,
    )
