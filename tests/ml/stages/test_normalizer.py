import pytest

from sparkalbert.errors import ParamError
from sparkalbert.ml import DocumentAssembler, LightPipeline, Normalizer, Tokenizer


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
