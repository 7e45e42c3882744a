"""The public names: those of ``__all__``, in order, and each of them exists."""

import importlib
import importlib.metadata
import pkgutil
import re

import pytest

import sparkalbert

LEFT_OUT = "sparkalbert.distill"  # needs torch
MODULES = [
    module
    for module in pkgutil.walk_packages(sparkalbert.__path__, "sparkalbert.")
    if not module.name.startswith(LEFT_OUT)
]
PACKAGES = ["sparkalbert", *(module.name for module in MODULES if module.ispkg)]


def test_the_root_offers_these_names():
    assert sparkalbert.__all__ == [
        "AlbertEmbeddings",
        "Annotation",
        "ChunkEmbeddings",
        "Doc2Chunk",
        "DocumentAssembler",
        "EmbeddedText",
        "EmbeddingsFinisher",
        "Finisher",
        "LightPipeline",
        "MultiDocumentAssembler",
        "NGramGenerator",
        "Normalizer",
        "NormalizerModel",
        "RegexTokenizer",
        "SentenceDetector",
        "SentenceEmbeddings",
        "StopWordsCleaner",
        "TextMatcher",
        "TextMatcherModel",
        "TokenAssembler",
        "Tokenizer",
        "TokenizerModel",
        "WordEmbedder",
        "binary_to_array",
        "binary_to_numpy",
        "binary_to_vector",
        "convert_checkpoint",
        "find_model",
        "load",
        "start",
        "version",
    ]


def test_the_version_is_that_of_the_package():
    assert sparkalbert.__version__ == sparkalbert.version() == importlib.metadata.version("sparkalbert")
    assert "__version__" in dir(sparkalbert)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_is_that_of_a_module_in_the_package(package):
    """Importing the module would replace the attribute of the package, and a function become a module."""
    module = importlib.import_module(package)
    inside = {found.name for found in pkgutil.iter_modules(module.__path__)}
    assert inside.isdisjoint(module.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_every_public_name(package):
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("name", ["sparkalbert", *(module.name for module in MODULES)])
def test_every_public_name_exists_once_and_in_order(name):
    module = importlib.import_module(name)
    names = module.__all__
    assert len(names) == len(set(names))
    assert names == sorted(names, key=order)
    for member in names:
        assert getattr(module, member) is not None


def order(name):
    """Sort constants before classes before functions, each by alphabet and number."""
    parts = [part.zfill(9) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    return (not name.isupper(), name[0].islower(), parts)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'BertEmbeddings'"):
        _ = sparkalbert.BertEmbeddings
