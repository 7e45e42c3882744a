import re
from dataclasses import replace

import pytest

from sparkalbert.config import AlbertConfig
from sparkalbert.errors import ModelNotFoundError, ParamError
from sparkalbert.models.names import KNOWN_MODELS, HubModel, check_known_language, close_names, hub_model, slug

COMMIT = "0123456789abcdef" * 2 + "01234567"


LANGUAGES = {"en", "ar", "de", "fa", "fr", "hi", "ja", "mr", "ms", "ro", "xx"}
LICENCES = {"apache-2.0", "cc-by-4.0", "mit", "none stated", "unknown"}
ORIGINS = {
    "albert_base_uncased": "albert/albert-base-v2",
    "albert_xxlarge_uncased_v1": "albert/albert-xxlarge-v1",
    "albert_embeddings_albert_base_v1": "albert/albert-base-v1",
    "albert_large_v1": "albert/albert-large-v1",
    "albert_base_uncased_opt": "albert/albert-base-v2",
    "albert_embeddings_albert_base_arabic": "asafaya/albert-base-arabic",
    "albert_embeddings_albert_xlarge_arabic": "asafaya/albert-xlarge-arabic",
    "albert_embeddings_fralbert_base": "qwant/fralbert-base",
    "malbert_base_cased_64k": "cservan/malbert-base-cased-64k",
    "multilingual_albert_base_cased_128k": "cservan/multilingual-albert-base-cased-128k",
    "albert_embeddings_albert_fa_base_v2": "m3hrdadfi/albert-fa-base-v2",
    "albert_persian_farsi_zwnj_base_v2": "HooshvareLab/albert-fa-zwnj-base-v2",
    "albert_persian_poetry": "mitra-mir/ALBERT-Persian-Poetry",
    "albert_embeddings_albert_base_japanese_v1": "ken11/albert-base-japanese-v1",
    "albert_embeddings_albert_german_ner": "abhilash1910/albert-german-ner",
    "albert_embeddings_ALR_BERT": "dragosnicolae555/ALR_BERT",
    "albert_embeddings_marathi_albert_v2": "l3cube-pune/marathi-albert-v2",
    "hindi_marathi_dev_albert": "l3cube-pune/hindi-marathi-dev-albert",
    "albert_indic": "ai4bharat/indic-bert",
    "indic_bert_kornesh": "kornesh/indic-bert",
    "albert_embeddings_albert_tiny_bahasa_cased": "malay-huggingface/albert-tiny-bahasa-cased",
    "albert_for_arqmath_3": "AnReu/albert-for-arqmath-3",
}


def test_every_row_of_the_table():
    spellings = [text for name, known in KNOWN_MODELS.items() for text in (name, *known.other_names)]
    assert len(set(spellings)) == len(spellings)
    assert len({known.hub.repository for known in KNOWN_MODELS.values()}) == len(KNOWN_MODELS) == 39
    for name, known in KNOWN_MODELS.items():
        assert known.language in LANGUAGES
        assert known.licence in LICENCES
        assert known.hub.name == name
        assert known.hub.revision == "main" or re.fullmatch("[0-9a-f]{40}", known.hub.revision)
        for text in (name, *known.other_names, known.hub.repository):
            assert hub_model(text) is known.hub
            assert hub_model(f"{text}@v1") == replace(known.hub, revision="v1")


@pytest.mark.parametrize("name", ORIGINS)
def test_a_name_of_spark_nlp_is_its_original_repository(name):
    assert hub_model(name).repository == ORIGINS[name]


def test_shapes_are_those_of_the_configurations():
    shape = KNOWN_MODELS["albert_embeddings_albert_tiny_bahasa_cased"].config
    assert shape == AlbertConfig(32_000, 128, 336, 4, 1, 1, 12, 1_344)
    assert KNOWN_MODELS["albert_xlarge_uncased"].config.head_size == 128
    assert KNOWN_MODELS["albert_for_arqmath_3"].config is None


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("en.embed.albert", "albert_base_uncased"),
        ("en.embed.albert.base_uncased", "albert_base_uncased"),
        ("en.embed.albert.xlarge_uncased", "albert_xlarge_uncased"),
        ("albert-xxlarge-v2", "albert_xxlarge_uncased"),
        ("albert/albert-large-v1", "albert_large_uncased_v1"),
        ("albert", "albert_base_uncased"),
        ("fa.embed.albert", "albert_embeddings_albert_fa_base_v2"),
        ("xx.embed.albert.indic", "albert_indic"),
    ],
)
def test_aliases_are_the_same_model(alias, name):
    assert hub_model(alias) is KNOWN_MODELS[name].hub


def test_any_repository():
    assert hub_model("some.one/their_albert-2") == HubModel(
        "some.one/their_albert-2", "some.one/their_albert-2", "main"
    )


@pytest.mark.parametrize(
    "text",
    [
        "bert",
        "albert_huge_uncased",
        "",
        "/",
        "a/b/c",
        "../b",
        "a/",
        "a/.b",
        "-a/b",
        "a b/c",
        "a/b c",
        "@main",
    ],
)
def test_other_texts_are_not_names(text):
    assert hub_model(text) is None
    assert hub_model(text, "main") is None


def test_a_revision_replaces_the_pinned_one():
    assert hub_model("albert_base_uncased", "main").commit is None
    assert hub_model("albert_base_uncased", COMMIT).commit == COMMIT
    assert hub_model(f"albert_base_uncased@{COMMIT}") == hub_model("albert_base_uncased", COMMIT)
    assert hub_model("a/b@refs/pr/1").revision == "refs/pr/1"
    assert hub_model("a/b@v1", "v1").revision == "v1"


def test_two_revisions():
    with pytest.raises(ParamError) as caught:
        hub_model("a/b@v1", "v2")
    assert str(caught.value) == "Model 'a/b@v1' names a revision, and revision is 'v2'. Give only one of them."


@pytest.mark.parametrize("revision", ["", "../x", "a b", "-x", "/x", "a..b", "é"])
def test_an_invalid_revision(revision):
    with pytest.raises(ParamError) as caught:
        hub_model("albert_xlarge_uncased", revision)
    assert str(caught.value) == (
        f"revision is {revision!r}, expected a commit, a branch or a tag of albert/albert-xlarge-v2."
    )


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("albert_xlarge_uncase", "albert_xlarge_uncased"),
        ("ALBERT_BASE_UNCASED", "albert_base_uncased"),
        ("albert-xlarge-v3", "albert-xlarge-v2"),
        ("en.embed.albert.xlarge", "en.embed.albert.xlarge_uncased"),
        ("albert_embeddings_alr_bert", "albert_embeddings_ALR_BERT"),
        ("albert_fralbert_base", "albert_embeddings_fralbert_base"),
    ],
)
def test_a_close_name_is_offered(wrong, right):
    assert right in close_names(wrong, KNOWN_MODELS)


def test_nothing_is_close_to_something_else():
    assert close_names("glove_100d", KNOWN_MODELS) == []


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("albert_embeddings_fralbert_base", "fr"),
        ("fr.embed.albert", "fr"),
        ("qwant/fralbert-base@v1", "fr"),
        ("albert_indic", "xx"),
        ("someone/their-albert", "sw"),
    ],
)
def test_the_language_of_a_name(name, language):
    check_known_language(name, language)


def test_a_name_of_another_language():
    with pytest.raises(ModelNotFoundError) as caught:
        check_known_language("albert_embeddings_marathi_albert", "ro")
    assert str(caught.value) == (
        "There is no model 'albert_embeddings_marathi_albert' for lang 'ro': it is listed for 'mr'. Pass lang='mr' or "
        "leave lang out. The names for 'ro' are albert_embeddings_ALR_BERT."
    )
    with pytest.raises(ModelNotFoundError, match=r"listed for 'en'\. Pass lang='en' or leave lang out\.$"):
        check_known_language("albert", "sw")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b", "a--b"),
        ("../..", "--"),
        ("é x", "__x"),
        (".hidden", "hidden"),
        ("...", "model"),
        ("", "model"),
    ],
)
def test_slugs_are_safe(text, expected):
    assert slug(text) == expected
