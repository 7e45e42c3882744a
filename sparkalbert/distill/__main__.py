"""``python -m sparkalbert.distill``: fetch texts, train the model that ships, pack it, repeat its figures."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

from sparkalbert.distill.evaluation import embed_with
from sparkalbert.distill.packing import pack
from sparkalbert.distill.recipe import DistillOptions, distill_texts
from sparkalbert.distill.report import measure, table
from sparkalbert.distill.sources import (
    fetch_sources,
    read_sources,
    student_texts,
    teacher_folder,
    vocabulary_weights,
)
from sparkalbert.distill.training import TrainingOptions
from sparkalbert.distill.vocabulary import train_vocabulary
from sparkalbert.text import PieceTokenizer

__all__ = ["main"]

_VOCABULARY_SIZE = 11_520


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m sparkalbert.distill", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    fetch = commands.add_parser("fetch", help="download texts, teacher and evaluation data")
    training = commands.add_parser("train", help="train albert_mini_en")
    training.add_argument("--output", type=Path, required=True, help="where the checkpoint goes")
    training.add_argument("--budget-minutes", type=float, default=TrainingOptions.budget_minutes)
    training.add_argument("--start-from", type=Path, help="checkpoint of an earlier run to go on from")
    evaluation = commands.add_parser("evaluate", help="print the figures of a model")
    evaluation.add_argument("--model", default="albert_mini_en", help="bundle, checkpoint or name")
    packing = commands.add_parser("pack", help="make a bundle of a checkpoint and its model card")
    packing.add_argument("--checkpoint", type=Path, required=True)
    packing.add_argument("--output", type=Path, required=True, help="the bundle's folder")
    for command in (fetch, training, evaluation):
        command.add_argument("--sources", type=Path, required=True, help="folder of the downloads")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if chosen.command == "fetch":
        fetch_sources(chosen.sources)
    elif chosen.command == "train":
        _train(chosen.sources, chosen.output, chosen.budget_minutes, chosen.start_from)
    elif chosen.command == "pack":
        pack(chosen.checkpoint, chosen.output)
    else:
        _evaluate(chosen.sources, chosen.model)
    return 0


def _train(folder: Path, output: Path, budget_minutes: float, start_from: Path | None) -> None:
    sources = read_sources(folder)
    vocabulary = output / "work" / "vocabulary"
    if not (vocabulary / "spiece.model").exists():
        train_vocabulary(vocabulary_weights(sources, folder), vocabulary, _VOCABULARY_SIZE)
    texts = student_texts(sources, folder, PieceTokenizer.load(vocabulary))
    options = DistillOptions(vocabulary=vocabulary, start_from=start_from)
    options = replace(options, training=TrainingOptions(budget_minutes=budget_minutes, compiled=True))
    distill_texts(teacher_folder(folder), texts, output, options)


def _evaluate(folder: Path, model: str) -> None:
    models = {model: embed_with(model), f"{model}, pieces without context": embed_with(model, layers=(0,))}
    sys.stdout.write(table(measure(models, folder)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
