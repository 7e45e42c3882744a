import pytest

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.ml import DocumentAssembler, LightPipeline, TextMatcher, TextMatcherModel, Tokenizer


def test_phrases_of_a_file_are_found(tmp_path):
    path = tmp_path / "phrases.txt"
    path.write_text("New York\n\n  \nyork \n", encoding="utf-8")
    matcher = TextMatcher(outputCol="place", entities=str(path), caseSensitive=False, entityValue="city")
    light = LightPipeline([DocumentAssembler(inputCol="text"), Tokenizer(inputCols=["document"]), matcher])
    (row,) = light.fullAnnotate("In new  york.")
    assert [(one.begin, one.end, one.result, one.metadata) for one in row["place"]] == [
        (3, 11, "new  york", {"entity": "city", "sentence": "0", "chunk": "0"}),
        (8, 11, "york", {"entity": "city", "sentence": "0", "chunk": "1"}),
    ]
    assert matcher.fit(None).getSearchTrie() == [["New", "York"], ["york"]]


def test_phrases_are_required():
    with pytest.raises(ParamError, match=r"has no entities\. Call setEntities"):
        TextMatcher().fit(None)
    with pytest.raises(ParamError, match=r"has no phrases\. Fit a TextMatcher"):
        TextMatcherModel()._task()
    with pytest.raises(ParamError, match="entities is read as text, found read_as 'BINARY'"):
        TextMatcher().setEntities("phrases.txt", "BINARY")


def test_a_phrase_that_is_not_a_list_of_words_is_refused():
    """As a text, it would become a phrase of letters, which no token matches."""
    message = r"^searchTrie contains 'New York', expected .* a list of words\. Did you mean \[\['New', 'York'\]\]\?$"
    with pytest.raises(ParamTypeError, match=message):
        TextMatcherModel(searchTrie=["New York"])
    model = TextMatcherModel()
    model.set(model.searchTrie, ["New York"])  # not through the setter
    with pytest.raises(ParamTypeError, match=message):
        model._task()
    with pytest.raises(ParamTypeError, match=r"^searchTrie contains \['York', 5\], expected .* a list of words\.$"):
        model.setSearchTrie([["New"], ["York", 5]])
    assert model.setSearchTrie([("New", "York")]).getSearchTrie() == [["New", "York"]]
