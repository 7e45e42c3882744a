import logging
from dataclasses import replace

import numpy as np
import pytest

from sparkalbert.errors import CheckpointError, ConfigError, InputError
from tests import tiny_vocabulary
from tests.distill import tiny_teacher
from tests.distill.conftest import needs_torch

pytestmark = needs_torch


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "texts.txt"
    lines = [line for line in tiny_vocabulary.TEXT.splitlines() if line]
    told = [
        f"{start} {line[0].lower()}{line[1:]}" for start in ("Then", "They say", "Once") for line in lines
    ]
    path.write_text("\n".join(lines + told), encoding="utf-8")
    return path


def options(steps=60):
    from sparkalbert.distill.batches import BatchOptions
    from sparkalbert.distill.recipe import DistillOptions
    from sparkalbert.distill.student import StudentConfig
    from sparkalbert.distill.training import TrainingOptions

    student = StudentConfig(
        vocab_size=250,
        embedding_size=16,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    training = TrainingOptions(
        steps=steps,
        learning_rate=3e-3,
        save_minutes=0.0,
        batches=BatchOptions(most_pieces=512),
    )
    return DistillOptions(student=student, training=training, device="cpu")


@pytest.fixture(scope="module")
def output(corpus, teacher_folder, tmp_path_factory):
    from sparkalbert.distill.recipe import distill

    return distill(teacher_folder, [corpus], tmp_path_factory.mktemp("output"), options())


def test_hugging_face_loads_what_comes_out(output):
    from transformers import AlbertModel

    model = AlbertModel.from_pretrained(output, add_pooling_layer=False)
    assert model.config.vocab_size == 250
    assert model.config.hidden_act == "gelu_new"


def test_it_converts_and_embeds(output, tmp_path):
    from sparkalbert.convert import convert_checkpoint
    from sparkalbert.inference import WordEmbedder

    embedder = WordEmbedder(convert_checkpoint(output, tmp_path / "bundle"))
    (words,) = embedder.embed(["The old man walked home."])
    assert words.vectors.shape == (6, 24)
    assert np.isfinite(words.vectors).all()


def similarity_error(folder, teacher_folder, corpus):
    """Mean squared difference between the student's and the teacher's cosines of texts."""
    import torch

    from sparkalbert.distill.recipe import corpus_texts
    from sparkalbert.distill.student import load_student
    from sparkalbert.distill.teacher import Teacher
    from sparkalbert.text import PieceTokenizer

    texts = list(corpus_texts([corpus], 0))[:60]
    told = Teacher(teacher_folder, torch.device("cpu")).embed(texts)
    student = load_student(folder).eval()
    tokenizer = PieceTokenizer.load(folder)
    found = []
    for text in texts:
        ids = [2, *tokenizer.encode(text).ids.tolist(), 3]
        with torch.inference_mode():
            vectors = student(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool))[0]
        mean = vectors[1:-1].numpy().mean(axis=0)
        found.append(mean / np.linalg.norm(mean))
    return np.mean((np.stack(found) @ np.stack(found).T - told @ told.T) ** 2)


def test_training_brings_the_student_nearer_to_the_teacher(output, teacher_folder, corpus):
    before = similarity_error(output / "work" / "initial", teacher_folder, corpus)
    after = similarity_error(output, teacher_folder, corpus)
    assert after < 0.5 * before


def test_a_stopped_run_goes_on_where_it_stopped(corpus, teacher_folder, tmp_path, caplog):
    from sparkalbert.distill.recipe import distill
    from sparkalbert.distill.student import load_student

    short = options(4)
    distill(teacher_folder, [corpus], tmp_path, short)
    vocabulary = (tmp_path / "spiece.model").stat().st_mtime_ns
    shard = next((tmp_path / "work" / "targets").glob("*.npz")).stat().st_mtime_ns
    first = load_student(tmp_path).pieces.weight.detach().numpy()
    with caplog.at_level(logging.INFO, "sparkalbert.distill"):
        distill(teacher_folder, [corpus], tmp_path, replace(short, training=options(8).training))
    assert "going on after step" in caplog.text
    assert (tmp_path / "spiece.model").stat().st_mtime_ns == vocabulary
    assert next((tmp_path / "work" / "targets").glob("*.npz")).stat().st_mtime_ns == shard
    second = load_student(tmp_path).pieces.weight.detach().numpy()
    assert not np.array_equal(first, second)
    # A run whose time is up changes nothing.
    distill(teacher_folder, [corpus], tmp_path, replace(short, training=options(8).training))
    np.testing.assert_array_equal(load_student(tmp_path).pieces.weight.detach().numpy(), second)


def test_the_same_seed_and_steps_give_the_same_weights(corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    folders = [distill(teacher_folder, [corpus], tmp_path / name, options(4)) for name in ("one", "two")]
    first, second = ((folder / "model.safetensors").read_bytes() for folder in folders)
    assert first == second


def test_progress_is_told_after_every_step(corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    told = []
    distill(teacher_folder, [corpus], tmp_path, options(4), told.append)
    assert [progress.step for progress in told] == [1, 2, 3, 4]
    assert [progress.done for progress in told] == [0.25, 0.5, 0.75, 1.0]
    assert all(progress.loss["word"] > 0 for progress in told)


def test_a_student_goes_on_from_another_with_a_vocabulary_of_its_own(
    output, corpus, teacher_folder, tmp_path
):
    from sparkalbert.distill.recipe import distill

    smaller = replace(options().student, vocab_size=200)
    longer = replace(options(1), student=smaller, start_from=output)
    distill(teacher_folder, [corpus], tmp_path, longer)
    begun = similarity_error(tmp_path / "work" / "initial", teacher_folder, corpus)
    made_new = similarity_error(output / "work" / "initial", teacher_folder, corpus)
    assert begun < made_new


def test_a_student_goes_on_from_another_of_fewer_loops(output, corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill
    from sparkalbert.distill.student import load_student

    deeper = replace(options().student, num_hidden_layers=3)
    distill(teacher_folder, [corpus], tmp_path, replace(options(1), student=deeper, start_from=output))
    begun, other = load_student(tmp_path / "work" / "initial"), load_student(output)
    assert begun.config.num_hidden_layers == 3
    for name, value in other.state_dict().items():
        assert begun.state_dict()[name].equal(value), name


def test_a_student_of_other_sizes_is_refused(output, corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    wider = replace(options(1), student=replace(options().student, intermediate_size=64), start_from=output)
    with pytest.raises(ConfigError, match="expected those of the student"):
        distill(teacher_folder, [corpus], tmp_path, wider)


def test_a_student_wider_than_its_teacher_is_refused(corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    wider = replace(options(1), student=replace(options().student, hidden_size=2 * tiny_teacher.HIDDEN))
    with pytest.raises(ConfigError, match="at most the teacher's"):
        distill(teacher_folder, [corpus], tmp_path, wider)


def test_a_teacher_that_is_none_is_named(corpus, tmp_path):
    from sparkalbert.distill.recipe import distill

    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        distill(tmp_path, [corpus], tmp_path / "output", options())


def test_too_little_text_is_refused(teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    path = tmp_path / "little.txt"
    path.write_text("One sentence is not enough to learn from.\n")
    with pytest.raises(InputError, match="holds 1 texts, expected 100 or more"):
        distill(teacher_folder, [path], tmp_path / "output", options())


def test_a_missing_corpus_is_named(teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    with pytest.raises(InputError, match=r"absent\.txt is no file"):
        distill(teacher_folder, [tmp_path / "absent.txt"], tmp_path / "output", options())


def test_the_tiny_teacher_is_narrower_than_no_student():
    assert options().student.hidden_size <= tiny_teacher.HIDDEN
