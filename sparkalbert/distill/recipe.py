"""Distillation from end to end: texts and a teacher are turned into an ALBERT checkpoint in Hugging Face's format.

Every step saves its result in the work folder, so a stopped run continues with the same command.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from sparkalbert.arrays import Float32Array
from sparkalbert.bundle.folder import CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, VOCABULARY_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert.checkpoint.files import WEIGHTS_FILE
from sparkalbert.convert.conversion import copy_tokenizer
from sparkalbert.distill.continuation import aligned_projection, continued_student, load_predecessor
from sparkalbert.distill.corpora import corpus_texts
from sparkalbert.distill.encoded import EncodedTexts, encode_texts
from sparkalbert.distill.initialization import initial_student
from sparkalbert.distill.projection import fit_projection, load_projection
from sparkalbert.distill.student import Student, StudentConfig, load_student, save_student
from sparkalbert.distill.teacher import Teacher, device_of
from sparkalbert.distill.training import Report, TrainingOptions, train
from sparkalbert.distill.vocabulary import train_vocabulary, word_weights
from sparkalbert.distill.work import claim_folder, files_digest, text_digest, whole_file
from sparkalbert.errors import ConfigError, InputError
from sparkalbert.text import PieceTokenizer
from sparkalbert.text.pieces.files import tokenizer_files, vocabulary_path

__all__ = ["DistillOptions", "distill", "distill_texts"]

_LOGGER: Final = logging.getLogger(__name__)
_MIN_TEXTS: Final = 100
_STUDENT_FILES: Final = (CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE, TOKENIZER_FILE, TOKENIZER_CONFIG_FILE)


@dataclass(frozen=True)
class DistillOptions:
    """How a student is made from a teacher.

    Attributes
    ----------
    student
        Sizes of the student. If a `vocabulary` is given, its size takes the place of ``vocab_size``.
    training
        Length and speed of the training.
    refinements
        Options of later trainings, each of which continues from the one before; by default there are none.
    vocabulary
        Folder with a ``spiece.model`` to use; by default a vocabulary is trained on the texts.
    start_from
        Checkpoint of a student to continue from, see :mod:`sparkalbert.distill.continuation`. Its embeddings are not
        trained alone first. By default a new student is made.
    device
        ``cpu``, ``cuda`` or ``cuda:N``; by default a GPU if there is one.
    """

    student: StudentConfig = field(default_factory=StudentConfig)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    refinements: tuple[TrainingOptions, ...] = ()
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
    """Train a student on text files and return `output`, its checkpoint with its vocabulary.

    Parameters
    ----------
    teacher
        A BERT sentence encoder in Hugging Face's format, pooled by the mean of its pieces.
    corpus
        UTF-8 text files, one passage per line.
    output
        Folder of the checkpoint: new, empty, or that of an earlier run with the same inputs, which is continued.
        Its folder ``work`` holds what a stopped run continues from.
    options
        Sizes, length and device.
    report
        Called after every step of the training.

    Raises
    ------
    CheckpointError
        If `teacher` or the student to continue from cannot be read.
    ConfigError
        If the student's sizes are invalid, larger than the teacher's, too small for the texts, or differ from those
        of the student to continue from.
    InputError
        If a file is missing or not UTF-8, or the files hold fewer than 100 texts.
    ModelNotFoundError
        If the vocabulary does not exist.
    OutputError
        If `output` holds anything else, or a training with other inputs.
    ParamError
        If the device does not exist.
    """
    options = options or DistillOptions()
    # Loaded first, so that a wrong teacher or device is found before a large corpus is read.
    loaded = Teacher(teacher, device_of(options.device))
    return distill_texts(loaded, corpus_texts(corpus, options.training.seed), output, options, report)


def distill_texts(
    teacher: Teacher, texts: Sequence[str], output: Path, options: DistillOptions, report: Report | None = None
) -> Path:
    """Train a student as :func:`distill` does, on texts that are in random order, on the teacher's device."""
    if len(texts) < _MIN_TEXTS:
        msg = (
            f"The corpus holds {len(texts)} texts, expected at least {_MIN_TEXTS}. Add text; the log shows how many "
            "texts were dropped, and why."
        )
        raise InputError(msg)
    _check_options(options, teacher)
    work = claim_folder(output, _inputs(teacher, texts, options))
    tokenizer = _vocabulary(texts, output, options)
    config = replace(options.student, vocab_size=tokenizer.vocabulary_size)
    projection = _projection(teacher, texts, work, config.hidden_size, options.start_from)
    student = _initial(config, teacher, tokenizer, projection, work, options)
    encoded = _encoded(texts, teacher, tokenizer, work)
    training = options.training
    if options.start_from is not None:
        training = replace(training, embedding_share=0.0)
    train(student.to(teacher.device), teacher, encoded, projection, output, training, report=report)
    for number, refinement in enumerate(options.refinements, start=1):
        student = load_student(output).to(teacher.device)
        train(student, teacher, encoded, projection, work / f"refinement-{number}", refinement, report=report)
        save_student(student, output)
    return output


def _check_options(options: DistillOptions, teacher: Teacher) -> None:
    """Find invalid options before anything is written to the output folder."""
    config = options.student
    AlbertConfig.from_dict(config.to_albert(), source="The student")
    for name, size in (("embedding_size", config.embedding_size), ("hidden_size", config.hidden_size)):
        if size > teacher.dimension:
            msg = f"{name} is {size}, expected at most the teacher's hidden_size, {teacher.dimension}."
            raise ConfigError(msg)
    longest = max(training.batches.max_text_pieces for training in (options.training, *options.refinements))
    if config.max_position_embeddings < longest:
        msg = (
            f"max_position_embeddings is {config.max_position_embeddings}, expected at least {longest}, the largest "
            "number of pieces in a text of this training."
        )
        raise ConfigError(msg)
    if options.vocabulary is not None:
        PieceTokenizer.load(options.vocabulary)
    if options.start_from is not None:
        load_predecessor(config, options.start_from)


def _inputs(teacher: Teacher, texts: Sequence[str], options: DistillOptions) -> dict[str, str]:
    """Return a digest or description of everything that a student is made from."""
    student = asdict(options.student)
    vocabulary = "trained on the corpus"
    if options.vocabulary is not None:
        vocabulary = files_digest([vocabulary_path(options.vocabulary), *tokenizer_files(options.vocabulary)])
        del student["vocab_size"]
    start_from = "nothing"
    if options.start_from is not None:
        paths = (options.start_from / name for name in _STUDENT_FILES)
        start_from = files_digest(path for path in paths if path.is_file())
    return {
        "teacher": files_digest(path for path in teacher.folder.iterdir() if path.is_file()),
        "corpus": text_digest(texts),
        "vocabulary": vocabulary,
        "start_from": start_from,
        "sizes": json.dumps(student, sort_keys=True),
        "seed": str(options.training.seed),
    }


def _vocabulary(texts: Sequence[str], output: Path, options: DistillOptions) -> PieceTokenizer:
    if options.vocabulary is not None:
        copy_tokenizer(options.vocabulary, output)
    elif not (output / VOCABULARY_FILE).exists():
        _LOGGER.info("training a vocabulary of %d pieces", options.student.vocab_size)
        train_vocabulary(word_weights(texts), output, options.student.vocab_size, options.training.seed)
    return PieceTokenizer.load(output)


def _encoded(texts: Sequence[str], teacher: Teacher, tokenizer: PieceTokenizer, work: Path) -> EncodedTexts:
    path = work / "texts.npz"
    if not path.exists():
        encode_texts(texts, teacher, tokenizer).save(path)
    return EncodedTexts.load(path)


def _projection(
    teacher: Teacher, texts: Sequence[str], work: Path, width: int, start_from: Path | None
) -> Float32Array:
    path = work / "projection.npy"
    if not path.exists():
        if start_from is None:
            projection = fit_projection(teacher, texts, width)
        else:
            projection = aligned_projection(start_from, teacher, texts)
        with whole_file(path) as unfinished:
            np.save(unfinished, projection)
    return load_projection(path)


def _initial(
    config: StudentConfig,
    teacher: Teacher,
    tokenizer: PieceTokenizer,
    projection: Float32Array,
    work: Path,
    options: DistillOptions,
) -> Student:
    folder = work / "initial"
    if not (folder / CONFIG_FILE).exists():  # save_student writes it last
        _LOGGER.info("computing the teacher's vectors of %d pieces", config.vocab_size)
        if options.start_from is None:
            student = initial_student(config, teacher, tokenizer, projection, options.training.seed)
        else:
            student = continued_student(config, options.start_from, teacher, tokenizer)
        folder.mkdir(exist_ok=True)
        copy_tokenizer(work.parent, folder)
        save_student(student, folder)
    return load_student(folder)
