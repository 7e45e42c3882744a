import pytest

from sparkalbert.errors import ColumnError, ParamError
from sparkalbert.ml import DocumentAssembler, NGramGenerator, SentenceDetector, Tokenizer


@pytest.fixture
def tokens(any_spark):
    frame = any_spark.createDataFrame([("One two three. Four.",), (None,)], "text string").coalesce(1)
    frame = SentenceDetector(inputCols=["document"]).transform(DocumentAssembler(inputCol="text").transform(frame))
    return Tokenizer(inputCols=["sentence"]).fit(frame).transform(frame)


# The expected values were seen on Spark NLP 5.5.3.
def test_all_lengths_up_to_n(tokens):
    stage = NGramGenerator(inputCols=["token"], outputCol="n", n=3, enableCumulative=True, delimiter="_")
    some, none = stage.transform(tokens).collect()
    found = [(a.begin, a.end, a.result, a.metadata["sentence"], a.metadata["chunk"]) for a in some.n]
    assert found == [
        (0, 2, "One", "0", "0"), (4, 6, "two", "0", "1"), (8, 12, "three", "0", "2"), (13, 13, ".", "0", "3"),
        (0, 6, "One_two", "0", "4"), (4, 12, "two_three", "0", "5"), (8, 13, "three_.", "0", "6"),
        (0, 12, "One_two_three", "0", "7"), (4, 13, "two_three_.", "0", "8"),
        (15, 18, "Four", "1", "0"), (19, 19, ".", "1", "1"), (15, 19, "Four_.", "1", "2"),
    ]  # fmt: skip
    assert none.n == []


def test_wrong_params_and_columns(spark):
    with pytest.raises(ParamError, match="n is 0, expected at least 1"):
        NGramGenerator(n=0)
    with pytest.raises(ParamError, match="Delimiter should have length == 1, found '__'"):
        NGramGenerator(delimiter="__")
    with pytest.raises(ParamError, match=r'has no inputCols\. Call setInputCols\("token"\)'):
        NGramGenerator().transform(spark.range(1))
    with pytest.raises(ColumnError, match="following annotator types: token"):
        NGramGenerator(inputCols=["id"]).transform(spark.range(1))
