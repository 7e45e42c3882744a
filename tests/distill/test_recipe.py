import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest

from sparkalbert.errors import CheckpointError, ConfigError, InputError, ModelNotFoundError, OutputError, ParamError
from tests import tiny_vocabulary
from tests.distill import tiny_teacher
from tests.distill.conftest import needs_torch

pytestmark = needs_torch

LINES = [line for line in tiny_vocabulary.TEXT.splitlines() if line]
MORE = [f"{start} {line[0].lower()}{line[1:]}" for start in ("Then", "They say", "Once") for line in LINES]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "texts.txt"
    path.write_text("\n".join(LINES + MORE), encoding="utf-8")
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
    training = TrainingOptions(steps=steps, learning_rate=3e-3, save_minutes=0.0, batches=BatchOptions(max_pieces=512))
    return DistillOptions(student=student, training=training, device="cpu")


def with_sizes(chosen, **sizes):
    return replace(chosen, student=replace(chosen.student, **sizes))


@pytest.fixture(scope="module")
def output(corpus, teacher_folder, tmp_path_factory):
    from sparkalbert.distill.recipe import distill

    return distill(teacher_folder, [corpus], tmp_path_factory.mktemp("output"), options())


@pytest.fixture(scope="module")
def short_run(corpus, teacher_folder, tmp_path_factory):
    from sparkalbert.distill.recipe import distill

    return distill(teacher_folder, [corpus], tmp_path_factory.mktemp("short"), options(4))


@pytest.fixture
def short_output(short_run, tmp_path):
    """The output of a run of four steps, which a test may change."""
    return shutil.copytree(short_run, tmp_path / "output")


def files_of(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_hugging_face_loads_the_checkpoint(output):
    from transformers import AlbertModel

    model = AlbertModel.from_pretrained(output, add_pooling_layer=False)
    assert model.config.vocab_size == 250
    assert model.config.hidden_act == "gelu_new"


def test_the_checkpoint_converts_and_embeds(output, tmp_path):
    from sparkalbert.convert import convert_checkpoint
    from sparkalbert.word_embedder import WordEmbedder

    embedder = WordEmbedder(convert_checkpoint(output, tmp_path / "bundle"))
    (words,) = embedder.embed(["The old man walked home."])
    assert words.vectors.shape == (6, 24)
    assert np.isfinite(words.vectors).all()


def similarity_error(folder, teacher_folder, corpus):
    """Return the mean squared difference between the student's and the teacher's cosines of texts."""
    import torch

    from sparkalbert.distill.corpora import corpus_texts
    from sparkalbert.distill.student import load_student
    from sparkalbert.distill.teacher import Teacher
    from sparkalbert.text import PieceTokenizer
    from sparkalbert.vectors import cosine_similarity

    texts = corpus_texts([corpus], 0)[:60]
    target = Teacher(teacher_folder, torch.device("cpu")).embed(texts)
    student = load_student(folder).eval()
    tokenizer = PieceTokenizer.load(folder)
    means = []
    for text in texts:
        ids = [2, *tokenizer.encode(text).ids.tolist(), 3]
        with torch.inference_mode():
            vectors = student(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool))[0]
        means.append(vectors[1:-1].numpy().mean(axis=0))
    predicted = np.stack(means)
    return np.mean((cosine_similarity(predicted, predicted) - cosine_similarity(target, target)) ** 2)


def test_training_brings_the_student_closer_to_the_teacher(output, teacher_folder, corpus):
    before = similarity_error(output / "work" / "initial", teacher_folder, corpus)
    after = similarity_error(output, teacher_folder, corpus)
    assert after < 0.5 * before


def test_a_stopped_run_continues_where_it_stopped(short_output, corpus, teacher_folder, caplog):
    from sparkalbert.distill.recipe import distill
    from sparkalbert.distill.student import load_student

    def weights():
        return load_student(short_output).word_embeddings.weight.detach().numpy()

    kept = [short_output / "spiece.model", short_output / "work/texts.npz"]
    written = [path.stat().st_mtime_ns for path in kept]
    first = weights()
    with caplog.at_level(logging.INFO, "sparkalbert.distill"):
        distill(teacher_folder, [corpus], short_output, options(8))
    assert "resuming after step 4" in caplog.text
    assert [path.stat().st_mtime_ns for path in kept] == written
    second = weights()
    assert not np.array_equal(first, second)
    # A run that is finished changes nothing.
    distill(teacher_folder, [corpus], short_output, options(8))
    np.testing.assert_array_equal(weights(), second)


def test_the_same_inputs_and_steps_give_the_same_weights(short_output, corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    other = distill(teacher_folder, [corpus], tmp_path / "other", options(4))
    assert (other / "model.safetensors").read_bytes() == (short_output / "model.safetensors").read_bytes()


def other_corpus(folder, inputs):
    path = folder / "other.txt"
    path.write_text("\n".join(MORE + LINES[1:]), encoding="utf-8")
    return {**inputs, "corpus": [path]}


def other_teacher(folder, inputs):
    return {**inputs, "teacher": tiny_teacher.write(folder / "teacher", seed=1)}


def other_vocabulary(folder, inputs):
    tiny_vocabulary.write(folder / "vocabulary")
    return {**inputs, "options": replace(inputs["options"], vocabulary=folder / "vocabulary")}


def other_vocabulary_file(folder, inputs):
    path = tiny_vocabulary.write(folder / "vocabulary")
    return {**inputs, "options": replace(inputs["options"], vocabulary=path)}


def other_sizes(_, inputs):
    return {**inputs, "options": with_sizes(inputs["options"], num_hidden_layers=3)}


def other_vocab_size(_, inputs):
    return {**inputs, "options": with_sizes(inputs["options"], vocab_size=240)}


def other_seed(_, inputs):
    training = replace(inputs["options"].training, seed=1)
    return {**inputs, "options": replace(inputs["options"], training=training)}


def another_start(folder, inputs):
    return {**inputs, "options": replace(inputs["options"], start_from=folder / "output")}


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (other_corpus, "corpus"),
        (other_teacher, "teacher"),
        (other_vocabulary, "sizes, vocabulary"),
        (other_vocabulary_file, "sizes, vocabulary"),
        (other_sizes, "sizes"),
        (other_vocab_size, "sizes"),
        (other_seed, "corpus, seed"),
        (another_start, "start_from"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_nothing_of_a_run_with_other_inputs_is_used_again(
    short_output, corpus, teacher_folder, tmp_path, change, shown
):
    """At first sight everything is there: vocabulary, projection, targets and state have the names of this run."""
    from sparkalbert.distill.recipe import distill

    inputs = {"teacher": teacher_folder, "corpus": [corpus], "options": options(8)}
    before = files_of(short_output)
    with pytest.raises(OutputError, match=rf"holds a training with other inputs \({shown}\)"):
        distill(**change(tmp_path, inputs), output=short_output)
    assert files_of(short_output) == before


def test_a_teacher_that_was_replaced_in_its_folder_is_another_teacher(corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    teacher = tmp_path / "teacher"
    shutil.copytree(teacher_folder, teacher)
    distill(teacher, [corpus], tmp_path / "output", options(1))
    tiny_teacher.write(teacher, seed=1)
    with pytest.raises(OutputError, match="teacher"):
        distill(teacher, [corpus], tmp_path / "output", options(2))


def test_a_vocabulary_is_used_whatever_the_folder_held_before(corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill
    from sparkalbert.text import PieceTokenizer

    tiny_vocabulary.write(tmp_path / "vocabulary")
    chosen = replace(options(1), vocabulary=tmp_path / "vocabulary")
    folder = distill(teacher_folder, [corpus], tmp_path / "output", chosen)
    assert PieceTokenizer.load(folder).vocabulary_size == tiny_vocabulary.VOCABULARY_SIZE
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == tiny_vocabulary.VOCABULARY_SIZE


def test_a_finished_checkpoint_of_another_program_is_not_overwritten(output, corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    mine = tmp_path / "mine"
    shutil.copytree(output, mine, ignore=shutil.ignore_patterns("work"))
    before = files_of(mine)
    with pytest.raises(OutputError, match="already exists and is not the output of a training"):
        distill(teacher_folder, [corpus], mine, options(1))
    assert files_of(mine) == before


def test_after_an_error_the_same_folder_can_be_used(corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    folder = tmp_path / "output"
    with pytest.raises(InputError, match="are not enough for a vocabulary of 5000 pieces"):
        distill(teacher_folder, [corpus], folder, with_sizes(options(1), vocab_size=5000))
    distill(teacher_folder, [corpus], folder, options(1))


@pytest.mark.parametrize("kept_bytes", [0, 100, -100])
def test_a_damaged_state_is_named(short_output, corpus, teacher_folder, kept_bytes):
    from sparkalbert.distill.recipe import distill

    state = short_output / "work/state.pt"
    state.write_bytes(state.read_bytes()[:kept_bytes])
    with pytest.raises(CheckpointError, match=r"state\.pt is damaged"):
        distill(teacher_folder, [corpus], short_output, options(8))


def test_progress_is_reported_after_every_step(corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    reported = []
    distill(teacher_folder, [corpus], tmp_path, options(4), reported.append)
    assert [progress.step for progress in reported] == [1, 2, 3, 4]
    assert [progress.done for progress in reported] == [0.25, 0.5, 0.75, 1.0]
    assert all(progress.loss["word"] > 0 for progress in reported)


def test_refinements_train_the_last_layers_alone(corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill
    from sparkalbert.distill.student import load_student

    chosen = with_sizes(options(3), num_hidden_groups=2)
    first = load_student(distill(teacher_folder, [corpus], tmp_path / "first", chosen)).state_dict()
    refinement = replace(chosen.training, trained_groups=1, text_share=1.0, embedding_share=0.0)
    refined = replace(chosen, refinements=(refinement, replace(refinement, seed=1)))
    second = load_student(distill(teacher_folder, [corpus], tmp_path / "second", refined)).state_dict()
    changed = {name for name in first if not first[name].equal(second[name])}
    assert changed == {name for name in first if name.startswith("layers.1.")}


def test_a_student_continues_from_another_with_its_own_vocabulary(output, corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill

    smaller = with_sizes(replace(options(1), start_from=output), vocab_size=200)
    distill(teacher_folder, [corpus], tmp_path, smaller)
    continued = similarity_error(tmp_path / "work" / "initial", teacher_folder, corpus)
    made_new = similarity_error(output / "work" / "initial", teacher_folder, corpus)
    assert continued < made_new


def test_a_student_continues_from_another_with_fewer_layers(output, corpus, teacher_folder, tmp_path):
    from sparkalbert.distill.recipe import distill
    from sparkalbert.distill.student import load_student

    deeper = with_sizes(replace(options(1), start_from=output), num_hidden_layers=3)
    distill(teacher_folder, [corpus], tmp_path, deeper)
    initial, other = load_student(tmp_path / "work" / "initial"), load_student(output)
    assert initial.config.num_hidden_layers == 3
    for name, value in other.state_dict().items():
        assert initial.state_dict()[name].equal(value), name


def refused(error, match, teacher, corpus, folder, chosen):
    from sparkalbert.distill.recipe import distill

    with pytest.raises(error, match=match):
        distill(teacher, corpus, folder, chosen)


def test_a_student_of_other_sizes_cannot_be_continued(output, corpus, teacher_folder, tmp_path):
    chosen = with_sizes(replace(options(1), start_from=output), intermediate_size=64)
    refused(ConfigError, "expected those of the student", teacher_folder, [corpus], tmp_path / "out", chosen)
    assert not (tmp_path / "out").exists()


def test_impossible_sizes_are_refused(corpus, teacher_folder, tmp_path):
    wide = with_sizes(options(1), hidden_size=2 * tiny_teacher.HIDDEN)
    refused(ConfigError, "hidden_size is 64, expected at most the teacher's", teacher_folder, [corpus], tmp_path, wide)
    uneven = with_sizes(options(1), hidden_size=25)
    refused(ConfigError, "not a multiple of num_attention_heads", teacher_folder, [corpus], tmp_path, uneven)
    few = with_sizes(options(1), max_position_embeddings=152)
    match = "max_position_embeddings is 152, expected at least 160, the largest number of pieces"
    refused(ConfigError, match, teacher_folder, [corpus], tmp_path, few)
    changed = replace(few.training, batches=replace(few.training.batches, changed_share=0.1))
    few = replace(with_sizes(few, max_position_embeddings=472), refinements=(changed,))
    refused(ConfigError, "is 472, expected at least 480", teacher_folder, [corpus], tmp_path, few)
    assert list(tmp_path.iterdir()) == []


def test_wrong_inputs_are_refused_before_anything_is_written(corpus, teacher_folder, tmp_path):
    folder, good = tmp_path / "output", options(1)
    little = tmp_path / "little.txt"
    little.write_text("One sentence is not enough to learn from.\n")
    refused(CheckpointError, r"has no config\.json", tmp_path, [corpus], folder, good)
    refused(InputError, "holds 1 texts, expected at least 100", teacher_folder, [little], folder, good)
    refused(InputError, r"absent\.txt is not a file", teacher_folder, [tmp_path / "absent.txt"], folder, good)
    refused(ParamError, "device is 'gpu'", teacher_folder, [corpus], folder, replace(good, device="gpu"))
    no_vocabulary = replace(good, vocabulary=tmp_path / "absent")
    refused(ModelNotFoundError, "absent", teacher_folder, [corpus], folder, no_vocabulary)
    no_student = replace(good, start_from=teacher_folder)
    refused(CheckpointError, "is not the checkpoint of a student", teacher_folder, [corpus], folder, no_student)
    assert not folder.exists()


@pytest.mark.parametrize("length", [{"steps": 0}, {"budget_minutes": 0.0}, {"budget_minutes": float("nan")}])
def test_a_training_has_a_length(length):
    from sparkalbert.distill.training import TrainingOptions

    with pytest.raises(ParamError, match="expected a number above 0"):
        TrainingOptions(**length)
