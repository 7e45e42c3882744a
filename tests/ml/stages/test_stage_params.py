"""What holds for the Params of every stage: Spark NLP's names, defaults and methods."""

import ast
import inspect
import itertools
import pickle

import pytest

from sparkalbert.errors import ParamError, ParamTypeError
from sparkalbert.ml import (
    AlbertEmbeddings,
    ChunkEmbeddings,
    Doc2Chunk,
    DocumentAssembler,
    EmbeddingsFinisher,
    Finisher,
    MultiDocumentAssembler,
    NGramGenerator,
    Normalizer,
    NormalizerModel,
    RegexTokenizer,
    SentenceDetector,
    SentenceEmbeddings,
    StopWordsCleaner,
    TextMatcher,
    TextMatcherModel,
    TokenAssembler,
    Tokenizer,
    TokenizerModel,
)
from tests.recorded.recordings import OWN, RECORDINGS

COLUMNS = {"inputCol", "inputCols", "outputCol"}
ANY = object()  # pyspark names an output column after the stage

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
NORMALIZED = {
    "inputCols": (None, ["token"]),
    "outputCol": (ANY, "clean"),
    "lazyAnnotator": (False, True),
    "cleanupPatterns": ([r"[^\pL+]"], [r"\d"]),
    "lowercase": (False, True),
    "slangMatchCase": (False, True),
    "minLength": (0, 2),
    "maxLength": (None, 20),
}
MATCHED = {
    "inputCols": (["document", "token"], ["sentence", "token"]),
    "outputCol": (ANY, "entity"),
    "lazyAnnotator": (False, True),
    "caseSensitive": (True, False),
    "mergeOverlapping": (False, True),
    "entityValue": (None, "place"),
    "buildFromTokens": (None, True),
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
    Finisher: {
        "inputCols": (None, ["token"]),
        "outputCols": ([], ["words"]),
        "valueSplitSymbol": ("#", "~"),
        "annotationSplitSymbol": ("@", "|"),
        "cleanAnnotations": (True, False),
        "includeMetadata": (False, True),
        "outputAsArray": (True, False),
        "parseEmbeddingsVectors": (False, True),
    },
    SentenceEmbeddings: {
        "inputCols": (None, ["sentence", "embeddings"]),
        "outputCol": ("sentence_embeddings", "pooled"),
        "lazyAnnotator": (False, True),
        "poolingStrategy": ("AVERAGE", "SUM"),
        "dimension": (None, 32),
        "storageRef": (None, "mine"),
    },
    ChunkEmbeddings: {
        "inputCols": (None, ["chunk", "embeddings"]),
        "outputCol": ("chunk_embeddings", "pooled"),
        "lazyAnnotator": (False, True),
        "poolingStrategy": ("AVERAGE", "SUM"),
        "skipOOV": (None, False),
    },
    Doc2Chunk: {
        "inputCols": (None, ["document"]),
        "outputCol": (ANY, "chunk"),
        "lazyAnnotator": (None, True),
        "chunkCol": (None, "target"),
        "startCol": (None, "start"),
        "startColByTokenIndex": (None, True),
        "isArray": (False, True),
        "failOnMissing": (None, True),
        "lowerCase": (None, True),
    },
    NGramGenerator: {
        "inputCols": (None, ["token"]),
        "outputCol": (ANY, "ngrams"),
        "lazyAnnotator": (False, True),
        "n": (2, 3),
        "enableCumulative": (False, True),
        "delimiter": (None, "_"),
    },
}
STAGES |= {
    RegexTokenizer: {
        "inputCols": (["document"], ["sentence"]),
        "outputCol": ("regexToken", "words"),
        "lazyAnnotator": (False, True),
        "toLowercase": (False, True),
        "pattern": (r"\s+", ","),
        "positionalMask": (False, True),
        "trimWhitespace": (False, True),
        "preservePosition": (True, False),
        "minLength": (1, 2),
        "maxLength": (None, 20),
    },
    StopWordsCleaner: {
        "inputCols": (None, ["token"]),
        "outputCol": ("cleanedToken", "kept"),
        "lazyAnnotator": (False, True),
        "stopWords": (StopWordsCleaner.loadDefaultStopWords(), ["the"]),
        "caseSensitive": (False, True),
        "locale": ("en", "tr"),
    },
    Normalizer: {**NORMALIZED, "slangDictionary": (None, {"path": "slang.txt", "delimiter": ","})},
    NormalizerModel: {**NORMALIZED, "slangDict": ({}, {"im": "I am"})},
    TokenAssembler: {
        "inputCols": (None, ["sentence", "token"]),
        "outputCol": (ANY, "assembled"),
        "lazyAnnotator": (None, True),
        "preservePosition": (None, True),
    },
    MultiDocumentAssembler: {
        "inputCols": (None, ["question", "context"]),
        "outputCols": (None, ["q", "c"]),
        "idCol": (None, "id"),
        "metadataCol": (None, "meta"),
        "cleanupMode": ("disabled", "shrink"),
    },
    TextMatcher: {**MATCHED, "entities": (None, "phrases.txt")},
    TextMatcherModel: {**MATCHED, "searchTrie": (None, [["New", "York"]])},
}
STAGES[AlbertEmbeddings] = {
    "inputCols": (None, ["sentence", "token"]),
    "outputCol": (ANY, "vectors"),
    "lazyAnnotator": (False, True),
    "batchSize": (8, 4),
    "dimension": (768, 32),
    "maxSentenceLength": (128, 64),
    "caseSensitive": (False, True),
    "engine": ("onnx", "onnx"),
    "configProtoBytes": (None, [1, 2]),
    "storageRef": (None, "mine"),
    "model": (None, "albert_mini_en"),
    "revision": (None, "main"),
    "precision": (None, "int8"),
    "modelDigest": (None, "0" * 64),
    "doLowerCase": (None, False),
    "keepAccents": (None, True),
    "removeSpace": (None, False),
    "encoding": ("sentence", "token"),
    "compatibility": ("none", "spark-nlp"),
    "pooling": ("first", "mean"),
    "layers": ([-1], [-4, -3]),
    "piecesPerBatch": (None, 512),
    "vectorFormat": ("float", "binary"),
    "outputLevel": ("token", "document"),
    "onError": ("fail", "null"),
    "maxErrorFraction": (0.5, 0.1),
    "deterministic": (False, True),
    "memoryBudgetMb": (None, 700),
    "threads": (None, 2),
    "device": ("cpu", "cuda:1"),
    "modelDistribution": ("auto", "file"),
    "persistModel": ("value", "reference"),
}
# What Spark NLP's getters give for a Param that is not set; others raise KeyError.
NONE_UNLESS_SET = {
    DocumentAssembler: ["idCol", "metadataCol"],
    SentenceDetector: ["splitLength"],
    Tokenizer: ["splitPattern", "exceptionsPath"],
    TokenizerModel: ["splitPattern"],
    AlbertEmbeddings: ["configProtoBytes"],
    ChunkEmbeddings: ["skipOOV"],
    Doc2Chunk: ["chunkCol", "startCol", "startColByTokenIndex", "failOnMissing", "lowerCase"],
    NGramGenerator: ["delimiter"],
    RegexTokenizer: ["maxLength"],
    Normalizer: ["maxLength", "slangDictionary"],
    NormalizerModel: ["maxLength"],
    TokenAssembler: ["preservePosition"],
    MultiDocumentAssembler: ["idCol", "metadataCol"],
    TextMatcher: ["entityValue", "buildFromTokens", "entities"],
    TextMatcherModel: ["entityValue", "buildFromTokens"],
}
FROM_THE_MODEL = {AlbertEmbeddings: ["modelDigest"]}
every_stage = pytest.mark.parametrize("stage_class", STAGES, ids=lambda stage: stage.__name__)
pytestmark = pytest.mark.filterwarnings("ignore:configProtoBytes configures TensorFlow")


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
        if default is not None and default is not ANY:
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
    with pytest.raises(TypeError, match="unexpected keyword argument 'inputColumn'"):
        stage_class(inputColumn="text")
    with pytest.raises(ParamTypeError, match=r"has no Param 'inputColumn'\. Did you mean 'inputCols?'\?"):
        stage.setParams(inputColumn="text")


# Each way to set a Param, but the constructor and copy.
WAYS = {
    "setter": lambda stage, name, value: getattr(stage, accessor("set", name))(value),
    "set": lambda stage, name, value: stage.set(stage.getParam(name), value),
    "setParamValue": lambda stage, name, value: stage.setParamValue(name, value),
    "setParams": lambda stage, name, value: stage.setParams(**{name: value}),
}
every_way = pytest.mark.parametrize("way", WAYS)


@every_way
@every_stage
def test_none_gives_a_param_its_default_back(stage_class, way):
    for name, (_, other) in STAGES[stage_class].items():
        stage = stage_class(**{name: other})
        copied = stage.copy({stage.getParam(name): None})
        assert stage.isSet(name)
        assert not copied.isSet(name)
        WAYS[way](stage, name, None)
        assert not stage.isSet(name), name
        WAYS[way](stage, name, None)  # which is not set
        assert not stage_class(**{name: None}).isSet(name)


OTHER_TYPES = {bool: "yes", int: "3", float: "0.1", str: 5, list: 5}


@every_way
@every_stage
def test_a_value_of_another_type_is_refused_by_the_name_of_the_param(stage_class, way):
    for name, (_, other) in STAGES[stage_class].items():
        if isinstance(other, dict) or (name == "poolingStrategy" and way in {"setter", "setParams"}):
            continue
        stage = stage_class(**{name: other})
        with pytest.raises((ParamError, ParamTypeError)) as raised:
            WAYS[way](stage, name, OTHER_TYPES[type(other)])
        assert name.lower() in str(raised.value).lower()
        assert stage.getParamValue(name) == other


def test_what_a_wrong_type_says():
    with pytest.raises(ParamTypeError, match=r"^memoryBudgetMb is '700', expected an integer\.$"):
        AlbertEmbeddings().setMemoryBudgetMb("700")
    with pytest.raises(ParamTypeError, match=r"^caseSensitive is 'no', expected True or False\.$"):
        AlbertEmbeddings(caseSensitive="no")
    with pytest.raises(ParamTypeError, match=r"^stopWords is 'the', expected a list of strings\.$"):
        StopWordsCleaner(stopWords="the")


BY_NAME = {
    "setParamValue": lambda stage: stage.setParamValue("poling", "mean"),
    "getParamValue": lambda stage: stage.getParamValue("poling"),
    "setParams": lambda stage: stage.setParams(poling="mean"),
    "isSet": lambda stage: stage.isSet("poling"),
}


@pytest.mark.parametrize("way", BY_NAME)
def test_an_unknown_name_is_refused_with_the_nearest_one(way):
    message = r"^AlbertEmbeddings has no Param 'poling'\. Did you mean 'pooling'\? Its Params: batchSize, "
    with pytest.raises(ParamTypeError, match=message):
        BY_NAME[way](AlbertEmbeddings())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["batchSize", "piecesPerBatch", "memoryBudgetMb", "threads", "maxSentenceLength"])
def test_a_number_that_is_too_low_is_refused_by_the_name_of_the_param(name, way):
    stage = AlbertEmbeddings()

    def set_and_get():
        WAYS[way](stage, name, 0)
        getattr(stage, accessor("get", name))()

    with pytest.raises(ParamError, match=f"^{name} is 0, expected at least [13]"):
        set_and_get()


@every_stage
def test_each_param_is_a_keyword_of_the_constructor(stage_class):
    """Written out, so that editors complete them."""
    _, *parameters = inspect.signature(stage_class.__init__).parameters.values()
    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}
    assert {parameter.default for parameter in parameters} == {None}
    assert {parameter.name for parameter in parameters} == {param.name for param in stage_class().params}


def documented(stage_class):
    """The names in the section Parameters of the class's docstring."""
    section = inspect.getdoc(stage_class).partition("\nParameters\n----------\n")[2]
    lines = itertools.takewhile(lambda line: not line.startswith("---"), section.splitlines())
    return {
        name for line in lines if line and line[0] != " " for name in line.replace("**params", "").split(", ") if name
    }


@every_stage
def test_only_params_are_documented_as_such(stage_class):
    names = documented(stage_class) - {"Examples", "Notes"}
    params = {param.name for param in stage_class().params}
    assert names <= params
    assert names == params or "**params" in inspect.getdoc(stage_class)


@every_stage
def test_a_getter_of_an_unset_param_raises_as_pysparks_do_or_gives_none(stage_class):
    stage = stage_class()
    for param in stage.params:
        if stage.isDefined(param):
            continue
        getter = getattr(stage, accessor("get", param.name))
        if param.name in FROM_THE_MODEL.get(stage_class, ()):
            with pytest.raises(ParamError, match="has no model"):
                getter()
        elif stage_class is SentenceEmbeddings and param.name == "dimension":
            assert getter() == 100, "what Spark NLP writes"
        elif param.name in NONE_UNLESS_SET.get(stage_class, ()):
            assert getter() is None
        else:
            with pytest.raises(KeyError):
                getter()


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


@pytest.mark.parametrize("stage_class", NONE_UNLESS_SET, ids=lambda stage: stage.__name__)
def test_a_getter_gives_none_where_spark_nlps_does(stage_class):
    stage = stage_class()
    for name in NONE_UNLESS_SET[stage_class]:
        assert getattr(stage, accessor("get", name))() is None


@pytest.mark.parametrize("stage_class", [SentenceEmbeddings, ChunkEmbeddings], ids=lambda s: s.__name__)
def test_an_unknown_strategy_is_the_average(stage_class):
    """As in Spark NLP, which does not report it."""
    with pytest.warns(UserWarning, match="poolingStrategy is 'sum', expected AVERAGE or SUM"):
        stage = stage_class().setPoolingStrategy("SUM").setPoolingStrategy("sum")
    assert stage.getPoolingStrategy() == "AVERAGE"


RECORDED_STAGES = [stage for stage in STAGES if not stage.__name__.endswith("Model")]


def test_every_recorded_class_is_here():
    assert set(OWN.json("params")) == {stage.__name__ for stage in RECORDED_STAGES}


@pytest.mark.parametrize("recordings", RECORDINGS, ids=lambda recordings: recordings.name)
@pytest.mark.parametrize("stage_class", RECORDED_STAGES, ids=lambda stage: stage.__name__)
def test_params_and_methods_are_spark_nlps(stage_class, recordings):
    recordings.check_present()
    recorded = recordings.json("params").get(stage_class.__name__)
    if recorded is None:  # the second opinion is older
        assert recordings is not OWN
        return
    stage = stage_class()
    ours = {param.name for param in stage.params}
    assert ours >= set(recorded["params"]) if stage_class is AlbertEmbeddings else ours == set(recorded["params"])
    for name, param in recorded["params"].items():
        if name in COLUMNS or param["set"]:
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
