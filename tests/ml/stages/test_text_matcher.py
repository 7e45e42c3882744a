import pytest

from sparkalbert.errors import ParamError
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
