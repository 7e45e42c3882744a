"""Distillation from end to end: texts and a teacher in, an ALBERT checkpoint in Hugging Face's format out.

Every step leaves its result in the output folder and is not done twice, so a run that was stopped goes on.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sparkalbert.distill.continuation import aligned_projection, continued_student
from sparkalbert.distill.corpora import line_passages, training_texts
from sparkalbert.distill.initialization import initial_student
from sparkalbert.distill.student import Student, StudentConfig, load_student, save_student
from sparkalbert.distill.targets import TargetCache, fit_projection
from sparkalbert.distill.teacher import Teacher, device_of
from sparkalbert.distill.training import Report, TrainingOptions, train
from sparkalbert.distill.vocabulary import train_vocabulary, word_weights
from sparkalbert.errors import CheckpointError, ConfigError, InputError
from sparkalbert.text import PieceTokenizer

__all__ = ["DistillOptions", "corpus_texts", "distill"]

_log = logging.getLogger(__name__)

_WORK = "work"
_VOCABULARY_FILES = ("tokenizer_config.json", "spiece.model")
_FEWEST_TEXTS = 100


@dataclass(frozen=True)
class DistillOptions:
    """What becomes of a teacher.

    Attributes
    ----------
    student
        Sizes of the student; ``vocab_size`` is an upper bound where `vocabulary` is given.
    training
        How long and how fast.
    vocabulary
        Folder with a ``spiece.model`` to use; trained on the texts when None.
    start_from
        Checkpoint to go on from, see :mod:`sparkalbert.distill.continuation`; its embeddings need no time
        alone. Made new when None.
    device
        ``cpu``, ``cuda`` or ``cuda:N``; the GPU where there is one when None.
    """

    student: StudentConfig = field(default_factory=StudentConfig)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    vocabulary: Path | None = None
    start_from: Path | None = None
    device: str | None = None


def distill(
    teacher: Path,
    corpus: Sequence[Path],
    output: Path,
    options: DistillOptions | None = None,
    report: Report | None = None,
) -> Path:
    """Return `output`, which holds a trained ALBERT checkpoint with its vocabulary.

    Parameters
    ----------
    teacher
        A BERT sentence encoder in Hugging Face's format, pooled by the mean of its pieces.
    corpus
        UTF-8 text files, a passage a line.
    output
        Where the checkpoint goes. Its folder ``work`` holds what a stopped run goes on from.
    options
        Sizes, time and device.
    report
        Is told how far the training is.

    Raises
    ------
    CheckpointError
        When `teacher` is no checkpoint.
    ConfigError
        When the student is wider than the teacher, or differs from the one it goes on from.
    InputError
        When a file is missing, or the files do not hold 100 texts.
    """
    options = options or DistillOptions()
    if not (teacher / "config.json").is_file():
        msg = f"{teacher} holds no config.json, expected the Hugging Face folder of a sentence encoder."
        raise CheckpointError(msg)
    return distill_texts(teacher, list(corpus_texts(corpus, options.training.seed)), output, options, report)


def corpus_texts(corpus: Sequence[Path], seed: int) -> Iterator[str]:
    """Yield the sentences, and some windows of sentences, of text files, in random order."""
    texts: dict[str, None] = {}
    for path in corpus:
        if not path.is_file():
            msg = f"{path} is no file, expected a UTF-8 text file. Please name the files of the corpus."
            raise InputError(msg)
        texts.update(dict.fromkeys(training_texts(line_passages(path), seed)))
    listed = list(texts)
    for index in np.random.default_rng(seed).permutation(len(listed)):
        yield listed[index]


def distill_texts(
    teacher: Path,
    texts: Sequence[str],
    output: Path,
    options: DistillOptions,
    report: Report | None = None,
) -> Path:
    """Return `output` as :func:`distill` does, from texts that are ready and in random order."""
    if len(texts) < _FEWEST_TEXTS:
        msg = f"the corpus holds {len(texts)} texts, expected {_FEWEST_TEXTS} or more. Please add text."
        raise InputError(msg)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer = _vocabulary(texts, output, options)
    device = device_of(options.device)
    asked = Teacher(teacher, device)
    config = replace(options.student, vocab_size=tokenizer.vocabulary_size)
    for name, size in (("embedding_size", config.embedding_size), ("hidden_size", config.hidden_size)):
        if size > asked.dimension:
            msg = f"{name} is {size}, expected at most the teacher's hidden_size, {asked.dimension}."
            raise ConfigError(msg)
    projection = _projection(asked, texts, output, config.hidden_size, options.start_from)
    student = _initial(config, asked, tokenizer, projection, output, options)
    cache = TargetCache(output / _WORK / "targets", texts, asked, tokenizer, projection)
    training = options.training
    if options.start_from is not None:
        training = replace(training, embedding_share=0.0)
    train(student.to(device), cache, projection, output, training, report)
    return output


def _vocabulary(texts: Sequence[str], output: Path, options: DistillOptions) -> PieceTokenizer:
    path = output / "spiece.model"
    if not path.exists() and options.vocabulary is not None:
        for name in _VOCABULARY_FILES:
            shutil.copyfile(options.vocabulary / name, output / name)
    if not path.exists():
        _log.info("training a vocabulary of %d pieces", options.student.vocab_size)
        train_vocabulary(word_weights(texts), output, options.student.vocab_size, options.training.seed)
    return PieceTokenizer.load(output)


def _projection(
    teacher: Teacher, texts: Sequence[str], output: Path, width: int, start_from: Path | None
) -> npt.NDArray[np.float32]:
    path = output / _WORK / "projection.npy"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        if start_from is None:
            fitted = fit_projection(teacher, texts, width)
        else:
            fitted = aligned_projection(start_from, teacher, texts, output / _WORK / "alignment")
        np.save(path, fitted)
    projection: npt.NDArray[np.float32] = np.load(path)
    return projection


def _initial(
    config: StudentConfig,
    teacher: Teacher,
    tokenizer: PieceTokenizer,
    projection: npt.NDArray[np.float32],
    output: Path,
    options: DistillOptions,
) -> Student:
    folder = output / _WORK / "initial"
    if not (folder / "config.json").exists():
        _log.info("asking the teacher about %d pieces", config.vocab_size)
        if options.start_from is None:
            student = initial_student(config, teacher, tokenizer, projection, options.training.seed)
        else:
            student = continued_student(config, options.start_from, teacher, tokenizer)
        save_student(student, folder)
        for name in _VOCABULARY_FILES:
            shutil.copyfile(output / name, folder / name)
    return load_student(folder)
