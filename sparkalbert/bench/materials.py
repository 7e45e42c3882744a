"""Prepares the models of a run: the same weights in every form that a system needs.

The weights are those of a checkpoint or of a bundle, or random weights in a published shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sparkalbert.bundle import Bundle, Precision
from sparkalbert.bundle.folder import CONFIG_FILE
from sparkalbert.config import AlbertConfig
from sparkalbert.convert import convert_checkpoint
from sparkalbert.convert.checkpoint.folder import Checkpoint
from sparkalbert.convert.checkpoint.random import write_checkpoint, write_random_checkpoint
from sparkalbert.convert.lone_product import write_lone_product
from sparkalbert.convert.unrolled import convert_unrolled
from sparkalbert.convert.verify.bundle_weights import bundle_tensors
from sparkalbert.convert.weights.names import checkpoint_shapes
from sparkalbert.errors import ParamError
from sparkalbert.models import find_model
from sparkalbert.text import PieceTokenizer

__all__ = ["SHAPES", "Materials", "prepare_materials"]

_TOKENIZER_MODEL: Final = "albert_mini_en"
_VOCAB_SIZE: Final = 30_000


def _shape(hidden: int, layers: int, heads: int) -> AlbertConfig:
    return AlbertConfig(
        vocab_size=_VOCAB_SIZE,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
    )


SHAPES: Final[Mapping[str, AlbertConfig]] = MappingProxyType(
    {
        "mini": _shape(256, 4, 4),
        "base": _shape(768, 12, 12),
        "large": _shape(1024, 24, 16),
        "xlarge": _shape(2048, 24, 16),
        "xxlarge": _shape(4096, 12, 64),
    }
)
"""The published shapes (version 2), and a small one."""


@dataclass(frozen=True)
class Materials:
    """The same weights in several forms.

    Attributes
    ----------
    name
        Description for people.
    dimension
        Width of a vector.
    checkpoint
        The weights as a Hugging Face checkpoint.
    bundles, unrolled, products
        The weights as our bundle, as a bundle with an unrolled graph, and products of the same shapes alone, by
        precision. The last two are empty unless a system needs them.
    """

    name: str
    dimension: int
    checkpoint: Path
    bundles: Mapping[str, Bundle]
    unrolled: Mapping[str, Bundle]
    products: Mapping[str, Bundle]


def prepare_materials(model: str, precisions: Sequence[Precision], kinds: Sequence[str], folder: Path) -> Materials:
    """Return a model's weights in every form that the chosen systems need, written below `folder`.

    Parameters
    ----------
    model
        A name of :data:`SHAPES` for random weights, a checkpoint folder, or a bundle by folder or name. A bundle is
        used unchanged in its own precision.
    precisions
        The precisions to prepare.
    kinds
        The systems: ``bare`` needs unrolled graphs, ``product`` the products.
    folder
        An empty folder that exists.

    Raises
    ------
    ModelNotFoundError
        If no such model exists.
    ParamError
        If the model is an imported graph.
    """
    bundles: dict[str, Bundle] = {}
    if model in SHAPES:
        tokenizer = find_model(_TOKENIZER_MODEL).path
        pieces = PieceTokenizer.load(tokenizer).vocabulary_size
        config = replace(SHAPES[model], vocab_size=max(_VOCAB_SIZE, pieces))
        checkpoint = write_random_checkpoint(folder / "checkpoint", config, tokenizer)
        name = f"random weights in the shape {model}"
    elif (Path(model) / CONFIG_FILE).is_file() and not Bundle.is_bundle(model):
        checkpoint = Checkpoint.open(model).folder
        name = f"checkpoint {checkpoint.name}"
    else:
        bundle = find_model(model)
        checkpoint = _checkpoint_of(bundle, folder / "checkpoint")
        bundles[bundle.manifest.precision] = bundle
        name = f"bundle {bundle.manifest.name}"
    for precision in precisions:
        if precision not in bundles:
            bundles[precision] = convert_checkpoint(checkpoint, folder / precision, precision=precision)
    unrolled: dict[str, Bundle] = {
        precision: convert_unrolled(checkpoint, folder / f"{precision}-unrolled", precision)
        for precision in (precisions if "bare" in kinds else ())
    }
    products: dict[str, Bundle] = {
        precision: write_lone_product(bundles[precision], folder / f"{precision}-product")
        for precision in (precisions if "product" in kinds else ())
    }
    dimension = AlbertConfig.from_file(checkpoint / CONFIG_FILE).hidden_size
    return Materials(name, dimension, checkpoint, bundles, unrolled, products)


def _checkpoint_of(bundle: Bundle, folder: Path) -> Path:
    """Write a bundle's weights as a checkpoint."""
    if bundle.manifest.num_layers == 0:
        msg = (
            f"The model {bundle.manifest.name!r} is an imported graph, whose weights the other systems cannot "
            "use. Benchmark the checkpoint that it was exported from."
        )
        raise ParamError(msg)
    tensor = bundle_tensors(bundle)
    shapes = checkpoint_shapes(bundle.config)
    tensors = {name: tensor(name) for name in shapes}
    config = replace(bundle.config, type_vocab_size=1)  # the bundle has added the one type that it uses
    return write_checkpoint(folder, config, bundle.path, tensors)
