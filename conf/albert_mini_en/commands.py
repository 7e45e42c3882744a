"""The commands of the recipe: fetch the sources, train the model, pack it, and reproduce its figures.

Only training and evaluation import torch.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from sparkalbert.distill.vocabulary import train_vocabulary
from sparkalbert.distill.work import text_digest
from sparkalbert.errors import SparkAlbertError
from sparkalbert.text import PieceTokenizer

from .packing import pack
from .sources import TEACHER, fetch_sources
from .texts import read_sources, student_texts, vocabulary_weights

__all__ = ["main"]

_VOCABULARY_SIZE = 11_520
_DIGEST_DIGITS = 16


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    chosen = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        if chosen.command == "fetch":
            fetch_sources(chosen.sources)
        elif chosen.command == "train":
            _train(chosen.sources, chosen.output, chosen.device, chosen.workers)
        elif chosen.command == "pack":
            pack(chosen.checkpoint, chosen.output)
        else:
            _evaluate(chosen.sources, chosen.model)
    except SparkAlbertError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python conf/albert_mini_en", description="The recipe of albert_mini_en.")
    commands = parser.add_subparsers(required=True, dest="command")
    fetch = commands.add_parser("fetch", help="download texts, teacher and evaluation data")
    training = commands.add_parser("train", help="train the model")
    training.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    training.add_argument("--device", help="cpu, cuda or cuda:N; by default a GPU if there is one")
    training.add_argument("--workers", type=int, default=0, help="processes that assemble batches; a GPU needs a dozen")
    evaluation = commands.add_parser("evaluate", help="print the figures of a model")
    evaluation.add_argument("--model", default="albert_mini_en", help="bundle, checkpoint or name")
    packing = commands.add_parser("pack", help="make a bundle from a checkpoint and its model card")
    packing.add_argument("--checkpoint", type=Path, required=True, help="folder of the checkpoint")
    packing.add_argument("--output", type=Path, required=True, help="folder of the bundle")
    for command in (fetch, training, evaluation):
        command.add_argument("--sources", type=Path, required=True, help="folder of the downloads")
    return parser


def _train(folder: Path, output: Path, device: str | None, workers: int) -> None:
    from sparkalbert.distill.recipe import distill_texts
    from sparkalbert.distill.student import load_student, save_student
    from sparkalbert.distill.teacher import Teacher, device_of

    from .training import training_options

    sources = read_sources(folder)
    vocabulary = _vocabulary(sources, folder)
    texts = student_texts(sources, folder, PieceTokenizer.load(vocabulary))
    teacher = Teacher(TEACHER.folder(folder), device_of(device))
    distill_texts(teacher, texts, output, training_options(vocabulary, workers))
    # The bundle stores float16, half of the bytes; the loss of precision is far below that of the training.
    save_student(load_student(output).half(), output)


def _vocabulary(sources: dict[str, list[str]], folder: Path) -> Path:
    """Return the folder of the vocabulary, which is named after the weights that it was trained on."""
    weights = vocabulary_weights(sources, folder)
    digest = text_digest(f"{word} {weight}" for word, weight in weights.items())
    vocabulary = folder / f"vocabulary-{digest[:_DIGEST_DIGITS]}"
    if not (vocabulary / "spiece.model").exists():
        train_vocabulary(weights, vocabulary, _VOCABULARY_SIZE)
    return vocabulary


def _evaluate(folder: Path, model: str) -> None:
    from .figures import embed_with
    from .report import measure, table

    models = {model: embed_with(model), f"{model}, pieces without context": embed_with(model, layers=(0,))}
    sys.stdout.write(table(measure(models, folder)) + "\n")
