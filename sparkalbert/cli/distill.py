"""The command ``distill``: a small model of one's own, learned from a sentence encoder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sparkalbert.cli.screen import ERRORS, OUTPUT

if TYPE_CHECKING:
    from sparkalbert.distill.training import Report, TrainingProgress

__all__ = ["distill"]

_LOG_EVERY_S: Final = 30.0


def distill(
    teacher: Annotated[
        Path,
        typer.Option(
            help="Hugging Face folder of a BERT sentence encoder that pools by the mean of its pieces."
        ),
    ],
    corpus: Annotated[
        list[Path], typer.Option(help="UTF-8 text files, a passage a line; more may follow the first.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the checkpoint.")],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILES]...", help="More of the corpus.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.01, help="Time of the training, over all resumed runs.")
    ] = 60.0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Length in steps instead, to repeat it exactly.")
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Checkpoint of an earlier student of this teacher to go on from.")
    ] = None,
    vocabulary: Annotated[
        Path | None, typer.Option(help="Folder with the spiece.model to use; trained when left out.")
    ] = None,
    vocab_size: Annotated[int, typer.Option(help="Pieces of a vocabulary that is trained.")] = 11_520,
    embedding_size: Annotated[int, typer.Option(help="Numbers in the table of pieces.")] = 128,
    hidden_size: Annotated[int, typer.Option(help="Numbers in a vector.")] = 256,
    num_hidden_layers: Annotated[int, typer.Option(help="How often the layer is applied.")] = 6,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N; a GPU if there is one.")] = None,
    seed: Annotated[int, typer.Option(help="Of order, samples and weights.")] = 0,
) -> None:
    """Train a small ALBERT whose word vectors say what a large sentence encoder says.

    What was done is kept in the output folder: the same command goes on where it stopped.
    """
    from sparkalbert.distill.recipe import DistillOptions
    from sparkalbert.distill.recipe import distill as run
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
    with _shown_training() as report:
        folder = run(teacher, [*corpus, *(more or [])], output, options, report)
    OUTPUT.print(f"Checkpoint: {folder}", highlight=False, soft_wrap=True)
    OUTPUT.print(f"Next: sparkalbert convert {folder} BUNDLE", highlight=False, soft_wrap=True)


@contextmanager
def _shown_training() -> Iterator[Report]:
    """Yield what shows the loss and the time left: a bar on a terminal, now and then a line in a log."""
    if not ERRORS.is_terminal:
        yield _logged()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERRORS) as bar:
        task = bar.add_task("Asking the teacher", total=None)

        def report(progress: TrainingProgress) -> None:
            description = f"Step {progress.step}, {_loss(progress)}"
            bar.update(task, description=description, completed=progress.done, total=1.0)

        yield report


def _logged() -> Report:
    shown_s = time.monotonic() - _LOG_EVERY_S

    def report(progress: TrainingProgress) -> None:
        nonlocal shown_s
        if time.monotonic() - shown_s >= _LOG_EVERY_S:
            shown_s = time.monotonic()
            left_minutes = progress.spent_s * (1 - progress.done) / progress.done / 60
            ERRORS.print(
                f"step {progress.step}, {_loss(progress)}, {left_minutes:.1f} minutes left", highlight=False
            )

    return report


def _loss(progress: TrainingProgress) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in progress.loss.items())
