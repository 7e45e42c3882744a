"""The public names: those of ``__all__``, sorted, and every one of them there."""

import importlib
import pkgutil

import pytest

import sparkalbert

PACKAGES = [
    "sparkalbert",
    *(f"sparkalbert.{name}" for name in ("bundle", "cli", "convert", "inference", "ml", "text")),
]
UNPICKED = {"sparkalbert.distill"}  # needs torch


def modules():
    found = (module.name for module in pkgutil.walk_packages(sparkalbert.__path__, "sparkalbert."))
    return [name for name in found if not any(name.startswith(package) for package in UNPICKED)]


def test_the_root_offers_these_names():
    assert sparkalbert.__all__ == [
        "AlbertEmbeddings",
        "DocumentAssembler",
        "EmbeddingsFinisher",
        "LightPipeline",
        "SentenceDetector",
        "Tokenizer",
        "WordEmbedder",
        "binary_to_numpy",
        "convert_checkpoint",
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_every_public_name(package):
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("name", [*PACKAGES, *modules()])
def test_every_public_name_exists_once_and_in_order(name):
    module = importlib.import_module(name)
    names = module.__all__
    assert len(names) == len(set(names))
    assert names == sorted(names, key=order)
    for member in names:
        assert getattr(module, member) is not None


def order(name):
    """Constants, then classes, then functions; each by alphabet."""
    return (not name.isupper(), name[0].islower(), name)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'BertEmbeddings'"):
        _ = sparkalbert.BertEmbeddings
