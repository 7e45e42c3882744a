"""The command ``distill``: trains a small model on a sentence encoder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sparkalbert.cli.files import check_folder_target
from sparkalbert.cli.screen import ERRORS, at_intervals, print_line, print_status, progress_bar

if TYPE_CHECKING:
    from sparkalbert.distill.training import Report, TrainingProgress

__all__ = ["distill"]

_LOG_INTERVAL_S: Final = 30.0


def distill(
    teacher: Annotated[
        Path,
        typer.Option(help="Hugging Face folder of a BERT sentence encoder that pools by the mean of its pieces."),
    ],
    corpus: Annotated[
        list[Path], typer.Option(help="UTF-8 text files, one passage per line. More files may follow the first.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the checkpoint.")],
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILES]...", help="More files of the corpus.")] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="Duration of the training, over all resumed runs.")] = 60.0,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Length of the training in steps instead, so that it can be repeated exactly."),
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Checkpoint of an earlier student of this teacher to continue from.")
    ] = None,
    vocabulary: Annotated[
        Path | None,
        typer.Option(help="Folder with a spiece.model to use. By default a vocabulary is trained on the corpus."),
    ] = None,
    vocab_size: Annotated[int, typer.Option(min=1, help="Number of pieces of a vocabulary that is trained.")] = 11_520,
    embedding_size: Annotated[int, typer.Option(min=1, help="Width of the table of pieces.")] = 128,
    hidden_size: Annotated[int, typer.Option(min=1, help="Width of a vector.")] = 256,
    num_hidden_layers: Annotated[int, typer.Option(min=1, help="How often the layer is applied.")] = 6,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N. By default a GPU if there is one.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of order, samples and weights.")] = 0,
) -> None:
    """Train a small ALBERT whose word vectors have the cosines of a large sentence encoder.

    Progress is saved in the output folder: the same command continues where it stopped.
    """
    check_folder_target(output, "--output")

    from sparkalbert.distill.recipe import DistillOptions
    from sparkalbert.distill.recipe import distill as train
    from sparkalbert.distill.student import StudentConfig
    from sparkalbert.distill.training import TrainingOptions

    options = DistillOptions(
        student=StudentConfig(
            vocab_size=vocab_size,
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            num_hidden_layers=num_hidden_layers,
        ),
        training=TrainingOptions(budget_minutes=minutes, steps=steps, seed=seed),
        vocabulary=vocabulary,
        start_from=start_from,
        device=device,
    )
    try:
        with _shown_training() as report:
            folder = train(teacher, [*corpus, *(more or [])], output, options, report)
    except KeyboardInterrupt:
        print_line(f"{output} holds what was saved; the same command continues there.", to=ERRORS)
        raise
    print_line(f"Checkpoint: {folder}")
    print_line(f"Next: sparkalbert convert {folder} BUNDLE")


@contextmanager
def _shown_training() -> Iterator[Report]:
    """Yield a function that shows the loss and the remaining time: a bar on a terminal, or lines in a log."""
    if not ERRORS.is_terminal:
        yield _logged()
        return
    with progress_bar(transient=False) as bar:
        task = bar.add_task("Embedding with the teacher", total=None)

        def report(progress: TrainingProgress) -> None:
            description = f"Step {progress.step}, {_loss(progress)}"
            bar.update(task, description=description, completed=progress.done, total=1.0)

        yield report


def _logged() -> Report:
    is_time = at_intervals(_LOG_INTERVAL_S, first_s=0.0)

    def report(progress: TrainingProgress) -> None:
        if is_time():
            remaining_minutes = progress.spent_s * (1 - progress.done) / progress.done / 60
            print_status(f"step {progress.step}, {_loss(progress)}, {remaining_minutes:.1f} minutes left")

    return report


def _loss(progress: TrainingProgress) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in progress.loss.items())
