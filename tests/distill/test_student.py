import numpy as np
import pytest

from tests.distill.conftest import needs_torch

pytestmark = needs_torch


@pytest.fixture
def student():
    import torch

    from sparkalbert.distill.student import Student, StudentConfig

    torch.manual_seed(0)
    made = Student(
        StudentConfig(
            vocab_size=300,
            embedding_size=16,
            hidden_size=32,
            num_hidden_layers=3,
            num_hidden_groups=2,
            num_attention_heads=4,
            intermediate_size=64,
        )
    )
    for value in made.parameters():
        torch.nn.init.normal_(value, std=0.3)
    return made.eval()


def padded(lengths):
    import torch

    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.randint(5, 300, mask.shape, generator=torch.manual_seed(1)) * mask, mask


def test_hugging_face_loads_the_checkpoint_and_agrees(student, tmp_path):
    import torch
    from transformers import AlbertModel

    from sparkalbert.distill.student import save_student

    save_student(student, tmp_path)
    model, notes = AlbertModel.from_pretrained(tmp_path, add_pooling_layer=False, output_loading_info=True)
    assert not notes["missing_keys"]
    assert not notes["unexpected_keys"]
    assert model.dtype == torch.float32
    ids, mask = padded([1, 7, 40])
    with torch.inference_mode():
        expected = model.eval()(input_ids=ids, attention_mask=mask.long()).last_hidden_state[mask]
        computed = student(ids, mask)[mask]
    np.testing.assert_allclose(computed.numpy(), expected.numpy(), atol=1e-5, rtol=0)


def test_saving_and_loading_keeps_every_bit(student, tmp_path):
    from sparkalbert.distill.student import load_student, save_student

    save_student(student, tmp_path)
    loaded = load_student(tmp_path)
    assert loaded.config == student.config
    for name, value in student.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[name].numpy(), value.numpy())


def test_a_checkpoint_of_halves_is_loaded_as_float32(student, tmp_path):
    import torch

    from sparkalbert.distill.student import load_student, save_student

    save_student(student.half(), tmp_path)
    loaded = load_student(tmp_path)
    for name, value in student.state_dict().items():
        assert loaded.state_dict()[name].dtype == torch.float32
        np.testing.assert_array_equal(loaded.state_dict()[name].numpy(), value.numpy())


def test_the_converted_bundle_has_the_students_vectors(student, tmp_path):
    import torch

    from sparkalbert.convert import convert_checkpoint
    from sparkalbert.distill.student import save_student
    from sparkalbert.offsets import span_array
    from sparkalbert.text import WordTokenizer
    from sparkalbert.text.pieces.encoding import encode_sentence
    from sparkalbert.text.pieces.tokenizer import PieceTokenizer
    from sparkalbert.word_embedder import WordEmbedder
    from tests import tiny_vocabulary

    save_student(student, tmp_path / "checkpoint")
    tiny_vocabulary.write(tmp_path / "checkpoint")
    embedder = WordEmbedder(convert_checkpoint(tmp_path / "checkpoint", tmp_path / "bundle"))
    text = "the old man walked to the market"
    (words,) = embedder.embed([text])
    tokenizer = PieceTokenizer.load(embedder.bundle.path)
    encoded = encode_sentence(tokenizer, text, span_array(WordTokenizer().tokenize(text)))
    ids, firsts = [2, *encoded.ids.tolist(), 3], encoded.ranges[:, 0] + 1
    with torch.inference_mode():
        expected = student(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool))[0, firsts]
    np.testing.assert_allclose(words.vectors, expected.numpy(), atol=1e-5, rtol=0)


def test_padding_does_not_change_vectors(student):
    import torch

    ids, mask = padded([3, 20])
    with torch.inference_mode():
        together = student(ids, mask)[0, :3]
        alone = student(ids[:1, :3], mask[:1, :3])[0]
    np.testing.assert_allclose(together.numpy(), alone.numpy(), atol=1e-5, rtol=0)


def test_a_text_may_start_at_any_position(student):
    import torch

    ids, mask = padded([5])
    with torch.inference_mode():
        at_zero = student(ids, mask)
        shifted = student(ids, mask, torch.tensor([3]))
        positions = student.position_embeddings.weight
        positions[:] = positions.roll(-3, dims=0)
        np.testing.assert_array_equal(student(ids, mask).numpy(), shifted.numpy())
    assert not np.array_equal(at_zero.numpy(), shifted.numpy())


def test_without_layers_the_embeddings_are_normalized(student):
    import torch

    ids, mask = padded([4])
    with torch.inference_mode():
        embedded = student.word_embeddings(ids) + student.position_embeddings(torch.arange(4))
        embedded = student.embedding_norm(embedded + student.token_type_embeddings.weight[0])
        expected = student.layers[0].full_layer_layer_norm(student.embedding_hidden_mapping_in(embedded))
        np.testing.assert_array_equal(student(ids, mask, num_layers=0).numpy(), expected.numpy())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b"[]"),
        ("config.json", b'{"vocab_size": 300}'),
        ("config.json", b"[" * 100_000),
        ("model.safetensors", b""),
        ("model.safetensors", b"\xff" * 100),
    ],
)
def test_a_damaged_checkpoint_is_refused(student, tmp_path, name, content):
    from sparkalbert.distill.student import load_student, save_student
    from sparkalbert.errors import CheckpointError

    save_student(student, tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="is not the checkpoint of a student"):
        load_student(tmp_path)


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    from sparkalbert.distill.student import load_student
    from sparkalbert.errors import CheckpointError
    from tests import tiny_checkpoint

    folder = tiny_checkpoint.write(tmp_path, num_hidden_groups=3)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="is not the checkpoint of a student"):
        load_student(folder)
