"""Both make the same of the tokens of texts made up at random: the stages that need no model."""

from types import SimpleNamespace
from unicodedata import ucd_3_2_0

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.ml import Pipeline, PipelineModel

from sparkalbert.text.segmentation.java_case import lower_java
from tests.known_differences import PHRASES, REGEX_TOKENS
from tests.peers import random_texts
from tests.peers.compare import annotators, assert_same_schema, column, plain, with_params
from tests.recorded import settings

SEED = 11
KINDS = {
    "RegexTokenizer": (settings.REGEX_TOKENS, ["sentence"]),
    "StopWordsCleaner": (settings.STOP_WORDS, ["token"]),
    "Normalizer": (settings.NORMALIZED, ["token"]),
    "TextMatcher": (settings.MATCHED, ["sentence", "token"]),
    "TokenAssembler": (settings.ASSEMBLED, ["sentence", "clean"]),
}
NAMES = [name for recorded, _ in KINDS.values() for name in recorded]


def stages(home, folder):
    """The annotators, and a stage of `home` for each recorded setting."""
    made = [
        *annotators(home),
        home.StopWordsCleaner().setInputCols("token").setOutputCol("kept"),
        home.Normalizer().setInputCols("kept").setOutputCol("clean"),
    ]
    for kind, (recorded, inputs) in KINDS.items():
        for name, params in recorded.items():
            stage = getattr(home, kind)().setInputCols(*inputs).setOutputCol(name)
            made.append(with_params(stage, settings.with_paths(params, folder)))
    return made


@pytest.fixture(scope="module")
def texts(spark):
    made = random_texts.texts(150, SEED) + random_texts.prose(50, SEED)
    rows = [*enumerate([*made, ""]), (-1, None)]
    return spark.createDataFrame(rows, "id int, text string").coalesce(2).cache()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("files")
    settings.write_files(made)
    return made


@pytest.fixture(scope="module")
def both(ours, theirs, texts, folder):
    """The column of every setting, made by ours and by theirs."""
    return [made(stages(home, folder), texts) for home in (ours, theirs)]


def made(pipeline, texts):
    frame = Pipeline(stages=pipeline).fit(texts).transform(texts).select("id", *NAMES)
    return SimpleNamespace(frame=frame, rows=sorted(frame.collect(), key=lambda row: row.id))


@pytest.mark.parametrize("name", NAMES)
def test_every_setting(name, both):
    found, expected = both
    assert_same_schema(found.frame.select(name), expected.frame.select(name))
    assert [plain(row[name]) for row in found.rows] == [plain(row[name]) for row in expected.rows]


@pytest.mark.parametrize("mostly", ["ours", "theirs"])
def test_every_second_stage_may_be_the_others(mostly, ours, theirs, texts, folder, both):
    one, other = (ours, theirs) if mostly == "ours" else (theirs, ours)
    pairs = zip(stages(one, folder), stages(other, folder), strict=True)
    mixed = made([pair[at % 2] for at, pair in enumerate(pairs)], texts)
    assert_same_schema(mixed.frame, both[1].frame)
    assert mixed.rows == both[1].rows


@pytest.mark.parametrize("params", settings.SEVERAL_DOCUMENTS.values(), ids=settings.SEVERAL_DOCUMENTS)
def test_several_documents(params, ours, theirs, texts):
    frame = texts.selectExpr("id", "text", "upper(text) AS upper", "map('src', 'y', 'id', 'x') AS m")
    params = {**params, **({"idCol": "text"} if "idCol" in params else {})}  # a string
    found, expected = (
        with_params(home.MultiDocumentAssembler().setInputCols("text", "upper"), params).transform(frame)
        for home in (ours, theirs)
    )
    assert_same_schema(found, expected)
    for name in found.columns[-2:]:
        assert column(found, name) == column(expected, name)


def test_a_light_pipeline(ours, theirs, texts, folder):
    made = [row.text for row in texts.filter("text > ''").limit(6).collect()]
    found, expected = (
        home.LightPipeline(PipelineModel(Pipeline(stages=stages(home, folder)).fit(texts).stages)).fullAnnotate(made)
        for home in (ours, theirs)
    )
    for row, other in zip(found, expected, strict=True):
        for name in NAMES:
            assert plain(row[name]) == plain(other[name]), name


@pytest.mark.parametrize("locale", ["", "tr", "lt"])
@pytest.mark.parametrize("pattern", ["x{} ", "I{}\u0307 ", "{}\u0301 "])
def test_lower_case_is_the_jvms(spark, locale, pattern):
    """Of every character of Unicode 3.2: Java 17 and Python know different newer ones."""
    characters = filter(lambda one: ucd_3_2_0.category(one) not in {"Cn", "Cs"}, map(chr, range(0x20000)))
    text = "".join(map(pattern.format, characters))
    jvm = spark._jvm
    expected = jvm.org.apache.commons.lang3.StringUtils.lowerCase(text, jvm.java.util.Locale(locale))
    assert lower_java(text, locale).split(" ") == expected.split(" ")


@pytest.mark.parametrize("known", REGEX_TOKENS)
def test_known_differences_of_regex_tokens(known, spark, ours, theirs):
    frame = spark.createDataFrame([(0, known.text)], "id int, text string")

    def said(home):
        stage = with_params(home.RegexTokenizer().setInputCols("document").setOutputCol("out"), known.params)
        return shown(Pipeline(stages=[annotators(home)[0], stage]).fit(frame).transform(frame))

    assert said(ours) == known.ours
    if isinstance(known.real, str):
        with pytest.raises(Py4JJavaError) as caught:
            said(theirs)
        assert known.real in str(caught.value)
    else:
        assert said(theirs) == known.real


@pytest.mark.parametrize("known", PHRASES)
def test_known_differences_of_phrases(known, spark, ours, theirs, tmp_path):
    frame = spark.createDataFrame([(0, known.text)], "id int, text string")
    path = tmp_path / "phrases.txt"
    path.write_text("\n".join(known.params["phrases"]), encoding="utf-8")

    def said(home):
        tokenizer = home.Tokenizer().setInputCols("document").setOutputCol("token")
        stage = home.TextMatcher().setInputCols("document", "token").setOutputCol("out").setEntities(str(path))
        return shown(Pipeline(stages=[annotators(home)[0], tokenizer, stage]).fit(frame).transform(frame))

    assert said(ours) == known.ours
    assert said(theirs) == known.real


def shown(frame):
    return [(begin, end, result) for _, begin, end, result, _ in column(frame, "out")[0]]
