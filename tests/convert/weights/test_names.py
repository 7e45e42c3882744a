import numpy as np
import pytest

from sparkalbert.config import AlbertConfig
from sparkalbert.convert.weights.names import (
    IGNORED_PREFIXES,
    checkpoint_shapes,
    from_graph,
    graph_weights,
    to_graph,
)
from tests import tiny_checkpoint

SHAPES = [
    {},
    {"embedding_size": 17, "num_attention_heads": 8},
    {"num_hidden_groups": 3, "inner_group_num": 2},
    {"type_vocab_size": 1, "hidden_size": 20, "num_attention_heads": 5, "intermediate_size": 31},
]


@pytest.fixture(params=SHAPES, ids=str)
def config(request) -> AlbertConfig:
    return tiny_checkpoint.tiny_config(**request.param)


def test_names_and_shapes_are_those_of_a_checkpoint(config):
    tensors = tiny_checkpoint.random_tensors(config)
    needed = {name: values.shape for name, values in tensors.items() if not name.startswith(IGNORED_PREFIXES)}
    assert checkpoint_shapes(config) == needed


def test_every_tensor_is_used_exactly_once(config):
    sources = [source for weight in graph_weights(config) for source in weight.sources]
    assert sorted(sources) == sorted(checkpoint_shapes(config))
    names = [weight.name for weight in graph_weights(config)]
    assert len(set(names)) == len(names)


def test_there_and_back_gives_the_same_tensors(config):
    tensors = tiny_checkpoint.random_tensors(config)
    types = "embeddings.token_type_embeddings.weight"
    positions = "embeddings.position_embeddings.weight"
    for weight in graph_weights(config):
        array = to_graph(weight, [tensors[name] for name in weight.sources])
        assert array.shape == weight.shape
        back = from_graph(weight, array)
        assert list(back) == list(weight.sources)
        if weight.role == "positions":
            np.testing.assert_array_equal(back[positions], tensors[positions] + tensors[types][0])
            np.testing.assert_array_equal(back[types], np.zeros((1, config.embedding_size)))
            continue
        for name, values in back.items():
            np.testing.assert_array_equal(values, tensors[name])


def test_query_key_and_value_are_side_by_side():
    config = tiny_checkpoint.tiny_config()
    tensors = tiny_checkpoint.random_tensors(config)
    weight = next(weight for weight in graph_weights(config) if weight.name.endswith("qkv.weight"))
    packed = to_graph(weight, [tensors[name] for name in weight.sources])
    prefix = "encoder.albert_layer_groups.0.albert_layers.0.attention."
    for position, name in enumerate(("query", "key", "value")):
        columns = packed[:, 32 * position : 32 * (position + 1)]
        np.testing.assert_array_equal(columns, tensors[f"{prefix}{name}.weight"].T)
