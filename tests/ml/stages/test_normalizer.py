from pathlib import Path

import pytest

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.ml import DocumentAssembler, LightPipeline, Normalizer, NormalizerModel, Tokenizer


def normalized(normalizer, text):
    stages = [DocumentAssembler(inputCol="text"), Tokenizer(inputCols=["document"])]
    return LightPipeline([*stages, normalizer.setInputCols("token").setOutputCol("out")]).annotate(text)["out"]


def test_a_slang_dictionary_is_read_by_fit(tmp_path):
    path = tmp_path / "slang.txt"
    path.write_text("u;you\ngr8;very good\n", encoding="utf-8")
    normalizer = Normalizer(slangDictionary={"path": str(path), "delimiter": ";"})
    assert normalized(normalizer, "U r gr8") == ["you", "r", "very", "good"]
    by_options = Normalizer().setSlangDictionary(str(path), ",", "TEXT", {"format": "text", "delimiter": ";"})
    assert by_options.getSlangDictionary() == normalizer.getSlangDictionary()
    path.unlink()
    with pytest.raises(ParamError, match=r"slangDictionary: found no file .*slang\.txt on the driver"):
        normalizer.fit(None)


def test_wrong_params_are_refused_before_any_row():
    with pytest.raises(ParamError, match="maxLength must be greater equal than minLength"):
        Normalizer(minLength=3, maxLength=2).fit(None)
    with pytest.raises(ParamError, match="cleanupPatterns"):
        Normalizer(cleanupPatterns=["("])
    with pytest.raises(ParamError, match="expected a path and a delimiter"):
        Normalizer().setSlangDictionary("slang.txt")
    with pytest.raises(ParamError, match="slangDictionary is read as text, found read_as 'BINARY'"):
        Normalizer().setSlangDictionary("slang.txt", ",", "BINARY")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"im": 5}, r"^slangDict contains 'im': 5, expected strings\. Convert both with str\(\)\.$"),
        ({4: "for"}, r"^slangDict contains 4: 'for', expected strings\. Convert both with str"),
        ("abc", r"^slangDict is 'abc', expected a dict of strings, such as {'im': 'I am'}\.$"),
    ],
)
def test_slang_is_a_dict_of_strings(value, message):
    """Anything else would fail on the workers, or without the name of the Param."""
    with pytest.raises(ParamTypeError, match=message):
        NormalizerModel(slangDict=value)
    model = NormalizerModel()
    model.set(model.slangDict, value)  # not through the setter
    with pytest.raises(ParamTypeError, match=message):
        model._task()


def test_a_path_of_slang_is_a_string():
    with pytest.raises(ParamTypeError, match=r"slangDictionary contains 'path': .*'slang\.txt'\), expected strings"):
        Normalizer().setSlangDictionary(Path("slang.txt"), ",")
