import re

import pytest

from sparkalbert.errors import ParamError
from sparkalbert.models.names import KNOWN_MODELS, HubModel, close_names, hub_model, slug

COMMIT = "0123456789abcdef" * 2 + "01234567"


def test_the_known_names():
    assert {name: model.repository for name, model in KNOWN_MODELS.items()} == {
        "albert_base_uncased": "albert/albert-base-v2",
        "albert_large_uncased": "albert/albert-large-v2",
        "albert_xlarge_uncased": "albert/albert-xlarge-v2",
        "albert_xxlarge_uncased": "albert/albert-xxlarge-v2",
        "albert_base_uncased_v1": "albert/albert-base-v1",
        "albert_large_uncased_v1": "albert/albert-large-v1",
        "albert_xlarge_uncased_v1": "albert/albert-xlarge-v1",
        "albert_xxlarge_uncased_v1": "albert/albert-xxlarge-v1",
    }
    for name, model in KNOWN_MODELS.items():
        assert hub_model(name) is model
        assert model.name == name
        assert model.revision == "main" or re.fullmatch("[0-9a-f]{40}", model.revision)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("en.embed.albert", "albert_base_uncased"),
        ("en.embed.albert.base_uncased", "albert_base_uncased"),
        ("en.embed.albert.xlarge_uncased", "albert_xlarge_uncased"),
        ("albert-xxlarge-v2", "albert_xxlarge_uncased"),
        ("albert/albert-large-v1", "albert_large_uncased_v1"),
    ],
)
def test_aliases_are_the_same_model(alias, name):
    assert hub_model(alias) == KNOWN_MODELS[name]


def test_any_repository():
    assert hub_model("some.one/their_albert-2") == HubModel(
        "some.one/their_albert-2", "some.one/their_albert-2", "main"
    )


@pytest.mark.parametrize(
    "text",
    [
        "albert",
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
    ],
)
def test_a_close_name_is_offered(wrong, right):
    assert right in close_names(wrong, KNOWN_MODELS)


def test_nothing_is_close_to_something_else():
    assert close_names("glove_100d", KNOWN_MODELS) == []


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
