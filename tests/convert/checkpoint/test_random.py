"""Random checkpoints: the same numbers every time, in the format that the converter reads."""

from pathlib import Path

import numpy as np
import pytest

from sparkalbert.config import AlbertConfig
from sparkalbert.convert import convert_checkpoint
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.checkpoint.random import random_tensors, write_random_checkpoint
from sparkalbert.word_embedder import WordEmbedder
from tests import tiny_bundle, tiny_checkpoint


def config(**overrides):
    return AlbertConfig(**{**tiny_checkpoint.SHAPE, **overrides})


def test_it_converts_and_embeds(tmp_path):
    folder = write_random_checkpoint(tmp_path / "random", config(), tiny_bundle.checkpoint())
    bundle = convert_checkpoint(folder, tmp_path / "bundle")
    (words,) = WordEmbedder(bundle).embed(["The river was high."])
    assert words.vectors.shape == (5, 32)
    assert np.isfinite(words.vectors).all()


@pytest.mark.parametrize("groups", [1, 3])
def test_the_same_seed_gives_the_same_numbers(tmp_path, groups):
    one, two = (
        write_random_checkpoint(tmp_path / name, config(num_hidden_groups=groups), tiny_bundle.checkpoint())
        for name in ("one", "two")
    )
    assert (one / "model.safetensors").read_bytes() == (two / "model.safetensors").read_bytes()
    expected = random_tensors(config(num_hidden_groups=groups))
    checkpoint = Checkpoint.open(Path(one))
    assert all(np.array_equal(checkpoint.tensor(name), values) for name, values in expected.items())


def test_another_seed_gives_other_numbers():
    name = "encoder.embedding_hidden_mapping_in.weight"
    assert not np.array_equal(random_tensors(config(), seed=1)[name], random_tensors(config(), seed=2)[name])
