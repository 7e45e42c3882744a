"""What holds for the Params of every stage: Spark NLP's names, defaults and methods."""

import ast
import json
import pickle
from pathlib import Path

import pytest

from sparkalbert.errors import ParamTypeError
from sparkalbert.ml import DocumentAssembler, EmbeddingsFinisher, SentenceDetector, Tokenizer, TokenizerModel

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "spark-nlp" / "annotators"
COLUMNS = {"inputCol", "inputCols", "outputCol"}

ANNOTATOR = {"inputCols": (None, ["document"]), "lazyAnnotator": (False, True)}
TOKENS = {
    **ANNOTATOR,
    "outputCol": ("token", "words"),
    "targetPattern": (r"\S+", r"\w+"),
    "prefixPattern": (None, r"\A(\W*)"),
    "suffixPattern": (None, r"(\W*)\z"),
    "infixPatterns": (None, [r"(\w+)('s)"]),
    "contextChars": ([".", ",", ";", ":", "!", "?", "*", "-", "(", ")", '"', "'"], ["."]),
    "exceptions": (None, ["New York"]),
    "caseSensitiveExceptions": (True, False),
    "splitPattern": (None, "-"),
    "splitChars": (None, ["-"]),
    "minLength": (0, 2),
    "maxLength": (99_999, 20),
}
# For each stage and Param: the default (None for none) and another value.
STAGES = {
    DocumentAssembler: {
        "inputCol": (None, "text"),
        "outputCol": ("document", "doc"),
        "idCol": (None, "id"),
        "metadataCol": (None, "meta"),
        "cleanupMode": ("disabled", "shrink"),
    },
    SentenceDetector: {
        **ANNOTATOR,
        "outputCol": ("sentence", "parts"),
        "useAbbreviations": (True, False),
        "detectLists": (True, False),
        "useCustomBoundsOnly": (False, True),
        "customBounds": ([], ["\n", "--"]),
        "customBoundsStrategy": ("none", "append"),
        "explodeSentences": (False, True),
        "splitLength": (None, 30),
        "minLength": (0, 2),
        "maxLength": (99_999, 50),
    },
    Tokenizer: {**TOKENS, "exceptionsPath": (None, "exceptions.txt")},
    TokenizerModel: TOKENS,
    EmbeddingsFinisher: {
        "inputCols": (None, ["embeddings"]),
        "outputCols": ([], ["vectors"]),
        "outputAsVector": (False, True),
        "cleanAnnotations": (False, True),
    },
}
every_stage = pytest.mark.parametrize("stage_class", STAGES, ids=lambda stage: stage.__name__)


def accessor(prefix, name):
    return f"{prefix}{name[0].upper()}{name[1:]}"


@every_stage
def test_each_param_has_its_default_setter_and_getter(stage_class):
    expected = STAGES[stage_class]
    assert {param.name for param in stage_class().params} == set(expected)
    for name, (default, other) in expected.items():
        stage = stage_class()
        assert stage.hasDefault(name) == (default is not None), name
        assert not stage.isSet(name)
        if default is not None:
            assert getattr(stage, accessor("get", name))() == default
        assert getattr(stage, accessor("set", name))(other) is stage
        assert stage.isSet(name)
        assert getattr(stage, accessor("get", name))() == stage.getParamValue(name) == other
        assert type(getattr(stage, accessor("get", name))()) is type(other)


@every_stage
def test_params_are_taken_by_keyword(stage_class):
    values = {name: other for name, (_, other) in STAGES[stage_class].items()}
    stage = stage_class(**values)
    assert {param.name: value for param, value in stage.extractParamMap().items()} == values
    with pytest.raises(TypeError):
        stage_class("text")
    with pytest.raises(ParamTypeError, match="has no Param 'inputColumn'"):
        stage_class(inputColumn="text")


@every_stage
def test_a_copy_is_independent(stage_class):
    name, (_, other) = next(iter(STAGES[stage_class].items()))
    stage = stage_class()
    copied = stage.copy({stage.getParam(name): other})
    assert type(copied) is stage_class
    assert copied.uid == stage.uid
    assert copied.getParamValue(name) == other
    assert not stage.isSet(name)


@every_stage
def test_each_param_explains_itself(stage_class):
    stage = stage_class()
    explained = stage.explainParams().splitlines()
    assert len(explained) == len(STAGES[stage_class])
    assert all(len(param.doc) > 10 for param in stage.params)
    assert stage.uid.startswith(f"{stage_class.__name__}_")
    assert stage.name == stage_class.__name__


@every_stage
def test_stages_can_be_pickled(stage_class):
    name, (_, other) = next(iter(STAGES[stage_class].items()))
    stage = stage_class(**{name: other})
    assert pickle.loads(pickle.dumps(stage)).getParamValue(name) == other


@pytest.mark.parametrize(
    "stage_class", [s for s in STAGES if s is not TokenizerModel], ids=lambda s: s.__name__
)
def test_params_and_methods_are_spark_nlps(stage_class):
    if not RECORDED.is_dir():
        pytest.skip("recordings of Spark NLP are not here")
    recorded = json.loads((RECORDED / "params.json").read_text())[stage_class.__name__]
    stage = stage_class()
    assert {param.name for param in stage.params} == set(recorded["params"])
    for name, param in recorded["params"].items():
        if name in COLUMNS:
            continue
        assert stage.hasDefault(name) == (param["default"] is not None), name
        if param["default"] is not None:
            assert stage.getParamValue(name) == ast.literal_eval(param["default"]), name
    assert [method for method in recorded["methods"] if not callable(getattr(stage, method, None))] == []
    types = recorded["types"]
    for attribute in ("inputAnnotatorTypes", "optionalInputAnnotatorTypes"):
        if types[attribute] is not None:
            assert list(getattr(stage, attribute)) == types[attribute]
    assert getattr(stage, "outputAnnotatorType", None) == types["outputAnnotatorType"]
